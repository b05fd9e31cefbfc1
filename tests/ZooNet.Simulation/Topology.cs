namespace ZooNet.Simulation;

/// <summary>A region: its home cluster and what it mounts.</summary>
internal sealed record SimRegion(string Name, string Home, IReadOnlyList<string> Remotes);

/// <summary>Regions that mount each other's clusters.</summary>
internal sealed record Topology(string Name, IReadOnlyList<SimRegion> Regions)
{
    public static Topology Asymmetric { get; } = new("A mounts B", [new("RA", "A", ["B"]), new("RB", "B", [])]);

    public static Topology Mutual { get; } = new("A and B mutually", [new("RA", "A", ["B"]), new("RB", "B", ["A"])]);

    public static Topology Ring { get; } = new("A to B to C to A", [new("RA", "A", ["B"]), new("RB", "B", ["C"]), new("RC", "C", ["A"])]);

    public static Topology Shared { get; } = new("A and B both mount C and D",
        [new("RA", "A", ["C", "D"]), new("RB", "B", ["C", "D"]), new("RC", "C", []), new("RD", "D", [])]);

    /// <summary>The names of all clusters.</summary>
    public IReadOnlyList<string> Clusters => [.. Regions.Select(r => r.Home).Concat(Regions.SelectMany(r => r.Remotes)).Distinct()];

    /// <summary>Two to six clusters, most with a region of their own, each region mounting some of the others' clusters.</summary>
    public static Topology Random(Random random)
    {
        var count = random.Next(2, 7);
        var names = Enumerable.Range(0, count).Select(i => ((char)('A' + i)).ToString()).ToArray();
        var regions = names.Where(n => n == "A" || random.Next(6) > 0)
            .Select(home => new SimRegion("R" + home, home, [.. names.Where(n => n != home && random.NextDouble() < 1.6 / count)]));
        return new Topology("random", [.. regions]);
    }

    public override string ToString() => $"{Name}: {string.Join("; ", Regions.Select(r => $"{r.Home} mounts {(r.Remotes.Count == 0 ? "nothing" : string.Join(", ", r.Remotes))}"))}";
}
