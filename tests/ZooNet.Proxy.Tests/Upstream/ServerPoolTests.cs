using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>Through which server of a cluster a link goes.</summary>
public sealed class ServerPoolTests : IBarrierTransport
{
    private readonly FakeTimeProvider _time = new();
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);

    [Fact]
    public async Task A_server_that_takes_no_connection_is_tried_last_for_two_seconds()
    {
        using var first = Listen();
        using var second = Listen();
        var pool = Pool(first, second);
        // The region's proxies have agreed on the first one, so it is the one to try whenever it may answer.
        _region.Copies.Agree([null, AddressOf(first)]);
        Assert.Equal(AddressOf(first), await ConnectAsync(pool));

        var address = (IPEndPoint)first.LocalEndpoint;
        first.Stop();
        Assert.Equal(AddressOf(second), await ConnectAsync(pool));

        // It is back, and not asked before the two seconds are over.
        using var back = new TcpListener(address);
        back.Start();
        Assert.Equal(AddressOf(second), await ConnectAsync(pool));
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(address.ToString(), await ConnectAsync(pool));
    }

    [Fact]
    public async Task A_cluster_that_is_refused_is_not_connected_to_and_the_error_says_why()
    {
        using var server = Listen();
        var pool = Pool(server);
        pool.Refusal = "it has lost changes";
        Assert.Equal("it has lost changes", (await Assert.ThrowsAsync<UpstreamUnavailableException>(() => ConnectAsync(pool))).Message);

        pool.Refusal = null;
        Assert.Equal(AddressOf(server), await ConnectAsync(pool));
    }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => server.BarrierDone(ticket, true);

    private static TcpListener Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return listener;
    }

    private static string AddressOf(TcpListener listener) => listener.LocalEndpoint.ToString()!;

    private static async Task<string> ConnectAsync(ServerPool pool)
    {
        var (wire, server) = await pool.ConnectAsync(CancellationToken.None);
        wire.Close();
        return server.Address;
    }

    private ServerPool Pool(params TcpListener[] servers)
    {
        var addresses = servers.Select(s => new HostPort("127.0.0.1", ((IPEndPoint)s.LocalEndpoint).Port)).ToList();
        return new ServerPool(_region, new ClusterConfig("eu", 1, [], addresses), this, new ServerDirectory(), TimeSpan.FromSeconds(5), _time);
    }
}
