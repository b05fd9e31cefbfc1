using System.Buffers;
using System.Text;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Telemetry;
using ZooNet.Proxy.Transport;
using ZooNet.Proxy.Upstream;
using ZooNet.Server;

namespace ZooNet.Proxy.Downstream;

/// <summary>
/// One client's connection with all its links: frames are handed to the session one at a time under <see cref="Gate"/>, and what the
/// session asks for is sent once per burst. The lock is this connection's own; sessions share none.
/// </summary>
internal sealed class DownstreamConnection : ISessionHost, IFrameOwner
{
    /// <summary>Bytes for a slow client beyond which its links are read no more.</summary>
    private const int SlowClientBytes = 256 * 1024;

    /// <summary>Bytes for a slow server beyond which the client is read no more.</summary>
    private const int SlowServerBytes = 1024 * 1024;

    /// <summary>How long a client that ended its stream is kept for the replies that it may still read, in milliseconds.</summary>
    private const int EndedClientMs = 30_000;

    /// <summary>Bytes of a reply that is too long that tell which request it answers.</summary>
    private const int TooLongReply = Framing.PrefixLength + ReplyHeader.WireLength;

    private readonly DataPath _path;
    private readonly ForwardedClient _who;
    private readonly FramePeer _client;
    private readonly List<FramePeer> _dirty = new(2);
    private CancellationTokenSource? _closed;
    private TaskCompletionSource? _clientReady;
    private TaskCompletionSource? _sessionReady;
    private TaskCompletionSource? _over;
    private long _now;
    private ClientMeter _meter;
    private RequestTrace? _trace;
    private int _slowLinks;
    private long _outstanding;
    private bool _flushing;
    private bool _flushAgain;
    private bool _hasBegun;
    private bool _answering;
    private string? _ended;
    private long _endedMs;
    private Task _lastSave = Task.CompletedTask;
    private bool _isClosed;
    private bool _draining;
    private Turns _turns;

    public DownstreamConnection(string address, DataPath path, PathRules? rules, RequestThrottle.Share? share, ForwardedClient who)
    {
        _who = who;
        _turns = new Turns(share);
        Rules = rules;
        _path = path;
        _meter = new ClientMeter(path.Traffic);
        Address = address;
        Gate = new Lock();
        _client = new FramePeer(this);
        _now = path.NowMs;
        Established = path.Time.GetUtcNow();
        Session = new FederatedSession(path.Region, this);
    }

    /// <summary>Guards the session and everything that sends for it.</summary>
    public Lock Gate { get; }

    public FederatedSession Session { get; }

    /// <inheritdoc/>
    public PathRules? Rules { get; }

    /// <summary>The session that home has let this client into; 0 before. It stays when the session ends.</summary>
    public long ClaimedSession { get; private set; }

    public DateTimeOffset Established { get; }

    /// <summary>The client's address as ZooKeeper writes it, <c>/10.0.0.1:40000</c>.</summary>
    public string Address { get; }

    public long FramesReceived => _meter.FramesReceived;

    public long FramesSent => _meter.FramesSent;

    /// <summary>What went over this connection so far; the numbers are read without a lock, one after another.</summary>
    public TrafficSums Sums => new(FramesReceived, FramesSent, _meter.BytesReceived, _meter.BytesSent,
        _isClosed ? 0 : Math.Max(0, Session.Asked - Session.Answered));

    /// <summary>True where the proxy closed the connection and the client had not asked for it.</summary>
    public bool WasDropped { get; private set; }

    /// <inheritdoc/>
    public long NowMs => _now;

    /// <summary>The clock.</summary>
    public TimeProvider Time => _path.Time;

    /// <inheritdoc/>
    public bool IsClientSlow => _client.Backlog > SlowClientBytes && !_isClosed;

    /// <summary>True while nothing more is to be read from the client.</summary>
    public bool MustPause => (!Session.WantsClientFrames || _draining || _slowLinks > 0 || _turns.MustWait(_now)) && !_isClosed;

