using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions.Solo;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// One client's connection: takes the client's frames and the frames of its links, and says what to send where. It conducts small
/// machines, each with a state of its own: what becomes of a request is the <see cref="Dispatcher"/>'s, the order of replies that of
/// <see cref="ReplyOrder"/>, the way in <see cref="Attaching"/>'s, and what there is in a cluster is on its <see cref="SessionLink"/>.
///
/// No I/O, no clock, no threads: the host calls one method at a time (under a lock of the session's own, or from one
/// thread) and carries out what is asked through <see cref="ISessionHost"/>. The steps of a request's life carry the numbers
/// of docs/architecture.md.
/// </summary>
public sealed partial class FederatedSession : ISoloSession, IDispatchOwner
{
    /// <summary>Requests of the client that may be unanswered before the host must stop reading.</summary>
    public const int MaxOutstanding = 16 * 1024;

    /// <summary>The place of every part of a solo request: its reply is collected and not sent.</summary>
    private const long Collected = -2;

    private readonly Region _region;
    private readonly ISessionHost _host;
    private readonly SessionLink _home = new(0) { Phase = LinkPhase.Closed };
    private readonly LinkSet _links;
    private readonly Dispatcher _dispatcher;
    private readonly FrameQueue _blocked = new();

    private Attaching? _attaching;
    private SessionPhase _phase = SessionPhase.AwaitingConnect;
    private int _timeoutMs;
    private KeepAlive _keepAlive;
    private int _clientPings;

    private ClientReplies _replies;
    private SoloRequest? _solo;
    private bool _pumping;
    private KeptCredentials? _credentials;
    private RequestMark _mark;

    /// <summary>Makes a session for a connection that a client has just opened.</summary>
    /// <param name="region">What the proxy's sessions share.</param>
    /// <param name="host">Carries out what the session asks.</param>
    public FederatedSession(Region region, ISessionHost host)
    {
        _region = region;
        _host = host;
        _links = new LinkSet(_home);
        _replies = new ClientReplies(_links, region.Limits);
        _dispatcher = new Dispatcher(region, host, _links, this);
        _keepAlive.Heard(host.NowMs);
    }

    /// <summary>The client's session id; 0 before it has one.</summary>
    public long SessionId => _home.SessionId;

    /// <summary>The negotiated session timeout in milliseconds; 0 before it is known.</summary>
    public int TimeoutMs => _timeoutMs;

    private HomeSession AtHome => new(SessionId, _home.Password, _timeoutMs);

    /// <summary>Bytes of the client's requests that wait here, or are kept until they are answered.</summary>
    public long OutstandingBytes => IsClosed ? 0 : _blocked.Length + _links.KeptBytes;

    /// <summary>True while the host should go on reading from the client.</summary>
    public bool WantsClientFrames => _region.Limits.AllowMore(OutstandingBytes) && !_replies.HoldMuch
        && _replies.Order.Taken - _replies.Order.Answered < MaxOutstanding;

    /// <summary>True once the session has been closed, by whichever side.</summary>
    public bool IsClosed => _phase == SessionPhase.Closed;

    /// <summary>True once the client has been let in.</summary>
    public bool IsEstablished => _phase == SessionPhase.Established;

    /// <summary>True while the client waits for a reply, or for a request to be sent.</summary>
    public bool HasOutstanding => _replies.Order.HasOutstanding || !_blocked.IsEmpty || _solo is not null;

