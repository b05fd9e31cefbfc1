using System.Buffers.Binary;
using System.Text;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions.Solo;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// One client's connection: takes the client's frames and the frames of its links, and says what to send where. It keeps
/// the order of replies, the switching rule, the freshness rule, remote sessions and their watches.
///
/// No I/O, no clock, no threads: the host calls one method at a time (under a lock of the session's own, or from one
/// thread) and carries out what is asked through <see cref="ISessionHost"/>. The steps of a request's life carry the numbers
/// of docs/architecture.md.
/// </summary>
public sealed partial class ClientSession : ISoloSession
{
    /// <summary>Bytes of the client's requests that may wait inside the session before the host must stop reading.</summary>
    public const int MaxBlockedBytes = 256 * 1024;

    /// <summary>Requests of the client that may be unanswered before the host must stop reading.</summary>
    public const int MaxOutstanding = 16 * 1024;

    /// <summary>A seq for parts of a fan-out: their replies are collected, not sent.</summary>
    private const long Captured = -2;

    /// <summary>Bytes of what reads under way ask for that one link keeps; beyond, what they show is not dated.</summary>
    private const int MaxAskedBytes = 64 * 1024;

    /// <summary>Path bytes of one setWatches, far below what servers take; the Java client splits at the same.</summary>
    private const int SetWatchesBytes = 128 * 1024;

    /// <summary>Bytes of the buffer that a thread keeps for what it writes.</summary>
    private const int MaxScratchBytes = 1024 * 1024;

    [ThreadStatic]
    private static JuteWriter? _scratch;

    private readonly Region _region;
    private readonly ISessionHost _host;
    private readonly SessionLink _home = new(0) { Phase = LinkPhase.Closed };
    private readonly List<SessionLink> _links = [];
    private readonly FrameQueue _blocked = new();

    private MountTable _mounts;
    private Frontier? _frontier;
    private ConnectRequest? _connectRequest;
    private byte[]? _connectResponse;
    private SessionPhase _phase = SessionPhase.AwaitingConnect;
    private int _timeoutMs;
    private int _homeAttempts;
    private long _shownZxid;
    private KeepAlive _keepAlive;
    private int _clientPings;

    private ReplyOrder _order;

    private HeadWait _head;
    private int _lastCluster = -1;
    private SoloRequest? _solo;
    private bool _runningStep;
    private bool _pumping;
    private List<AuthRequest>? _credentials;
    private HashSet<string>? _homeRecursive;

    /// <summary>Makes a session for a connection that a client has just opened.</summary>
    /// <param name="region">What the proxy's sessions share.</param>
    /// <param name="host">Carries out what the session asks.</param>
    public ClientSession(Region region, ISessionHost host)
    {
        _region = region;
        _host = host;
        _mounts = region.Mounts;
        _head = new HeadWait(region, host);
        _links.Add(_home);
        _keepAlive.Heard(host.NowMs);
    }

    private enum SessionPhase : byte
    {
        AwaitingConnect,
        ConnectingHome,
        TakingOver,
        Established,
        Closing,
        Closed,
    }

    /// <summary>The client's session id; 0 before it has one.</summary>
    public long SessionId => _home.SessionId;

    /// <summary>The negotiated session timeout in milliseconds; 0 before it is known.</summary>
    public int TimeoutMs => _timeoutMs;

    private HomeSession AtHome => new(SessionId, _home.Password, _timeoutMs);

    /// <summary>True while the host should go on reading from the client.</summary>
    public bool WantsClientFrames => _blocked.Length < MaxBlockedBytes && _order.Taken - _order.Answered < MaxOutstanding;

    /// <summary>True once the session has been closed, by whichever side.</summary>
    public bool IsClosed => _phase == SessionPhase.Closed;

    /// <summary>True once the client has been let in.</summary>
    public bool IsEstablished => _phase == SessionPhase.Established;

    /// <summary>True while the client waits for a reply, or for a request to be sent.</summary>
    public bool HasOutstanding => _order.HasOutstanding || !_blocked.IsEmpty || _solo is not null;

    /// <summary>How many requests the client has made; with <see cref="Answered"/> it tells how many wait, and which.</summary>
    public long Submitted => _order.Taken;

    /// <summary>How many of them, the oldest, have been answered.</summary>
    public long Answered => _order.Answered;

    /// <summary>True where <see cref="Tick"/> has work in the next seconds even though nothing arrives.</summary>
    public bool NeedsTicks => _links.Count > 1 || _homeRecursive is not null || !_blocked.IsEmpty || _phase != SessionPhase.Established
        || _keepAlive.IsOwed(_home.LastSentMs);

    /// <summary>The links, home first; for operators.</summary>
    public IReadOnlyList<SessionLink> Links => _links;

    // ---------------------------------------------------------------- the client's frames

    /// <summary>A whole frame has come from the client.</summary>
    public void ClientFrame(ReadOnlySpan<byte> frame)
    {
        _keepAlive.Heard(_host.NowMs);
        switch (_phase)
        {
            case SessionPhase.AwaitingConnect:
                OnConnectRequest(frame);
                return;
            case SessionPhase.Closing or SessionPhase.Closed:
                return;
        }
        if (frame.Length < Framing.PrefixLength + RequestHeader.WireLength)
        {
            Close(CloseReason.DownstreamProtocol, "a frame is too short for a request header");
            return;
        }
        if (_phase is SessionPhase.ConnectingHome or SessionPhase.TakingOver)
        {
            // Clients may send before they are let in.
            _blocked.Enqueue(frame);
            return;
        }
        if ((OpCode)BinaryPrimitives.ReadInt32BigEndian(frame[8..]) == OpCode.Ping)
        {
            OnClientPing(frame);
            return;
        }
        // Step 2: what can't be sent now waits, in order.
        if (!_blocked.IsEmpty || !TryDispatch(frame))
        {
            if (_phase == SessionPhase.Established)
            {
                _blocked.Enqueue(frame);
            }
        }
        else if (_solo is not null)
        {
            Pump();
        }
        if (_phase == SessionPhase.Established)
        {
            TellLinks();
        }
        if (_homeRecursive?.Count > _region.Limits.Watches)
        {
            CheckWatches();
        }
    }

    /// <summary>The client's connection has ended, or the proxy ends it: the session is over here, though not in the clusters.</summary>
    public void ClientClosed()
    {
        if (_phase == SessionPhase.Closed)
        {
            return;
        }
        _phase = SessionPhase.Closed;
        CloseLinks();
    }

    private void OnClientPing(ReadOnlySpan<byte> frame)
    {
        if (_home.Phase != LinkPhase.Ready)
        {
            return;
        }
        // Pings go ahead of everything: the client must hear of home even while its requests wait for a remote.
        _clientPings++;
        SendOn(_home, frame);
        TellLinks();
    }

    /// <summary>
    /// Step 2 of a request's life: find where it goes, and send it if the rules allow it now.
    /// </summary>
    /// <returns>False where it must wait; it will be tried again when something has changed.</returns>
    private bool TryDispatch(ReadOnlySpan<byte> frame)
    {
        if (_solo is not null && !_runningStep)
        {
            return false;
        }
        var mounts = _region.Mounts;
        if (!ReferenceEquals(mounts, _mounts))
        {
            OnMountsChanged(mounts);
        }
        var xid = BinaryPrimitives.ReadInt32BigEndian(frame[4..]);
        var op = (OpCode)BinaryPrimitives.ReadInt32BigEndian(frame[8..]);
        bool done;
        if (op.StartsWithPath() && op != OpCode.Check)
        {
            if (Routing.MountOf(mounts, op, frame, out var path) is { } mount)
            {
                done = DispatchMounted(frame, xid, op, path, mount);
            }
            else
            {
                done = DispatchHomePath(frame, xid, op, path);
            }
        }
        else
        {
            done = DispatchOther(frame, xid, op);
        }
        MarkHead(done);
        return done;
    }

    /// <summary>The first request that waits has been sent or answered, or it goes on waiting.</summary>
    private void MarkHead(bool done)
    {
        if (done)
        {
            _head.Next();
        }
        else
        {
            _head.Stays(_host.NowMs);
        }
    }

    private bool DispatchHomePath(ReadOnlySpan<byte> frame, int xid, OpCode op, ReadOnlySpan<byte> path)
    {
        if (_region.ClusterCount > 1 && !_runningStep && op is OpCode.GetAllChildrenNumber or OpCode.AddWatch or OpCode.RemoveWatches
            && SoloBelow(op, frame, xid, path) is { } below)
        {
            return TryBegin(below);
        }
        if (op == OpCode.GetData && path.SequenceEqual("/zookeeper/config"u8))
        {
            return SendHome(frame, xid, op, PendingKind.Config);
        }
        return SendHome(frame, xid, op, PendingKind.Forward);
    }

