using System.Buffers.Binary;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>Where a link stands.</summary>
public enum LinkPhase
{
    /// <summary>Not connected, and not trying to.</summary>
    Closed,
    /// <summary>The host is connecting.</summary>
    Connecting,
    /// <summary>Connected; the server has not answered the connect request yet.</summary>
    Handshaking,
    /// <summary>Requests can be sent.</summary>
    Ready,
}

/// <summary>
/// One client session's connection to one cluster, across the connections that carry it one after the other. Owned by its
/// <see cref="FederatedSession"/>, which alone changes it.
/// </summary>
public sealed class SessionLink
{
    /// <summary>Path bytes of one setWatches, far below what servers take; the Java client splits at the same.</summary>
    private const int SetWatchesBytes = 128 * 1024;

    internal SessionLink(int cluster) => Cluster = cluster;

    /// <summary>Ordinal of the cluster; 0 is home.</summary>
    public int Cluster { get; }

    /// <summary>Whether it is the client's own session, at home.</summary>
    public bool IsHome => Cluster == 0;

    /// <summary>Where it stands.</summary>
    public LinkPhase Phase { get; internal set; }

    /// <summary>The server in use; null until one is connected.</summary>
    public UpstreamServer? Server { get; internal set; }

    /// <summary>The session in that cluster; 0 until there is one. At home it is the client's own.</summary>
    public long SessionId { get; internal set; }

    /// <summary>The largest zxid that this cluster has shown this client: a server that is behind it must not serve the client.</summary>
    public long LastZxid { get; internal set; }

    /// <summary>The connection that carries the link now; null while there is none.</summary>
    public ILinkConnection? Transport => Connection;

    internal byte[] Password { get; set; } = [];
    internal ILinkConnection? Connection { get; set; }
    internal Ring<SentRequest> Pending { get; } = new();

    /// <summary>What reads under way ask for; null where none of them is kept.</summary>
    internal AskedPaths? Asked { get; set; }

    /// <summary>Requests of the client that this link has not answered.</summary>
    internal int Outstanding { get; set; }

    /// <summary>Of those, the ones that went through a strict mount.</summary>
    internal int StrictOutstanding { get; set; }

    /// <summary>Replies and events that must wait for what was asked elsewhere before.</summary>
    internal ReplyLane? Queued;

    /// <summary>What the client has in the cluster.</summary>
    internal LinkBook Book;

    /// <summary>Whether its session there is on record at home.</summary>
    internal RemoteRecord Record;

    internal long LastSentMs { get; set; }
    internal long LastHeardMs { get; set; }
    internal long PingSentMs { get; set; }

    /// <summary>Since when an answer has been due; 0 where none is.</summary>
    internal long WaitingSinceMs { get; set; }
    internal long RetryAtMs { get; set; }
    internal int Failures { get; set; }
    internal int TimeoutMs { get; set; }

    /// <summary>True after an event that did not tell its zxid, until a reply of the same server does.</summary>
    internal bool HasUnplacedEvent { get; set; }

    /// <summary>Whether its server is known not to know what came with 3.6.</summary>
    internal bool IsOld(long nowMs) => Server?.IsOld(nowMs) == true;

    /// <summary>A reply or an event has shown where its server stands, and what it does not know.</summary>
    /// <param name="header">Its header; a zxid of 0 or less tells nothing.</param>
    /// <param name="region">Takes note of the zxid too.</param>
    /// <param name="nowMs">The time.</param>
    internal void Shown(in ReplyHeader header, Region region, long nowMs)
    {
        // A server of today that has no TTL znodes says so in the same words, in its turn, and stays.
        if (header.Error == ErrorCode.Unimplemented && !IsHome
            && (IsNext(header.Xid) ? Pending.Peek().Op.IsSince36() : Pending.Any(static (ref request) => request.Op.IsSince36())))
        {
            // It closes now. When the client is back it is not asked again.
            Server!.KnowsLess(nowMs);
        }
        if (header.Zxid <= 0)
        {
            return;
        }
        LastZxid = Math.Max(LastZxid, header.Zxid);
        region.Learn(Server!, header.Zxid);
    }

