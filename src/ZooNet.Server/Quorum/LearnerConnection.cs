using System.Buffers.Binary;
using System.Text;
using ZooNet.Protocol;
using ZooNet.Server.Cluster;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Quorum;

/// <summary>
/// A connection to a real ensemble's leader, from the first packet to the last (source: <c>Learner</c>, <c>Observer</c> of ZooKeeper). It
/// brings its observer up to date, hands it every transaction in order, and carries its clients' requests.
/// </summary>
/// <remarks>
/// The observer serves again only when a session of the learner's own, created on this connection, has come back as a transaction: that
/// was voted on, so everything that any server has ever shown is before it.
/// </remarks>
internal sealed class LearnerConnection : ILeader, IAsyncDisposable
{
    /// <summary>The xid of requests that the learner makes for itself.</summary>
    private const int OwnXid = int.MinValue;

    /// <summary>How long the learner's own session lives after the learner was lost, in milliseconds.</summary>
    private const int OwnTimeoutMs = 30_000;

    /// <summary>A check of "/" at any version: changes nothing, and is voted on.</summary>
    private static readonly byte[] Nothing = EmptyMulti();

    private readonly QuorumStream _stream;
    private readonly Observer _observer;
    private readonly TimeSpan _silence;
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Queue<WaitingRequest>> _waiting = [];
    private readonly Queue<WaitingRequest?> _syncs = new();
    private readonly Dictionary<long, List<Revalidation>> _revalidations = [];
    private readonly Dictionary<long, int> _touched = [];
    private readonly Queue<(TxnHeader Header, Txn Txn, TxnDigest? Digest)> _proposals = new();
    private readonly List<Commit> _batch = [];
    private long _serverId;
    private long _ownSession;
    private bool _isCurrent;

    /// <summary>Takes over a stream to somebody who may be a leader.</summary>
    /// <param name="stream">The connection; TLS and SASL are done.</param>
    /// <param name="address">For people.</param>
    /// <param name="observer">What follows.</param>
    /// <param name="silence">How long a leader may be silent before it counts as lost; leaders ping twice per tick.</param>
    public LearnerConnection(Stream stream, string address, Observer observer, TimeSpan silence)
    {
        _stream = new QuorumStream(stream);
        _observer = observer;
        _silence = silence;
        Address = address;
    }

    /// <summary>Whom it is connected to.</summary>
    public string Address { get; }

    /// <summary>The epoch that the leader leads; 0 before it has said so.</summary>
    public long Epoch { get; private set; }

    /// <summary>Where it stands.</summary>
    public LearnerState State { get; private set; } = LearnerState.Looking;

    /// <summary>Raised before the observer serves again if it is behind what it had shown before.</summary>
    public event Action? WentBack;

    /// <summary>Raised when <see cref="State"/> has changed.</summary>
    public event Action<LearnerState>? Changed;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    // ---------------------------------------------------------------- what the observer asks

    /// <inheritdoc/>
    public void Submit(WaitingRequest request)
    {
        var session = request.Connection.SessionId;
        var packet = LearnerMessages.Request(session, request.Header.Xid, request.Header.Op, request.Body);
        lock (_lock)
        {
            if (request.Header.Op == OpCode.Sync)
            {
                _syncs.Enqueue(request);
            }
            else
            {
                WaitFor(session, request);
            }
            _stream.Send(packet, request.Identities);
        }
    }

    /// <inheritdoc/>
    public void CreateSession(WaitingRequest request, long sessionId, int timeoutMs)
    {
        lock (_lock)
        {
            WaitFor(sessionId, request);
            _stream.Send(LearnerMessages.CreateSession(sessionId, timeoutMs), []);
        }
    }

    /// <inheritdoc/>
    public void Revalidate(long sessionId, int timeoutMs, Action<bool> answer)
    {
        lock (_lock)
        {
            if (!_revalidations.TryGetValue(sessionId, out var asked))
            {
                _revalidations[sessionId] = asked = [];
            }
            asked.Add(new Revalidation(answer));
            _stream.Send(LearnerMessages.Revalidate(sessionId, timeoutMs));
        }
    }

    /// <inheritdoc/>
    public void Touch(IReadOnlyCollection<KeyValuePair<long, int>> sessions)
    {
        lock (_lock)
        {
            foreach (var (id, timeout) in sessions)
            {
                _touched[id] = timeout;
            }
        }
    }

    // ---------------------------------------------------------------- the handshake

