using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Downstream;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>
/// What clients' connections share besides what is known of the clusters, used by many threads at once: pools of servers, sessions for
/// barriers, limits and turns. ZOONET_RACES is the number of rounds (300 without it).
/// </summary>
public sealed class ConcurrentPoolsTests : IBarrierTransport
{
    private const int Threads = 6;

    private static readonly int Rounds =
        int.TryParse(Environment.GetEnvironmentVariable("ZOONET_RACES"), CultureInfo.InvariantCulture, out var number) ? number : 300;

    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => server.BarrierDone(ticket, true);

    [Fact]
    public async Task Links_that_meet_a_server_at_once_get_the_same_one_and_that_it_is_another_is_told_once()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        using var stop = new CancellationTokenSource();
        var accepting = AcceptAsync(listener, stop.Token);
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var addresses = Enumerable.Range(0, Rounds).Select(i => new IPAddress([127, 1, (byte)(i >> 8), (byte)i])).ToList();
        var known = new ClusterServers(new ClusterConfig("eu", 1, [], [new HostPort("one", port)]));
        var at = addresses[0];
        var directory = new ServerDirectory();
        var pool = new ServerPool(_region, known.Cluster, this, directory, TimeSpan.FromSeconds(30), TimeProvider.System, null, known,
            _ => Task.FromResult<IPAddress[]>([at]));
        var switches = new List<string>();
        pool.Switched += server =>
        {
            lock (switches)
            {
                switches.Add(server.Address);
            }
        };
        foreach (var address in addresses)
        {
            at = address;
            // Each thread connects twice: to what is new, and to what another one has just met.
            var met = await AtOnceAsync(async _ => new[] { await ConnectAsync(pool), await ConnectAsync(pool) });
            Assert.Single(met.SelectMany(m => m).Distinct());
        }
        await stop.CancelAsync();
        await accepting;