    /// <summary>The connection could not be made, or was lost: the next is tried later, the more often it failed.</summary>
    internal void BackOff(long nowMs)
    {
        Failures++;
        RetryAtMs = nowMs + Math.Min(1000, 100L << Math.Min(Failures, 6));
    }

    /// <summary>Whether the server has taken the connection and not answered the connect request.</summary>
    internal bool IsSilentHandshake(long nowMs, long limitMs) => Phase == LinkPhase.Handshaking && nowMs - LastHeardMs > limitMs;

    /// <summary>Whether the server owes an answer for longer than a time.</summary>
    internal bool IsSilent(long nowMs, long limitMs) => Phase == LinkPhase.Ready && WaitingSinceMs > 0
        && (Pending.Count > 0 || PingSentMs > 0) && nowMs - WaitingSinceMs > limitMs;

    /// <summary>Something has come from the server, if only a part of a long reply: it is not silent.</summary>
    public void Heard(long nowMs)
    {
        LastHeardMs = nowMs;
        WaitingSinceMs = Pending.Count > 0 ? nowMs : 0;
    }

    /// <summary>Nobody listens to the server now: it owes an answer from now on, and no longer.</summary>
    internal void Excuse(long nowMs)
    {
        LastHeardMs = nowMs;
        WaitingSinceMs = WaitingSinceMs > 0 ? nowMs : 0;
    }

    /// <summary>Whether a link that is down may be tried again.</summary>
    internal bool MayReopen(long nowMs) => Phase == LinkPhase.Closed && nowMs >= RetryAtMs;

    /// <summary>What a server of a remote cluster is asked when it has taken the connection.</summary>
    /// <param name="seen">What the proxy has seen of that server: if it has fallen behind, it refuses by itself.</param>
    /// <param name="timeoutMs">The timeout of the client's session.</param>
    internal ConnectRequest RequestTo(long seen, int timeoutMs) =>
        new(0, Math.Max(LastZxid, seen), timeoutMs, SessionId, SessionId == 0 ? new byte[SessionPassword.Length] : Password, false);

    /// <summary>Another proxy has opened this session: it is gone on with.</summary>
    internal void TakeOver(RemoteSessionRecord record)
    {
        SessionId = record.SessionId;
        Password = record.Password;
        Record.Found(record.Strict);
        // What it owns there is asked for as soon as the link is up.
        Book.TakeOver(record.Strict);
    }

    /// <summary>Asks the server that has taken the connection to let the session in.</summary>
    internal void Ask(ConnectRequest request, long nowMs)
    {
        LastHeardMs = nowMs;
        var writer = ScratchWriter.Empty();
        request.WriteFrame(writer);
        Send(writer.Written, nowMs);
    }

    /// <summary>The server has let the session in.</summary>
    internal void Accepted(ConnectResponse response)
    {
        if (response.SessionId != SessionId)
        {
            Book.SessionEnded();
            Record.SessionEnded();
        }
        SessionId = response.SessionId;
        Password = response.Password;
        TimeoutMs = response.TimeoutMs;
        Failures = 0;
        Phase = LinkPhase.Ready;
    }

    /// <summary>The server says that the session has ended: the next connection begins a new one.</summary>
    internal void SessionEnded()
    {
        SessionId = 0;
        Book.SessionEnded();
        Record.SessionEnded();
        Connection?.Close();
        Connection = null;
        Phase = LinkPhase.Closed;
    }

    /// <summary>The connection could not be made, or has been lost.</summary>
    /// <returns>Where the link stood.</returns>
    internal LinkPhase Lost()
    {
        var phase = Phase;
        Connection = null;
        Phase = LinkPhase.Closed;
        PingSentMs = 0;
        return phase;
    }

