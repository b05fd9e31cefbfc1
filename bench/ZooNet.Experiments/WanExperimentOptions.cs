namespace ZooNet.Experiments;

/// <summary>What the WAN experiment varies.</summary>
/// <param name="Cells">The cells of the table, in the order in which they are measured.</param>
/// <param name="Variants">Letters of issue and table: a to g.</param>
/// <param name="BothRemote">Whether region 1 has the same local share as region 2; otherwise it is all local, as in the paper's figure
/// 7.</param>
/// <param name="Voters">Voting servers per ensemble.</param>
/// <param name="Clients">Clients per region.</param>
/// <param name="Rounds">Repetitions of each cell.</param>
/// <param name="LeadIn">How long the load runs before it is measured; null for 0.2 s and a remote burst.</param>
/// <param name="Seconds">Length of a measurement; null for three remote bursts, at least 0.8 s.</param>
/// <param name="Processors">A processor for everything of region 1 and one for region 2; empty where they share all.</param>
/// <param name="Out">Where results go.</param>
internal sealed record WanExperimentOptions(IReadOnlyList<WanCell> Cells, string Variants, bool BothRemote, int Voters, int Clients, int Rounds, double? LeadIn, double? Seconds,
    IReadOnlyList<int> Processors, DirectoryInfo Out)
{
    /// <summary>What to start a region's processes with.</summary>
    public IReadOnlyList<string> Launcher(int region) => Processors.Count == 0 ? [] : ["taskset", "-c", $"{Processors[(region - 1) % Processors.Count]}"];

    /// <summary>
    /// How long the load runs before it is measured: until the first remote bursts are over, and how many clients are in one has settled.
    /// </summary>
    public TimeSpan LeadInOf(WanCell cell) => TimeSpan.FromSeconds(LeadIn ?? 0.2 + RemoteBurstSeconds(cell));

    /// <summary>How long a cell is measured: whole remote bursts, since the replies of one come at the end of each round trip.</summary>
    public TimeSpan DurationOf(WanCell cell) => TimeSpan.FromSeconds(Seconds ?? Math.Max(0.8, 3 * RemoteBurstSeconds(cell)));

    // As many round trips as the burst fills windows; 4 for those of the table (50 at window 16), so that all of it is measured
    // alike.
    private static double RemoteBurstSeconds(WanCell cell) => Math.Max(4, (cell.Burst + cell.Window - 1) / cell.Window) * cell.Rtt / 1000.0;
}
