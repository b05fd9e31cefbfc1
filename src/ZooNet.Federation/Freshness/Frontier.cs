using System.Text;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// The newest change of every cluster that one session can have learned of (docs/consistency.md), and the rule that
/// compares it with what a server has covered. Single owner: its session.
/// </summary>
internal sealed class Frontier(Region region)
{
    /// <summary>How many observations wait to be dated; beyond, the oldest stays without a date.</summary>
    public const int MaxObservations = 64;

    /// <summary>The longest path, in bytes, that is remembered for its date.</summary>
    public const int MaxPathLength = 1024;

    private const int PageSize = 64;

    // Of 64 clusters together: a session knows few of many.
    private readonly Known[]?[] _known = new Known[]?[(region.ClusterCount + PageSize - 1) / PageSize];
    private ClusterSet _touched;
    private ClusterSet _moved;
    private long _movedSince;
    private ClusterSet _unknown;
    private List<UndatedObservation>? _observations;

    /// <summary>The session learned of changes up to a zxid of a cluster.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="zxid">The zxid.</param>
    /// <param name="watchable">
    /// False where a change may be among them that fires no watch: at home the watermark says nothing of it.
    /// </param>
    public void Learned(int cluster, long zxid, bool watchable = true)
    {
        _touched = _touched.With(cluster);
        if (!watchable && cluster == 0)
        {
            region.Positions.LearnUnwatchable(zxid);
        }
        ref var known = ref Of(cluster);
        known.Newest = Math.Max(known.Newest, zxid);
    }

    /// <summary>The session got a reply.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="evidence">What the reply shows.</param>
    /// <param name="path">
    /// What was asked for, in the cluster's own terms. Where that was not kept, or is too long to be, nothing is dated.
    /// </param>
    public void Observe(int cluster, in ReplyEvidence evidence, ReadOnlySpan<byte> path)
    {
        if (evidence.Zxid <= 0)
        {
            return;
        }
        var isKept = path.Length is > 0 and <= MaxPathLength;
        switch (evidence.Undated)
        {
            case Undated.Acl when isKept:
                var since = region.Acls.FirstSeen(cluster, Encoding.UTF8.GetString(path), evidence.Czxid, evidence.Aversion, evidence.Zxid);
                Learned(cluster, Math.Max(since, evidence.Dated), evidence.Watchable);
                break;
            case Undated.Absence or Undated.Children or Undated.Refusal when isKept && evidence.Zxid > Of(cluster).Newest:
                Learned(cluster, 0);
                if (!evidence.Watchable && cluster == 0)
                {
                    region.Positions.LearnUnwatchable(evidence.Zxid);
                }
                Remember(cluster, evidence, path);
                break;
            default:
                Learned(cluster, evidence.Zxid, evidence.Watchable);
                break;
        }
    }

    private void Remember(int cluster, in ReplyEvidence evidence, ReadOnlySpan<byte> path)
    {
        _observations ??= [];
        foreach (var known in _observations)
        {
            if (known.Is(cluster, path, evidence))
            {
                known.Again(evidence.Zxid);
                return;
            }
        }
        if (_observations.Count == MaxObservations)
        {
            var oldest = _observations.MinBy(s => s.Zxid)!;
            _observations.Remove(oldest);
            Learned(oldest.Cluster, oldest.Zxid);
        }
        _observations.Add(UndatedObservation.Of(cluster, path, evidence));
    }

    /// <summary>What the session saw of a cluster after a zxid and what has no date.</summary>
    public UndatedObservation[] UndatedBeyond(int cluster, long after) => _observations is null ? [] : [.. _observations.Where(s => s.Cluster == cluster && s.Zxid > after)];

    /// <summary>An observation has been dated.</summary>
    /// <param name="observation">One of <see cref="UndatedBeyond"/>.</param>
    /// <param name="zxid">A zxid at or behind the last change of what was seen.</param>
    public void ResolveDate(UndatedObservation observation, long zxid)
    {
        if (_observations!.Remove(observation))
        {
            Learned(observation.Cluster, zxid);
        }
    }

    private ref Known Of(int cluster) =>
        ref (_known[cluster / PageSize] ??= new Known[Math.Min(PageSize, region.ClusterCount - (cluster / PageSize * PageSize))])[cluster % PageSize];

    private long NewestUndated(int cluster)
    {
        var newest = 0L;
        if (_observations is null)
        {
            return newest;
        }
        foreach (var observation in _observations)
        {
            if (observation.Cluster == cluster && observation.Zxid > newest)
            {
                newest = observation.Zxid;
            }
        }
        return newest;
    }

    /// <summary>
    /// The session learned something of a cluster and it can't be told up to where: only a barrier that begins from now on covers it.
    /// </summary>
    public void LearnedUnknown(int cluster)
    {
        _touched = _touched.With(cluster);
        _unknown = _unknown.With(cluster);
        Of(cluster).UnknownSince = region.Positions.Epoch;
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
        _movedSince = region.Positions.Epoch;
        _moved = _moved.With(cluster);
    }