    /// <summary>Arms again what the client watches here.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="mounts">The mounts in use.</param>
    internal void ArmWatches(long nowMs, MountTable mounts)
    {
        if (Book is { HasWatches: true, Watches: { } watches })
        {
            var since = Book.WatchesUnarmed ? 0 : LastZxid;
            var armed = watches.ToRequest(since, local => mounts.Find(local)?.ToRemote(local) ?? local);
            SetWatches(nowMs, armed, PendingKind.Own, static () => { });
        }
    }

    /// <summary>Finds out what a session that was taken over owns: by that it is decided what the loss of the link means.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="mounts">The mounts that are in use when the answer comes.</param>
    internal void AskWhatItOwns(long nowMs, Func<MountTable> mounts) =>
        Ask(nowMs, 0, OpCode.GetEphemerals, PendingKind.Own, static writer => writer.WriteString("/"), (header, body) =>
        {
            if (header.Error != ErrorCode.Ok)
            {
                // What the record tells stands, as it does where servers can't say.
                return;
            }
            var reader = new JuteReader(body.Span);
            Book.Complete(reader.ReadStrings(), Cluster, mounts(), Pending);
        });

    /// <summary>Remembers a request of the client that is sent next.</summary>
    /// <param name="place">Its place in the order of the client's replies.</param>
    /// <param name="xid">The client's xid.</param>
    /// <param name="op">The operation, as it is sent.</param>
    /// <param name="kind">How its reply is treated.</param>
    internal ref SentRequest Enqueue(long place, int xid, OpCode op, PendingKind kind)
    {
        ref var pending = ref Pending.Enqueue();
        pending.Place = place;
        pending.Xid = xid;
        pending.Op = op;
        pending.Kind = kind;
        Outstanding++;
        return ref pending;
    }

    /// <summary>Keeps what a read asks for until it is answered.</summary>
    internal void Keep(ref SentRequest pending, ReadOnlySpan<byte> frame)
    {
        if (AskedPaths.TryCut(pending.Op, ref frame))
        {
            pending.IsKept = (Asked ??= new AskedPaths()).TryAdd(frame);
        }
    }

    /// <summary>Sends a whole frame.</summary>
    internal void Send(ReadOnlySpan<byte> frame, long nowMs)
    {
        LastSentMs = nowMs;
        if (WaitingSinceMs == 0)
        {
            WaitingSinceMs = nowMs;
        }
        Connection!.Send(frame);
    }

    /// <summary>Sends a request of the client, whose xid may be one by which servers and proxy know events and pings.</summary>
    internal void SendRequest(ReadOnlySpan<byte> frame, long nowMs)
    {
        var xid = BinaryPrimitives.ReadInt32BigEndian(frame[Framing.PrefixLength..]);
        if (UpstreamXid(xid) == xid)
        {
            Send(frame, nowMs);
            return;
        }
        var copy = frame.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(copy.AsSpan(Framing.PrefixLength), UpstreamXid(xid));
        Send(copy, nowMs);
    }

    /// <summary>Sends a request of the proxy's own, or one part of a request that is carried out in several clusters.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="xid">Its xid.</param>
    /// <param name="op">What it asks for.</param>
    /// <param name="kind">Which of the two it is.</param>
    /// <param name="body">Writes what follows the header.</param>
    /// <param name="then">Gets the reply, with the error ConnectionLoss if the link is lost first.</param>
    internal void Ask(long nowMs, int xid, OpCode op, PendingKind kind, Action<JuteWriter> body, Action<ReplyHeader, ReadOnlyMemory<byte>> then)
    {
        var writer = ScratchWriter.Empty();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        ref var pending = ref Pending.Enqueue();
        pending.Place = ReplyOrder.Unasked;
        pending.Xid = xid;
        pending.Op = op;
        pending.Kind = kind;
        pending.Then = then;
        Send(writer.Written, nowMs);
    }