    /// <summary>True when the connection needs <see cref="Tick"/>.</summary>
    public bool NeedsTicks => _ended is not null || _turns.IsWaiting || Session.NeedsTicks;

    /// <summary>
    /// Completes when the connection is closed: later than <see cref="RunAsync"/> if the client ended its stream and still waits for
    /// replies.
    /// </summary>
    public Task Over
    {
        get
        {
            lock (Gate)
            {
                if (_isClosed)
                {
                    return Task.CompletedTask;
                }
                _over ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return _over.Task;
            }
        }
    }

    // ------------------------------------------------------------ downstream

    /// <summary>Reads the client's frames until they end.</summary>
    public Task RunAsync(Wire wire)
    {
        lock (Gate)
        {
            _client.Attach(wire);
        }
        return _client.ReadAsync();
    }

    /// <summary>Step 1: bytes from the client; each whole frame goes to the session.</summary>
    public bool OnBytes(ReadOnlySpan<byte> bytes, out int consumed, out int needed)
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            consumed = 0;
            needed = 0;
            try
            {
                if (_answering || (!_hasBegun && !TryBegin(bytes)))
                {
                    // What follows a four-letter word is ignored, as servers do.
                    consumed = _answering ? bytes.Length : 0;
                    return !_isClosed;
                }
                FeedFrames(bytes, out consumed, out needed);
                _meter.Begin(Session, Time);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                OnBug(e);
            }
            FlushAll();
            return !_isClosed;
        }
    }

    /// <summary>Nothing more comes from the client.</summary>
    /// <param name="why">How the stream ended.</param>
    /// <param name="lost">True if the connection is lost, so that nothing can be sent either. Else the client may still read.</param>
    public void OnEnd(string why, bool lost)
    {
        lock (Gate)
        {
            if (_isClosed)
            {
                return;
            }
            _now = _path.NowMs;
            (_ended, _endedMs) = (why, _now);
            if (lost || !IsOwedReplies)
            {
                EndClient(why);
            }
            FlushAll();
        }
    }

    /// <summary>True while a client that ended its stream along with its last request waits for what it asked for.</summary>
    private bool IsOwedReplies => _answering || (!Session.IsClosed && FramesReceived > 0 && (Session.HasOutstanding || !Session.IsEstablished));

    private void EndClient(string why)
    {
        _path.LogClosed(this, CloseReason.DownstreamClosed, why);
        Guarded(static session => session.ClientClosed());
        Finish(CloseReason.DownstreamClosed);
    }

    /// <summary>A connection that begins with a four-letter word gets its answer; any other is a session.</summary>
    private bool TryBegin(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4)
        {
            return false;
        }
        _hasBegun = true;
        foreach (var b in bytes[..4])
        {
            if (b is < (byte)'a' or > (byte)'z')
            {
                return true;
            }
        }
        var word = Encoding.ASCII.GetString(bytes[..4]);
        _answering = true;
        // Not under this lock: the answer looks at the other connections, under theirs.
        _ = Task.Run(async () => Answer(await _path.Late.AnswerWord(word)));
        return false;
    }

    private void Answer(string? answer)
    {
        lock (Gate)
        {
            if (_isClosed)
            {
                return;
            }
            Session.ClientClosed();
            if (answer is null)
            {
                CloseClient(CloseReason.DownstreamFrameInvalid, "it began with letters that are no four-letter word");
            }
            else
            {
                _client.Send(Encoding.UTF8.GetBytes(answer));
                Finish(CloseReason.DownstreamClosed);
            }
            FlushAll();
        }
    }

    private void FeedFrames(ReadOnlySpan<byte> bytes, out int consumed, out int needed)
    {
        consumed = 0;
        needed = 0;
        while (!_isClosed && !_draining && Session.WantsClientFrames)
        {
            var status = Framing.TryReadFrame(bytes[consumed..], _path.Region.MaxFrame, out var length);
            if (status == OperationStatus.NeedMoreData)
            {
                needed = length;
                return;
            }
            if (status == OperationStatus.InvalidData)
            {
                _path.Traffic.BadFrame();
                Session.ClientClosed();
                CloseClient(CloseReason.DownstreamFrameInvalid, $"a frame of length {length}; allowed are 1 to {_path.Region.MaxFrame} bytes (maxFrame)");
                return;
            }
            if (!_turns.TryTake(_now))
            {
                break;
            }
            var frame = bytes.Slice(consumed, length);
            _meter.Received(frame);
            if (_trace is null && RequestTrace.IsWanted(_path.Traces))
            {
                _trace = RequestTrace.TryBegin(frame, Session, _path.Traces);
            }
            Session.ClientFrame(frame);
            _path.Region.Limits.CountOutstanding(ref _outstanding, Session.OutstandingBytes);
            consumed += length;
        }
        needed = FramePeer.FramesLeft;
    }

    /// <inheritdoc/>
    public void SendToClient(ReadOnlySpan<byte> frames)
    {
        _meter.Sent(frames);
        _client.Send(frames);
    }

    /// <inheritdoc/>
    public void CloseClient(CloseReason reason, string detail)
    {
        if (_isClosed)
        {
            return;
        }
        _path.LogClosed(this, reason, detail);
        WasDropped = reason is not CloseReason.SessionClosed;
        Finish(reason);
    }

    private void Finish(CloseReason reason)
    {
        _isClosed = true;
        _path.Records.Ended(this, Session.SessionId, over: reason == CloseReason.SessionClosed);
        _closed?.Cancel();
        _client.Close();
        _clientReady?.TrySetResult();
        _sessionReady?.TrySetResult();
        _over?.TrySetResult();
    }

    // ------------------------------------------------------------ back-pressure

    /// <summary>Waits until the session takes frames again.</summary>
    public Task WaitAsync() => WaitWhileAsync(static c => c.MustPause, ref _sessionReady);

    /// <summary>Waits until the client has taken what is queued for it.</summary>
    public Task WaitForClientAsync() => WaitWhileAsync(static c => c.IsClientSlow, ref _clientReady);

    /// <summary>A slow peer has caught up.</summary>
    public void OnBacklogSent()
    {
        lock (Gate)
        {
            CountSlowLinks();
            Wake();
            FlushAll();
        }
    }

    private Task WaitWhileAsync(Func<DownstreamConnection, bool> condition, ref TaskCompletionSource? ready)
    {
        lock (Gate)
        {
            if (!condition(this))
            {
                return Task.CompletedTask;
            }
            ready ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return ready.Task;
        }
    }

    private void CountSlowLinks()
    {
        _slowLinks = 0;
        foreach (var link in Session.Links)
        {
            if (link.Transport is UpstreamConnection { Backlog: > SlowServerBytes, IsClosed: false })
            {
                _slowLinks++;
            }
        }
    }

    private void Wake()
    {
        if (_sessionReady is { } session && !MustPause)
        {
            _sessionReady = null;
            session.TrySetResult();
        }
        if (_clientReady is { } client && !IsClientSlow)
        {
            _clientReady = null;
            client.TrySetResult();
        }
    }

    // ------------------------------------------------------------ drain

    /// <summary>Stops reading; closes once nothing is outstanding. Step of SIGTERM's drain.</summary>
    public void Drain()
    {
        lock (Gate)
        {
            _draining = true;
            FlushAll();
        }
    }

    /// <summary>Closes at once, for the end of a drain.</summary>
    public void Abort()
    {
        lock (Gate)
        {
            Session.ClientClosed();
            CloseClient(CloseReason.Draining, "the drain timeout is over");
            FlushAll();
        }
    }

    /// <summary>Closes, because another connection claims the session now.</summary>
    public void Displace()
    {
        lock (Gate)
        {
            Session.ClientClosed();
            CloseClient(CloseReason.SessionMoved, "the session was attached to on another connection");
            FlushAll();
        }
    }

    // ------------------------------------------------------------ upstream

    /// <inheritdoc/>
    public ILinkConnection OpenLink(SessionLink link)
    {
        var connection = new UpstreamConnection(this, link);
        _closed ??= new CancellationTokenSource();
        _ = ConnectAsync(connection, _closed.Token);
        return connection;
    }

    private async Task ConnectAsync(UpstreamConnection connection, CancellationToken cancellationToken)
    {
        // Never on the caller's stack: the session is in the middle of an event.
        await Task.Yield();
        try
        {
            // A client that comes before the mount table was read waits for it, as it would for a server that is starting.
            await _path.Late.TableRead().WaitAsync(cancellationToken);
            var cluster = connection.Link.Cluster;
            var (wire, server) = await _path.Pools[cluster].ConnectAsync(cancellationToken,
                cluster == 0 ? _path.KnownAtHome : ToldTo(_path.Region.Mounts.AuthOf(cluster)));
            if (!Attach(connection, wire, server))
            {
                return;
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            if (e is not (UpstreamUnavailableException or OperationCanceledException))
            {
                // A bug, which must not leave the session waiting for a link for ever.
                _path.Log.LinkFailed(e, Address, Session.SessionId);
            }
            OnLinkDown(connection, e.Message);
            return;
        }
        await connection.ReadAsync();
    }

    private ForwardedClient ToldTo(MountAuth auth) => auth switch
    {
        MountAuth.None => default,
        MountAuth.Forward => _who with { Address = null },
        _ => _who,
    };

    private bool Attach(UpstreamConnection connection, Wire wire, UpstreamServer server)
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            if (!connection.Attach(wire, server))
            {
                return false;
            }
            Guarded((connection, server), static (session, up) => session.LinkUp(up.connection, up.server));
            FlushAll();
            return true;
        }
    }

    /// <summary>Step 4: bytes from a server; each whole frame goes to the session.</summary>
    /// <returns>False where the connection is no longer wanted.</returns>
    public bool OnLinkBytes(UpstreamConnection connection, ReadOnlySpan<byte> bytes, out int consumed, out int needed)
    {
        consumed = 0;
        // Unless the loop below ends at the bytes' end.
        needed = FramePeer.FramesLeft;
        lock (Gate)
        {
            if (connection.IsClosed)
            {
                return false;
            }
            _now = _path.NowMs;
            try
            {
                while (!_isClosed && !IsClientSlow)
                {
                    if (connection.ToSkip > 0)
                    {
                        var skipped = Math.Min(connection.ToSkip, bytes.Length - consumed);
                        connection.ToSkip -= skipped;
                        consumed += skipped;
                    }
                    var status = Framing.TryReadFrame(bytes[consumed..], _path.MaxReply, out var length);
                    if (status == OperationStatus.InvalidData && length > _path.MaxReply && connection.Link.Phase == LinkPhase.Ready)
                    {
                        if (bytes.Length - consumed < TooLongReply)
                        {
                            needed = TooLongReply;
                            break;
                        }
                        consumed += OnTooLongReply(connection, bytes.Slice(consumed, TooLongReply), length);
                        continue;
                    }
                    if (status == OperationStatus.NeedMoreData)
                    {
                        needed = length;
                        connection.Link.Heard(_now);
                        break;
                    }
                    if (status == OperationStatus.InvalidData)
                    {
                        Session.LinkDown(connection, $"it sent a frame of {length} bytes; allowed are 1 to {_path.MaxReply} (maxReply)");
                        connection.Close();
                        FlushAll();
                        return false;
                    }
                    _trace?.Add("frame from server", _path.Region.ClusterNames[connection.Link.Cluster], connection.Server?.Address);
                    Session.LinkFrame(connection, bytes.Slice(consumed, length));
                    consumed += length;
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                OnBug(e);
            }
            FlushAll();
            return !_isClosed && !connection.IsClosed;
        }
    }

    /// <summary>
    /// A reply that is too long becomes an error of its request: its client asked for it, nobody else is to blame or to suffer.
    /// </summary>
    /// <returns>Bytes taken.</returns>
    private int OnTooLongReply(UpstreamConnection connection, ReadOnlySpan<byte> begin, int length)
    {
        var header = ReplyHeader.Read(begin[Framing.PrefixLength..]);
        var writer = new JuteWriter(TooLongReply);
        var mark = writer.BeginFrame();
        (header with { Error = ErrorCode.MarshallingError }).Write(writer);
        writer.EndFrame(mark);
        _path.Region.Limits.Count(ClientLimit.Reply);
        _path.LogReplyTooLong(this, length);
        connection.ToSkip = Framing.PrefixLength + length - TooLongReply;
        Session.LinkFrame(connection, writer.Written);
        return TooLongReply;
    }

    /// <summary>A link could not be opened, or was lost.</summary>
    public void OnLinkDown(UpstreamConnection connection, string why)
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            if (connection.Link.Phase == LinkPhase.Handshaking && connection.Link.Transport == connection && connection.Server is { } server && !_isClosed)
            {
                // It takes connections and does not serve: a server without its leader does that. The next attempt goes elsewhere.
                _path.Pools[connection.Link.Cluster].Distrust(server);
            }
            Guarded((connection, why), static (session, down) => session.LinkDown(down.connection, down.why));
            connection.Close();
            FlushAll();
        }
    }

    /// <summary>Gives up links to servers of a cluster that the proxy no longer reads through.</summary>
    public void LeaveOthers(int cluster, UpstreamServer current)
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            foreach (var link in Session.Links)
            {
                if (link.Cluster == cluster && link.Transport is UpstreamConnection { Server: { } server } connection && server != current)
                {
                    Guarded(connection, static (session, left) => session.LinkDown(left, "the proxy reads this cluster through another server now"));
                    connection.Close();
                    break;
                }
            }
            FlushAll();
        }
    }

    /// <summary>
    /// Moves off a server of a cluster that is none any more. In a mount the link is made anew; at home the client's connection ends as
    /// soon as it waits for nothing, and the client comes back with its session.
    /// </summary>
    /// <param name="cluster">Its ordinal.</param>
    /// <param name="servers">The servers that are to be left.</param>
    public void LeaveGone(int cluster, IReadOnlySet<UpstreamServer> servers)
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            var gone = Session.Links.Select(l => l.Cluster == cluster ? l.Transport as UpstreamConnection : null)
                .FirstOrDefault(c => c?.Server is { } server && servers.Contains(server));
            if (gone is not null && cluster == 0)
            {
                _draining = true;
            }
            else if (gone is not null)
            {
                Guarded(gone, static (session, left) => session.LinkDown(left, "the server is none of its cluster's any more"));
                gone.Close();
            }
            FlushAll();
        }
    }

    /// <summary>Adds the servers to which it is linked, or was last.</summary>
    public void AddServers(HashSet<UpstreamServer> servers)
    {
        lock (Gate)
        {
            servers.UnionWith(Session.Links.Select(l => l.Server).OfType<UpstreamServer>());
        }
    }

    /// <inheritdoc/>
    public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            _trace?.Add(succeeded ? "barrier done" : "barrier failed", _path.Region.ClusterNames[server.Cluster], server.Address);
            Guarded((server, ticket, succeeded), static (session, done) => session.BarrierDone(done.server, done.ticket, done.succeeded));
            FlushAll();
        }
    }

    /// <inheritdoc/>
    public void ServerFailed(UpstreamServer server) => _path.Pools[server.Cluster].Distrust(server);

    /// <inheritdoc/>
    public void FindRecords(HomeSession session) => _ = FindRecordsAsync(session);

    private async Task FindRecordsAsync(HomeSession session)
    {
        await Task.Yield();
        var records = await _path.Records.FindAsync(this, session, _closed!.Token);
        lock (Gate)
        {
            _now = _path.NowMs;
            Guarded(records, static (session, found) => session.RecordsFound(found));
            LeaveRecordsIfClosed();
            FlushAll();
        }
    }

    /// <inheritdoc/>
    public void SaveRecord(HomeSession session, RemoteSessionRecord record) => _lastSave = SaveRecordAsync(_lastSave, session, record);

    /// <summary>One after the other: of two records of a link the younger must be the one that stays.</summary>
    private async Task SaveRecordAsync(Task before, HomeSession session, RemoteSessionRecord record)
    {
        await Task.Yield();
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var saved = await _path.Records.SaveAsync(this, session, record, _closed!.Token);
        lock (Gate)
        {
            _now = _path.NowMs;
            Guarded((record.Cluster, saved), static (session, done) => session.RecordSaved(done.Cluster, done.saved));
            LeaveRecordsIfClosed();
            FlushAll();
        }
    }

    /// <summary>The connection may have ended while its records were read or written.</summary>
    private void LeaveRecordsIfClosed()
    {
        if (_isClosed)
        {
            _path.Records.Ended(this, Session.SessionId, over: false);
        }
    }

    /// <summary>Time has passed.</summary>
    public void Tick()
    {
        lock (Gate)
        {
            _now = _path.NowMs;
            Guarded(static session => session.Tick());
            if (_ended is { } why && !_isClosed && _now - _endedMs > EndedClientMs)
            {
                EndClient($"{why}, and its requests were not answered in time");
            }
            FlushAll();
        }
    }

    // ------------------------------------------------------------ sending

    /// <summary>A peer has something to send when the event is over.</summary>
    public void OnGathered(FramePeer peer) => _dirty.Add(peer);

    /// <summary>Step 6: everything that this event queued leaves, with one call for each side.</summary>
    private void FlushAll()
    {
        if (_flushing)
        {
            // What was sent was taken or answered at once, while it was flushed: the one who flushes sees to what that has changed.
            _flushAgain = true;
            return;
        }
        do
        {
            _flushAgain = false;
            FlushOnce();
        }
        while (_flushAgain);
    }

    private void FlushOnce()
    {
        if (_draining && !_isClosed && !Session.HasOutstanding)
        {
            Session.ClientClosed();
            CloseClient(CloseReason.Draining, "the proxy is shutting down");
        }
        if (_ended is { } why && !_isClosed && !IsOwedReplies)
        {
            EndClient(why);
        }
        if (ClaimedSession == 0 && Session.SessionId != 0 && !_isClosed)
        {
            ClaimedSession = Session.SessionId;
            _path.Claim(this);
        }
        _path.Region.Limits.CountOutstanding(ref _outstanding, Session.OutstandingBytes);
        _meter.End(Session, Time);
        if (_trace is not null && _trace.TryEnd(Session))
        {
            _trace = null;
        }
        FlushPeers();
        if (_ended is { } end && !_isClosed && _client.IsClosed)
        {
            // Nobody reads any more who would learn of it.
            EndClient(end);
            FlushPeers();
        }
        if (_sessionReady is not null || _clientReady is not null)
        {
            Wake();
        }
    }

    private void FlushPeers()
    {
        _flushing = true;
        try
        {
            // By index: what a flush sets off may mark another peer.
            for (var i = 0; i < _dirty.Count; i++)
            {
                var peer = _dirty[i];
                peer.Flush();
                if (peer.Backlog > SlowServerBytes)
                {
                    CountSlowLinks();
                }
            }
            _dirty.Clear();
        }
        finally
        {
            _flushing = false;
        }
    }

    /// <summary>A bug of ours costs one session, never the proxy: better to lose a session than to reorder one.</summary>
    private void Guarded<T>(T argument, Action<FederatedSession, T> work)
    {
        try
        {
            work(Session, argument);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            OnBug(e);
        }
    }

    private void Guarded(Action<FederatedSession> work) => Guarded(work, static (session, run) => run(session));

    private void OnBug(Exception e)
    {
        _path.Traffic.BugFound();
        _path.Log.SessionFailed(e, Address, Session.SessionId);
        Session.ClientClosed();
        CloseClient(CloseReason.UpstreamProtocol, "an internal error");
    }
}
