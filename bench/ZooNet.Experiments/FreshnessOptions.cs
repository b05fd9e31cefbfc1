namespace ZooNet.Experiments;

/// <summary>What the freshness experiment varies.</summary>
/// <param name="Modes">Consistency modes, one after the other.</param>
/// <param name="RttMs">Round trip between the regions, in milliseconds.</param>
/// <param name="Voters">Voting servers per ensemble.</param>
/// <param name="Seconds">Length of one measurement.</param>
/// <param name="Out">Where results go.</param>
internal sealed record FreshnessOptions(IReadOnlyList<string> Modes, int RttMs, int Voters, double Seconds, DirectoryInfo Out);
