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
    private readonly ServerDirectory _directory = new();
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

    [Fact]
    public async Task A_server_that_has_left_its_cluster_is_forgotten_after_ten_minutes_unless_a_client_uses_it()
    {
        using var first = Listen();
        using var second = Listen();
        var known = new ClusterServers(new ClusterConfig("eu", 1, [], [HostOf(first)]));
        var pool = Pool(known);
        await ConnectAsync(pool);
        var left = Assert.Single(pool.Servers);
        known.Learn([HostOf(second)], "dns");
        await ConnectAsync(pool);
        Assert.Empty(await ForgetAsync(isUsed: false));

        _time.Advance(ServerPool.Remembered);
        Assert.Empty(await ForgetAsync(isUsed: true));
        Assert.Equal([left], await ForgetAsync(isUsed: false));

        Assert.Equal(AddressOf(second), Assert.Single(pool.Servers).Address);
        Assert.Equal((1, 0), pool.Kept);
        Assert.Equal(1, _directory.Count);
        // The one in use stays, however long nobody connects.
        _time.Advance(10 * ServerPool.Remembered);
        Assert.Empty(await ForgetAsync(isUsed: false));

        Task<IReadOnlyList<UpstreamServer>> ForgetAsync(bool isUsed) => pool.ForgetGoneAsync(_ => isUsed, CancellationToken.None);
    }

    [Fact]
    public async Task A_server_whose_name_can_not_be_resolved_now_is_not_gone_and_neither_is_another_one_meanwhile()
    {
        using var first = Listen();
        using var second = Listen();
        var answers = new Dictionary<string, IPAddress> { ["one"] = IPAddress.Loopback };
        var known = new ClusterServers(new ClusterConfig("eu", 1, [], [HostOf(first, "one")]));
        var pool = Pool(known, host => answers.TryGetValue(host, out var address) ? Task.FromResult<IPAddress[]>([address])
            : throw new SocketException((int)SocketError.HostNotFound));
        await ConnectAsync(pool);
        var server = Assert.Single(pool.Servers);
        Assert.Empty((await pool.GoneAsync(CancellationToken.None))!);

        answers.Clear();
        Assert.Null(await pool.GoneAsync(CancellationToken.None));
        known.Learn([HostOf(second, "two")], "dns");
        Assert.Null(await pool.GoneAsync(CancellationToken.None));

        answers["two"] = IPAddress.Loopback;
        Assert.Equal([server], await pool.GoneAsync(CancellationToken.None));
        // Behind another name it is the same server.
        known.Learn([HostOf(first, "two")], "dns");
        Assert.Empty((await pool.GoneAsync(CancellationToken.None))!);
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

    private static HostPort HostOf(TcpListener listener, string host = "127.0.0.1") => new(host, ((IPEndPoint)listener.LocalEndpoint).Port);

    private ServerPool Pool(params TcpListener[] servers) =>
        Pool(new ClusterServers(new ClusterConfig("eu", 1, [], [.. servers.Select(s => HostOf(s))])));

    private ServerPool Pool(ClusterServers known, Func<string, Task<IPAddress[]>>? lookup = null) =>
        new(_region, known.Cluster, this, _directory, TimeSpan.FromSeconds(5), _time, null, known, lookup);
}
