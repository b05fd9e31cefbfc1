using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// What all client sessions of one proxy share: the mounts, the coupling, and what has been seen of each cluster.
/// Everything here is thread-safe; sessions read it without locks.
/// </summary>
public sealed class Region
{
    /// <summary>The most clusters a region can have, its home included: <see cref="ClusterSet"/> holds no more.</summary>
    public const int MaxClusters = 1024;

    private long _mountsUsableUntilMs = long.MaxValue;
    private MountTable _mounts = MountTable.Empty;
    private ICoupling _coupling;
    private IInterestWatermark? _homeInterest;

    /// <summary>Makes a region.</summary>
    /// <param name="clusterNames">Names by ordinal; home is the first.</param>
    /// <param name="mode">The region's consistency.</param>
    public Region(IReadOnlyList<string> clusterNames, ConsistencyMode mode)
    {
        ArgumentOutOfRangeException.ThrowIfZero(clusterNames.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(clusterNames.Count, MaxClusters);
        ClusterNames = clusterNames;
        Mode = mode;
        Positions = new Positions(clusterNames.Count);
        Copies = new SingleCopies(this);
        // Until the interest graph is known, everything is coupled: safe without news.
        _coupling = mode == ConsistencyMode.None ? UniformCoupling.None : UniformCoupling.All;
    }

    /// <summary>Cluster names by ordinal; 0 is home.</summary>
    public IReadOnlyList<string> ClusterNames { get; }

    /// <summary>Home and remotes together.</summary>
    public int ClusterCount => ClusterNames.Count;

    /// <summary>The region's consistency.</summary>
    public ConsistencyMode Mode { get; }

    /// <summary>What has been seen of each cluster.</summary>
    public Positions Positions { get; }

    /// <summary>The server that each remote is read through.</summary>
    public SingleCopies Copies { get; }

    /// <summary>The current mounts; swapped whole.</summary>
    public MountTable Mounts
    {
        get => Volatile.Read(ref _mounts);
        set => Volatile.Write(ref _mounts, value);
    }

    /// <summary>The current coupling; swapped whole.</summary>
    public ICoupling Coupling
    {
        get => Volatile.Read(ref _coupling);
        set => Volatile.Write(ref _coupling, value);
    }

    /// <summary>
    /// Changes the rules: reads that are judged after this call go by the new coupling, and where <paramref name="fresh"/> is set each
    /// server is refreshed by a barrier that begins after the change before it serves one of them.
    /// </summary>
    /// <param name="coupling">The new coupling.</param>
    /// <param name="fresh">Whether what was read by the old rules might be missed by the new ones.</param>
    public void Follow(ICoupling coupling, bool fresh)
    {
        // Where single copies did not matter so far, sessions may have read another copy than the one in use now, newer than it.
        fresh |= coupling.NeedsSingleCopy && !Coupling.NeedsSingleCopy;
        // Whoever sees the new coupling sees the demand too (Frontier.Judge reads them in this order), and no barrier that
        // began before the change meets it.
        if (fresh)
        {
            Positions.RefuseUntilDemanded();
        }
        Volatile.Write(ref _coupling, coupling);
        if (fresh)
        {
            Positions.DemandRefresh();
        }
    }

    /// <summary>
    /// Until when mounts may be used, in milliseconds of the hosts' clock. A proxy that hears nothing of home stops using them in time:
    /// after its control session has expired, others go on as if it were not there (docs/consistency.md, "Changing the graph").
    /// </summary>
    public long MountsUsableUntilMs
    {
        get => Volatile.Read(ref _mountsUsableUntilMs);
        set => Volatile.Write(ref _mountsUsableUntilMs, value);
    }

    /// <summary>
    /// Where set, and where the coupling allows it (<see cref="ICoupling.AllowsWatermark"/>), private changes of home ask for no
    /// barriers.
    /// </summary>
    public IInterestWatermark? HomeInterest
    {
        get => Volatile.Read(ref _homeInterest);
        set => Volatile.Write(ref _homeInterest, value);
    }

    /// <summary>Home ids of the clients that own remote sessions, for <c>ephemeralOwner</c>.</summary>
    public SessionOwners Owners { get; } = new();

    /// <summary>Since when changed ACLs have been seen.</summary>
    internal AclMemory Acls { get; } = new();

    /// <summary>What the rule said of reads at home that followed remote operations.</summary>
    public MountCounters HomeCounters { get; } = new();

    /// <summary>
    /// Whether an ensemble may know the proxy's connections by a certificate, the same for all clients: <c>auth</c> in an ACL then stands
    /// for what the client itself has given, and is written out as that.
    /// </summary>
    public bool IsKnownByCertificate { get; init; }

    /// <summary>What <c>/zookeeper/config</c> reads as: the addresses clients should know; empty where none are advertised.</summary>
    public byte[] AdvertisedConfig { get; init; } = [];

    /// <summary>The largest request payload taken from a client or sent upstream, in bytes.</summary>
    public int MaxFrame { get; init; } = Protocol.Framing.DefaultMaxLength;

    /// <summary>What one client may cost, and all of them together.</summary>
    public ClientLimits Limits { get; init; } = new();

    /// <summary>
    /// The session timeouts, in milliseconds, that every cluster of the region grants; the client's wish is brought into this range.
    /// </summary>
    public (int MinMs, int MaxMs) SessionTimeouts { get; set; } = (0, int.MaxValue);

    /// <summary>What is left out of the rules; nothing in a proxy.</summary>
    internal Omissions Omissions { get; set; } = Omissions.None;

    /// <summary>
    /// Takes note of a zxid in a reply header of a server. Of a remote that is read as a single copy only that copy counts:
    /// what another one showed may be newer than what the region's sessions can see (docs/consistency.md, "Known from elsewhere").
    /// </summary>
    public void Learn(UpstreamServer server, long zxid)
    {
        server.Show(zxid);
        if (!Copies.IsSuperseded(server))
        {
            Positions.Learn(server.Cluster, zxid);
        }
    }

    /// <summary>
    /// A cluster has been made anew, and its zxids begin from below: what was known of it must not stand for what is there. Every server is
    /// refreshed by a barrier before its next read. The caller ends the sessions that have used the cluster, and forgets its servers.
    /// </summary>
    public void Forget(int cluster)
    {
        Positions.Forget(cluster);
        Positions.DemandRefresh();
    }
}
