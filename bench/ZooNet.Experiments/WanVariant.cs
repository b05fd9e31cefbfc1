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

    /// <summary>Whether remote data can be reached at all: f and g measure home alone.</summary>
    public bool HasRemote => Letter is not ('f' or 'g');
}

/// <summary>One cell of the table.</summary>
internal readonly record struct WanCell(int Rtt, int Read, int Local, int Burst)
{
    public override string ToString() => $"{Rtt} ms, {Read}% reads, {Local}% local, burst {Burst}";
}