    private bool DispatchOther(ReadOnlySpan<byte> frame, int xid, OpCode op)
    {
        switch (op)
        {
            case OpCode.Multi or OpCode.MultiRead when !_mounts.IsEmpty:
                return DispatchMulti(frame, xid, op);
            case OpCode.Multi or OpCode.MultiRead or OpCode.WhoAmI:
                return SendHome(frame, xid, op, PendingKind.Forward);
            case OpCode.Reconfig:
                return DispatchReconfig(frame, xid);
            case OpCode.GetEphemerals:
                return _runningStep || _links.Count == 1
                    ? SendHome(frame, xid, op, PendingKind.Forward)
                    : TryBegin(new SoloEphemerals(xid, frame));
            case OpCode.SetWatches or OpCode.SetWatches2:
                return _runningStep || _region.ClusterCount == 1 || (_mounts.IsEmpty && op == OpCode.SetWatches)
                    ? SendHome(frame, xid, op, PendingKind.Forward)
                    : TryBegin(new SoloSetWatches(xid, op, frame));
            case OpCode.Auth or OpCode.Sasl:
                // Servers let these overtake; alone on the link they can't.
                return _runningStep
                    ? SendHome(frame, xid, op, PendingKind.Forward)
                    : TryBegin(op == OpCode.Auth ? new SoloAuth(xid, frame) : new SoloAtHome(xid, op, frame));
            case OpCode.CloseSession:
                return _runningStep || _links.Count == 1
                    ? SendHome(frame, xid, op, PendingKind.Close)
                    : TryBegin(new SoloClose(xid, frame));
            default:
                return RefuseOperation(xid, op);
        }
    }

    /// <summary>
    /// A reconfig whose body can't be decoded stops 3.8.0 from answering any read of any session, so it never gets there: it is answered
    /// as a server answers other bodies that it can't decode.
    /// </summary>
    private bool DispatchReconfig(ReadOnlySpan<byte> frame, int xid)
    {
        var reader = new JuteReader(frame[(Framing.PrefixLength + RequestHeader.WireLength)..]);
        ReconfigRequest.Read(ref reader);
        if (reader.Failed)
        {
            LocalReply(xid, ErrorCode.MarshallingError);
            return true;
        }
        return SendHome(frame, xid, OpCode.Reconfig, PendingKind.Forward);
    }

    /// <summary>
    /// An operation that no server may get from a client, or that nobody knows: answered in its turn as a server would, which then
    /// closes.
    /// </summary>
    private bool RefuseOperation(int xid, OpCode op)
    {
        if (_order.HasOutstanding)
        {
            return false;
        }
        LocalReply(xid, ErrorCode.Unimplemented);
        Close(CloseReason.DownstreamForbidden, $"operation {(int)op} is never forwarded");
        return true;
    }

    // ---------------------------------------------------------------- home

    private bool SendHome(ReadOnlySpan<byte> frame, int xid, OpCode op, PendingKind kind)
    {
        if (_links.Count > 1 && !MaySend(_home, strict: false))
        {
            return false;
        }
        if (op is OpCode.SetAcl or OpCode.Reconfig)
        {
            _region.UnwatchableWrite(begins: true);
        }
        if (_frontier is null)
        {
            // Step 3 at home: remembered and sent as it came. Nothing is mounted, so that is the whole cost of a request.
            Enqueue(_home, NextSeq(), xid, op, kind);
            SendRequest(_home, frame);
            return true;
        }
        var write = op.IsWrite();
        if (!write && op is not (OpCode.CloseSession or OpCode.Auth or OpCode.Sasl) && !Freshen(_home, _region.HomeCounters, true))
        {
            return false;
        }
        _lastCluster = 0;
        if (op == OpCode.GetChildren && kind == PendingKind.Forward)
        {
            // Asked with its Stat, a listing tells which change of the list it shows.
            var scratch = Scratch();
            scratch.WriteRaw(frame);
            scratch.PatchInt(8, (int)OpCode.GetChildren2);
            Keep(_home, ref Enqueue(_home, NextSeq(), xid, OpCode.GetChildren2, PendingKind.StripStat), frame);
            SendRequest(_home, scratch.Written);
            return true;
        }
        ref var pending = ref Enqueue(_home, NextSeq(), xid, op, kind);
        if (write)
        {
            pending.Covers = _home.Server!.BeginWrite();
        }
        if (_region.HomeInterest is { } interest && IsPrivate(interest, op, frame))
        {
            pending.PrivateBy = interest;
        }
        Keep(_home, ref pending, frame);
        SendRequest(_home, frame);
        return true;
    }

    private static bool IsPrivate(IInterestWatermark interest, OpCode op, ReadOnlySpan<byte> frame) => op is OpCode.Multi or OpCode.MultiRead
        ? RequestRewriter.IsPrivateMulti(frame, interest)
        : op.StartsWithPath() && RequestRewriter.TryGetPath(frame, out var path) && interest.IsPrivate(path);

    /// <summary>
    /// Keeps what a read asks for until it is answered: only for clients that use more than one cluster, for which it may save a
    /// barrier.
    /// </summary>
    private void Keep(SessionLink link, ref PendingRequest pending, ReadOnlySpan<byte> frame)
    {
        if (_links.Count == 1)
        {
            return;
        }
        switch (pending.Op)
        {
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 or OpCode.GetAcl when RequestRewriter.TryGetPath(frame, out var path) && path.Length <= Frontier.MaxPathLength:
                frame = frame.Slice(Framing.PrefixLength + RequestHeader.WireLength, sizeof(int) + path.Length);
                break;
            case OpCode.MultiRead:
                break;
            default:
                return;
        }
        var asked = link.Asked ??= new FrameQueue();
        if (asked.Length + frame.Length <= MaxAskedBytes)
        {
            asked.Enqueue(frame);
            pending.IsKept = true;
        }
    }

    // ---------------------------------------------------------------- mounts

    private bool DispatchMounted(ReadOnlySpan<byte> frame, int xid, OpCode op, ReadOnlySpan<byte> path, Mount mount)
    {
        var write = op.IsWrite();
        if ((write && mount.Options.ReadOnly) || (op == OpCode.Delete && path.Length == mount.PathUtf8.Length))
        {
            mount.Counters.CountRefused();
            LocalReply(xid, ErrorCode.NoAuth);
            return true;
        }
        var strict = mount.Options.Order == MountOrder.Strict;
        if (!TryPrepare(mount, strict, out var link))
        {
            return false;
        }
        var ephemeral = op.IsCreate() && op != OpCode.CreateTtl && op != OpCode.CreateContainer && CreateFlags.IsEphemeral(RequestRewriter.CreateFlagsOf(frame));
        if (write && !TryRecord(link, ephemeral && strict, out var recordFailed))
        {
            if (recordFailed)
            {
                LocalReply(xid, ErrorCode.SystemError);
            }
            return recordFailed;
        }
        if (!write && !Freshen(link, mount.Counters, mount.Options.Barriers))
        {
            return false;
        }
        // Step 3 in a mount: rewritten to the remote's terms, remembered, sent.
        var kind = PendingKind.Forward;
        if (op == OpCode.GetChildren)
        {
            op = OpCode.GetChildren2;
            kind = PendingKind.StripStat;
        }
        var scratch = Scratch();
        RequestRewriter.WritePathRequest(scratch, frame, op, path, mount);
        if (scratch.Length - Framing.PrefixLength > _region.MaxFrame)
        {
            // Translated, the request is longer than servers take: a server would close the link.
            LocalReply(xid, ErrorCode.BadArguments);
            return true;
        }
        ReplyEffect? effect = op switch
        {
            OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 => frame[^1] != 0 ? new LeavesWatch(op, Encoding.UTF8.GetString(path)) : null,
            OpCode.AddWatch => new AddsWatch(Encoding.UTF8.GetString(path), (AddWatchMode)KindOf(frame)),
            OpCode.RemoveWatches => new RemovesWatches(Encoding.UTF8.GetString(path), (WatcherType)KindOf(frame)),
            OpCode.Delete when link.Book.EphemeralCount > 0 => new Deletes(Encoding.UTF8.GetString(path)),
            _ => ephemeral ? MakesEphemeral.Instance : null,
        };
        mount.Counters.CountRequest(write);
        SendRemote(link, scratch.Written, xid, op, kind, mount, strict, effect, write);
        return true;
    }