    /// <summary>Arms watches, in requests of a size that servers take; <paramref name="then"/> is called as each is answered.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="request">The watches, in the cluster's own terms.</param>
    /// <param name="kind">Whether it is part of a request of the client.</param>
    /// <param name="then">Called for each.</param>
    /// <returns>How many requests it took.</returns>
    internal int SetWatches(long nowMs, SetWatchesRequest request, PendingKind kind, Action then)
    {
        var batches = request.Split(SetWatchesBytes);
        for (var i = 0; i < batches.Count; i++)
        {
            var batch = batches[i];
            var last = i == batches.Count - 1;
            var op = batch.Persistent.Length + batch.PersistentRecursive.Length > 0 && !IsOld(nowMs)
                ? OpCode.SetWatches2 : OpCode.SetWatches;
            Ask(nowMs, Xids.SetWatches, op, kind, writer => batch.Write(writer, op), (header, _) =>
            {
                Book.WatchesUnarmed &= !last || header.Error != ErrorCode.Ok;
                then();
            });
        }
        return batches.Count;
    }

    /// <summary>Tells the server that the client lives.</summary>
    internal void Ping(long nowMs)
    {
        if (PingSentMs == 0)
        {
            PingSentMs = Math.Max(1, nowMs);
        }
        Send(ScratchWriter.Request(Xids.Ping, OpCode.Ping), nowMs);
    }

    /// <summary>
    /// Whether a reply answers the oldest request: replies are matched by their order, and the client's own xid comes back.
    /// </summary>
    internal bool IsNext(int xid) => Pending.Count > 0 && UpstreamXid(Pending.Peek().Xid) == xid;

    /// <summary>
    /// The connection is lost: takes the next request of the client out of what was unanswered. The proxy's own that come before it are
    /// told so.
    /// </summary>
    internal bool TryTakeLost(out SentRequest pending)
    {
        Asked = null;
        while (Pending.Count > 0)
        {
            pending = Pending.Peek();
            Pending.Dequeue();
            if (pending.Covers is { } ticket)
            {
                Server!.EndWrite(ticket, succeeded: false);
            }
            if (pending.Then is { } then)
            {
                then(new ReplyHeader(pending.Xid, 0, ErrorCode.ConnectionLoss), default);
                continue;
            }
            Outstanding--;
            return true;
        }
        pending = default;
        return false;
    }

    /// <summary>The client's connection is over, and with it the link.</summary>
    /// <param name="region">Forgets a remote session that has ended with it, and learns which requests it will not hear the end of.</param>
    /// <param name="nowMs">The time.</param>
    internal void End(Region region, long nowMs)
    {
        while (Server is not null && Pending.Count > 0)
        {
            if (Pending.Peek().Covers is { } ticket)
            {
                Server.EndWrite(ticket, succeeded: false);
            }
            if (IsHome && Pending.Peek().Op.FiresNoWatch())
            {
                region.Positions.UnwatchableLost(nowMs + (2L * TimeoutMs));
            }
            Pending.Dequeue();
        }
        if (Connection is not { } connection)
        {
            return;
        }
        if (!IsHome && Phase == LinkPhase.Ready && Record.IsNone)
        {
            // Nothing hangs on this remote session, and no other proxy can go on with it: end it rather than let it expire.
            connection.Send(ScratchWriter.Request(0, OpCode.CloseSession));
        }
        if (!IsHome && Record.IsNone)
        {
            // One on record is forgotten when its record goes.
            region.Owners.Remove(Cluster, SessionId);
        }
        Connection = null;
        connection.Close();
    }

    /// <summary>The xid under which a server gets a request.</summary>
    private static int UpstreamXid(int xid) => xid is Xids.Notification or Xids.Ping ? 0 : xid;
}

/// <summary>A client's session in a remote cluster, as it is put on record: another proxy can go on with it.</summary>
/// <param name="Cluster">Ordinal of the cluster.</param>
/// <param name="SessionId">The session there.</param>
/// <param name="Password">Its password.</param>
/// <param name="Strict">Whether the client must not be connected without it.</param>
public sealed record RemoteSessionRecord(int Cluster, long SessionId, byte[] Password, bool Strict);
