using System.Diagnostics;
using ZooNet.Bench;
using ZooNet.Client;

namespace ZooNet.Demo;

/// <summary>What applications do today: one connection to their own cluster and another, across the WAN, to the other region's.</summary>
internal static class DirectClient
{
    /// <summary>Enough for a median; at home also enough for the runtime to have compiled what is measured.</summary>
    private const int Near = 200;
    private const int Far = 5;

    /// <summary>Measures reads and writes of both connections, one after the other.</summary>
    public static async Task<IReadOnlyDictionary<OperationKind, LatencyHistogram>> MeasureAsync(DemoRegion home, DemoRegion other, CancellationToken cancellationToken)
    {
        await using var near = await DemoRegion.ConnectAsync(home.Server, cancellationToken);
        await using var far = await DemoRegion.ConnectAsync(other.ServerAcrossWan, cancellationToken);
        await MeasureAsync(near, Near, cancellationToken);
        var (homeReads, homeWrites) = await MeasureAsync(near, Near, cancellationToken);
        var (farReads, farWrites) = await MeasureAsync(far, Far, cancellationToken);
        return new Dictionary<OperationKind, LatencyHistogram>
        {
            [OperationKind.HomeRead] = homeReads,
            [OperationKind.HomeWrite] = homeWrites,
            [OperationKind.MountedRead] = farReads,
            [OperationKind.MountedWrite] = farWrites,
        };
    }

    private static async Task<(LatencyHistogram Reads, LatencyHistogram Writes)> MeasureAsync(ZooKeeperClient client, int count, CancellationToken cancellationToken)
    {
        var (reads, writes) = (new LatencyHistogram(), new LatencyHistogram());
        for (var i = 0; i < count; i++)
        {
            var began = Stopwatch.GetTimestamp();
            await client.SetDataAsync("/apps/k0", new byte[100], cancellationToken: cancellationToken);
            writes.Record(Stopwatch.GetElapsedTime(began));
            began = Stopwatch.GetTimestamp();
            await client.GetDataAsync("/apps/k0", cancellationToken: cancellationToken);
            reads.Record(Stopwatch.GetElapsedTime(began));
        }
        return (reads, writes);
    }
}
