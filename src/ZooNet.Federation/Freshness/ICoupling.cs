namespace ZooNet.Federation.Freshness;

/// <summary>
/// Which clusters are coupled for this proxy's view: an immutable snapshot, swapped whole when the interest graph changes.
/// </summary>
public interface ICoupling
{
    /// <summary>
    /// The clusters whose newer changes make a read at <paramref name="cluster"/> wait for a barrier; the cluster itself is never
    /// among them.
    /// </summary>
    ClusterSet CoupledTo(int cluster);

    /// <summary>
    /// True where consistency without barriers rests on all sessions reading each remote through one server at a time
    /// (docs/consistency.md, "A view on no cycle"). Where everything is coupled each session stands for itself.
    /// </summary>
    bool NeedsSingleCopy => false;

    /// <summary>
    /// True where what was learned of home may be reduced to what somebody outside the view can see: <see cref="IInterestWatermark"/>.
    /// </summary>
    bool AllowsWatermark => false;
}

/// <summary>Every cluster is coupled to every other, or none is.</summary>
public sealed class UniformCoupling : ICoupling
{
    private readonly ClusterSet _clusters;

    private UniformCoupling(ClusterSet clusters) => _clusters = clusters;

    /// <summary>All coupled: ordered consistency, and the safe side of a proxy without news.</summary>
    public static UniformCoupling All { get; } = new(ClusterSet.All);

    /// <summary>None coupled.</summary>
    public static UniformCoupling None { get; } = new(default);

    /// <inheritdoc/>
    public ClusterSet CoupledTo(int cluster) => _clusters.Without(cluster);
}