    /// <summary>Introduces itself, and agrees on the epoch.</summary>
    /// <param name="serverId">The learner's number in the ensemble (sid). It must not be a voter's: a leader would count its word as a
    /// vote.</param>
    /// <param name="acceptedEpoch">The newest epoch that the learner has accepted from any leader.</param>
    /// <exception cref="LearnerException">The other side is no leader that can be followed.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task HandshakeAsync(long serverId, long acceptedEpoch, CancellationToken cancellationToken)
    {
        _serverId = serverId;
        _stream.Send(LearnerMessages.ObserverInfo(serverId, acceptedEpoch, configVersion: 0));
        var info = await FirstAsync(cancellationToken).ConfigureAwait(false);
        Epoch = info.Zxid >>> 32;
        if (info.Data is not { Length: >= 4 } || BinaryPrimitives.ReadInt32BigEndian(info.Data) < LearnerMessages.ProtocolVersion)
        {
            throw new LearnerException($"{Address} speaks a version of the quorum protocol from before ZooKeeper 3.4");
        }
        if (Epoch < acceptedEpoch)
        {
            ThrowIfFromDisk();
            throw new LearnerException($"{Address} leads epoch {Epoch}, but the ensemble has had epoch {acceptedEpoch}: it is a leader of the past, or another ensemble");
        }
        Enter(LearnerState.Handshake);
        var last = _observer.Tree.LastZxid;
        _stream.Send(LearnerMessages.AckEpoch(last, Epoch == acceptedEpoch ? -1 : (int)(last >>> 32)));
    }

