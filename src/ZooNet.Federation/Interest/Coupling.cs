using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Interest;

/// <summary>
/// For one view: which clusters' news a read of another cluster must wait for. A read of cluster K' by a session needs
/// a barrier only where the session's frontier in some K in <see cref="CoupledTo"/>(K') is not covered.
/// Immutable, swapped whole; any thread may read it. Clusters are the region's own ordinals.
/// </summary>
public sealed class Coupling : ICoupling
{
    private readonly ClusterSet[] _coupledTo;
    private readonly string[] _reasons;

    private Coupling(CouplingKind kind, IReadOnlyList<string> clusters, ClusterSet[] coupledTo, string[] reasons)
    {
        Kind = kind;
        Clusters = clusters;
        _coupledTo = coupledTo;
        _reasons = reasons;
    }

    /// <summary>What decided this coupling.</summary>
    public CouplingKind Kind { get; }

    /// <summary>The names of the clusters, by ordinal.</summary>
    public IReadOnlyList<string> Clusters { get; }

    /// <summary>
    /// True where a home frontier may be replaced by the last change that somebody outside the view can see.
    /// Sound only in <see cref="CouplingKind.Cycle"/> with a single remote: with two, a private home write carries news
    /// of one remote to a session that then reads the other (docs/consistency.md, "The interest watermark").
    /// </summary>
    public bool AllowsWatermark { get; private init; }

    /// <summary>
    /// True on no cycle, and where the watermark may be used: a private home write may carry news of the remote from one session
    /// to another, which must then not read a second copy that lags behind the first.
    /// </summary>
    public bool NeedsSingleCopy => Kind == CouplingKind.Free || AllowsWatermark;

    /// <summary>The clusters whose news a read of <paramref name="cluster"/> must not miss.</summary>
    public ClusterSet CoupledTo(int cluster) => _coupledTo[cluster];

    /// <summary>True where the two clusters' coupled sets are the same in both snapshots and in the same order of clusters.</summary>
    public bool SameAs(Coupling? other) => other is not null && Kind == other.Kind && AllowsWatermark == other.AllowsWatermark
        && _coupledTo.AsSpan().SequenceEqual(other._coupledTo) && Clusters.SequenceEqual(other.Clusters, StringComparer.Ordinal);

    /// <summary>
    /// Why a read of <paramref name="read"/> does or does not wait for news of <paramref name="learned"/>, for an operator.
    /// </summary>
    public string Reason(int read, int learned) => read == learned
        ? $"'{Clusters[read]}' orders its own operations"
        : _reasons[_coupledTo[read].Contains(learned) ? 1 : 0];

    /// <summary>consistency = none: each cluster is consistent alone.</summary>
    public static Coupling None(IReadOnlyList<string> clusters) =>
        Uniform(CouplingKind.None, clusters, default, "not coupled: consistency is 'none'", "");

    /// <summary>consistency = ordered: every cluster is coupled to every other.</summary>
    /// <param name="clusters">Names by ordinal.</param>
    /// <param name="exempt">Clusters whose mounts have consistency 'none'.</param>
    public static Coupling Ordered(IReadOnlyList<string> clusters, ClusterSet exempt = default) =>
        Uniform(CouplingKind.Ordered, clusters, ClusterSet.All.Except(exempt), "not coupled: the mount's consistency is 'none'", "coupled: consistency is 'ordered'");

    /// <summary>What a proxy uses while it does not know the graph: every cluster is coupled to every other.</summary>
    /// <param name="clusters">Names by ordinal.</param>
    /// <param name="why">Why the graph is not known, for an operator.</param>
    /// <param name="exempt">Clusters whose mounts have consistency 'none'.</param>
    public static Coupling Conservative(IReadOnlyList<string> clusters, string why, ClusterSet exempt = default) =>
        Uniform(CouplingKind.Conservative, clusters, ClusterSet.All.Except(exempt), "not coupled: the mount's consistency is 'none'", $"coupled, to be safe: {why}");

    /// <summary>
    /// consistency = sequential: all clusters of the view are coupled where a cycle of the graph runs through the view.
    /// Otherwise none are, but for home where it is read through several servers: a read there must not be older than
    /// what was learned from a remote.
    /// </summary>
    /// <remarks>
    /// The whole view, and not only the block that the cycle lies in: news can pass from one session of the view to
    /// another through a cluster outside the block, and frontiers are kept per session.
    /// </remarks>
    /// <param name="graph">Everything known, this view included.</param>
    /// <param name="view">This view's name.</param>
    /// <param name="clusters">Names by ordinal.</param>
    /// <param name="home">The ordinal of home.</param>
    /// <param name="homeHasSeveralServers">Whether sessions of the view read home through different servers.</param>
    /// <param name="exempt">Clusters whose mounts have consistency 'none'.</param>
    /// <param name="isOnlyProxy">
    /// Whether all sessions of the view are this proxy's: what the watermark needs to know of changed ACLs is not shared.
    /// </param>
    public static Coupling Sequential(InterestGraph graph, string view, IReadOnlyList<string> clusters, int home,
        bool homeHasSeveralServers, ClusterSet exempt = default, bool isOnlyProxy = true)
    {
        var counted = ClusterSet.First(clusters.Count).Except(exempt);
        if (graph.CycleThrough(view) is { } cycle)
        {
            var steps = cycle.Select((name, i) => (i % 2 == 0 ? "view " : "cluster ") + name);
            var why = $"coupled: a cycle runs through this view: {string.Join(" - ", steps)} - view {view}";
            var result = Masks(clusters, counted, "not coupled: the mount's consistency is 'none'", why, CouplingKind.Cycle);
            return new Coupling(CouplingKind.Cycle, clusters, result._coupledTo, result._reasons)
            {
                AllowsWatermark = isOnlyProxy && counted.Without(home).Count == 1,
            };
        }
        var coupledTo = new ClusterSet[clusters.Count];
        if (homeHasSeveralServers && counted.Contains(home))
        {
            coupledTo[home] = counted.Without(home);
        }
        return new Coupling(CouplingKind.Free, clusters, coupledTo,
        [
            "not coupled: no cycle of views and clusters runs through this view",
            "coupled by a barrier in the home cluster: it is read through several servers",
        ]);
    }

    private static Coupling Uniform(CouplingKind kind, IReadOnlyList<string> clusters, ClusterSet counted, string apart, string coupled) =>
        Masks(clusters, counted.And(ClusterSet.First(clusters.Count)), apart, coupled, kind);

    private static Coupling Masks(IReadOnlyList<string> clusters, ClusterSet counted, string apart, string coupled, CouplingKind kind)
    {
        var coupledTo = new ClusterSet[clusters.Count];
        for (var i = 0; i < coupledTo.Length; i++)
        {
            coupledTo[i] = counted.Contains(i) ? counted.Without(i) : default;
        }
        return new Coupling(kind, clusters, coupledTo, [apart, coupled]);
    }
}

/// <summary>What decided a <see cref="Coupling"/>.</summary>
public enum CouplingKind
{
    /// <summary>consistency = none.</summary>
    None,

    /// <summary>No cycle runs through the view: no barrier beyond the home cluster's own.</summary>
    Free,

    /// <summary>A cycle runs through the view: everything it reads is coupled.</summary>
    Cycle,

    /// <summary>consistency = ordered.</summary>
    Ordered,

    /// <summary>The graph is not known at the moment.</summary>
    Conservative,
}
