namespace ZooNet.Proxy.Configuration;

/// <summary>One ZooKeeper-compatible ensemble and how to reach it.</summary>
/// <param name="Name">Lower case; what a mount's source names.</param>
/// <param name="Ordinal">0 for home, 1 and up for the remotes in the order of their names.</param>
/// <param name="Observers">Its observers in this region, in order of preference; empty for home.</param>
/// <param name="Servers">Its own servers; for a remote, across the WAN, used when no observer answers.</param>
public sealed record ClusterConfig(string Name, int Ordinal, IReadOnlyList<HostPort> Observers, IReadOnlyList<HostPort> Servers)
{
    /// <summary>True for the region's own cluster.</summary>
    public bool IsHome => Ordinal == 0;

    /// <summary>All addresses in the order in which they are tried: observers first.</summary>
    public IEnumerable<HostPort> InOrder => Observers.Concat(Servers);
}
