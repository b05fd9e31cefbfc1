using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions.Solo;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>What dispatching a request asks of its session.</summary>
internal interface IDispatchOwner
{
    /// <summary>Whether the client waits for an answer.</summary>
    bool HasUnanswered { get; }

    /// <summary>Whether a zxid of home is known that replies from elsewhere can show.</summary>
    bool KnowsHomeZxid { get; }

    /// <summary>Whether so much is queued for the client that nothing may be sent which would be answered out of its turn.</summary>
    bool HoldsMuch { get; }

    /// <summary>The credentials that the client has given; null if it has given none.</summary>
    KeptCredentials? Credentials { get; }

    /// <summary>The place of a request's reply in the order of all.</summary>
    long PlaceOf(in ClientRequest request);

    /// <summary>Answers a request here, in its turn.</summary>
    void Answer(in ClientRequest request, ErrorCode error, FailedMulti? results = null);

    /// <summary>Ends the client's connection, for it asked for what no proxy may forward.</summary>
    void Forbid(OpCode op);

    /// <summary>Begins a request that is carried out alone.</summary>
    /// <returns>False while something else is outstanding.</returns>
    bool TryBegin(SoloRequest solo);

    /// <summary>Begins to connect a link.</summary>
    void Open(SessionLink link);

    /// <summary>Gives up a link to a server through which its cluster is not read any more.</summary>
    void DropSuperseded(SessionLink link);

    /// <summary>Puts the session of a link on record at home.</summary>
    void SaveRecord(SessionLink link, bool strict);

    /// <summary>Tells the client of a change that it watches.</summary>
    void Tell(SessionLink link, ReadOnlySpan<byte> watchEvent);
}

/// <summary>
/// Steps 2 and 3 of a request's life: finds where it goes, and sends it if the rules allow it now. It keeps what the rules go by: the
/// mounts in use, what the session has learned, and what its first request waits for. Single owner: its session.
/// </summary>
/// <param name="region">What the proxy's sessions share.</param>
/// <param name="host">Tells the time and is told of barriers.</param>
/// <param name="links">The session's links.</param>
/// <param name="owner">The session.</param>
internal sealed class Dispatcher(Region region, ISessionHost host, LinkSet links, IDispatchOwner owner)
{
    private readonly SessionLink _home = links[0];
    private readonly PathRules? _rules = host.Rules;
    private int _lastCluster = -1;
    private PathSet? _recursive;

    /// <summary>What the client's first request waits for.</summary>
    public HeadWait Head = new(region, host);

    /// <summary>The mounts in use.</summary>
    public MountTable Mounts { get; private set; } = region.Mounts;

    /// <summary>What the session has learned; null as long as nothing was mounted, for then nothing can be out of order.</summary>
    public Frontier? Frontier { get; private set; }

    /// <summary>The znodes at home that the client watches recursively, in whatever is or will be mounted below them too.</summary>
    public PathSet Recursive => _recursive ??= new();

    /// <summary>Whether a mount that comes may have to be watched.</summary>
    public bool WatchesRecursively => _recursive is not null;

    /// <summary>How many znodes at home the client watches recursively.</summary>
    public int RecursiveCount => _recursive?.Count ?? 0;

    /// <summary>Bytes that their paths take.</summary>
    public long RecursiveBytes => _recursive?.Bytes ?? 0;

    /// <summary>Home has taken the session.</summary>
    /// <param name="returns">Whether it may come from another proxy, with knowledge that is not known here.</param>
    public void Attached(bool returns)
    {
        Mounts = region.Mounts;
        if (!Mounts.IsEmpty || returns)
        {
            Frontier ??= new Frontier(region);
        }
        if (returns && !region.Omissions.TrustsMovedSessions)
        {
            // Also if nothing is mounted any more, for it may have learned it before.
            Frontier!.Moved();
        }
    }

    /// <summary>A link was tried for a request that is carried out alone.</summary>
    public void Tried(SessionLink link, bool asked)
    {
        MarkHead(asked);
        _lastCluster = asked ? link.Cluster : _lastCluster;
    }