        Assert.Equal(addresses.Skip(1).Select(a => $"{a}:{port}"), switches);
        Assert.Equal(addresses.Count, pool.Servers.Count());
        Assert.Equal(addresses.Count, directory.Count);
    }

    [Fact]
    public async Task Barriers_of_many_threads_are_each_done_once_and_leave_no_session_when_their_server_is_left_meanwhile()
    {
        await using var home = await OneHome.StartAsync();
        await using var channels = new BarrierChannels(home.Config, _region, new ServerDirectory(), home.Secret, TimeProvider.System,
            NullLogger<BarrierChannels>.Instance);
        var servers = Enumerable.Range(0, 3).Select(_ => new UpstreamServer(_region, 0, home.Server.Address.ToString(), channels)).ToList();
        using var done = new CancellationTokenSource();
        var leaving = Task.Run(async () =>
        {
            for (var random = new Random(1); !done.IsCancellationRequested; await Task.Yield())
            {
                channels.Leave(servers[random.Next(servers.Count)]);
                if (random.Next(1000) == 0)
                {
                    home.Server.CloseConnections();
                }
            }
        });
        var told = await AtOnceAsync(async thread =>
        {
            var random = new Random(thread);
            var waiters = new List<Waiter>();
            for (var i = 0; i < Rounds / 3; i++)
            {
                waiters.Add(new Waiter());
                servers[random.Next(servers.Count)].Join(waiters[^1], null, out _);
                await waiters[^1].Done;
            }
            return waiters;
        });
        await done.CancelAsync();
        await leaving;

        Assert.All(told.SelectMany(t => t), w => Assert.Equal(1, w.Told));
        // The barrier that one waiter joined may still be paced, and remembers its pace.
        await TwoRegions.Eventually(async () =>
        {
            servers.ForEach(channels.Leave);
            return channels.Count == 0 && await ConnectionsAsync(home) == 1;
        });
    }

    [Fact]
    public async Task There_are_never_more_connections_than_are_allowed_and_none_is_counted_that_is_gone()
    {
        var limits = new ConnectionLimits(total: 5, perAddress: 3, filesOpen: 0, fileLimit: null, clusters: 2);
        IPAddress[] addresses = [IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2")];
        var open = new int[addresses.Length];
        var outcomes = await AtOnceAsync(thread =>
        {
            var (entered, refused) = (0, 0);
            for (var i = 0; i < 100 * Rounds; i++)
            {
                var which = (thread + i) % addresses.Length;
                if (limits.TryEnter(addresses[which]) is not null)
                {
                    refused++;
                    continue;
                }
                entered++;
                var ofAddress = Interlocked.Increment(ref open[which]);
                Assert.InRange(ofAddress, 1, 3);
                Assert.InRange(Volatile.Read(ref open[1 - which]) + ofAddress, 1, 5 + Threads);
                Interlocked.Decrement(ref open[which]);
                limits.Leave(addresses[which]);
            }
            return Task.FromResult((entered, refused));
        });
        Assert.Equal(0, limits.Open);
        Assert.Equal(outcomes.Sum(o => o.refused), limits.RefusedInAll + limits.RefusedOfAddress);
        // Nothing is left of either address, and the places are all there.
        Assert.All(Enumerable.Range(0, 3), _ => Assert.Null(limits.TryEnter(addresses[0])));
        Assert.All(Enumerable.Range(0, 2), _ => Assert.Null(limits.TryEnter(addresses[1])));
        Assert.NotNull(limits.TryEnter(addresses[1]));
    }

    [Fact]
    public async Task The_connections_of_an_address_take_each_turn_once()
    {
        var throttle = new RequestThrottle(perSecond: 1000);
        var address = IPAddress.Parse("192.0.2.1");
        var turns = await AtOnceAsync(thread =>
        {
            var share = throttle.Enter(address, nowMs: 0);
            var mine = Enumerable.Range(0, 300 * Rounds).Select(_ => share.TakeTurn(nowMs: 0)).ToList();
            throttle.Leave(share);
            return Task.FromResult(mine);
        });
        // A second's worth at once, and then one each millisecond.
        var all = turns.SelectMany(t => t).Order().ToList();
        Assert.Equal(Enumerable.Range(0, all.Count).Select(i => (long)Math.Max(0, i - 999)), all);
        Assert.Equal(all.Count - 1000, throttle.Delayed);
    }

    [Fact]
    public async Task What_waits_of_all_clients_is_counted_exactly()
    {
        var limits = new ClientLimits { Reply = 100, RepliesInAll = 250 };
        await AtOnceAsync(thread =>
        {
            var random = new Random(thread);
            var counted = 0L;
            for (var i = 0; i < 1000 * Rounds; i++)
            {
                limits.CountOutstanding(ref counted, random.Next(10));
                if (limits.TryCollect(0, 90))
                {
                    limits.Release(90);
                }
            }
            limits.CountOutstanding(ref counted, 0);
            return Task.FromResult(true);
        });
        Assert.Equal((0, 0), (limits.OutstandingNow, limits.Collected));
    }

    /// <summary>Has every thread do something, all from the same moment on.</summary>
    private static async Task<T[]> AtOnceAsync<T>(Func<int, Task<T>> work)
    {
        using var start = new Barrier(Threads);
        return await Task.WhenAll(Enumerable.Range(0, Threads).Select(i => Task.Factory.StartNew(() =>
        {
            start.SignalAndWait();
            return work(i);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap())).WaitAsync(TimeSpan.FromMinutes(5));
    }

    private static async Task<UpstreamServer> ConnectAsync(ServerPool pool)
    {
        var (wire, server) = await pool.ConnectAsync(CancellationToken.None);
        wire.Close();
        return server;
    }

    private static async Task AcceptAsync(TcpListener listener, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                (await listener.AcceptSocketAsync(cancellationToken)).Dispose();
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    /// <summary>Connections of the server, that of the question included.</summary>
    private static async Task<int> ConnectionsAsync(OneHome home)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(home.Server.Address);
        await client.GetStream().WriteAsync("srvr"u8.ToArray());
        using var reader = new StreamReader(client.GetStream());
        const string Start = "Connections: ";
        var line = (await reader.ReadToEndAsync()).Split('\n').Single(l => l.StartsWith(Start, StringComparison.Ordinal));
        return int.Parse(line[Start.Length..], CultureInfo.InvariantCulture);
    }

    private sealed class Waiter : IBarrierWaiter
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _told;

        public Task Done => _done.Task;

        public int Told => Volatile.Read(ref _told);

        public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
        {
            Interlocked.Increment(ref _told);
            _done.TrySetResult();
        }
    }
}
