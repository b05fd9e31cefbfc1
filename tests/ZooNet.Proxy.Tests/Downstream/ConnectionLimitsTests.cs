using System.Net;
using System.Net.Sockets;
using System.Text;
using ZooNet.Proxy.Downstream;

namespace ZooNet.Proxy.Tests.Downstream;

public sealed class ConnectionLimitsTests
{
    [Fact]
    public async Task Connections_beyond_a_limit_are_closed_and_counted_and_one_that_ends_makes_room()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { MaxConnections = 3, MaxConnectionsPerAddress = 2 });
        var server = proxy.Host.ClientEndPoints[0];
        using var first = await OpenAsync(server, "127.0.0.1");
        using (await OpenAsync(server, "127.0.0.1"))
        {
            await CountsAsync(2);

            Assert.Equal("", await AskAsync(server, "127.0.0.1"));
            Assert.Equal("imok", await AskAsync(server, "127.0.0.2"));
            // It has its answer before its place is free again.
            await CountsAsync(2);
            using var third = await OpenAsync(server, "127.0.0.3");
            await CountsAsync(3);
            Assert.Equal("", await AskAsync(server, "127.0.0.4"));

            var metrics = await proxy.Http.GetStringAsync("/metrics");
            Assert.Contains("zoonet_connections_refused_total{limit=\"all\"} 1\n", metrics, StringComparison.Ordinal);
            Assert.Contains("zoonet_connections_refused_total{limit=\"address\"} 1\n", metrics, StringComparison.Ordinal);
            Assert.Contains("zoonet_connections_limit 3\n", metrics, StringComparison.Ordinal);
        }
        await CountsAsync(1);
        Assert.Equal("imok", await AskAsync(server, "127.0.0.1"));

        Task CountsAsync(int open) => TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.Limits.Open == open));
    }

    [Theory]
    // 1,024 files, 200 of them open and 64 kept, and a client may need one for itself and one for each of two clusters.
    [InlineData(0, 0, 200, 1024L, 253, 126)]
    [InlineData(50, 0, 200, 1024L, 50, 25)]
    [InlineData(50, 90, 200, 1024L, 50, 50)]
    // One for itself and one for its link to home it must have.
    [InlineData(2000, 0, 200, 1024L, 380, 190)]
    [InlineData(0, 0, 200, 256L, 1, 1)]
    [InlineData(2000, 0, 200, 256L, 1, 1)]
    [InlineData(20_000, 0, 200, null, 20_000, 10_000)]
    [InlineData(0, 0, 200, null, 10_000, 5_000)]
    public void The_limits_follow_from_what_the_process_may_open(int total, int perAddress, long open, long? files, int allowed, int ofAddress)
    {
        var limits = new ConnectionLimits(total, perAddress, open, files, clusters: 2);

        Assert.Equal((allowed, ofAddress), (limits.Total, limits.PerAddress));
    }

    [Fact]
    public void Addresses_of_one_IPv6_network_count_together_for_one_host_may_have_all_of_them()
    {
        var limits = new ConnectionLimits(10, 2, 0, null, clusters: 1);
        Assert.Null(limits.TryEnter(IPAddress.Parse("2001:db8:0:1::1")));
        Assert.Null(limits.TryEnter(IPAddress.Parse("2001:db8:0:1:ffff::2")));
        Assert.Contains("from 2001:db8:0:1::/64", limits.TryEnter(IPAddress.Parse("2001:db8:0:1:a:b:c:d")), StringComparison.Ordinal);
        Assert.Null(limits.TryEnter(IPAddress.Parse("2001:db8:0:2::1")));

        limits.Leave(IPAddress.Parse("2001:db8:0:1::1"));
        Assert.Null(limits.TryEnter(IPAddress.Parse("2001:db8:0:1::3")));
        Assert.Equal((3, 1L), (limits.Open, limits.RefusedOfAddress));
    }

    private static async Task<Socket> OpenAsync(IPEndPoint server, string from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(server);
        return socket;
    }

    private static async Task<string> AskAsync(IPEndPoint server, string from)
    {
        using var socket = await OpenAsync(server, from);
        var buffer = new byte[64];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await socket.SendAsync("ruok"u8.ToArray(), limit.Token);
            return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token));
        }
        catch (SocketException)
        {
            return "";
        }
    }
}
