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
    public void Learned(int cluster, long zxid)
    {
        _touched |= 1UL << cluster;
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
    public BarrierVerdict Judge(UpstreamServer server)
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
            if (cluster == 0 && region.HomeInterest is { } interest && interest.LastInterestingChange(_newest[0]) <= covered)
            {
                verdict = BarrierVerdict.NoInterestChange;
                continue;
            }
            return BarrierVerdict.Needed;
        }
        return verdict;
    }
}
