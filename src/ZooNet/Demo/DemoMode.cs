using ZooNet.Federation.Freshness;

namespace ZooNet.Demo;

/// <summary>One way to run the two regions.</summary>
/// <param name="Consistency">How the proxies are configured.</param>
/// <param name="Column">Its column in the table.</param>
/// <param name="Chapter">Its chapter's title.</param>
/// <param name="Rule">Its rule in one line.</param>
internal sealed record DemoMode(ConsistencyMode Consistency, string Column, string Chapter, string Rule)
{
    /// <summary>All of them, in the order in which they are shown; the last one stays up.</summary>
    public static IReadOnlyList<DemoMode> All { get; } =
    [
        new(ConsistencyMode.None, "none", "Plain composition (consistency: none)", "Each cluster is consistent alone; nothing is done about both."),
        new(ConsistencyMode.Switch, "switch", "A barrier at every switch (consistency: switch, the ZooNet paper's rule)", "Every read that follows an operation on the other cluster waits for a barrier."),
        new(ConsistencyMode.Sequential, "sequential", "ZooNet (consistency: sequential, the default)", "A read waits for a barrier only where a cycle of mounts can close and its client can have learned of something newer elsewhere."),
    ];

    /// <summary>Whether the composition is promised to be sequentially consistent.</summary>
    public bool IsConsistent => Consistency != ConsistencyMode.None;
}

/// <summary>What one mode came to.</summary>
internal sealed record ModeResult(DemoMode Mode, TwoWritersResult TwoWriters, LoadResult Load);
