namespace ZooNet.Experiments;

/// <summary>What the WAN experiment varies.</summary>
/// <param name="Rtts">Round-trip times between the regions, in milliseconds.</param>
/// <param name="Reads">Shares of reads, in percent.</param>
/// <param name="Locals">Local shares, in percent.</param>
/// <param name="Bursts">Requests to one cluster before drawing again.</param>
/// <param name="Variants">Letters of issue and table: a to g.</param>
/// <param name="BothRemote">Whether region 1 has the same local share as region 2; otherwise it is all local, as in the paper's figure 7.</param>
/// <param name="Voters">Voting servers per ensemble.</param>
/// <param name="Clients">Clients per region.</param>
/// <param name="Window">Outstanding requests per client.</param>
/// <param name="Rounds">Repetitions of each cell.</param>
/// <param name="Seconds">Length of a measurement.</param>
/// <param name="Pin">Whether each region gets a processor of its own.</param>
/// <param name="Out">Where results go.</param>
internal sealed record WanExperimentOptions(IReadOnlyList<int> Rtts, IReadOnlyList<int> Reads, IReadOnlyList<int> Locals, IReadOnlyList<int> Bursts, string Variants,
    bool BothRemote, int Voters, int Clients, int Window, int Rounds, double Seconds, bool Pin, DirectoryInfo Out);
