using System.Diagnostics;
using ZooNet.Bench;
using ZooNet.Client;

namespace ZooNet.Demo;

/// <summary>What an operation of the load is, as its client sees it.</summary>
internal enum OperationKind
{
    HomeRead,
    HomeWrite,
    MountedRead,
    MountedWrite,
}

/// <summary>
/// Clients of both regions that read and write, each one operation after the other: mostly at home, partly what the other region
/// shares. Half of what is done at home is private: outside of what anybody mounts.
/// </summary>
internal sealed class MixedLoad(DemoRegion us, DemoRegion eu, DemoOptions options)
{
    /// <summary>Few enough that clients often meet.</summary>
    private const int SharedKeys = 8;

    private static readonly byte[] Data = new byte[100];

    /// <summary>Makes the znodes, in each region's own cluster.</summary>
    public async Task PrepareAsync(ZooKeeperClient usClient, ZooKeeperClient euClient)
    {
        foreach (var client in (ZooKeeperClient[])[usClient, euClient])
        {
            await client.CreateAsync("/private");
            for (var key = 0; key < SharedKeys; key++)
            {
                await client.CreateAsync($"/apps/k{key}", Data);
            }
            for (var number = 0; number < options.ClientsPerRegion; number++)
            {
                await client.CreateAsync($"/private/{number}", Data);
            }
        }
    }

    /// <summary>Runs the load through the proxies that run now, and checks what the clients saw.</summary>
    public async Task<LoadResult> RunAsync(CancellationToken cancellationToken)
    {
        var clients = new List<LoadClient>();
        try
        {
            for (var i = 0; i < 2 * options.ClientsPerRegion; i++)
            {
                var (home, other) = i % 2 == 0 ? (us, eu) : (eu, us);
                clients.Add(new LoadClient(i, i / 2, home, other, await home.ConnectAsync(cancellationToken)));
            }
            var before = BarrierCounts.Of(us, eu);
            var began = Stopwatch.GetTimestamp();
            var perClient = Math.Max(1, options.Operations / clients.Count);
            await Task.WhenAll(clients.Select(c => c.RunAsync(perClient, new Random(options.Seed * 1000 + c.Session), cancellationToken)));
            var elapsed = Stopwatch.GetElapsedTime(began);
            var latencies = Enum.GetValues<OperationKind>().ToDictionary(kind => kind, kind => Merge(clients.Select(c => c.Latencies[(int)kind])));
            Operation[] history = [.. clients.SelectMany(c => c.History)];
            return new LoadResult(history.Length, elapsed, latencies, BarrierCounts.Of(us, eu).Since(before), HistoryChecker.CountInCycles(history));
        }
        finally
        {
            foreach (var client in clients)
            {
                await client.Connection.DisposeAsync();
            }
        }
    }

    private static LatencyHistogram Merge(IEnumerable<LatencyHistogram> histograms)
    {
        var sum = new LatencyHistogram();
        foreach (var histogram in histograms)
        {
            sum.Add(histogram);
        }
        return sum;
    }

    private sealed class LoadClient(int session, int number, DemoRegion home, DemoRegion other, ZooKeeperClient connection)
    {
        public int Session => session;
        public ZooKeeperClient Connection => connection;
        public List<Operation> History { get; } = [];
        public LatencyHistogram[] Latencies { get; } = [.. Enum.GetValues<OperationKind>().Select(_ => new LatencyHistogram())];

        public async Task RunAsync(int operations, Random random, CancellationToken cancellationToken)
        {
            for (var i = 0; i < operations; i++)
            {
                var kind = random.Next(100) switch { < 60 => OperationKind.HomeRead, < 75 => OperationKind.HomeWrite, < 95 => OperationKind.MountedRead, _ => OperationKind.MountedWrite };
                var key = random.Next(SharedKeys);
                var isPrivate = random.Next(2) == 0;
                var (path, name) = kind switch
                {
                    OperationKind.MountedRead or OperationKind.MountedWrite => ($"{other.MountPoint}/k{key}", $"{other.Name}:/apps/k{key}"),
                    _ when isPrivate => ($"/private/{number}", $"{home.Name}:/private/{number}"),
                    _ => ($"/apps/k{key}", $"{home.Name}:/apps/k{key}"),
                };
                var isWrite = kind is OperationKind.HomeWrite or OperationKind.MountedWrite;
                var began = Stopwatch.GetTimestamp();
                var stat = isWrite
                    ? (await connection.SetDataAsync(path, Data, cancellationToken: cancellationToken)).Stat
                    : (await connection.GetDataAsync(path, cancellationToken: cancellationToken)).Stat;
                Latencies[(int)kind].Record(Stopwatch.GetElapsedTime(began));
                History.Add(new Operation(session, name, isWrite, stat.Mzxid));
            }
        }
    }
}

/// <summary>What a load came to.</summary>
/// <param name="Operations">How many were done; none failed.</param>
/// <param name="Elapsed">From the first request to the last reply.</param>
/// <param name="Latencies">As the clients measured them.</param>
/// <param name="Barriers">What the two proxies counted meanwhile.</param>
/// <param name="InCycles">Operations that fit into no single order: see <see cref="HistoryChecker"/>.</param>
internal sealed record LoadResult(
    int Operations,
    TimeSpan Elapsed,
    IReadOnlyDictionary<OperationKind, LatencyHistogram> Latencies,
    BarrierCounts Barriers,
    int InCycles);