    /// <summary>
    /// Step 2 of a request's life: find where it goes, and send it if the rules allow it now.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="isAlone">Whether another request is carried out alone, so that nothing else may be sent.</param>
    /// <returns>False where it must wait; it will be tried again when something has changed.</returns>
    public bool TryDispatch(in ClientRequest request, bool isAlone)
    {
        if (isAlone)
        {
            return false;
        }
        FollowMounts();
        if (Head.Turn is { } turn && !links.MaySend(turn, Head.IsTurnStrict))
        {
            // Not looked at closer before it may be sent: a multi is decoded for that.
            return false;
        }
        if (region.IsKnownByCertificate && OwnIds.WrittenOut(request, owner.Credentials, Mounts, region.MaxFrame) is { } written)
        {
            return TryDispatch(new ClientRequest(written, request.IsPart), isAlone: false);
        }
        bool done;
        if (_rules is not null && !request.IsPart && !_rules.Allow(request.Op, request.Frame, out var refused))
        {
            done = RefuseByRule(request, refused);
        }
        else if (!request.Op.StartsWithPath() || request.Op == OpCode.Check)
        {
            done = DispatchOther(request);
        }
        else if (Routing.MountOf(Mounts, request.Op, request.Frame, out var path) is { } mount)
        {
            done = DispatchMounted(request, MountedRequest.Of(request, path, mount));
        }
        else
        {
            done = DispatchHomePath(request, path);
        }
        MarkHead(done);
        return done;
    }

    /// <summary>The first request that waits has been sent or answered, or it goes on waiting.</summary>
    private void MarkHead(bool done)
    {
        if (done)
        {
            Head.Next();
        }
        else
        {
            Head.Stays(host.NowMs);
        }
    }