    /// <summary>True where <see cref="Tick"/> has work in the next seconds even though nothing arrives.</summary>
    public bool NeedsTicks => _links.Count > 1 || _dispatcher.WatchesRecursively || !_blocked.IsEmpty || _phase != SessionPhase.Established
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
            case SessionPhase.Closed:
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
        var request = new ClientRequest(frame);
        if (request.Op == OpCode.Ping)
        {
            OnClientPing(frame);
            return;
        }
        // Step 2: what can't be sent now waits, in order.
        if (!_blocked.IsEmpty || !_dispatcher.TryDispatch(request, _solo is not null))
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
        if (_dispatcher.WatchesRecursively)
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
        _home.Send(frame, _host.NowMs);
        TellLinks();
    }

    // ---------------------------------------------------------------- what requests wait for

    /// <summary>A barrier that this session waited for is done.</summary>
    public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
    {
        if (_phase != SessionPhase.Established || !_dispatcher.Head.BarrierDone(server, ticket, succeeded, out var failed))
        {
            return;
        }
        if (failed)
        {
            FailHead(CloseReason.BarrierFailed, $"the barrier on {server.Address} ({_region.ClusterNames[server.Cluster]}) failed");
        }
        Pump();
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
        _links.To(cluster).Record.Written(saved);
        Pump();
    }

    // ---------------------------------------------------------------- requests that are carried out alone

    /// <summary>
    /// Begins a request that is carried out alone: nothing else is outstanding, and nothing else is sent until it is answered.
    /// </summary>
    bool IDispatchOwner.TryBegin(SoloRequest solo)
    {
        if (!solo.MayBegin(_links))
        {
            return false;
        }
        solo.Place = _replies.Order.Take();
        _solo = solo;
        solo.Begin(this);
        return true;
    }

    private void AdvanceSolo()
    {
        if (_solo is not { } solo || !solo.Advance(this))
        {
            return;
        }
        _solo = null;
        if (solo.Op != OpCode.CloseSession)
        {
            Finish(solo);
        }
        solo.Release(_region.Limits);
        CheckWatches();
    }

    private void Finish(SoloRequest solo)
    {
        var reply = solo.Reply(ScratchWriter.Empty(), _replies.Zxid);
        if (reply.IsEmpty)
        {
            Close(CloseReason.UpstreamProtocol, $"no reply to the parts of operation {(int)solo.Op}");
            return;
        }
        Emit(null, solo.Place, reply);
    }

    /// <summary>Watches in mounts are kept here, to be armed again: closes the connection of a client that has too many.</summary>
    private void CheckWatches()
    {
        if (_phase == SessionPhase.Established && !_region.Limits.AllowWatches(
            _dispatcher.RecursiveCount + _links.WatchCount(), _dispatcher.RecursiveBytes + _links.WatchBytes(), out var why))
        {
            Close(CloseReason.LimitReached, why);
        }
    }

    // What dispatching a request asks of its session.

    bool IDispatchOwner.HasUnanswered => _replies.Order.HasOutstanding;

    bool IDispatchOwner.KnowsHomeZxid => _replies.Zxid > 0;

    bool IDispatchOwner.HoldsMuch => _replies.HoldMuch;

    KeptCredentials? IDispatchOwner.Credentials => _credentials;

    long IDispatchOwner.PlaceOf(in ClientRequest request) => PlaceOf(request);

    void IDispatchOwner.Answer(in ClientRequest request, ErrorCode error, FailedMulti? results) => Answer(request, error, results);

    void IDispatchOwner.Forbid(OpCode op) => Close(CloseReason.DownstreamForbidden, $"operation {(int)op} is never forwarded");

    void IDispatchOwner.Open(SessionLink link) => Open(link);

    void IDispatchOwner.DropSuperseded(SessionLink link) => DropSuperseded(link);

    void IDispatchOwner.SaveRecord(SessionLink link, bool strict) => SaveRecord(link, strict);

    void IDispatchOwner.Tell(SessionLink link, ReadOnlySpan<byte> watchEvent) => Emit(link, ReplyOrder.Unasked, watchEvent);

    // What a solo request asks of its session.

    long ISoloSession.NowMs => _host.NowMs;

    MountTable ISoloSession.Mounts => _dispatcher.Mounts;

    PathSet ISoloSession.Recursive => _dispatcher.Recursive;

    SessionLink ISoloSession.LinkTo(int cluster) => _links.To(cluster);

    void ISoloSession.Open(SessionLink link) => Open(link);

    bool ISoloSession.TryKeep(AuthRequest credentials)
    {
        var kept = (_credentials ??= new KeptCredentials()).TryAdd(credentials, _region.Limits, out var why);
        if (!kept)
        {
            Close(CloseReason.LimitReached, why);
        }
        return kept;
    }

    void ISoloSession.Ask(SessionLink link, int xid, OpCode op, Action<JuteWriter> body, Action<ReplyHeader, ReadOnlyMemory<byte>> then) =>
        link.Ask(_host.NowMs, xid, op, PendingKind.Part, body, then);

    int ISoloSession.SetWatches(SessionLink link, SetWatchesRequest request, Action then) =>
        link.SetWatches(_host.NowMs, request, PendingKind.Part, then);

    bool ISoloSession.TryRun(ReadOnlySpan<byte> step) =>
        _dispatcher.TryDispatch(new ClientRequest(step, isPart: true), isAlone: false) && _phase == SessionPhase.Established;

    void ISoloSession.Tried(SessionLink link, bool asked) => _dispatcher.Tried(link, asked);

    bool ISoloSession.Freshen(SessionLink link, MountCounters counters, bool barriers) =>
        _region.Omissions.ListsEphemeralsAtOnce || _dispatcher.Freshen(link, counters, barriers);

    // ---------------------------------------------------------------- replies and events

    /// <summary>A whole frame has come from a server.</summary>
    public void LinkFrame(ILinkConnection connection, ReadOnlySpan<byte> frame)
    {
        var link = connection.Link;
        if (link.Connection != connection || _phase == SessionPhase.Closed)
        {
            return;
        }
        if (_region.Copies.IsSuperseded(link.Server!))
        {
            DropSuperseded(link);
            return;
        }
        link.Heard(_host.NowMs);
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
        link.Shown(header, _region, _host.NowMs);
        switch (header.Xid)
        {
            case Xids.Notification:
                OnEvent(link, header, frame, body);
                return;
            case Xids.Ping:
                OnPingReply(link, frame);
                return;
        }
        if (!link.IsNext(header.Xid))
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

    private void OnReply(SessionLink link, in SentRequest pending, in ReplyHeader header, ReadOnlySpan<byte> frame,
        ReadOnlySpan<byte> body)
    {
        if (pending.Covers is { } ticket)
        {
            link.Server!.EndWrite(ticket, header.Error == ErrorCode.Ok);
        }
        if (pending.Kind != PendingKind.Own && _dispatcher.Frontier is { } frontier
            && _region.Omissions.IgnoredReplies?.Invoke(pending.Op, header.Error) is not true)
        {
            Learning.From(frontier, link, pending, header, body, _region.HomeInterest);
        }
        if (pending.IsKept)
        {
            link.Asked!.Drop();
        }
        if (link.IsHome && pending.Op.FiresNoWatch())
        {
            _region.Positions.UnwatchableWrite(begins: false);
        }
        if (pending.Kind is PendingKind.Own or PendingKind.Part)
        {
            pending.Then!(header, body.ToArray());
            return;
        }
        link.Outstanding--;
        if (link.IsHome)
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

    /// <summary>Step 5 at home: the bytes go on as they came.</summary>
    private void OnHomeReply(in SentRequest pending, in ReplyHeader header, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> body)
    {
        if (header.Xid == pending.Xid && (pending.Kind == PendingKind.Forward || header.Error != ErrorCode.Ok))
        {
            Emit(_home, pending.Place, frame);
        }
        else
        {
            var writer = ScratchWriter.Empty();
            ReplyRewriter.WriteHome(writer, pending, header, body, _region.AdvertisedConfig);
            Emit(_home, pending.Place, writer.Written);
        }
        if (pending.Kind == PendingKind.Close)
        {
            if (pending.Place == Collected && _solo is { Replies.Count: > 0 } solo)
            {
                Emit(null, solo.Place, solo.Replies[0]);
            }
            Close(CloseReason.SessionClosed, "closed by the client");
        }
    }

    /// <summary>Step 5 in a mount: rewritten to the client's terms.</summary>
    private void OnRemoteReply(SessionLink link, in SentRequest pending, in ReplyHeader header, ReadOnlySpan<byte> body)
    {
        _links.Answered(link, pending, header.Error, body, _dispatcher.Mounts);
        if (pending.Effect is not null)
        {
            CheckWatches();
        }
        // Names in it may become longer.
        var writer = ScratchWriter.Empty(body.Length + (body.Length / 16));
        new ReplyRewriter(writer, _region.Owners, link.Cluster, link.SessionId, SessionId).Write(pending, _replies.Zxid, header.Error,
            body);
        Emit(link, pending.Place, writer.Written);
    }

    private void OnEvent(SessionLink link, in ReplyHeader header, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> body)
    {
        if (_dispatcher.Frontier is { } frontier)
        {
            Learning.FromEvent(frontier, link, header.Zxid);
        }
        if (link.IsHome)
        {
            Emit(_home, ReplyOrder.Unasked, frame);
            return;
        }
        foreach (var change in link.Book.Fired(body, link.Cluster, _region.Mounts))
        {
            Emit(link, ReplyOrder.Unasked, ScratchWriter.Event(change));
        }
    }

    private void OnPingReply(SessionLink link, ReadOnlySpan<byte> frame)
    {
        link.PingSentMs = 0;
        // An unasked ping reply keeps alive a client that waits for a remote cluster and does not ping meanwhile.
        if (link.IsHome && (_clientPings > 0 || (HasOutstanding && _solo is not { Op: OpCode.Auth or OpCode.Sasl }
            && _keepAlive.WantsSign(_host.NowMs, _timeoutMs))))
        {
            _clientPings = Math.Max(0, _clientPings - 1);
            ToClient(_replies.Ping(frame));
        }
        Pump();
    }

    /// <summary>
    /// Step 5a, the order of replies: sends a reply or event to the client, or queues it. Replies leave in request order, whatever
    /// cluster they come from, and nothing of a link overtakes what is queued of it.
    /// </summary>
    private void Emit(SessionLink? link, long place, ReadOnlySpan<byte> frame)
    {
        if (place == Collected)
        {
            if (_solo is { } solo)
            {
                solo.Collect(frame, _region.Limits);
                solo.Waiting--;
            }
            return;
        }
        if (_phase == SessionPhase.Closed)
        {
            return;
        }
        _mark.Answered(link, place);
        if (_replies.Offer(link, place, frame))
        {
            ToClient(frame);
            while (_replies.TryRelease(out var queued))
            {
                ToClient(queued);
            }
        }
        else if (_replies.Excess is { } excess)
        {
            Close(CloseReason.LimitReached, excess);
        }
    }

    private void Answer(in ClientRequest request, ErrorCode error, FailedMulti? results = null)
    {
        // A server that does not know an operation has no zxid for it (UnimplementedRequestProcessor).
        var zxid = error == ErrorCode.Unimplemented ? -1 : _replies.Zxid;
        Emit(null, PlaceOf(request), ScratchWriter.Reply(request.Xid, zxid, error, results));
    }

    // ---------------------------------------------------------------- connecting

    private void OnConnectRequest(ReadOnlySpan<byte> frame)
    {
        if (Attaching.TryRead(frame, _region.SessionTimeouts) is not { } attaching)
        {
            Close(CloseReason.DownstreamProtocol, "the first frame is no connect request");
            return;
        }
        _attaching = attaching;
        _replies.Begin(attaching.SeenZxid);
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
        if (!link.IsHome && !_region.Copies.ReadThrough(server))
        {
            // Until the region's other proxies know of it, what waits goes on waiting, as for a cluster that can't be reached.
            link.Lost();
            link.RetryAtMs = _host.NowMs + 20;
            connection.Close();
            return;
        }
        _dispatcher.Head.LinkChanged(link);
        // A server that has fallen behind what it showed us, or what this client saw, must not serve: it refuses by itself.
        var seen = _region.Mounts.IsEmpty || _region.Omissions.TrustsEveryServer ? 0 : server.Seen;
        link.Ask(link.IsHome ? _attaching!.RequestTo(seen) : link.RequestTo(seen, _timeoutMs), _host.NowMs);
    }

    private void OnConnectResponse(SessionLink link, ReadOnlySpan<byte> frame)
    {
        if (ConnectResponse.TryRead(frame[Framing.PrefixLength..]) is not { } response)
        {
            Close(CloseReason.UpstreamProtocol, $"{link.Server!.Address} did not answer the connect request with a connect response");
            return;
        }
        var refused = response.SessionId == 0 || response.TimeoutMs <= 0;
        if (link.IsHome)
        {
            OnHomeAnswered(response, refused, frame);
            return;
        }
        if (refused)
        {
            OnRemoteSessionExpired(link);
            return;
        }
        link.Accepted(response);
        _region.Owners.Add(link.Cluster, link.SessionId, SessionId);
        if (_credentials is not null && _dispatcher.Mounts.ForwardsAuth(link.Cluster))
        {
            _credentials.Send(link, _host.NowMs);
        }
        // First of all: a reply of anything else would tell of changes whose events are still to come.
        link.ArmWatches(_host.NowMs, _region.Mounts);
        if (link.Book.IsIncomplete && !link.IsOld(_host.NowMs))
        {
            link.AskWhatItOwns(_host.NowMs, () => _dispatcher.Mounts);
        }
        TryLetIn();
        Pump();
    }

    private void OnHomeAnswered(ConnectResponse response, bool refused, ReadOnlySpan<byte> frame)
    {
        if (refused)
        {
            ToClient(frame);
            Close(CloseReason.SessionRefused, "home refused the session: it has expired, or the password is wrong");
            return;
        }
        _home.Accepted(response);
        _timeoutMs = response.TimeoutMs;
        _attaching!.Granted(frame);
        _phase = SessionPhase.TakingOver;
        var returns = _attaching.Returns && _region.ClusterCount > 1;
        _dispatcher.Attached(returns);
        if (returns && !_dispatcher.Mounts.IsEmpty)
        {
            _host.FindRecords(AtHome);
            return;
        }
        TryLetIn();
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
            var link = _links.To(record.Cluster);
            link.TakeOver(record);
            if (!record.Strict)
            {
                Open(link);
            }
        }
        TakeOver();
        TryLetIn();
    }

    /// <summary>Opens what must be ready before the client is let in, once mounts may be used: by then the servers are agreed on.</summary>
    private void TakeOver()
    {
        while (_host.NowMs <= _region.MountsUsableUntilMs && _links.ToTakeOver(_host.NowMs) is { } link)
        {
            Open(link);
        }
    }

    private void TryLetIn()
    {
        if (_phase != SessionPhase.TakingOver || !_links.HasTakenOver())
        {
            return;
        }
        _phase = SessionPhase.Established;
        ToClient(_attaching!.Response);
        _attaching = null;
        Pump();
    }

    private void OnRemoteSessionExpired(SessionLink link)
    {
        _region.Owners.Remove(link.Cluster, link.SessionId);
        if (link.Book.OwnsStrict)
        {
            // Its ephemeral znodes there are gone: a client that believes in its locks must not go on. End the whole session.
            _home.Send(ScratchWriter.Request(0, OpCode.CloseSession), _host.NowMs);
            if (_phase == SessionPhase.TakingOver)
            {
                var writer = ScratchWriter.Empty();
                _attaching!.WriteRefusal(writer);
                ToClient(writer.Written);
            }
            Close(CloseReason.RemoteSessionExpired, $"the client's session in {_region.ClusterNames[link.Cluster]} has expired");
            return;
        }
        link.SessionEnded();
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
        var phase = link.Lost();
        _dispatcher.Head.LinkChanged(link);
        if (link.IsHome)
        {
            OnHomeDown(phase, why);
            return;
        }
        if (link.HasUnplacedEvent)
        {
            // The next server may not have seen what this one told of: no read may go back behind it.
            link.HasUnplacedEvent = false;
            _dispatcher.Frontier?.MovedIn(link.Cluster);
        }
        var name = _region.ClusterNames[link.Cluster];
        link.BackOff(_host.NowMs);
        if (phase == LinkPhase.Handshaking)
        {
            if (link.LastZxid <= link.Server!.Seen)
            {
                // Closed without an answer: the server may have lost state that it had shown. What it covered is not to be relied on.
                link.Server.Forget();
            }
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
        else if (_dispatcher.Head.On == link && phase == LinkPhase.Connecting)
        {
            FailHead(CloseReason.RemoteLost, $"{name} can't be reached: {why}");
        }
        Pump();
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

    /// <returns>False if that took the client's connection with it.</returns>
    private bool Drop(SessionLink link, string why)
    {
        var connection = link.Connection!;
        LinkDown(connection, why);
        connection.Close();
        return _phase != SessionPhase.Closed;
    }

    private void OnHomeDown(LinkPhase phase, string why)
    {
        if (_phase == SessionPhase.ConnectingHome && phase == LinkPhase.Handshaking && _attaching!.MayTryAnother())
        {
            // A client that claims to have seen more than this server has shown may be the reason. What others rely on stays.
            if (_attaching.SeenZxid <= _home.Server!.Seen)
            {
                _home.Server.Forget();
                _host.ServerFailed(_home.Server);
            }
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
        while (_links.TryTakeLost(link, out var pending))
        {
            Emit(link, pending.Place, ScratchWriter.Reply(pending.Xid, _replies.Zxid, ErrorCode.ConnectionLoss));
        }
        return true;
    }

    /// <summary>The first waiting request can't be served: a strict one takes the connection with it, a relaxed one fails alone.</summary>
    private void FailHead(CloseReason reason, string why)
    {
        if (_solo is { Steps.Count: 0, Links.Count: > 0 } asking)
        {
            if (!asking.TryDoWithout(_dispatcher.Mounts))
            {
                Close(reason, why);
                return;
            }
            _dispatcher.Head.Next();
            return;
        }
        var frame = _solo is { Steps.Count: > 0 } ? _solo.Steps.Peek() : _blocked.IsEmpty ? default : _blocked.First;
        if (frame.IsEmpty)
        {
            return;
        }
        if (!Routing.IsRelaxed(_dispatcher.Mounts, frame))
        {
            Close(reason, why);
            return;
        }
        Answer(new ClientRequest(frame, isPart: _solo is not null), ErrorCode.ConnectionLoss);
        if (_solo is { } solo)
        {
            // What is too long may have taken it away.
            solo.Steps.TryDequeue(out _);
        }
        else
        {
            _blocked.Dequeue();
        }
        _dispatcher.Head.Next();
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
        _links.Excuse(_host.IsClientSlow, now);
        DropSilentHandshakes(now);
        if (_phase == SessionPhase.Closed)
        {
            return;
        }
        if (_phase != SessionPhase.Established)
        {
            if (_keepAlive.IsSilent(now, 10_000))
            {
                Close(_phase == SessionPhase.AwaitingConnect ? CloseReason.DownstreamSilent : CloseReason.HomeLost,
                    "the session was not set up within 10 s");
                return;
            }
            TakeOver();
            TellLinks();
            return;
        }
        if (_keepAlive.IsGivenUp(now, _timeoutMs, HasOutstanding || _host.IsClientSlow))
        {
            // As a server does: whoever holds such a connection open must not keep remote sessions from their client elsewhere.
            Close(CloseReason.DownstreamSilent, $"nothing was heard of the client for {now - _keepAlive.HeardMs} ms");
            return;
        }
        _dispatcher.FollowMounts();
        if (_dispatcher.Head.IsOverdue(now, _timeoutMs * 2L / 3))
        {
            var name = _region.ClusterNames[_dispatcher.Head.On!.Cluster];
            FailHead(CloseReason.RemoteLost, $"{name} did not become ready within {_timeoutMs * 2 / 3} ms");
            if (_phase == SessionPhase.Closed)
            {
                return;
            }
        }
        for (var i = 1; i < _links.Count; i++)
        {
            var link = _links[i];
            if (link.IsSilent(now, _timeoutMs * 2L / 3))
            {
                _host.ServerFailed(link.Server!);
                if (!Drop(link, "the server has gone silent"))
                {
                    return;
                }
            }
            else if (link.MayReopen(now) && (link.Book.HasWatches || link.Book.EphemeralCount > 0))
            {
                Open(link);
            }
        }
        _dispatcher.Head.Tick(now, _timeoutMs);
        TellLinks();
        Pump();
    }

    /// <summary>
    /// A server that took the connection and does not answer is as good as dead: the next one gets its turn while the client still
    /// waits.
    /// </summary>
    private void DropSilentHandshakes(long now)
    {
        var limit = Math.Clamp((_timeoutMs > 0 ? _timeoutMs : _attaching?.TimeoutMs ?? 0) / 3, 1000, 5000);
        for (var i = 0; i < _links.Count; i++)
        {
            var link = _links[i];
            if (link.IsSilentHandshake(now, limit)
                && !Drop(link, $"{link.Server!.Address} did not answer the connect request within {limit} ms"))
            {
                return;
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
        var waiting = HasOutstanding || _host.IsClientSlow || _phase == SessionPhase.TakingOver;
        foreach (var link in _links.All)
        {
            if (link.Phase == LinkPhase.Ready && _keepAlive.IsDue(now, link.LastSentMs, link.TimeoutMs, _timeoutMs, waiting))
            {
                link.Ping(now);
            }
        }
    }

    // ---------------------------------------------------------------- small parts

    private void Open(SessionLink link)
    {
        link.Phase = LinkPhase.Connecting;
        link.Connection = _host.OpenLink(link);
    }

    /// <summary>The place of a request's reply; that of a part is counted.</summary>
    private long PlaceOf(in ClientRequest request)
    {
        if (!request.IsPart)
        {
            return _replies.Order.Take();
        }
        _solo!.Waiting++;
        return Collected;
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
            if (_blocked.IsEmpty || !_dispatcher.TryDispatch(new ClientRequest(_blocked.First), isAlone: false))
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
        _replies.Close();
        foreach (var link in _links.All)
        {
            link.End(_region, _host.NowMs);
        }
    }
}