    private bool DispatchMulti(ReadOnlySpan<byte> frame, int xid, OpCode op)
    {
        var scan = RequestRewriter.ScanMulti(frame, _mounts);
        if (!scan.Valid || scan.Clusters is 0 or 1)
        {
            return SendHome(frame, xid, op, PendingKind.Forward);
        }
        if (scan.FirstForeign >= 0)
        {
            if (op == OpCode.MultiRead && !_runningStep)
            {
                return TryBegin(new SoloMultiRead(xid, frame, RequestRewriter.SplitMultiRead(frame, _mounts)));
            }
            LocalReply(xid, ErrorCode.Ok, writer => WriteFailedMulti(writer, scan.Count, scan.FirstForeign, ErrorCode.BadArguments));
            return true;
        }
        var mount = scan.Mount!;
        var operations = RequestRewriter.OperationsOf(frame);
        var mounts = operations.ConvertAll(o => Routing.MountOf(_mounts, o.Op, Encoding.UTF8.GetBytes(o.Path), o.Flags));
        var write = op == OpCode.Multi;
        var refused = write ? mounts.FindIndex(m => m!.Options.ReadOnly) : -1;
        if (refused >= 0 && operations.TrueForAll(o => o.Op == OpCode.Check))
        {
            // It changes nothing.
            refused = -1;
        }
        if (write && refused < 0 && scan.DeletesMountPoint)
        {
            refused = operations.FindIndex(o => o.Op == OpCode.Delete && _mounts.At(o.Path) is not null);
        }
        if (refused >= 0)
        {
            mounts[refused]!.Counters.CountRefused();
            LocalReply(xid, ErrorCode.Ok, writer => WriteFailedMulti(writer, scan.Count, refused, ErrorCode.NoAuth));
            return true;
        }
        var strict = mounts.Exists(m => m!.Options.Order == MountOrder.Strict);
        if (!TryPrepare(mount, strict, out var link))
        {
            return false;
        }
        if (write && !TryRecord(link, scan.MakesEphemerals && strict, out var recordFailed))
        {
            if (recordFailed)
            {
                LocalReply(xid, ErrorCode.SystemError);
            }
            return recordFailed;
        }
        if (!write && !Freshen(link, mount.Counters, mounts.Exists(m => m!.Options.Barriers)))
        {
            return false;
        }
        var scratch = Scratch();
        RequestRewriter.WriteMulti(scratch, frame, _mounts);
        if (scratch.Length - Framing.PrefixLength > _region.MaxFrame)
        {
            LocalReply(xid, ErrorCode.BadArguments);
            return true;
        }
        mount.Counters.CountRequest(write);
        var effect = new MultiEffect(mounts, operations, write && (scan.MakesEphemerals || link.Book.EphemeralCount > 0), scan.MakesEphemerals);
        SendRemote(link, scratch.Written, xid, op, PendingKind.Forward, mount, strict, effect, write);
        return true;
    }

    private static void WriteFailedMulti(JuteWriter writer, int count, int offender, ErrorCode error)
    {
        for (var i = 0; i < count; i++)
        {
            MultiHeader.WriteErrorResult(writer, i < offender ? ErrorCode.Ok : i == offender ? error : ErrorCode.RuntimeInconsistency);
        }
        MultiHeader.End.Write(writer);
    }

    private void SendRemote(SessionLink link, ReadOnlySpan<byte> frame, int xid, OpCode op, PendingKind kind, Mount mount, bool strict,
        ReplyEffect? effect, bool write)
    {
        _lastCluster = link.Cluster;
        ref var pending = ref Enqueue(link, NextSeq(), xid, op, kind);
        pending.Mount = mount;
        pending.Effect = effect;
        pending.Strict = strict;
        if (strict)
        {
            link.StrictOutstanding++;
        }
        if (write)
        {
            pending.Covers = link.Server!.BeginWrite();
        }
        Keep(link, ref pending, frame);
        link.Book.Sent(effect, strict);
        SendRequest(link, frame);
    }

    /// <summary>
    /// The switching rule, and a link that is ready: everything a request for a mount needs before it is looked at closer.
    /// </summary>
    private bool TryPrepare(Mount mount, bool strict, out SessionLink link)
    {
        link = LinkTo(mount.Cluster);
        if (mount.IsHeld || _host.NowMs > _region.MountsUsableUntilMs)
        {
            // As for a cluster that can't be reached: the next tick tries again, and after 2/3 of the timeout it fails.
            _head.WaitFor(link);
            return false;
        }
        if (!MaySend(link, strict))
        {
            return false;
        }
        if (_home.LastZxid == 0 && _shownZxid == 0)
        {
            // Replies show home zxids only, and none is known yet: a ping's reply carries one.
            if (_home.PingSentMs == 0)
            {
                SendPing(_home);
            }
            return false;
        }
        if (link.Phase == LinkPhase.Ready && _region.IsSuperseded(link.Server!))
        {
            DropSuperseded(link);
            return false;
        }
        if (link.Phase != LinkPhase.Ready)
        {
            _head.WaitFor(link);
            if (link.Phase == LinkPhase.Closed && _host.NowMs >= link.RetryAtMs)
            {
                Open(link);
            }
            return false;
        }
        return true;
    }

    /// <summary>
    /// The region reads this cluster through another server now. What the old one still says may be older than what other
    /// sessions have seen through the new one, so it is not heard any more.
    /// </summary>
    private void DropSuperseded(SessionLink link)
    {
        var connection = link.Connection!;
        connection.Close();
        LinkDown(connection, $"the region reads {_region.ClusterNames[link.Cluster]} through another server now");
    }