    /// <summary>
    /// Whether a server may be behind what this session saw of the same cluster through another proxy: no read may go back, coupled or
    /// not.
    /// </summary>
    public bool MayGoBack(UpstreamServer server)
    {
        if (!_moved.Contains(server.Cluster))
        {
            return false;
        }
        if (!server.IsCoveredSince(_movedSince))
        {
            return true;
        }
        _moved = _moved.Without(server.Cluster);
        return false;
    }

    /// <summary>The rule: does a read at this server need a barrier first?</summary>
    /// <param name="server">The server that would be read.</param>
    /// <param name="mayAsk">
    /// False where the watermark has been refreshed for this read already, or its refresh failed: then it needs a barrier where it
    /// can't tell.
    /// </param>
    /// <param name="mayDate">
    /// False where the dates have been asked for already, or nobody can tell: then what has no date counts as new.
    /// </param>
    public Judgement Judge(UpstreamServer server, bool mayAsk = false, bool mayDate = false)
    {
        // The coupling first: Region.Follow demands fresh barriers before it changes it.
        var coupling = region.Coupling;
        if (MayGoBack(server) || server.IsRefreshDemanded)
        {
            return new(BarrierVerdict.Needed);
        }
        var elsewhere = _touched.Without(server.Cluster);
        if (elsewhere.IsEmpty)
        {
            return new(BarrierVerdict.NothingElsewhere);
        }
        var coupled = elsewhere.And(coupling.CoupledTo(server.Cluster));
        if (coupled.IsEmpty)
        {
            return new(BarrierVerdict.NotCoupled);
        }
        var judged = new Judgement(BarrierVerdict.Covered);
        foreach (var cluster in coupled)
        {
            ref var known = ref Of(cluster);
            if (_unknown.Contains(cluster) && !server.IsCoveredSince(known.UnknownSince))
            {
                return new(BarrierVerdict.Needed);
            }
            var covered = server.Covered(cluster);
            var undated = NewestUndated(cluster);
            if (Math.Max(known.Newest, undated) <= covered)
            {
                continue;
            }
            var told = JudgeUpTo(known.Newest, cluster, covered, coupling, mayAsk);
            if (told.IsFinal)
            {
                return told;
            }
            var all = undated <= known.Newest ? told : JudgeUpTo(undated, cluster, covered, coupling, mayAsk);
            if (!all.IsFinal)
            {
                judged = all;
            }
            else if (mayDate)
            {
                // Only what has no date asks for a barrier. A round trip to where it was seen may save that.
                judged = new(BarrierVerdict.Needed, Question.Dates);
            }
            else
            {
                return new(BarrierVerdict.Needed);
            }
        }
        return judged;
    }

    /// <summary>
    /// Whether all that the session has learned was known when a barrier began that is under way: once it is done, the rule asks for
    /// no other.
    /// </summary>
    /// <param name="ticket">The barrier's.</param>
    /// <param name="server">The server that it is on, and that would be read.</param>
    public bool IsKnownTo(BarrierTicket ticket, UpstreamServer server)
    {
        // The coupling first, as in Judge.
        var coupled = _touched.Without(server.Cluster).And(region.Coupling.CoupledTo(server.Cluster));
        if (!server.MeetsDemand(ticket.Epoch) || (_moved.Contains(server.Cluster) && ticket.Epoch <= _movedSince))
        {
            return false;
        }
        foreach (var cluster in coupled)
        {
            ref var known = ref Of(cluster);
            if ((_unknown.Contains(cluster) && ticket.Epoch <= known.UnknownSince)
                || Math.Max(known.Newest, NewestUndated(cluster)) > ticket.Known[cluster])
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>
    /// Does what the session learned of a cluster up to a zxid ask for a barrier at a server that has covered less, or more?
    /// </summary>
    private Judgement JudgeUpTo(long newest, int cluster, long covered, ICoupling coupling, bool mayAsk)
    {
        if (newest <= covered)
        {
            return new(BarrierVerdict.Covered);
        }
        return cluster == 0 && coupling.AllowsWatermark && region.HomeInterest is { } interest
            ? JudgePrivate(interest, newest, covered, mayAsk)
            : new(BarrierVerdict.Needed);
    }

    /// <summary>Can anybody outside the view see what the session learned of home and the server has not covered?</summary>
    private Judgement JudgePrivate(IInterestWatermark interest, long newest, long covered, bool mayAsk)
    {
        // Of the region and not of the session: who learned of a changed ACL may tell the others by a private change.
        if (region.Positions.IsUnwatchableAbove(covered))
        {
            return new(BarrierVerdict.Needed);
        }
        var seen = interest.SeenUpTo;
        if (interest.LastInterestingChange(Math.Min(newest, seen)) > covered)
        {
            return new(BarrierVerdict.Needed);
        }
        if (newest <= seen)
        {
            return new(BarrierVerdict.NoInterestChange);
        }
        // A round trip at home may save the one across the WAN.
        return new(BarrierVerdict.Needed, mayAsk && interest.Watcher is not null ? Question.Watermark : Question.Nothing);
    }

    /// <summary>What the session knows of a cluster.</summary>
    private struct Known
    {
        /// <summary>The zxid of the newest change that it can have learned of.</summary>
        public long Newest;

        /// <summary>The epoch in which it learned something without a zxid.</summary>
        public long UnknownSince;
    }
}
