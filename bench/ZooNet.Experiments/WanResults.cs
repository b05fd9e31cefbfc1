using ZooNet.Bench;

namespace ZooNet.Experiments;

/// <summary>What was measured of one way in one cell and region, a value for each round.</summary>
internal sealed class WanSeries
{
    public Sample PerSecond { get; } = new();

    /// <summary>Barriers for each request.</summary>
    public Sample Barriers { get; } = new();

    /// <summary>Share of a processor that each of the region's processes took.</summary>
    public SortedDictionary<string, Sample> Cpu { get; } = [];

    /// <summary>Requests that failed, and connections that were lost.</summary>
    public long Errors { get; set; }
}

/// <summary>
/// Everything that a WAN experiment has measured. A cell that shares a measurement with others (<see cref="WanVariant.Measured"/>) finds
/// it under its own name.
/// </summary>
internal sealed class WanResults(IReadOnlyList<WanVariant> variants)
{
    private readonly Dictionary<(char Variant, WanCell Cell, int Region), WanSeries> _series = [];

    public IReadOnlyList<WanVariant> Variants => variants;

    /// <summary>What was measured, each once.</summary>
    public IEnumerable<(char Variant, WanCell Cell, int Region, WanSeries Series)> All => _series.Select(one => (one.Key.Variant, one.Key.Cell, one.Key.Region, one.Value));

    public void Add(WanVariant variant, WanCell cell, int region, BenchReport report, IReadOnlyDictionary<string, int> processes)
    {
        var key = (variant.Letter, variant.Measured(cell), region);
        if (!_series.TryGetValue(key, out var series))
        {
            _series[key] = series = new WanSeries();
        }
        series.PerSecond.Add(report.PerSecond);
        series.Barriers.Add((report.Barriers ?? 0) / Math.Max(1, report.PerSecond * report.Seconds));
        series.Errors += report.Errors.Values.Sum() + report.Disconnects;
        foreach (var (name, pid) in processes)
        {
            if (!series.Cpu.TryGetValue(name, out var share))
            {
                series.Cpu[name] = share = new Sample();
            }
            share.Add(report.Cpu.First(cpu => cpu.Pid == pid).Seconds / report.Seconds);
        }
    }

    /// <summary>What was measured for a cell; null where it was not.</summary>
    public WanSeries? Find(char variant, WanCell cell, int region) =>
        variants.FirstOrDefault(one => one.Letter == variant) is { } known && _series.TryGetValue((variant, known.Measured(cell), region), out var series) ? series : null;

    /// <summary>Throughput of one way against another's, round by round; null where one of them was not measured.</summary>
    public Sample? Ratio(char variant, char against, WanCell cell, int region) =>
        Find(variant, cell, region) is { } mine && Find(against, cell, region) is { } theirs ? mine.PerSecond.Over(theirs.PerSecond) : null;
}
