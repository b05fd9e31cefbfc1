using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Freshness;

/// <summary>When a read waits for a barrier (docs/consistency.md).</summary>
public enum ConsistencyMode
{
    /// <summary>Never: every cluster is consistent alone, their composition is not.</summary>
    None,
    /// <summary>Where a cycle of interest can close: the composition is sequentially consistent.</summary>
    Sequential,
    /// <summary>Whenever another cluster showed something newer: ordered sequential consistency.</summary>
    Ordered,
    /// <summary>At every read that follows an operation on another cluster: the ZooNet paper's rule, for comparison.</summary>
    Switch,
}

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

/// <summary>
/// Tells which changes of the home cluster anyone outside this view can see (docs/consistency.md, "The interest watermark").
/// Implementations are thread-safe and answer without waiting.
/// </summary>
public interface IInterestWatermark
{
    /// <summary>
    /// The newest change at or below <paramref name="homeZxid"/> that lies in a subtree somebody outside this view mounts.
    /// Where that is not known for certain, <paramref name="homeZxid"/> itself.
    /// </summary>
    long LastInterestingChange(long homeZxid);

    /// <summary>
    /// The newest home zxid that can be told anything of; -1 for none. Never goes back, until other subtrees are watched.
    /// </summary>
    long SeenUpTo { get; }

    /// <summary>
    /// Whether nobody outside the view can see a znode or change it, its ACL included. What is said of such a znode tells of no change that
    /// could have been missed; of any other one, an ACL may have changed, and no event tells that.
    /// </summary>
    /// <param name="path">The znode's path, or that of one to be made.</param>
    bool IsPrivate(ReadOnlySpan<byte> path);

    /// <summary>
    /// The server on whose link home is watched: a barrier there (<see cref="UpstreamServer.JoinBarrier"/>) raises <see cref="SeenUpTo"/>
    /// to all that was committed before it began. Null while nobody watches.
    /// </summary>
    UpstreamServer? Watcher { get; }
}

/// <summary>
/// What all client sessions of one proxy share: the mounts, the coupling, and what has been seen of each cluster.
/// Everything here is thread-safe; sessions read it without locks.
/// </summary>
public sealed class Region
{
    /// <summary>The most clusters a region can have, its home included: <see cref="ClusterSet"/> holds no more.</summary>
    public const int MaxClusters = 64;

