using System.Globalization;
using ZooNet.Bench;

namespace ZooNet.Experiments;

/// <summary>
/// Two regions under the load of the ZooNet paper's system test, served in the ways of <see cref="WanVariant"/>. In every round each
/// cell is measured under all variants one after another, in an order that rotates. Both regions' clients run at the same time.
/// </summary>
internal sealed class WanExperiment(WanExperimentOptions options, TextWriter log)
{
    private readonly IReadOnlyList<WanVariant> _variants = [.. WanVariant.All.Where(variant => options.Variants.Contains(variant.Letter, StringComparison.Ordinal))];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var results = new WanResults(_variants);
        var tables = new WanTables(results, options, Machine.Describe());
        await using var load1 = LoadProcess.Start(options.Launcher(1));
        await using var load2 = LoadProcess.Start(options.Launcher(2));
        LoadProcess[] loads = [load1, load2];
        foreach (var rtt in options.Cells.GroupBy(cell => cell.Rtt))
        {
            await using var regions = await WanRegions.StartAsync(rtt.Key, options, _variants);
            await PrepareAsync(regions, rtt.First(), cancellationToken);
            // The round before the first warms every process up and opens the sessions. Ensembles that serve one way alone get as much as
            // the others.
            foreach (var cell in rtt.DistinctBy(cell => (cell.Read, cell.Window)))
            {
                foreach (var variant in _variants.SelectMany(variant => Enumerable.Repeat(variant, variant.HasOwnEnsembles ? _variants.Count - 1 : 1)))
                {
                    await MeasureAsync(loads, regions, variant, cell, 0, cancellationToken);
                }
            }
            for (var round = 1; round <= options.Rounds; round++)
            {
                var measured = new HashSet<(char, WanCell)>();
                foreach (var cell in rtt)
                {
                    for (var i = 0; i < _variants.Count; i++)
                    {
                        var variant = _variants[(i + round) % _variants.Count];
                        if (measured.Add((variant.Letter, variant.Measured(cell))))
                        {
                            var reports = await MeasureAsync(loads, regions, variant, cell, round, cancellationToken);
                            for (var region = 1; region <= 2; region++)
                            {
                                results.Add(variant, cell, region, reports[region - 1], Processes(loads, regions, variant, region));
                            }
                        }
                    }
                    regions.RemoveOldLogs();
                }
                // After each round, so that an experiment that is stopped has whole rounds to show.
                await tables.WriteAsync(cancellationToken);
            }
        }
        await log.WriteLineAsync(await File.ReadAllTextAsync(Path.Combine(options.Out.FullName, "wan.md"), cancellationToken));
    }

    /// <summary>Makes all znodes, one region after the other: both regions use those of <see cref="WanEntry.Remote"/>.</summary>
    private async Task PrepareAsync(WanRegions regions, WanCell cell, CancellationToken cancellationToken)
    {
        foreach (var variant in _variants)
        {
            for (var region = 1; region <= 2; region++)
            {
                await BenchPreparation.PrepareAsync(new Workload(Load(regions.Entry(variant, region), cell, region, 0, new Dictionary<string, int>())), cancellationToken);
            }
        }
    }

    private async Task<BenchReport[]> MeasureAsync(LoadProcess[] loads, WanRegions regions, WanVariant variant, WanCell cell, int round, CancellationToken cancellationToken)
    {
        var reports = await Task.WhenAll(Enumerable.Range(1, 2).Select(region => loads[region - 1].MeasureAsync(
            new LoadJob(Load(regions.Entry(variant, region), cell, region, round, Processes(loads, regions, variant, region)), regions.Entry(variant, region).Admin), cancellationToken)));
        for (var region = 1; region <= 2; region++)
        {
            var report = reports[region - 1];
            await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{DateTime.UtcNow:HH:mm:ss} round {round}/{options.Rounds}: {variant.Measured(cell)}: {variant.Letter} region {region}: {report.PerSecond:0}/s")
                + (report.Barriers is { } sent ? $", {sent} barriers" : "") + (report.HasErrors ? $", errors: {string.Join(' ', report.Errors)}, connections lost: {report.Disconnects}" : ""));
        }
        return reports;
    }

    private BenchOptions Load(WanEntry entry, WanCell cell, int region, int round, IReadOnlyDictionary<string, int> processes) => new()
    {
        Servers = [entry.Server],
        Local = entry.Local,
        Remotes = entry.Remote is { } remote && (region == 2 || options.BothRemote) ? [remote] : [],
        Clients = options.Clients,
        Window = cell.Window,
        ReadShare = cell.Read / 100.0,
        LocalShare = cell.Local / 100.0,
        Burst = Math.Max(1, cell.Burst),
        Warmup = options.LeadInOf(cell),
        Duration = options.DurationOf(cell),
        // Each round draws anew, all ways of a round draw the same.
        Seed = 2 * round + region,
        CpuOf = [.. processes.Values],
    };

    private static Dictionary<string, int> Processes(LoadProcess[] loads, WanRegions regions, WanVariant variant, int region) =>
        new(regions.Entry(variant, region).Processes) { ["load"] = loads[region - 1].Id };
}
