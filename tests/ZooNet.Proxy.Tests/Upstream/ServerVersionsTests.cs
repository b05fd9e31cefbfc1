using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>A home whose servers are of several versions, as in the middle of an upgrade.</summary>
public sealed class ServerVersionsTests : IBarrierTransport
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task The_version_is_that_of_the_server_that_clients_links_go_to_and_each_is_asked_once_a_minute()
    {
        await using var old = new Server("3.8.4-one, built on 2024-02-12 22:16 UTC");
        await using var young = new Server("3.9.3-two, built on 2024-10-17 23:21 UTC");
        var cluster = new ClusterConfig("us", 0, [], [old.Address, young.Address]);
        var pool = new ServerPool(new Region(["us"], ConsistencyMode.Sequential), cluster, this, new ServerDirectory(),
            TimeSpan.FromSeconds(5), _time, null, new ClusterServers(cluster), null);
        using var versions = new ServerVersions(pool, _time);
        var servers = new[] { old, young };
        // Before there is any link, the first that is known.
        Assert.Equal(old.Version, (await versions.OfHomeAsync())?.Version);

        var used = new HashSet<string>();
        for (var i = 0; i < 20; i++)
        {
            var (wire, server) = await pool.ConnectAsync(CancellationToken.None);
            wire.Close();
            used.Add(server.Address);
            Assert.Equal(servers.Single(s => s.Address.ToString() == server.Address).Version, (await versions.OfHomeAsync())?.Version);
        }
        Assert.All(servers, s => Assert.InRange(s.Asked, used.Contains(s.Address.ToString()) || s == old ? 1 : 0, 1));

        Assert.Equal(7, (await versions.OfHomeAsync())!.NodeCount);

        // It is upgraded meanwhile, and told within a minute.
        var current = servers.Single(s => s.Address.ToString() == pool.Current!.Address);
        current.Version = "3.9.5-three, built on 2025-01-01 00:00 UTC";
        _time.Advance(TimeSpan.FromMinutes(1) - TimeSpan.FromMilliseconds(1));
        Assert.NotEqual(current.Version, (await versions.OfHomeAsync())?.Version);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(current.Version, (await versions.OfHomeAsync())?.Version);
    }

    [Theory]
    [InlineData("Zookeeper version: 3.8.0-x\nMode: follower\nNode count: 12\n", "3.8.0-x", 12L)]
    [InlineData("Zookeeper version: 3.8.0-x\nMode: follower\n", "3.8.0-x", null)]
    [InlineData("Zookeeper version: 3.8.0-x\nNode count: -1", "3.8.0-x", null)]
    [InlineData("srvr is not executed because it is not in the whitelist.\n", null, null)]
    [InlineData("", null, null)]
    public void What_a_server_does_not_tell_is_not_known(string answer, string? version, long? znodes)
    {
        var told = ServerVersions.Parse(Encoding.ASCII.GetBytes(answer));

        Assert.Equal((version, znodes), (told?.Version, told?.NodeCount));
    }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => server.BarrierDone(ticket, true);

    /// <summary>Answers <c>srvr</c> and nothing else.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _accepting;
        private int _asked;

        public Server(string version)
        {
            Version = version;
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public string Version { get; set; }

        public int Asked => Volatile.Read(ref _asked);

        public HostPort Address => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _listener.Stop();
            _stop.Dispose();
        }

        private async Task AcceptAsync()
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                try
                {
                    await AnswerAsync(client.GetStream());
                }
                catch (IOException)
                {
                    // A link that was closed at once.
                }
            }
        }

        private async Task AnswerAsync(NetworkStream stream)
        {
            var word = new byte[4];
            if (await stream.ReadAtLeastAsync(word, word.Length, throwOnEndOfStream: false, _stop.Token) == word.Length)
            {
                Assert.Equal("srvr", Encoding.ASCII.GetString(word));
                Interlocked.Increment(ref _asked);
                var answer = $"Zookeeper version: {Version}\nMode: follower\nNode count: 7\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), _stop.Token);
            }
        }
    }
}