    private readonly long[] _known;
    private readonly UpstreamServer?[] _copies;
    private string?[]? _agreed;
    private readonly Lock _copiesLock = new();
    private long _epoch;
    private long _unwatchable;
    private int _unwatchableWrites;
    private long _demanded = NothingDemanded;
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
        _known = new long[clusterNames.Count];
        _copies = new UpstreamServer?[clusterNames.Count];
        // Until the interest graph is known, everything is coupled: safe without news.
        _coupling = mode == ConsistencyMode.None ? UniformCoupling.None : UniformCoupling.All;
    }

    /// <summary>Cluster names by ordinal; 0 is home.</summary>
    public IReadOnlyList<string> ClusterNames { get; }

    /// <summary>Home and remotes together.</summary>
    public int ClusterCount => ClusterNames.Count;

    /// <summary>The region's consistency.</summary>
    public ConsistencyMode Mode { get; }

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
            Volatile.Write(ref _demanded, long.MaxValue);
        }
        Volatile.Write(ref _coupling, coupling);
        if (fresh)
        {
            DemandFresh();
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

    /// <summary>The largest zxid of a cluster seen in any reply header, on any link (docs/consistency.md, "The rule").</summary>
    public long Known(int cluster) => Volatile.Read(ref _known[cluster]);

    /// <summary>
    /// Takes note of a zxid in a reply header of a server. Of a remote that is read as a single copy only that copy counts:
    /// what another one showed may be newer than what the region's sessions can see (docs/consistency.md, "Known from elsewhere").
    /// </summary>
    public void Learn(UpstreamServer server, long zxid)
    {
        server.Show(zxid);
        if (!IsSuperseded(server))
        {
            Learn(server.Cluster, zxid);
        }
    }

    /// <summary>
    /// A cluster has been made anew, and its zxids begin from below: what was known of it must not stand for what is there. Every server is
    /// refreshed by a barrier before its next read. The caller ends the sessions that have used the cluster, and forgets its servers.
    /// </summary>
    public void Forget(int cluster)
    {
        Volatile.Write(ref _known[cluster], 0);
        if (cluster == 0)
        {
            Volatile.Write(ref _unwatchable, 0);
        }
        DemandFresh();
    }

    /// <summary>Takes note of a zxid seen in a reply header.</summary>
    public void Learn(int cluster, long zxid) => RaiseTo(ref _known[cluster], zxid);

    /// <summary>
    /// A session learned of a change at home, at or below a zxid, that fires no watch: an ACL's. The watermark does not tell of it, so
    /// until a barrier covers that zxid nothing newer counts as private, for any session of the region.
    /// </summary>
    internal void LearnUnwatchable(long zxid) => RaiseTo(ref _unwatchable, zxid);

    /// <summary>
    /// A request that changes an ACL has been sent to home (true), or its reply was taken note of (false). One whose reply never comes
    /// keeps the watermark out of use.
    /// </summary>
    internal void UnwatchableWrite(bool begins) => Interlocked.Add(ref _unwatchableWrites, begins ? 1 : -1);

    /// <summary>Whether somebody may know of a change at home that fires no watch and that is not covered.</summary>
    internal bool IsUnwatchableAbove(long covered) => Volatile.Read(ref _unwatchable) > covered || Volatile.Read(ref _unwatchableWrites) > 0;

    /// <summary>
    /// From now on every server needs a barrier that begins after this moment before its next read, whatever the reader has
    /// learned: the rules have changed, and what was read by the old ones must not be missed by the new ones.
    /// </summary>
    public void DemandFresh() => Volatile.Write(ref _demanded, Epoch);

    /// <summary>
    /// The region's proxies have agreed through which server each remote is read: from now on no other one is heard. Call it before
    /// <see cref="Follow"/>.
    /// </summary>
    /// <param name="servers">
    /// By ordinal, the addresses: empty for a cluster that must not be read yet, null for one that may be read through any. Null where
    /// this proxy is the region's only one.
    /// </param>
    public void ReadOnlyThrough(string?[]? servers) => Volatile.Write(ref _agreed, servers);

    /// <summary>
    /// The server of a remote that the region's proxies have agreed on: empty where they have not yet, null where they need not.
    /// </summary>
    public string? AgreedServer(int cluster) => Volatile.Read(ref _agreed)?[cluster];

    /// <summary>
    /// Raised with a cluster's ordinal and a server's address where a link reached a server other than the one agreed on: as a rule
    /// that one can't be reached. Handlers must not wait.
    /// </summary>
    public event Action<int, string>? ServerWanted;

    /// <summary>
    /// A link to a server of a remote cluster is about to be used. Where single copies matter and the region has read that
    /// cluster through another server so far, the server must be refreshed first, and links to the other one end.
    /// </summary>
    /// <returns>False where the region's proxies have not agreed on that server: it must not be used now.</returns>
    internal bool ReadThrough(UpstreamServer server)
    {
        if (!IsAgreed(server))
        {
            ServerWanted?.Invoke(server.Cluster, server.Address);
            return false;
        }
        lock (_copiesLock)
        {
            if (_copies[server.Cluster] != server)
            {
                // In this order: a barrier counts only if it begins when the other server is no longer heard.
                var fresh = _copies[server.Cluster] is not null && Volatile.Read(ref _coupling).NeedsSingleCopy;
                if (fresh)
                {
                    server.RefuseUntilDemanded();
                }
                Volatile.Write(ref _copies[server.Cluster], server);
                if (fresh)
                {
                    server.DemandFresh();
                }
            }
        }
        return true;
    }

    /// <summary>True for a server whose cluster the region reads through another one now.</summary>
    internal bool IsSuperseded(UpstreamServer server) => !server.IsHome
        && ((Coupling.NeedsSingleCopy && Volatile.Read(ref _copies[server.Cluster]) != server) || !IsAgreed(server));

    private bool IsAgreed(UpstreamServer server) => AgreedServer(server.Cluster) is not { } agreed || agreed == server.Address;

    internal const long NothingDemanded = -2;

    internal long Demanded => Volatile.Read(ref _demanded);

    /// <summary>Raises a position that several threads raise; it never goes back.</summary>
    internal static void RaiseTo(ref long slot, long zxid)
    {
        var seen = Volatile.Read(ref slot);
        while (zxid > seen)
        {
            var before = Interlocked.CompareExchange(ref slot, zxid, seen);
            if (before == seen)
            {
                return;
            }
            seen = before;
        }
    }

    internal void CopyKnown(Span<long> target)
    {
        for (var i = 0; i < _known.Length; i++)
        {
            target[i] = Volatile.Read(ref _known[i]);
        }
    }

    /// <summary>The number of the latest barrier or covering write that began; later ones have larger numbers.</summary>
    internal long Epoch => Volatile.Read(ref _epoch);

    internal long NextEpoch() => Interlocked.Increment(ref _epoch);
}
