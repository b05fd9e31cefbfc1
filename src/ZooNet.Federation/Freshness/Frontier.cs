namespace ZooNet.Federation.Freshness;

/// <summary>Why a read needs a barrier, or why it needs none.</summary>
public enum BarrierVerdict
{
    /// <summary>The session has learned nothing of any other cluster.</summary>
    NothingElsewhere,
    /// <summary>What it learned elsewhere is of clusters that are not coupled to this one.</summary>
    NotCoupled,
    /// <summary>The server was refreshed after everything that the session learned elsewhere.</summary>
    Covered,
    /// <summary>What it learned at home and is not covered is private: nobody outside the view can see it.</summary>
    NoInterestChange,
    /// <summary>A barrier is needed.</summary>
    Needed,
    /// <summary>It can't be told yet: the watermark of home must see further first, and then the rule is asked again. Not counted.</summary>
    AskWatermark,
}

/// <summary>
/// The newest change of every cluster that one session can have learned of (design: <c>frontier</c>), and the rule that
/// compares it with what a server has covered. Single owner: its session.
/// </summary>
internal sealed class Frontier(Region region)
{
    private readonly long[] _newest = new long[region.ClusterCount];
    private readonly long[] _unknownSince = new long[region.ClusterCount];
    private ulong _touched;
    private ulong _moved;
    private long _movedSince;
    private ulong _unknown;

    /// <summary>The session learned of changes up to a zxid of a cluster.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="zxid">The zxid.</param>
    /// <param name="watchable">False where a change may be among them that fires no watch: at home the watermark says nothing of it.</param>
    public void Learned(int cluster, long zxid, bool watchable = true)
    {
        _touched |= 1UL << cluster;
        if (!watchable && cluster == 0)
        {
            region.LearnUnwatchable(zxid);
        }
        if (zxid > _newest[cluster])
        {
            _newest[cluster] = zxid;
        }
    }

    /// <summary>The session learned something of a cluster and it can't be told up to where: only a barrier that begins from now on covers it.</summary>
    public void LearnedUnknown(int cluster)
    {
        _touched |= 1UL << cluster;
        _unknown |= 1UL << cluster;
        _unknownSince[cluster] = region.Epoch;
    }

    /// <summary>
    /// The session comes from another proxy: what it saw of each remote cluster there is not known here, so the server that it
    /// reads first here may be behind it. (Home's own position the client brings along.)
    /// </summary>
    public void Moved()
    {
        LearnedUnknown(0);
        for (var cluster = 1; cluster < region.ClusterCount; cluster++)
        {
            LearnedUnknown(cluster);
            MovedIn(cluster);
        }
    }

    /// <summary>The session leaves a server of a remote cluster that has shown it more than it is known to have seen.</summary>
    public void MovedIn(int cluster)
    {
        _movedSince = region.Epoch;
        _moved |= 1UL << cluster;
    }

    /// <summary>Whether a server may be behind what this session saw of the same cluster through another proxy: no read may go back, coupled or not.</summary>
    public bool MayGoBack(UpstreamServer server)
    {
        var bit = 1UL << server.Cluster;
        if ((_moved & bit) == 0)
        {
            return false;
        }
        if (!server.IsCoveredSince(_movedSince))
        {
            return true;
        }
        _moved &= ~bit;
        return false;
    }

    /// <summary>The rule: does a read at this server need a barrier first?</summary>
    /// <param name="server">The server that would be read.</param>
    /// <param name="mayAsk">False where the watermark has been refreshed for this read already, or its refresh failed: then it needs a barrier where it can't tell.</param>
    public BarrierVerdict Judge(UpstreamServer server, bool mayAsk = false)
    {
        // The coupling first: Region.Follow demands fresh barriers before it changes it.
        var coupling = region.Coupling;
        if (MayGoBack(server) || server.IsFreshDemanded)
        {
            return BarrierVerdict.Needed;
        }
        var elsewhere = _touched & ~(1UL << server.Cluster);
        if (elsewhere == 0)
        {
            return BarrierVerdict.NothingElsewhere;
        }
        var coupled = elsewhere & coupling.CoupledTo(server.Cluster);
        if (coupled == 0)
        {
            return BarrierVerdict.NotCoupled;
        }
        var verdict = BarrierVerdict.Covered;
        for (var rest = coupled; rest != 0; rest &= rest - 1)
        {
            var cluster = System.Numerics.BitOperations.TrailingZeroCount(rest);
            if ((_unknown >> cluster & 1) != 0 && !server.IsCoveredSince(_unknownSince[cluster]))
            {
                return BarrierVerdict.Needed;
            }
            var covered = server.Covered(cluster);
            if (_newest[cluster] <= covered)
            {
                continue;
            }
            if (cluster > 0 || !coupling.AllowsWatermark || region.HomeInterest is not { } interest)
            {
                return BarrierVerdict.Needed;
            }
            var verdictOfHome = JudgePrivate(interest, covered, mayAsk);
            if (verdictOfHome == BarrierVerdict.Needed)
            {
                return verdictOfHome;
            }
            verdict = verdictOfHome;
        }
        return verdict;
    }

    /// <summary>Can anybody outside the view see what the session learned of home and the server has not covered?</summary>
    private BarrierVerdict JudgePrivate(IInterestWatermark interest, long covered, bool mayAsk)
    {
        // Of the region and not of the session: who learned of a changed ACL may tell the others by a private change.
        if (region.IsUnwatchableAbove(covered))
        {
            return BarrierVerdict.Needed;
        }
        var newest = _newest[0];
        var seen = interest.SeenUpTo;
        if (interest.LastInterestingChange(Math.Min(newest, seen)) > covered)
        {
            return BarrierVerdict.Needed;
        }
        if (newest <= seen)
        {
            return BarrierVerdict.NoInterestChange;
        }
        // A round trip at home may save the one across the WAN.
        return mayAsk && interest.Watcher is not null ? BarrierVerdict.AskWatermark : BarrierVerdict.Needed;
    }
}
