using System.Diagnostics;

namespace ZooNet.Bench;

/// <summary>One measurement: prepares the znodes, makes the load, reports.</summary>
internal static class BenchRun
{
    // A small part of the sessions' timeout: the next chance is after this run.
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(4);

    /// <summary>Runs groups of clients at the same time, each with a load of its own; the first one's timing holds for all.</summary>
    /// <param name="groups">The loads.</param>
    /// <param name="barriers">Reads the number of barriers sent so far; null where nobody counts them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="sessions">What earlier runs of this process left for this one; null where it stands alone.</param>
    /// <returns>A report for each group.</returns>
    public static async Task<IReadOnlyList<BenchReport>> RunAsync(IReadOnlyList<BenchOptions> groups, Func<Task<long?>>? barriers, CancellationToken cancellationToken,
        LoadSessions? sessions = null)
    {
        var loads = new List<(Workload Workload, LoadStatistics Statistics)>();
        foreach (var options in groups)
        {
            var workload = sessions is null ? new Workload(options) : await sessions.PrepareAsync(options, cancellationToken);
            if (sessions is null)
            {
                await BenchPreparation.PrepareAsync(workload, cancellationToken);
            }
            loads.Add((workload, new LoadStatistics()));
        }
        sessions?.KeepAlive(PingAfter);
        var pids = groups.SelectMany(options => options.CpuOf).Distinct().ToArray();
        var cpuBefore = new Dictionary<int, TimeSpan?>();
        var cpu = new Dictionary<int, TimeSpan>();
        Task<long?>? barriersBefore = null;
        Task<long?>? barriersAfter = null;
        var began = DateTimeOffset.UtcNow;
        var stopwatch = new Stopwatch();
        var generator = new LoadGenerator(loads, TimeProvider.System, sessions)
        {
            MeasureBegins = () =>
            {
                began = DateTimeOffset.UtcNow;
                stopwatch.Start();
                barriersBefore = barriers is null ? null : Task.Run(barriers, cancellationToken);
                Array.ForEach(pids, pid => cpuBefore[pid] = ProcessCpu.Of(pid));
            },
            MeasureEnds = () =>
            {
                stopwatch.Stop();
                barriersAfter = barriers is null ? null : Task.Run(barriers, cancellationToken);
                Array.ForEach(pids, pid => cpu[pid] = ProcessCpu.Of(pid) - cpuBefore[pid] ?? TimeSpan.Zero);
            },
        };
        await generator.RunAsync(cancellationToken);
        var sent = barriersBefore is null || barriersAfter is null ? null : await barriersAfter - await barriersBefore;
        return [.. loads.Select(load => BenchReport.Of(load.Workload.Options, load.Statistics, began, stopwatch.Elapsed.TotalSeconds, sent,
            [.. load.Workload.Options.CpuOf.Select(pid => (pid, cpu[pid]))]))];
    }
}