    /// <summary>Step 2a, the switching rule: nothing is outstanding elsewhere that a strict order forbids to overtake.</summary>
    private bool MaySend(SessionLink link, bool strict)
    {
        foreach (var other in _links)
        {
            if (other != link && other.Outstanding > 0 && (strict || other.StrictOutstanding > 0))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Step 2b, the freshness rule: its server has seen all that this session can have learned of in coupled clusters.</summary>
    /// <returns>False where it must wait; what it waits for has been asked for.</returns>
    private bool Freshen(SessionLink link, MountCounters counters, bool barriers)
    {
        if (_frontier is null)
        {
            return true;
        }
        var step = _head.Decide(_frontier, _links, new HeadRead(link, counters, barriers, _lastCluster));
        if (step == HeadStep.Ask)
        {
            AskDates(_head.Dates!);
        }
        return step == HeadStep.Go;
    }

    private void AskDates(DateQuestion dates)
    {
        dates.AskedMs = _host.NowMs;
        foreach (var (link, sight) in dates.Sights)
        {
            AskDate(link, dates, sight, sight.Path);
        }
    }

    private void AskDate(SessionLink link, DateQuestion dates, Sight sight, string path) =>
        SendOwn(link, 0, OpCode.Exists, PendingKind.Own, new PathWatchRequest(path, false).Write, (header, body) =>
        {
            if (dates.Answered(sight, path, header, body.Span) is { } next)
            {
                AskDate(link, dates, sight, next);
            }
            else if (dates.Due == 0)
            {
                _head.DatesKnown(dates);
            }
        });

    /// <summary>A barrier that this session waited for is done.</summary>
    public void BarrierDone(UpstreamServer server, bool succeeded)
    {
        if (_phase != SessionPhase.Established || !_head.BarrierDone(server, succeeded, out var failed))
        {
            return;
        }
        if (failed)
        {
            CountFailedBarrier(server.Cluster);
            FailHead(CloseReason.BarrierFailed, $"the barrier on {server.Address} ({_region.ClusterNames[server.Cluster]}) failed");
        }
        Pump();
    }

    private void CountFailedBarrier(int cluster)
    {
        if (!_blocked.IsEmpty && RequestRewriter.TryGetPath(_blocked.First, out var path) && _mounts.Find(path) is { } mount)
        {
            mount.Counters.CountBarrierFailed();
        }
        else if (cluster == 0)
        {
            _region.HomeCounters.CountBarrierFailed();
        }
    }

    /// <summary>
    /// Sees to it that the link's remote session is on record at home before it writes there, so that another proxy goes on with the
    /// same one: a write that was on its way through this proxy is then refused as coming from a session that has moved, and can't
    /// overtake what the client does elsewhere. Ephemeral znodes are found and kept alive by the same record.
    /// </summary>
    private bool TryRecord(SessionLink link, bool strict, out bool failed)
    {
        var step = link.Record.Require(strict);
        if (step == RecordStep.Save)
        {
            SaveRecord(link, strict);
        }
        failed = step == RecordStep.Fail;
        return step == RecordStep.Go;
    }

    private void SaveRecord(SessionLink link, bool strict) =>
        _host.SaveRecord(AtHome, new RemoteSessionRecord(link.Cluster, link.SessionId, link.Password, strict));

    /// <summary>A record was written, or could not be.</summary>
    public void RecordSaved(int cluster, bool saved)
    {
        if (_phase != SessionPhase.Established)
        {
            return;
        }
        LinkTo(cluster).Record.Written(saved);
        Pump();
    }

    // ---------------------------------------------------------------- several clusters at once

    /// <summary>The solo request that one for a path at home becomes if something is mounted below, or may be; null for none.</summary>
    private SoloRequest? SoloBelow(OpCode op, ReadOnlySpan<byte> frame, int xid, ReadOnlySpan<byte> path)
    {
        var home = Encoding.UTF8.GetString(path);
        if (ZnodePath.Validate(home) is not null)
        {
            return null;
        }
        switch (op)
        {
            case OpCode.AddWatch when KindOf(frame) == (int)AddWatchMode.PersistentRecursive:
                // Also where nothing is mounted below: a mount may come.
                (_homeRecursive ??= new(StringComparer.Ordinal)).Add(home);
                return _mounts.AnyBelow(home) ? new SoloWatchBelow(xid, op, frame) : null;
            case OpCode.RemoveWatches when (WatcherType)KindOf(frame) is WatcherType.Any or WatcherType.PersistentRecursive
                && _homeRecursive?.Contains(home) == true:
                if (_mounts.AnyBelow(home))
                {
                    return new SoloWatchBelow(xid, op, frame);
                }
                _homeRecursive.Remove(home);
                return null;
            case OpCode.GetAllChildrenNumber when _mounts.AnyBelow(home):
                return new SoloCount(xid, frame, _mounts.Below(home));
            default:
                return null;
        }
    }

    /// <summary>The mode or watcher type that a request for watches ends in.</summary>
    private static int KindOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32BigEndian(frame[^4..]);

    /// <summary>
    /// Begins a request that is carried out alone: nothing else is outstanding, and nothing else is sent until it is answered.
    /// </summary>
    private bool TryBegin(SoloRequest solo)
    {
        foreach (var link in _links)
        {
            if (link.Outstanding > 0)
            {
                return false;
            }
            if (solo.Op is OpCode.Auth or OpCode.Sasl && link.Pending.Count > 0)
            {
                // Nor may it overtake the proxy's own requests: their replies would come out of turn.
                return false;
            }
            if (solo.Op == OpCode.CloseSession && link.SessionId != 0 && link.Phase is LinkPhase.Connecting or LinkPhase.Handshaking)
            {
                // Its session there must be ended too; the link is up, or down, in a moment.
                return false;
            }
        }
        solo.Seq = NextSeq();
        _solo = solo;
        solo.Begin(this);
        return true;
    }

    private void AdvanceSolo()
    {
        while (_solo is { } solo && solo.Waiting == 0)
        {
            if (solo.Steps.Count > 0)
            {
                if (!solo.MayRun(this))
                {
                    return;
                }
                _runningStep = true;
                var sent = TryDispatch(solo.Steps.Peek());
                _runningStep = false;
                if (!sent || _phase != SessionPhase.Established)
                {
                    return;
                }
                // What is too long may have taken the rest away.
                solo.Steps.TryDequeue(out _);
                continue;
            }
            if (solo.Links.Count > 0)
            {
                var asked = solo.TryAsk(this, solo.Links.Peek());
                MarkHead(asked);
                if (!asked)
                {
                    return;
                }
                _lastCluster = solo.Links.Dequeue().Cluster;
                continue;
            }
            _solo = null;
            Finish(solo);
            solo.Release(_region.Limits);
            CheckWatches();
        }
    }

    /// <summary>All parts are answered: one reply for the client.</summary>
    private void Finish(SoloRequest solo)
    {
        if (solo.Op == OpCode.CloseSession)
        {
            return;
        }
        var error = solo.Outcome();
        if (error == ErrorCode.Ok && solo.Replies.Count == 0)
        {
            Close(CloseReason.UpstreamProtocol, $"no reply to the parts of operation {(int)solo.Op}");
            return;
        }
        var writer = Scratch();
        var mark = writer.BeginFrame();
        new ReplyHeader(solo.Xid, ShownZxid, error).Write(writer);
        if (error == ErrorCode.Ok && !solo.TryWrite(writer))
        {
            Emit(null, solo.Seq, solo.Replies[0]);
            return;
        }
        writer.EndFrame(mark);
        Emit(null, solo.Seq, writer.Written);
    }

    // What a solo request asks of its session.

    long ISoloSession.NowMs => _host.NowMs;

    MountTable ISoloSession.Mounts => _mounts;

    HashSet<string> ISoloSession.Recursive => _homeRecursive ??= new(StringComparer.Ordinal);

    SessionLink ISoloSession.LinkTo(int cluster) => LinkTo(cluster);

    void ISoloSession.Open(SessionLink link) => Open(link);

    bool ISoloSession.TryKeep(AuthRequest credentials)
    {
        _credentials ??= [];
        if (_credentials.Exists(c => c.Scheme == credentials.Scheme && c.Credentials.AsSpan().SequenceEqual(credentials.Credentials)))
        {
            return true;
        }
        var limits = _region.Limits;
        var bytes = _credentials.Sum(c => c.Credentials?.Length ?? 0) + (credentials.Credentials?.Length ?? 0);
        if (_credentials.Count == limits.Credentials || bytes > limits.CredentialBytes)
        {
            limits.Count(ClientLimit.Credentials);
            Close(CloseReason.LimitReached, $"it has {_credentials.Count} credentials and adds one of {credentials.Credentials?.Length ?? 0} bytes; allowed are "
                + $"{limits.Credentials} of {limits.CredentialBytes} bytes together (limits.credentials, limits.credentialBytes)");
            return false;
        }
        _credentials.Add(credentials);
        return true;
    }

    /// <summary>Watches in mounts are kept here, to be armed again: closes the connection of a client that has too many.</summary>
    private void CheckWatches()
    {
        var count = _homeRecursive?.Count ?? 0;
        foreach (var link in _links)
        {
            count += link.Book.Watches?.Count ?? 0;
        }
        if (count > _region.Limits.Watches && _phase == SessionPhase.Established)
        {
            _region.Limits.Count(ClientLimit.Watches);
            Close(CloseReason.LimitReached, $"it has {count} watches in mounts; allowed are {_region.Limits.Watches} (limits.watches)");
        }
    }

    void ISoloSession.Ask(SessionLink link, int xid, OpCode op, Action<JuteWriter> body, Action<ReplyHeader, ReadOnlyMemory<byte>> then) =>
        SendOwn(link, xid, op, PendingKind.Part, body, then);

    int ISoloSession.SetWatches(SessionLink link, SetWatchesRequest request, Action then) =>
        SendSetWatches(link, Translated(request), PendingKind.Part, then);

    bool ISoloSession.Freshen(SessionLink link, MountCounters counters, bool barriers) => Freshen(link, counters, barriers);

    // ---------------------------------------------------------------- replies and events

    /// <summary>A whole frame has come from a server.</summary>
    public void LinkFrame(ILinkConnection connection, ReadOnlySpan<byte> frame)
    {
        var link = connection.Link;
        if (link.Connection != connection || _phase == SessionPhase.Closed)
        {
            return;
        }
        if (_region.IsSuperseded(link.Server!))
        {
            DropSuperseded(link);
            return;
        }
        link.LastHeardMs = _host.NowMs;
        link.WaitingSinceMs = link.Pending.Count > 0 ? link.LastHeardMs : 0;
        if (link.Phase == LinkPhase.Handshaking)
        {
            OnConnectResponse(link, frame);
            return;
        }
        if (frame.Length < Framing.PrefixLength + ReplyHeader.WireLength)
        {
            Close(CloseReason.UpstreamProtocol, $"{link.Server!.Address} sent a frame too short for a reply header");
            return;
        }
        var header = ReplyHeader.Read(frame[Framing.PrefixLength..]);
        var body = frame[(Framing.PrefixLength + ReplyHeader.WireLength)..];
        if (header.Zxid > 0)
        {
            if (header.Zxid > link.LastZxid)
            {
                link.LastZxid = header.Zxid;
            }
            _region.Learn(link.Server!, header.Zxid);
        }
        switch (header.Xid)
        {
            case Xids.Notification:
                OnEvent(link, header, frame, body);
                return;
            case Xids.Ping:
                OnPingReply(link, frame);
                return;
        }
        if (link.Pending.Count == 0 || UpstreamXid(link.Pending.Peek().Xid) != header.Xid)
        {
            Close(CloseReason.UpstreamProtocol, $"{link.Server!.Address} answered request {header.Xid} out of turn");
            return;
        }
        link.HasUnplacedEvent = false;
        // Step 4: matched with its request.
        var pending = link.Pending.Peek();
        link.Pending.Dequeue();
        OnReply(link, pending, header, frame, body);
        Pump();
    }

    private void OnReply(SessionLink link, in PendingRequest pending, in ReplyHeader header, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> body)
    {
        if (pending.Covers is { } ticket)
        {
            link.Server!.EndWrite(ticket, header.Error == ErrorCode.Ok);
        }
        if (pending.Kind != PendingKind.Own && _frontier is not null && _region.IgnoredReplies?.Invoke(pending.Op, header.Error) is not true)
        {
            LearnFrom(link, pending, header, body);
        }
        if (pending.IsKept)
        {
            link.Asked!.Dequeue();
        }
        if (link.Cluster == 0 && pending.Op is OpCode.SetAcl or OpCode.Reconfig)
        {
            _region.UnwatchableWrite(begins: false);
        }
        if (pending.Kind is PendingKind.Own or PendingKind.Part)
        {
            pending.Then!(header, body.ToArray());
            return;
        }
        link.Outstanding--;
        if (link.Cluster == 0)
        {
            OnHomeReply(pending, header, frame, body);
        }
        else
        {
            if (pending.Strict)
            {
                link.StrictOutstanding--;
            }
            OnRemoteReply(link, pending, header, body);
        }
    }

    /// <summary>Step 4, for the freshness rule: what the session can have learned from a reply.</summary>
    private void LearnFrom(SessionLink link, in PendingRequest pending, in ReplyHeader header, ReadOnlySpan<byte> body)
    {
        var asked = pending.IsKept ? link.Asked!.First : default;
        // By the same watermark still: what others can see may have become more meanwhile.
        var isPrivate = pending.PrivateBy is { } by && ReferenceEquals(by, _region.HomeInterest);
        if (pending.Op != OpCode.MultiRead || header.Error != ErrorCode.Ok)
        {
            var shown = ReplyFrontier.Of(pending.Op, header, body);
            _frontier!.Saw(link.Cluster, isPrivate ? shown with { Watchable = true } : shown, asked.IsEmpty ? asked : asked[sizeof(int)..]);
            return;
        }
        var parts = ReplyFrontier.OfMultiRead(body, header.Zxid);
        var paths = asked.IsEmpty ? [] : RequestRewriter.OperationsOf(asked);
        for (var i = 0; i < parts.Count; i++)
        {
            _frontier!.Saw(link.Cluster, isPrivate ? parts[i] with { Watchable = true } : parts[i], paths.Count == parts.Count ? Encoding.UTF8.GetBytes(paths[i].Path) : default);
        }
    }

    /// <summary>Step 5 at home: the bytes go on as they came.</summary>
    private void OnHomeReply(in PendingRequest pending, in ReplyHeader header, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> body)
    {
        if (header.Xid == pending.Xid && (pending.Kind == PendingKind.Forward || header.Error != ErrorCode.Ok))
        {
            Emit(_home, pending.Seq, frame);
        }
        else
        {
            var writer = Scratch();
            var mark = writer.BeginFrame();
            (header with { Xid = pending.Xid }).Write(writer);
            switch (header.Error == ErrorCode.Ok ? pending.Kind : PendingKind.Forward)
            {
                case PendingKind.StripStat:
                    writer.WriteRaw(body[..^Stat.WireLength]);
                    break;
                case PendingKind.Config:
                    writer.WriteBytes(_region.AdvertisedConfig);
                    writer.WriteRaw(body[^Stat.WireLength..]);
                    writer.PatchInt(writer.Length - Stat.WireLength + 52, _region.AdvertisedConfig.Length);
                    break;
                default:
                    writer.WriteRaw(body);
                    break;
            }
            writer.EndFrame(mark);
            Emit(_home, pending.Seq, writer.Written);
        }
        if (pending.Kind == PendingKind.Close)
        {
            if (pending.Seq == Captured && _solo is { Replies.Count: > 0 } solo)
            {
                Emit(null, solo.Seq, solo.Replies[0]);
            }
            Close(CloseReason.SessionClosed, "closed by the client");
        }
    }

    /// <summary>Step 5 in a mount: rewritten to the client's terms.</summary>
    private void OnRemoteReply(SessionLink link, in PendingRequest pending, in ReplyHeader header, ReadOnlySpan<byte> body)
    {
        link.Book.Answered(pending, header.Error, body, _mounts, link.Pending);
        if (pending.Effect is not null)
        {
            CheckWatches();
        }
        var writer = Scratch();
        var rewriter = new ReplyRewriter(writer, _region.Owners, link.Cluster, link.SessionId, SessionId);
        IReadOnlyList<Mount?> mounts = pending.Effect is MultiEffect multi ? multi.Mounts : [];
        rewriter.Write(pending.Xid, ShownZxid, pending.Op, header.Error, body, pending.Mount, pending.Kind == PendingKind.StripStat, mounts);
        Emit(link, pending.Seq, writer.Written);
    }

    private void OnEvent(SessionLink link, in ReplyHeader header, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> body)
    {
        if (_frontier is { } frontier)
        {
            if (header.Zxid > 0)
            {
                frontier.Learned(link.Cluster, header.Zxid);
            }
            else
            {
                frontier.LearnedUnknown(link.Cluster);
                link.HasUnplacedEvent = true;
            }
        }
        if (link.Cluster == 0)
        {
            Emit(_home, ReplyOrder.Unasked, frame);
            return;
        }
        var reader = new JuteReader(body);
        var change = WatcherEvent.Read(ref reader);
        if (reader.Failed || change.Path is null || link.Book.Watches is not { } watches)
        {
            return;
        }
        foreach (var mount in _region.Mounts.Mounts)
        {
            if (mount.Cluster == link.Cluster && mount.ToLocal(change.Path) is { } local && watches.Fire(change.Type, local))
            {
                var writer = Scratch();
                (change with { Path = local }).WriteFrame(writer);
                Emit(link, ReplyOrder.Unasked, writer.Written);
            }
        }
    }

    private void OnPingReply(SessionLink link, ReadOnlySpan<byte> frame)
    {
        link.PingSentMs = 0;
        if (link.Cluster == 0)
        {
            if (_clientPings > 0)
            {
                _clientPings--;
                ToClient(frame);
            }
            else if (HasOutstanding && _solo is not { Op: OpCode.Auth or OpCode.Sasl } && _keepAlive.WantsSign(_host.NowMs, _timeoutMs))
            {
                // An unasked ping reply keeps alive a client that waits for a remote cluster and does not ping meanwhile.
                ToClient(frame);
            }
        }
        Pump();
    }

    /// <summary>
    /// Step 5a, the order of replies: sends a reply or event to the client, or holds it. Replies leave in request order, whatever
    /// cluster they come from, and nothing of a link overtakes what is held of it.
    /// </summary>
    private void Emit(SessionLink? link, long seq, ReadOnlySpan<byte> frame)
    {
        if (seq == Captured)
        {
            if (_solo is { } solo)
            {
                solo.Collect(frame, _region.Limits);
                solo.Waiting--;
            }
            return;
        }
        if (link is null ? _order.Offer(ref _order.Local, seq, frame) : _order.Offer(ref link.Held, seq, frame))
        {
            ToClient(frame);
            if (_order.IsHolding)
            {
                ReleaseHeld();
            }
        }
    }

    private void ReleaseHeld()
    {
        bool progress;
        do
        {
            progress = Release(_order.Local);
            foreach (var link in _links)
            {
                progress |= Release(link.Held);
            }
        }
        while (progress && _order.IsHolding);
    }

    private bool Release(ReplyLane? lane)
    {
        var progress = false;
        while (_order.TryRelease(lane, out var frame))
        {
            ToClient(frame);
            progress = true;
        }
        return progress;
    }

    private void LocalReply(int xid, ErrorCode error, Action<JuteWriter>? body = null)
    {
        var writer = Scratch();
        var mark = writer.BeginFrame();
        new ReplyHeader(xid, ShownZxid, error).Write(writer);
        body?.Invoke(writer);
        writer.EndFrame(mark);
        var seq = NextSeq();
        if (seq == Captured)
        {
            _solo!.Waiting++;
        }
        Emit(null, seq, writer.Written);
    }

    /// <summary>The home zxid that a reply from elsewhere shows: one this session's own home server has shown.</summary>
    private long ShownZxid => Math.Max(_home.LastZxid, _shownZxid);

    // ---------------------------------------------------------------- connecting

    private void OnConnectRequest(ReadOnlySpan<byte> frame)
    {
        if (ConnectRequest.TryRead(frame[Framing.PrefixLength..]) is not { } request)
        {
            Close(CloseReason.DownstreamProtocol, "the first frame is no connect request");
            return;
        }
        var (min, max) = _region.SessionTimeouts;
        _connectRequest = request with { TimeoutMs = Math.Clamp(request.TimeoutMs, min, Math.Max(min, max)) };
        _shownZxid = Math.Max(0, request.LastZxidSeen);
        _phase = SessionPhase.ConnectingHome;
        Open(_home);
    }

    /// <summary>A connection is up.</summary>
    public void LinkUp(ILinkConnection connection, UpstreamServer server)
    {
        var link = connection.Link;
        if (link.Connection != connection || _phase == SessionPhase.Closed)
        {
            return;
        }
        link.Server = server;
        link.Phase = LinkPhase.Handshaking;
        if (link.Cluster > 0 && !_region.ReadThrough(server))
        {
            // Until the region's other proxies know of it, what waits goes on waiting, as for a cluster that can't be reached.
            link.Connection = null;
            link.Phase = LinkPhase.Closed;
            link.RetryAtMs = _host.NowMs + 20;
            connection.Close();
            return;
        }
        _head.LinkChanged(link);
        link.LastHeardMs = _host.NowMs;
        // A server that has fallen behind what it showed us, or what this client saw, must not serve: it refuses by itself.
        var seen = _region.Mounts.IsEmpty || _region.TrustsEveryServer ? 0 : server.Seen;
        var request = link.Cluster == 0
            ? _connectRequest! with { LastZxidSeen = Math.Max(_connectRequest.LastZxidSeen, seen) }
            : new ConnectRequest(0, Math.Max(link.LastZxid, seen), _timeoutMs, link.SessionId, link.SessionId == 0 ? new byte[SessionPassword.Length] : link.Password, false);
        var writer = Scratch();
        request.WriteFrame(writer);
        SendOn(link, writer.Written);
    }

    private void OnConnectResponse(SessionLink link, ReadOnlySpan<byte> frame)
    {
        if (ConnectResponse.TryRead(frame[Framing.PrefixLength..]) is not { } response)
        {
            Close(CloseReason.UpstreamProtocol, $"{link.Server!.Address} did not answer the connect request with a connect response");
            return;
        }
        var refused = response.SessionId == 0 || response.TimeoutMs <= 0;
        if (link.Cluster == 0)
        {
            OnHomeAnswered(response, refused, frame);
            return;
        }
        if (refused)
        {
            OnRemoteSessionExpired(link);
            return;
        }
        if (response.SessionId != link.SessionId)
        {
            link.Book.SessionEnded();
            link.Record.SessionEnded();
        }
        link.SessionId = response.SessionId;
        link.Password = response.Password;
        link.TimeoutMs = response.TimeoutMs;
        link.Failures = 0;
        _region.Owners.Add(link.Cluster, link.SessionId, SessionId);
        link.Phase = LinkPhase.Ready;
        if (_credentials is not null && SoloAuth.IsForwardedTo(_mounts, link.Cluster))
        {
            foreach (var credentials in _credentials)
            {
                SendOwn(link, Xids.Auth, OpCode.Auth, PendingKind.Own, credentials.Write, static (_, _) => { });
            }
        }
        // First of all: a reply of anything else would tell of changes whose events are still to come.
        if (link.Book is { HasWatches: true, Watches: { } watches })
        {
            SendSetWatches(link, watches.ToRequest(link.Book.WatchesUnarmed ? 0 : link.LastZxid, local => _region.Mounts.Find(local)?.ToRemote(local) ?? local),
                PendingKind.Own, static () => { });
        }
        if (link.Book.IsIncomplete)
        {
            AskForEphemerals(link);
        }
        TryLetIn();
        Pump();
    }

    /// <summary>Finds out what a session that was taken over owns: by that it is decided what the loss of the link means.</summary>
    private void AskForEphemerals(SessionLink link) =>
        SendOwn(link, 0, OpCode.GetEphemerals, PendingKind.Own, static writer => writer.WriteString("/"), (header, body) =>
        {
            if (header.Error != ErrorCode.Ok)
            {
                // Before 3.6 servers can't say: what the record tells stands.
                return;
            }
            var reader = new JuteReader(body.Span);
            link.Book.Complete(reader.ReadStrings(), link.Cluster, _mounts, link.Pending);
        });

    private void OnHomeAnswered(ConnectResponse response, bool refused, ReadOnlySpan<byte> frame)
    {
        if (refused)
        {
            ToClient(frame);
            Close(CloseReason.SessionRefused, "home refused the session: it has expired, or the password is wrong");
            return;
        }
        _home.Phase = LinkPhase.Ready;
        _home.SessionId = response.SessionId;
        _home.Password = response.Password;
        _home.TimeoutMs = _timeoutMs = response.TimeoutMs;
        _connectResponse = frame.ToArray();
        _phase = SessionPhase.TakingOver;
        _mounts = _region.Mounts;
        var returns = _connectRequest!.SessionId != 0 && _region.ClusterCount > 1;
        if (!_mounts.IsEmpty || returns)
        {
            StartTracking();
        }
        if (returns)
        {
            // It may come from another proxy, with knowledge that is not known here: also where nothing is mounted any more, for it
            // may have learned it before.
            if (!_region.TrustsMovedSessions)
            {
                _frontier?.Moved();
            }
            if (!_mounts.IsEmpty)
            {
                _host.FindRecords(AtHome);
                return;
            }
        }
        LetIn();
    }

    /// <summary>The records of a re-attached session have been looked up.</summary>
    /// <param name="records">Its remote sessions; null where they could not be looked up.</param>
    public void RecordsFound(IReadOnlyList<RemoteSessionRecord>? records)
    {
        if (_phase != SessionPhase.TakingOver)
        {
            return;
        }
        if (records is null)
        {
            Close(CloseReason.HomeLost, "the records of the session's remote sessions could not be read");
            return;
        }
        foreach (var record in records)
        {
            var link = LinkTo(record.Cluster);
            link.SessionId = record.SessionId;
            link.Password = record.Password;
            link.Record.Found(record.Strict);
            // What it owns there is asked for as soon as the link is up.
            link.Book.TakeOver(record.Strict);
            Open(link);
        }
        TryLetIn();
    }

    private void TryLetIn()
    {
        if (_phase == SessionPhase.TakingOver && _links.TrueForAll(l => !l.Record.MustBeTakenOver || l.Phase == LinkPhase.Ready))
        {
            LetIn();
        }
    }

    private void LetIn()
    {
        _phase = SessionPhase.Established;
        ToClient(_connectResponse!);
        _connectResponse = null;
        _connectRequest = null;
        Pump();
    }

    private void OnRemoteSessionExpired(SessionLink link)
    {
        _region.Owners.Remove(link.Cluster, link.SessionId);
        if (link.Book.OwnsStrict)
        {
            // Its ephemeral znodes there are gone: a client that believes in its locks must not go on. End the whole session.
            var writer = Scratch();
            var mark = writer.BeginFrame();
            new RequestHeader(0, OpCode.CloseSession).Write(writer);
            writer.EndFrame(mark);
            SendOn(_home, writer.Written);
            if (_phase == SessionPhase.TakingOver)
            {
                var readOnly = ConnectResponse.TryRead(_connectResponse.AsSpan(Framing.PrefixLength))!.ReadOnly;
                writer = Scratch();
                ConnectResponse.Refused(readOnly).WriteFrame(writer);
                ToClient(writer.Written);
            }
            Close(CloseReason.RemoteSessionExpired, $"the client's session in {_region.ClusterNames[link.Cluster]} has expired");
            return;
        }
        link.SessionId = 0;
        link.Book.SessionEnded();
        link.Record.SessionEnded();
        link.Connection?.Close();
        link.Connection = null;
        link.Phase = LinkPhase.Closed;
        Open(link);
    }

    // ---------------------------------------------------------------- losing links

    /// <summary>A connection could not be made, or has been lost.</summary>
    public void LinkDown(ILinkConnection connection, string why)
    {
        var link = connection.Link;
        if (link.Connection != connection || _phase == SessionPhase.Closed)
        {
            return;
        }
        var phase = link.Phase;
        link.Connection = null;
        link.Phase = LinkPhase.Closed;
        link.PingSentMs = 0;
        _head.LinkChanged(link);
        if (link.Cluster == 0)
        {
            OnHomeDown(phase, why);
            return;
        }
        if (link.HasUnplacedEvent)
        {
            // The next server may not have seen what this one told of: no read may go back behind it.
            link.HasUnplacedEvent = false;
            _frontier?.MovedIn(link.Cluster);
        }
        var name = _region.ClusterNames[link.Cluster];
        link.Failures++;
        link.RetryAtMs = _host.NowMs + Math.Min(1000, 100L << Math.Min(link.Failures, 6));
        if (phase == LinkPhase.Handshaking)
        {
            // Closed without an answer: the server may have lost state that it had shown. What it covered is not to be relied on.
            link.Server!.Forget();
            _host.ServerFailed(link.Server);
        }
        if (phase == LinkPhase.Ready && !FailPending(link, why))
        {
            return;
        }
        if (_phase == SessionPhase.Established && link.Record.TryRelax(link.Book.OwnsStrict))
        {
            // It owns nothing there any more: should it come back by another proxy, it need not wait for this cluster.
            SaveRecord(link, strict: false);
        }
        if (link.Book.OwnsStrict)
        {
            Close(CloseReason.RemoteLost, $"the link to {name} was lost ({why}) and the client owns ephemeral znodes there");
            return;
        }
        if (_phase == SessionPhase.TakingOver && link.Record.MustBeTakenOver)
        {
            Close(CloseReason.RemoteLost, $"the client's session in {name} can't be taken over: {why}");
            return;
        }
        if (phase == LinkPhase.Handshaking && link.Failures <= 3)
        {
            // Try once more at once; a server that is merely behind gets until the request's time is up.
            link.RetryAtMs = _host.NowMs + 20;
        }
        else if (_head.On == link && phase == LinkPhase.Connecting)
        {
            FailHead(CloseReason.RemoteLost, $"{name} can't be reached: {why}");
        }
        Pump();
    }

    private void OnHomeDown(LinkPhase phase, string why)
    {
        if (_phase == SessionPhase.ConnectingHome && phase == LinkPhase.Handshaking && ++_homeAttempts < 3)
        {
            // A server that is behind what this client has seen closes without an answer, and so does one without a quorum: try another.
            _home.Server!.Forget();
            _host.ServerFailed(_home.Server);
            Open(_home);
            return;
        }
        Close(CloseReason.HomeLost, $"the home link was lost: {why}");
    }

    /// <summary>Fails what was outstanding on a lost link.</summary>
    /// <returns>False where that took the client's connection with it.</returns>
    private bool FailPending(SessionLink link, string why)
    {
        if (link.StrictOutstanding > 0)
        {
            Close(CloseReason.RemoteLost, $"the link to {_region.ClusterNames[link.Cluster]} was lost with requests outstanding: {why}");
            return false;
        }
        link.Asked = null;
        while (link.Pending.Count > 0)
        {
            var pending = link.Pending.Peek();
            link.Pending.Dequeue();
            if (pending.Covers is { } ticket)
            {
                link.Server!.EndWrite(ticket, succeeded: false);
            }
            if (pending.Then is { } then)
            {
                then(new ReplyHeader(pending.Xid, 0, ErrorCode.ConnectionLoss), default);
                continue;
            }
            link.Outstanding--;
            var writer = Scratch();
            var mark = writer.BeginFrame();
            new ReplyHeader(pending.Xid, ShownZxid, ErrorCode.ConnectionLoss).Write(writer);
            writer.EndFrame(mark);
            Emit(link, pending.Seq, writer.Written);
        }
        return true;
    }

    /// <summary>The first waiting request can't be served: a strict one takes the connection with it, a relaxed one fails alone.</summary>
    private void FailHead(CloseReason reason, string why)
    {
        if (_solo is { Steps.Count: 0, Links.Count: > 0 } reading)
        {
            var cluster = reading.Links.Peek().Cluster;
            if (_mounts.Mounts.Any(m => m.Cluster == cluster && m.Options.Order == MountOrder.Strict))
            {
                Close(reason, why);
                return;
            }
            reading.Links.Dequeue();
            reading.Error = ErrorCode.ConnectionLoss;
            MarkHead(done: true);
            return;
        }
        var frame = _solo is { Steps.Count: > 0 } ? _solo.Steps.Peek() : _blocked.IsEmpty ? default : _blocked.First;
        if (frame.IsEmpty)
        {
            return;
        }
        if (!Routing.IsRelaxed(_mounts, frame))
        {
            Close(reason, why);
            return;
        }
        var xid = BinaryPrimitives.ReadInt32BigEndian(frame[4..]);
        if (_solo is { } solo)
        {
            solo.Steps.Dequeue();
            _runningStep = true;
            LocalReply(xid, ErrorCode.ConnectionLoss);
            _runningStep = false;
        }
        else
        {
            LocalReply(xid, ErrorCode.ConnectionLoss);
            _blocked.Dequeue();
        }
        MarkHead(done: true);
    }

    // ---------------------------------------------------------------- time

    /// <summary>Time has passed. Called a few times a second while <see cref="NeedsTicks"/>.</summary>
    public void Tick()
    {
        if (_phase == SessionPhase.Closed)
        {
            return;
        }
        var now = _host.NowMs;
        DropSilentHandshakes(now);
        if (_phase == SessionPhase.Closed)
        {
            return;
        }
        if (_phase != SessionPhase.Established)
        {
            if (_keepAlive.IsSilent(now, 10_000))
            {
                Close(_phase == SessionPhase.AwaitingConnect ? CloseReason.DownstreamSilent : CloseReason.HomeLost, "the session was not set up within 10 s");
                return;
            }
            foreach (var link in _links)
            {
                if (link.Record.MustBeTakenOver && link.Phase == LinkPhase.Closed && now >= link.RetryAtMs)
                {
                    Open(link);
                }
            }
            TellLinks();
            return;
        }
        if (_keepAlive.IsGivenUp(now, _timeoutMs, HasOutstanding))
        {
            // As a server does: whoever holds such a connection open must not keep remote sessions from their client elsewhere.
            Close(CloseReason.DownstreamSilent, $"nothing was heard of the client for {now - _keepAlive.HeardMs} ms");
            return;
        }
        if (!ReferenceEquals(_region.Mounts, _mounts))
        {
            OnMountsChanged(_region.Mounts);
        }
        if (_head.IsOverdue(now, _timeoutMs * 2L / 3))
        {
            FailHead(CloseReason.RemoteLost, $"{_region.ClusterNames[_head.On!.Cluster]} did not become ready within {_timeoutMs * 2 / 3} ms");
            if (_phase == SessionPhase.Closed)
            {
                return;
            }
        }
        for (var i = 1; i < _links.Count; i++)
        {
            var link = _links[i];
            if (link.Phase == LinkPhase.Ready && link.WaitingSinceMs > 0 && (link.Pending.Count > 0 || link.PingSentMs > 0)
                && now - link.WaitingSinceMs > _timeoutMs * 2L / 3)
            {
                var connection = link.Connection!;
                _host.ServerFailed(link.Server!);
                LinkDown(connection, "the server has gone silent");
                connection.Close();
                if (_phase == SessionPhase.Closed)
                {
                    return;
                }
            }
            else if (link.Phase == LinkPhase.Closed && now >= link.RetryAtMs && (link.Book.HasWatches || link.Book.EphemeralCount > 0))
            {
                Open(link);
            }
        }
        _head.Tick(now, _timeoutMs);
        TellLinks();
        Pump();
    }

    /// <summary>
    /// A server that took the connection and does not answer is as good as dead: the next one gets its turn while the client still
    /// waits.
    /// </summary>
    private void DropSilentHandshakes(long now)
    {
        var timeout = _timeoutMs > 0 ? _timeoutMs : _connectRequest?.TimeoutMs ?? 0;
        var limit = Math.Clamp(timeout / 3, 1000, 5000);
        for (var i = 0; i < _links.Count; i++)
        {
            var link = _links[i];
            if (link.Phase == LinkPhase.Handshaking && now - link.LastHeardMs > limit)
            {
                var connection = link.Connection!;
                LinkDown(connection, $"{link.Server!.Address} did not answer the connect request within {limit} ms");
                connection.Close();
                if (_phase == SessionPhase.Closed)
                {
                    return;
                }
            }
        }
    }

    /// <summary>
    /// Keeps the client's sessions alive, in every cluster, for as long as the client is: it may be busy in one of them and never ping.
    /// A client that falls silent is silent everywhere, so that no session outlives another by more than its cluster's own steps.
    /// </summary>
    private void TellLinks()
    {
        var now = _host.NowMs;
        var waiting = HasOutstanding || _phase == SessionPhase.TakingOver;
        foreach (var link in _links)
        {
            if (link.Phase == LinkPhase.Ready && _keepAlive.IsDue(now, link.LastSentMs, link.TimeoutMs, _timeoutMs, waiting))
            {
                SendPing(link);
            }
        }
    }

    private void SendPing(SessionLink link)
    {
        var writer = Scratch();
        var mark = writer.BeginFrame();
        new RequestHeader(Xids.Ping, OpCode.Ping).Write(writer);
        writer.EndFrame(mark);
        if (link.PingSentMs == 0)
        {
            link.PingSentMs = Math.Max(1, _host.NowMs);
        }
        SendOn(link, writer.Written);
    }

    // ---------------------------------------------------------------- mounts that come and go

    private void OnMountsChanged(MountTable mounts)
    {
        if (_frontier is null && !mounts.IsEmpty)
        {
            StartTracking();
            // What it saw at home so far was not followed.
            _frontier?.LearnedUnknown(0);
        }
        foreach (var old in _mounts.Mounts)
        {
            if (mounts.At(old.Path) is { } same && same.Cluster == old.Cluster && same.RemotePath == old.RemotePath)
            {
                continue;
            }
            foreach (var link in _links)
            {
                if (link.Cluster != old.Cluster)
                {
                    continue;
                }
                foreach (var path in link.Book.Unmounted(old.Path))
                {
                    // What was watched is no longer there.
                    var writer = Scratch();
                    new WatcherEvent(WatchEventType.Deleted, WatcherEvent.SyncConnected, path).WriteFrame(writer);
                    Emit(link, ReplyOrder.Unasked, writer.Written);
                }
            }
        }
        if (_homeRecursive is { Count: > 0 })
        {
            foreach (var mount in mounts.Mounts)
            {
                if (_mounts.At(mount.Path) is null && _homeRecursive.Any(p => ZnodePath.IsAtOrUnder(mount.Path, p)))
                {
                    WatchNewMount(mount);
                }
            }
        }
        _mounts = mounts;
    }

    private void WatchNewMount(Mount mount)
    {
        var link = LinkTo(mount.Cluster);
        link.Book.Watch().Add(AddWatchMode.PersistentRecursive, mount.Path);
        if (link.Phase == LinkPhase.Ready)
        {
            var request = new PathKindRequest(mount.RemotePath, (int)AddWatchMode.PersistentRecursive);
            SendOwn(link, 0, OpCode.AddWatch, PendingKind.Own, request.Write, static (_, _) => { });
        }
        else if (link.Phase == LinkPhase.Closed)
        {
            Open(link);
        }
    }

    private void StartTracking()
    {
        _frontier ??= new Frontier(_region);
    }

    // ---------------------------------------------------------------- small parts

    private SessionLink LinkTo(int cluster)
    {
        foreach (var link in _links)
        {
            if (link.Cluster == cluster)
            {
                return link;
            }
        }
        var opened = new SessionLink(cluster);
        _links.Add(opened);
        return opened;
    }

    private void Open(SessionLink link)
    {
        link.Phase = LinkPhase.Connecting;
        link.Connection = _host.OpenLink(link);
    }

    private long NextSeq()
    {
        if (_runningStep)
        {
            return Captured;
        }
        return _order.Take();
    }

    private ref PendingRequest Enqueue(SessionLink link, long seq, int xid, OpCode op, PendingKind kind)
    {
        ref var pending = ref link.Pending.Enqueue();
        pending.Seq = seq;
        pending.Xid = xid;
        pending.Op = op;
        pending.Kind = kind;
        link.Outstanding++;
        if (seq == Captured)
        {
            _solo!.Waiting++;
        }
        return ref pending;
    }

    /// <summary>
    /// Sends a request of the proxy's own; its reply goes to <paramref name="then"/>, with the error ConnectionLoss if the link is lost
    /// first.
    /// </summary>
    private void SendOwn(SessionLink link, int xid, OpCode op, PendingKind kind, Action<JuteWriter> body, Action<ReplyHeader, ReadOnlyMemory<byte>> then)
    {
        var writer = Scratch();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        ref var pending = ref link.Pending.Enqueue();
        pending.Seq = ReplyOrder.Unasked;
        pending.Xid = xid;
        pending.Op = op;
        pending.Kind = kind;
        pending.Then = then;
        SendOn(link, writer.Written);
    }

    private SetWatchesRequest Translated(SetWatchesRequest request)
    {
        string[] Remote(string[] paths) => [.. paths.Select(p => _mounts.Find(p)!.ToRemote(p))];
        return request with
        {
            Data = Remote(request.Data),
            Exist = Remote(request.Exist),
            Child = Remote(request.Child),
            Persistent = Remote(request.Persistent),
            PersistentRecursive = Remote(request.PersistentRecursive),
        };
    }

    /// <summary>Arms watches, in requests of a size that servers take; <paramref name="then"/> is called as each is answered.</summary>
    /// <returns>How many requests it took.</returns>
    private int SendSetWatches(SessionLink link, SetWatchesRequest request, PendingKind kind, Action then)
    {
        var batches = request.Split(SetWatchesBytes);
        for (var i = 0; i < batches.Count; i++)
        {
            var batch = batches[i];
            var last = i == batches.Count - 1;
            var op = batch.Persistent.Length + batch.PersistentRecursive.Length > 0 ? OpCode.SetWatches2 : OpCode.SetWatches;
            SendOwn(link, Xids.SetWatches, op, kind, writer => batch.Write(writer, op), (header, _) =>
            {
                link.Book.WatchesUnarmed &= !last || header.Error != ErrorCode.Ok;
                then();
            });
        }
        return batches.Count;
    }

    /// <summary>Sends a request of the client, whose xid may be one by which servers and proxy know events and pings.</summary>
    private void SendRequest(SessionLink link, ReadOnlySpan<byte> frame)
    {
        var xid = BinaryPrimitives.ReadInt32BigEndian(frame[4..]);
        if (UpstreamXid(xid) == xid)
        {
            SendOn(link, frame);
            return;
        }
        var copy = frame.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(copy.AsSpan(4), UpstreamXid(xid));
        SendOn(link, copy);
    }

    /// <summary>
    /// The xid under which a server gets a request: replies are matched by their order, and its own xid comes back with the reply.
    /// </summary>
    private static int UpstreamXid(int xid) => xid is Xids.Notification or Xids.Ping ? 0 : xid;

    private void SendOn(SessionLink link, ReadOnlySpan<byte> frame)
    {
        link.LastSentMs = _host.NowMs;
        if (link.WaitingSinceMs == 0)
        {
            link.WaitingSinceMs = link.LastSentMs;
        }
        link.Connection!.Send(frame);
    }

    private void ToClient(ReadOnlySpan<byte> frame)
    {
        _keepAlive.Told(_host.NowMs);
        _host.SendToClient(frame);
    }

    /// <summary>Something has changed: sends what can be sent of what waits.</summary>
    private void Pump()
    {
        if (_pumping)
        {
            return;
        }
        _pumping = true;
        while (_phase == SessionPhase.Established)
        {
            if (_solo is not null)
            {
                AdvanceSolo();
                if (_solo is not null)
                {
                    break;
                }
                continue;
            }
            if (_blocked.IsEmpty || !TryDispatch(_blocked.First))
            {
                break;
            }
            if (_phase == SessionPhase.Established)
            {
                _blocked.Dequeue();
            }
        }
        _pumping = false;
    }

    private void Close(CloseReason reason, string detail)
    {
        if (_phase == SessionPhase.Closed)
        {
            return;
        }
        _phase = SessionPhase.Closed;
        CloseLinks();
        _host.CloseClient(reason, detail);
    }

    private void CloseLinks()
    {
        _solo?.Release(_region.Limits);
        foreach (var link in _links)
        {
            if (link.Server is { } server)
            {
                while (link.Pending.Count > 0)
                {
                    if (link.Pending.Peek().Covers is { } ticket)
                    {
                        server.EndWrite(ticket, succeeded: false);
                    }
                    link.Pending.Dequeue();
                }
            }
            if (link.Connection is not { } connection)
            {
                continue;
            }
            if (link.Cluster > 0 && link.Phase == LinkPhase.Ready && link.Record.IsNone)
            {
                // Nothing hangs on this remote session, and no other proxy can go on with it: end it rather than let it expire.
                var writer = Scratch();
                var mark = writer.BeginFrame();
                new RequestHeader(0, OpCode.CloseSession).Write(writer);
                writer.EndFrame(mark);
                connection.Send(writer.Written);
            }
            if (link.Cluster > 0 && link.Record.IsNone)
            {
                // One on record is forgotten when its record goes.
                _region.Owners.Remove(link.Cluster, link.SessionId);
            }
            link.Connection = null;
            connection.Close();
        }
    }

    private static JuteWriter Scratch()
    {
        if (_scratch is not { Capacity: <= MaxScratchBytes })
        {
            // One large reply must not cost each thread its size for ever.
            _scratch = new JuteWriter(1024);
        }
        _scratch.Clear();
        return _scratch;
    }
}