    private bool DispatchHomePath(in ClientRequest request, ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty && request.WatchesNothing)
        {
            // A server keeps such a watch, and can't close a connection any more that has one: every one of them would cost it a socket.
            owner.Answer(request, ErrorCode.MarshallingError);
            return true;
        }
        if (region.ClusterCount > 1 && !request.IsPart && request.Op is OpCode.GetAllChildrenNumber or OpCode.AddWatch or OpCode.RemoveWatches
            && SoloChoice.Below(request, path, Mounts, ref _recursive) is { } below)
        {
            return owner.TryBegin(below);
        }
        var isConfig = request.Op == OpCode.GetData && path.SequenceEqual("/zookeeper/config"u8);
        return SendHome(request, isConfig ? PendingKind.Config : PendingKind.Forward);
    }

    private bool DispatchOther(in ClientRequest request)
    {
        switch (request.Op)
        {
            case OpCode.Multi or OpCode.MultiRead when !Mounts.IsEmpty:
                return DispatchMulti(request);
            case OpCode.Multi or OpCode.MultiRead or OpCode.WhoAmI:
                return SendHome(request, PendingKind.Forward);
            case OpCode.Reconfig:
                return DispatchReconfig(request);
            case OpCode.GetEphemerals or OpCode.SetWatches or OpCode.SetWatches2 or OpCode.Auth or OpCode.Sasl or OpCode.CloseSession:
                if (!request.IsPart && SoloChoice.Of(request, Mounts, links.Count == 1, region.ClusterCount > 1) is { } solo)
                {
                    return owner.TryBegin(solo);
                }
                return SendHome(request, request.Op == OpCode.CloseSession ? PendingKind.Close : PendingKind.Forward);
            default:
                return RefuseOperation(request);
        }
    }

    /// <summary>
    /// A reconfig whose body can't be decoded stops 3.8.0 from answering any read of any session, so it never gets there: it is answered
    /// as a server answers other bodies that it can't decode.
    /// </summary>
    private bool DispatchReconfig(in ClientRequest request)
    {
        var reader = new JuteReader(request.Body);
        ReconfigRequest.Read(ref reader);
        if (reader.Failed)
        {
            owner.Answer(request, ErrorCode.MarshallingError);
            return true;
        }
        return SendHome(request, PendingKind.Forward);
    }

    /// <summary>
    /// An operation that no server may get from a client, or that nobody knows: answered in its turn as a server would, which then
    /// closes.
    /// </summary>
    private bool RefuseOperation(in ClientRequest request)
    {
        if (owner.HasUnanswered)
        {
            return false;
        }
        owner.Answer(request, ErrorCode.Unimplemented);
        owner.Forbid(request.Op);
        return true;
    }

    /// <summary>The proxy's rules forbid it: answered in its turn as servers answer what an ACL forbids.</summary>
    private bool RefuseByRule(in ClientRequest request, int refused)
    {
        if (refused < 0)
        {
            owner.Answer(request, ErrorCode.MarshallingError);
            return true;
        }
        var isMulti = request.Op is OpCode.Multi or OpCode.MultiRead;
        FailedMulti? results = isMulti ? new FailedMulti(MultiOperations.Count(request.Frame), refused, ErrorCode.NoAuth) : null;
        owner.Answer(request, isMulti ? ErrorCode.Ok : ErrorCode.NoAuth, results);
        return true;
    }

    private bool SendHome(in ClientRequest request, PendingKind kind)
    {
        var op = request.Op;
        if (links.Count > 1 && !HasTurn(_home, strict: false))
        {
            return false;
        }
        if (op.FiresNoWatch())
        {
            region.Positions.UnwatchableWrite(begins: true);
        }
        if (Frontier is null)
        {
            // Step 3 at home: remembered and sent as it came. Nothing is mounted, so that is the whole cost of a request.
            _home.Enqueue(owner.PlaceOf(request), request.Xid, op, kind);
            _home.SendRequest(request.Frame, host.NowMs);
            return true;
        }
        var write = op.IsWrite();
        if (!write && op is not (OpCode.CloseSession or OpCode.Auth or OpCode.Sasl) && !Freshen(_home, region.HomeCounters, true))
        {
            return false;
        }
        _lastCluster = 0;
        if (op == OpCode.GetChildren && kind == PendingKind.Forward)
        {
            // Asked with its Stat, a listing tells which change of the list it shows.
            var scratch = ScratchWriter.Empty();
            scratch.WriteRaw(request.Frame);
            scratch.PatchInt(8, (int)OpCode.GetChildren2);
            Keep(_home, ref _home.Enqueue(owner.PlaceOf(request), request.Xid, OpCode.GetChildren2, PendingKind.StripStat), request.Frame);
            _home.SendRequest(scratch.Written, host.NowMs);
            return true;
        }
        ref var pending = ref _home.Enqueue(owner.PlaceOf(request), request.Xid, op, kind);
        if (write)
        {
            pending.Covers = _home.Server!.BeginWrite();
        }
        if (region.HomeInterest is { } interest && Learning.IsPrivate(interest, request))
        {
            pending.PrivateBy = interest;
        }
        Keep(_home, ref pending, request.Frame);
        _home.SendRequest(request.Frame, host.NowMs);
        return true;
    }

    /// <summary>
    /// Keeps what a read asks for until it is answered: only for clients that use more than one cluster, for which it may save a barrier.
    /// </summary>
    private void Keep(SessionLink link, ref SentRequest pending, ReadOnlySpan<byte> frame)
    {
        if (links.Count > 1)
        {
            link.Keep(ref pending, frame);
        }
    }

    private bool DispatchMulti(in ClientRequest request)
    {
        var scan = RequestRewriter.ScanMulti(request.Frame, Mounts);
        if (!scan.Valid)
        {
            // An operation that is not known, among others: no telling whose it is. Servers answer what they can't decode so.
            owner.Answer(request, ErrorCode.MarshallingError);
            return true;
        }
        if (scan.Clusters.Without(0).IsEmpty)
        {
            return SendHome(request, PendingKind.Forward);
        }
        if (scan.FirstForeign < 0)
        {
            return DispatchMounted(request, MountedRequest.OfMulti(request, scan, Mounts));
        }
        if (request.Op == OpCode.MultiRead && !request.IsPart)
        {
            return owner.TryBegin(new SoloMultiRead(request.Xid, request.Frame, RequestRewriter.SplitMultiRead(request.Frame, Mounts)));
        }
        owner.Answer(request, ErrorCode.Ok, new FailedMulti(scan.Count, scan.FirstForeign, ErrorCode.BadArguments));
        return true;
    }

    private bool DispatchMounted(in ClientRequest request, in MountedRequest mounted)
    {
        if (mounted.RefusedBy is { } refusing)
        {
            refusing.Counters.CountRefused();
            owner.Answer(request, mounted.Refusal is null ? ErrorCode.NoAuth : ErrorCode.Ok, mounted.Refusal);
            return true;
        }
        var mount = mounted.Mount;
        if (!TryPrepare(mount, mounted.IsStrict, out var link))
        {
            return false;
        }
        if (!mounted.IsWrite && !Freshen(link, mount.Counters, mounted.Barriers))
        {
            return false;
        }
        if (mounted.IsWrite && PutOnRecord(link, mounted.MakesEphemerals && mounted.IsStrict) is not RecordStep.Go and var step)
        {
            if (step == RecordStep.Fail)
            {
                owner.Answer(request, ErrorCode.SystemError);
            }
            return step == RecordStep.Fail;
        }
        if (request.Op.FiresNoWatch() && !region.Omissions.ChangesAclsUnannounced)
        {
            // Carried out before what follows on this connection. Where nobody has made the znode there is no watermark either.
            link.Ask(host.NowMs, 0, OpCode.SetData, PendingKind.Own, new SetDataRequest(AclNotice.Path, [], -1).Write, static (_, _) => { });
        }
        // Step 3 in a mount: rewritten to the remote's terms, remembered, sent.
        var scratch = ScratchWriter.Empty();
        var op = mounted.Rewrite(request, scratch, Mounts, out var kind);
        if (scratch.Length - Framing.PrefixLength > region.MaxFrame)
        {
            // Translated, the request is longer than servers take: a server would close the link.
            owner.Answer(request, ErrorCode.BadArguments);
            return true;
        }
        mount.Counters.CountRequest(mounted.IsWrite);
        ref var pending = ref link.Enqueue(owner.PlaceOf(request), request.Xid, op, kind);
        pending.Mount = mount;
        pending.Strict = mounted.IsStrict;
        pending.Effect = mounted.Effect(request, link.Book.EphemeralCount > 0);
        SendRemote(link, ref pending, scratch.Written, mounted.IsWrite);
        return true;
    }

    private void SendRemote(SessionLink link, ref SentRequest pending, ReadOnlySpan<byte> frame, bool write)
    {
        _lastCluster = link.Cluster;
        if (pending.Strict)
        {
            link.StrictOutstanding++;
        }
        if (write)
        {
            pending.Covers = link.Server!.BeginWrite();
        }
        Keep(link, ref pending, frame);
        links.Sent(link, pending);
        link.SendRequest(frame, host.NowMs);
    }

    /// <summary>
    /// The switching rule, and a link that is ready: everything a request for a mount needs before it is looked at closer.
    /// </summary>
    private bool TryPrepare(Mount mount, bool strict, out SessionLink link)
    {
        link = links.To(mount.Cluster);
        if (mount.IsSuspended || host.NowMs > region.MountsUsableUntilMs)
        {
            // As for a cluster that can't be reached: the next tick tries again, and after 2/3 of the timeout it fails.
            Head.WaitFor(link);
            return false;
        }
        if (!HasTurn(link, strict))
        {
            return false;
        }
        if (!owner.KnowsHomeZxid)
        {
            // Replies show home zxids only, and none is known yet: a ping's reply carries one.
            if (_home.PingSentMs == 0)
            {
                _home.Ping(host.NowMs);
            }
            return false;
        }
        if (link.Phase == LinkPhase.Ready && region.Copies.IsSuperseded(link.Server!))
        {
            owner.DropSuperseded(link);
            return false;
        }
        if (link.Phase != LinkPhase.Ready)
        {
            Head.WaitFor(link);
            if (link.Phase == LinkPhase.Closed && host.NowMs >= link.RetryAtMs)
            {
                owner.Open(link);
            }
            return false;
        }
        return true;
    }

    /// <summary>Step 2a, the switching rule, by which the first request may have to wait for its turn.</summary>
    private bool HasTurn(SessionLink link, bool strict)
    {
        if (links.MaySend(link, strict || owner.HoldsMuch))
        {
            return true;
        }
        Head.WaitForTurn(link, strict);
        return false;
    }

    /// <summary>Step 2b, the freshness rule: its server has seen all that this session can have learned of in coupled clusters.</summary>
    /// <returns>False where it must wait; what it waits for has been asked for.</returns>
    public bool Freshen(SessionLink link, MountCounters counters, bool barriers)
    {
        if (Frontier is null)
        {
            return true;
        }
        var step = Head.Decide(Frontier, links, new HeadRead(link, counters, barriers, _lastCluster));
        if (step == HeadStep.Ask)
        {
            Head.Dates!.Ask(host, dates => Head.DatesKnown(dates));
        }
        return step == HeadStep.Go;
    }

    /// <summary>
    /// Sees to it that the link's remote session is on record at home before it writes there, so that another proxy goes on with the
    /// same one: a write that was on its way through this proxy is then refused as coming from a session that has moved, and can't
    /// overtake what the client does elsewhere. Ephemeral znodes are found and kept alive by the same record.
    /// </summary>
    private RecordStep PutOnRecord(SessionLink link, bool strict)
    {
        var step = link.Record.Require(strict);
        if (step == RecordStep.Save)
        {
            owner.SaveRecord(link, strict);
        }
        return step;
    }

    /// <summary>Takes the region's mounts into use, if they are others now.</summary>
    public void FollowMounts()
    {
        if (!ReferenceEquals(region.Mounts, Mounts))
        {
            OnMountsChanged(region.Mounts);
        }
    }

    private void OnMountsChanged(MountTable mounts)
    {
        if (Frontier is null && !mounts.IsEmpty)
        {
            Frontier = new Frontier(region);
            // What it saw at home so far was not followed.
            Frontier.LearnedUnknown(0);
        }
        foreach (var old in Mounts.Mounts)
        {
            if (mounts.At(old.Path) is { } same && same.Cluster == old.Cluster && same.RemotePath == old.RemotePath)
            {
                continue;
            }
            foreach (var link in links.All)
            {
                if (link.Cluster != old.Cluster)
                {
                    continue;
                }
                foreach (var path in link.Book.Unmounted(old.Path))
                {
                    // What was watched is no longer there.
                    owner.Tell(link, ScratchWriter.Event(new WatcherEvent(WatchEventType.Deleted, WatcherEvent.SyncConnected, path)));
                }
            }
        }
        if (_recursive is { Count: > 0 })
        {
            foreach (var mount in mounts.Mounts)
            {
                if (Mounts.At(mount.Path) is null && _recursive.Any(p => ZnodePath.IsAtOrUnder(mount.Path, p)))
                {
                    WatchNewMount(mount);
                }
            }
        }
        Mounts = mounts;
        Head.WaitForTurn(null, false);
    }

    private void WatchNewMount(Mount mount)
    {
        var link = links.To(mount.Cluster);
        link.Book.Watch().Add(AddWatchMode.PersistentRecursive, mount.Path);
        if (link.Phase == LinkPhase.Ready && !link.IsOld(host.NowMs))
        {
            var request = new PathKindRequest(mount.RemotePath, (int)AddWatchMode.PersistentRecursive);
            link.Ask(host.NowMs, 0, OpCode.AddWatch, PendingKind.Own, request.Write, static (_, _) => { });
        }
        else if (link.Phase == LinkPhase.Closed)
        {
            owner.Open(link);
        }
    }
}
