namespace ZooNet.Experiments;

/// <summary>The ways to serve two regions that are compared.</summary>
/// <param name="Letter">As in the table's head.</param>
/// <param name="Name">What it is.</param>
/// <param name="Consistency">The proxies' consistency; null where there are none.</param>
internal sealed record WanVariant(char Letter, string Name, string? Consistency)
{
    public static IReadOnlyList<WanVariant> All { get; } =
    [
        new('a', "one ensemble in region 1, observer in region 2", null),
        new('b', "ZooNet sequential", "sequential"),
        new('c', "ZooNet ordered", "ordered"),
        new('d', "ZooNet, barrier at every switch", "switch"),
        new('e', "ZooNet, no barriers", "none"),
        new('f', "home only, direct", null),
        new('g', "home only, through HAProxy", null),
    ];

    /// <summary>Whether it has a pair of ensembles to itself; all others share one. See <see cref="WanRegions"/>.</summary>
    public bool HasOwnEnsembles => Letter == 'c';

    /// <summary>
    /// The cell in which this way is measured for <paramref name="cell"/>: cells that differ only in what makes no difference to it share
    /// a measurement. At home alone only the reads' share matters, and without remote requests no burst. (f), which stands below a ratio of
    /// every cell, is measured once for each local share nevertheless.
    /// </summary>
    public WanCell Measured(WanCell cell) => Letter switch
    {
        'f' => cell with { Burst = 0 },
        'g' => cell with { Local = 100, Burst = 0 },
        _ => cell.Local == 100 ? cell with { Burst = 0 } : cell,
    };
}

/// <summary>One cell of the table.</summary>
/// <param name="Rtt">Round-trip time between the regions, in milliseconds.</param>
/// <param name="Read">Share of reads, in percent.</param>
/// <param name="Local">Local share, in percent.</param>
/// <param name="Burst">Requests to one cluster before drawing again; 0 where it doesn't matter.</param>
/// <param name="Window">Outstanding requests per client.</param>
internal readonly record struct WanCell(int Rtt, int Read, int Local, int Burst, int Window)
{
    public override string ToString() => $"{Rtt} ms, {Read}% reads, {Local}% local, burst {(Burst == 0 ? "any" : Burst)}, window {Window}";
}
