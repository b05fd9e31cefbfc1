namespace ZooNet.Federation.Freshness;

/// <summary>
/// What all sessions of a region have seen of each cluster, and the order of its barriers. Thread-safe and lock-free; nothing here goes
/// back but by <see cref="Forget"/>.
/// </summary>
public sealed class Positions
{
    private readonly long[] _known;
    private long _unwatchable;
    private int _unwatchableWrites;
    private int _lostWrites;
    private long _lostUntilMs;
    private long _epoch;
    private RefreshDemand _demand = new();

    internal Positions(int clusters) => _known = new long[clusters];

    /// <summary>The largest zxid of a cluster seen in any reply header, on any link; 0 before the first.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public long Known(int cluster) => Volatile.Read(ref _known[cluster]);

    /// <summary>Takes note of a zxid seen in a reply header.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="zxid">The zxid.</param>
    public void Learn(int cluster, long zxid) => RaiseTo(ref _known[cluster], zxid);

    /// <summary>
    /// From now on every server needs a barrier that begins after this moment before its next read, whatever the reader has
    /// learned: the rules have changed, and what was read by the old ones must not be missed by the new ones.
    /// </summary>
    public void DemandRefresh() => _demand.BeginsAfter(Epoch);

    /// <summary>No barrier of any server is enough until <see cref="DemandRefresh"/>, which follows at once, says which is.</summary>
    internal void RefuseUntilDemanded() => _demand.Refuse();

    /// <summary>Whether a server whose last barrier began at an epoch has not been refreshed since that was demanded of all.</summary>
    internal bool IsRefreshDemanded(long coveredEpoch) => _demand.IsUnmetBy(coveredEpoch);

    /// <summary>
    /// A cluster has been made anew, and its zxids begin from below: what was known of it must not stand for what is there.
    /// </summary>
    internal void Forget(int cluster)
    {
        Volatile.Write(ref _known[cluster], 0);
        if (cluster == 0)
        {
            Volatile.Write(ref _unwatchable, 0);
        }
    }

    /// <summary>
    /// A session learned of a change at home, at or below a zxid, that fires no watch: an ACL's. The watermark does not tell of it, so
    /// until a barrier covers that zxid nothing newer counts as private, for any session of the region.
    /// </summary>
    internal void LearnUnwatchable(long zxid) => RaiseTo(ref _unwatchable, zxid);

    /// <summary>
    /// A request that changes an ACL has been sent to home (true), or its reply was taken note of (false). Meanwhile the watermark is of no
    /// use; for one whose reply never comes, until <see cref="SettleLost"/>.
    /// </summary>
    internal void UnwatchableWrite(bool begins) => Interlocked.Add(ref _unwatchableWrites, begins ? 1 : -1);

    /// <summary>The connection was lost on which such a request was sent: whether it is carried out, and when, is not known.</summary>
    /// <param name="untilMs">When its session has ended, or is in use elsewhere, so that it is not carried out any more.</param>
    internal void UnwatchableLost(long untilMs)
    {
        // In this order, so that who sees the count sees the time.
        RaiseTo(ref _lostUntilMs, untilMs);
        Interlocked.Increment(ref _lostWrites);
    }

    /// <summary>Home has carried out a write of the proxy's own: whatever was lost before has come before it, or never will.</summary>
    /// <param name="beganMs">When the write was begun, in milliseconds of the hosts' clock.</param>
    /// <param name="zxid">Its zxid.</param>
    public void SettleLost(long beganMs, long zxid)
    {
        var lost = Volatile.Read(ref _lostWrites);
        if (lost > 0 && beganMs > Volatile.Read(ref _lostUntilMs))
        {
            LearnUnwatchable(zxid);
            Interlocked.Add(ref _lostWrites, -lost);
            Interlocked.Add(ref _unwatchableWrites, -lost);
        }
    }

    /// <summary>Whether somebody may know of a change at home that fires no watch and that is not covered.</summary>
    internal bool IsUnwatchableAbove(long covered) => Volatile.Read(ref _unwatchable) > covered || Volatile.Read(ref _unwatchableWrites) > 0;

    /// <summary>The number of the latest barrier or covering write that began; later ones have larger numbers.</summary>
    internal long Epoch => Volatile.Read(ref _epoch);

    /// <summary>A barrier, or a covering write, begins.</summary>
    /// <returns>Its number.</returns>
    internal long NextEpoch() => Interlocked.Increment(ref _epoch);

    /// <summary>What is known of each cluster.</summary>
    /// <param name="target">By ordinal.</param>
    internal void CopyKnown(Span<long> target)
    {
        for (var i = 0; i < _known.Length; i++)
        {
            target[i] = Volatile.Read(ref _known[i]);
        }
    }

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
}