    /// <summary>
    /// A leader counts the word of a learner with a voter's number as that voter's. From 3.5 on it tells the configuration before the first
    /// such word.
    /// </summary>
    private void CheckNumber(byte[]? configuration)
    {
        var name = $"server.{_serverId}=";
        foreach (var line in Encoding.UTF8.GetString(configuration ?? []).Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && !line.Contains(":observer", StringComparison.Ordinal))
            {
                throw new LearnerException($"the number {_serverId} is taken: the ensemble of {Address} has a voter {line}; "
                    + "give the observer a 'sid' that no server there has");
            }
        }
    }

    private async Task<QuorumPacket> FirstAsync(CancellationToken cancellationToken)
    {
        try
        {
            var packet = await ReadAsync(cancellationToken).ConfigureAwait(false);
            return packet.Type == QuorumPacketType.LeaderInfo ? packet
                : throw new LearnerException($"{Address} does not answer as a ZooKeeper leader does: is it the quorum port (2888 in server.N=host:2888:3888)?");
        }
        catch (InvalidDataException e)
        {
            throw new LearnerException($"{Address} does not answer as a ZooKeeper leader does ({e.Message}): is it the quorum port (2888 in server.N=host:2888:3888)?", e);
        }
        catch (EndOfStreamException e)
        {
            throw new LearnerException($"{Address} closed the connection at the first word: is it the quorum port (2888 in server.N=host:2888:3888), and does it ask for TLS or SASL?", e);
        }
    }

    // ---------------------------------------------------------------- following

    /// <summary>
    /// Brings the observer up to date and follows until the connection ends; never returns otherwise than by an exception.
    /// </summary>
    /// <exception cref="LearnerException">The ensemble has lost what this replica has.</exception>
    /// <exception cref="DivergenceException">The replica is not what the leader is.</exception>
    /// <exception cref="InvalidDataException">The leader sent what can't be read.</exception>
    /// <exception cref="IOException">The connection ended.</exception>
    public async Task FollowAsync(CancellationToken cancellationToken)
    {
        await BringUpToDateAsync(cancellationToken).ConfigureAwait(false);
        Enter(LearnerState.CatchingUp);
        if (_observer.Omissions.ServesAtOnce)
        {
            Enter(LearnerState.Following);
            _observer.Serve();
        }
        _ownSession = _observer.NewSessionId();
        _stream.Send(LearnerMessages.CreateSession(_ownSession, OwnTimeoutMs), []);
        while (true)
        {
            var packet = await ReadAsync(cancellationToken).ConfigureAwait(false);
            var more = true;
            while (more)
            {
                await HandleAsync(packet, cancellationToken).ConfigureAwait(false);
                more = _stream.TryTake(out packet);
            }
            Deliver();
        }
    }

    /// <summary>Takes the leader's state, up to the point at which the leader says that this is all.</summary>
    /// <inheritdoc cref="FollowAsync" path="/exception"/>
    public async Task BringUpToDateAsync(CancellationToken cancellationToken)
    {
        var first = await ReadAsync(cancellationToken).ConfigureAwait(false);
        switch (first.Type)
        {
            case QuorumPacketType.Diff:
                Enter(LearnerState.Diff);
                break;
            case QuorumPacketType.Snap:
                Enter(LearnerState.Snapshot);
                _observer.Forget();
                try
                {
                    await new SnapshotReader(_stream, _observer.Tree).ReadAsync(cancellationToken).ConfigureAwait(false);
                }
                catch
                {
                    // Half a state is none.
                    _observer.Forget();
                    throw;
                }
                _observer.Tree.LastZxid = first.Zxid;
                break;
            case QuorumPacketType.Trunc:
                // What it has shown, the ensemble has lost. It begins anew, and whoever has seen more is turned away by its zxid.
                ThrowIfFromDisk();
                var ahead = _observer.Tree.LastZxid;
                _observer.Forget();
                throw new LearnerException($"the ensemble has lost what it had committed: {Address} is at 0x{first.Zxid:x}, this replica at 0x{ahead:x}. The replica is thrown away");
            default:
                throw new LearnerException($"{Address} sent packet {(int)first.Type} where a DIFF, SNAP or TRUNC was due");
        }
        while (!_isCurrent)
        {
            await HandleAsync(await ReadAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            Deliver();
        }
    }

    private ValueTask HandleAsync(in QuorumPacket packet, CancellationToken cancellationToken)
    {
        switch (packet.Type)
        {
            case QuorumPacketType.Inform:
                Take(packet.Data, 0);
                break;
            case QuorumPacketType.InformAndActivate:
                // In front is the leader that the reconfiguration suggests.
                Take(packet.Data, sizeof(long));
                break;
            case QuorumPacketType.Proposal:
                _proposals.Enqueue((Read(packet.Data, 0, out var txn, out var digest), txn, digest));
                break;
            case QuorumPacketType.Commit or QuorumPacketType.CommitAndActivate:
                // Proposals that were not committed when the learner joined are committed by an inform of their own.
                while (_proposals.TryDequeue(out var proposal))
                {
                    if (proposal.Header.Zxid == packet.Zxid)
                    {
                        Take(proposal.Header, proposal.Txn, proposal.Digest);
                        break;
                    }
                }
                break;
            case QuorumPacketType.Ping:
                Pong(packet);
                break;
            case QuorumPacketType.Sync:
                Synced();
                break;
            case QuorumPacketType.Revalidate:
                Revalidated(packet);
                break;
            case QuorumPacketType.NewLeader:
                CheckNumber(packet.Data);
                _stream.Send(new QuorumPacket(QuorumPacketType.Ack, packet.Zxid));
                break;
            case QuorumPacketType.UpToDate:
                _isCurrent = true;
                Deliver();
                ThrowIfFromDisk();
                if (_observer.Tree.Roots is null)
                {
                    _observer.CheckDigests();
                }
                _stream.Send(new QuorumPacket(QuorumPacketType.Ack, Epoch << 32));
                break;
            default:
                throw new InvalidDataException($"{Address} sent packet {(int)packet.Type}, which is not for an observer");
        }
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.CompletedTask;
    }

    /// <summary>The leader has not sent what would show that the state from disk is its own.</summary>
    private void ThrowIfFromDisk()
    {
        if (_observer.Awaits is { } awaited)
        {
            throw new ForeignHistoryException(awaited.Zxid);
        }
    }

    private static TxnHeader Read(byte[]? data, int offset, out Txn txn, out TxnDigest? digest)
    {
        if (data is null || data.Length < offset)
        {
            throw new InvalidDataException("a transaction without data");
        }
        txn = TxnReader.Read(data.AsSpan(offset), out var header, out digest);
        return header;
    }

    private void Take(byte[]? data, int offset) => Take(Read(data, offset, out var txn, out var digest), txn, digest);

    private void Take(in TxnHeader header, Txn txn, TxnDigest? digest)
    {
        if (_observer.Awaits is not null)
        {
            _observer.Expect(header);
        }
        if (header.SessionId == _ownSession && txn is CreateSessionTxn)
        {
            Deliver();
            _observer.Receive([new Commit(header, txn, null, Known(digest))]);
            Enter(LearnerState.Following);
            if (_observer.HasGoneBack && !_observer.Omissions.TellsNobodyOfGoingBack)
            {
                WentBack?.Invoke();
            }
            _observer.Serve();
            return;
        }
        WaitingRequest? origin = null;
        lock (_lock)
        {
            if (_waiting.TryGetValue(header.SessionId, out var queue) && Answers(queue.Peek(), header, txn))
            {
                origin = queue.Dequeue();
                if (queue.Count == 0)
                {
                    _waiting.Remove(header.SessionId);
                }
            }
        }
        _batch.Add(new Commit(header, txn, origin, Known(digest)));
        if (header.Xid == OwnXid)
        {
            Fenced(header.SessionId);
        }
    }

    private static long? Known(TxnDigest? digest) => digest is { Version: TreeDigest.Version } known ? known.Value : null;

    /// <summary>Hands over what was collected.</summary>
    private void Deliver()
    {
        if (_batch.Count > 0)
        {
            _observer.Receive(_batch);
            _batch.Clear();
        }
    }

    /// <summary>
    /// Is a transaction the answer to the oldest request of its session? Its session and xid say so, and its kind: a leader also ends
    /// sessions by itself.
    /// </summary>
    private static bool Answers(WaitingRequest request, in TxnHeader header, Txn txn) => request.Header.Op == OpCode.CreateSession
        ? txn is CreateSessionTxn
        : request.Header.Xid == header.Xid && (txn is ErrorTxn || txn.Type == request.Header.Op || (txn is SetDataTxn && request.Header.Op == OpCode.Reconfig));

    private void WaitFor(long session, WaitingRequest request)
    {
        if (!_waiting.TryGetValue(session, out var queue))
        {
            _waiting[session] = queue = new Queue<WaitingRequest>();
        }
        queue.Enqueue(request);
    }

    private void Synced()
    {
        WaitingRequest? request;
        lock (_lock)
        {
            if (!_syncs.TryDequeue(out request))
            {
                throw new InvalidDataException($"{Address} answered a sync that nobody asked for");
            }
        }
        if (request is not null)
        {
            _batch.Add(new Commit(default, null, request));
        }
    }

    private void Pong(in QuorumPacket ping)
    {
        KeyValuePair<long, int>[] touched;
        lock (_lock)
        {
            if (_ownSession != 0)
            {
                _touched[_ownSession] = OwnTimeoutMs;
            }
            touched = [.. _touched];
            _touched.Clear();
        }
        _stream.Send(LearnerMessages.Pong(ping, touched));
    }

    // ---------------------------------------------------------------- sessions that come from elsewhere

    /// <summary>
    /// The leader has said whether a session lives. Requests that the client sent through another server may have been taken before, and
    /// their transactions, under xids that the client uses again, are still to come. So its next requests wait for a vote of nothing, in
    /// its own name: what comes behind that is answered here.
    /// </summary>
    private void Revalidated(in QuorumPacket packet)
    {
        var (session, valid) = LearnerMessages.ReadRevalidated(packet);
        Revalidation? answered = null;
        lock (_lock)
        {
            var asked = _revalidations.GetValueOrDefault(session)?.Find(r => !r.IsValid);
            if (asked is null)
            {
                return;
            }
            if (valid)
            {
                asked.IsValid = true;
                _stream.Send(LearnerMessages.Request(session, OwnXid, OpCode.Multi, Nothing), []);
            }
            else
            {
                answered = asked;
                Forget(session, asked);
            }
        }
        answered?.Answer(false);
    }

    private void Fenced(long session)
    {
        Revalidation? fenced;
        lock (_lock)
        {
            fenced = _revalidations.GetValueOrDefault(session)?.Find(r => r.IsValid);
            if (fenced is not null)
            {
                Forget(session, fenced);
            }
        }
        if (fenced is not null)
        {
            // The vote itself shows whether the session has ended or moved meanwhile.
            var lives = _batch[^1].Txn is not ErrorTxn;
            Deliver();
            fenced.Answer(lives);
        }
    }

    private void Forget(long session, Revalidation revalidation)
    {
        var asked = _revalidations[session];
        asked.Remove(revalidation);
        if (asked.Count == 0)
        {
            _revalidations.Remove(session);
        }
    }

    private async ValueTask<QuorumPacket> ReadAsync(CancellationToken cancellationToken)
    {
        if (_stream.TryTake(out var packet))
        {
            return packet;
        }
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var timer = _observer.Options.Time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limit, _silence, Timeout.InfiniteTimeSpan);
        try
        {
            return await _stream.ReadAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LearnerException($"{Address} has been silent for {_silence.TotalSeconds:0.#} s");
        }
    }

    private void Enter(LearnerState state)
    {
        State = state;
        Changed?.Invoke(state);
    }

    private static byte[] EmptyMulti()
    {
        var writer = new JuteWriter(16);
        MultiHeader.End.Write(writer);
        return writer.Written.ToArray();
    }

    /// <summary>A session that a client brings along.</summary>
    private sealed class Revalidation(Action<bool> answer)
    {
        public Action<bool> Answer => answer;

        /// <summary>True once the leader has made it this learner's.</summary>
        public bool IsValid { get; set; }
    }
}
