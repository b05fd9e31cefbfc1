using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Configuration;

/// <summary>One ZooKeeper-compatible ensemble and how to reach it.</summary>
/// <param name="Name">Lower case; what a mount's source names.</param>
/// <param name="Ordinal">0 for home, 1 and up for the remotes in the order of their names.</param>
/// <param name="Observers">Its observers in this region, in order of preference; empty for home.</param>
/// <param name="Servers">Its own servers; for a remote, across the WAN, used when no observer answers.</param>
public sealed record ClusterConfig(string Name, int Ordinal, IReadOnlyList<HostPort> Observers, IReadOnlyList<HostPort> Servers)
{
    /// <summary>
    /// The quorum ports of its voters (<c>server.N=host:2888:3888</c>, the first of the two). Where there are any, the proxy itself joins
    /// the ensemble as an observer, and reads go there first.
    /// </summary>
    public IReadOnlyList<HostPort> Quorum { get; init; } = [];

    /// <summary>
    /// True where the proxy's observer finds the quorum ports in the cluster's <c>/zookeeper/config</c>, as its servers tell it, instead of
    /// in <see cref="Quorum"/>.
    /// </summary>
    public bool FindsQuorum { get; init; }

    /// <summary>Whether the proxy itself observes the cluster.</summary>
    public bool IsObserved => FindsQuorum || Quorum.Count > 0;

    /// <summary>What that observer needs besides.</summary>
    public ObserverConfig Observer { get; init; } = new(null, null, null);

    /// <summary>The number (sid) of the proxy's own observer in the ensemble, 1 to 254; null for one chosen at random.</summary>
    public int? Sid { get; init; }

    /// <summary>How its servers are spoken to by TLS, at their secure client port; null for plain TCP.</summary>
    public UpstreamTls? Tls { get; init; }

    /// <summary>
    /// The name of DNS service records (SRV) that say where its servers are, instead of <see cref="Servers"/>; null for none.
    /// </summary>
    public string? Srv { get; init; }

    /// <summary>
    /// True where its own <c>/zookeeper/config</c> says which servers it has; <see cref="Servers"/> are for the first contact then.
    /// </summary>
    public bool Follow { get; init; }

    /// <summary>
    /// True for a roaming tree (docs/roaming.md): its servers are the proxies themselves, each with a copy in memory. It has no addresses.
    /// </summary>
    public bool IsTree { get; init; }

    /// <summary>True for the region's own cluster.</summary>
    public bool IsHome => Ordinal == 0;

    /// <summary>All addresses in the order in which they are tried: observers first.</summary>
    public IEnumerable<HostPort> InOrder => Observers.Concat(Servers);
}
