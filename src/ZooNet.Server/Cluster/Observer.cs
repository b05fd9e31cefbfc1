using System.Net;
using ZooNet.Protocol;
using ZooNet.Server.Connections;
using ZooNet.Server.Persistence;
using ZooNet.Server.Quorum;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Cluster;

/// <summary>
/// A replica that learns the leader's transactions late, in order, and serves reads from what it has learnt. Writes, syncs and
/// sessions go to the leader and are answered when the leader's answer has come back behind all that was committed before it;
/// the same session's later requests wait behind them, other sessions' reads don't: as at a real observer.
/// </summary>
internal sealed class Observer : Replica, IDisposable
{
    /// <summary>A connection with this many requests waiting is not read further: ZooKeeper's <c>globalOutstandingLimit</c>.</summary>
    private const int WaitingLimit = 1000;

    /// <summary>What may come while another snapshot is taken, in bytes of data; beyond, that is given up.</summary>
    private const long MostRecorded = 256 << 20;

    private readonly ITimer _ticker;
    private readonly Dictionary<long, int> _touched = [];
    private ILeader? _leader;
    private long _nextSessionId;
    private bool _isServing;
    private long _shown;
    private List<Commit>? _recorded;
    private long _recordedBytes;
    private (long Zxid, TaskCompletionSource Reached)? _awaited;
    private (long Before, TxnHeader Header)? _last;
    private readonly HashSet<KeyValuePair<long, int>> _everTouched = [];

    public Observer(EmbeddedServerOptions options)
        : base(options)
    {
        _nextSessionId = Server.Leader.FirstSessionId(options.ServerId, NowMs);
        _ticker = options.Time.CreateTimer(_ => Tick(), null, options.Tick / 2, options.Tick / 2);
    }

    /// <summary>Whom it follows. Set before the first client is served.</summary>
    public ILeader Leader
    {
        get => _leader ?? throw new InvalidOperationException("The observer has no leader yet.");
        set => _leader = value;
    }

    /// <inheritdoc/>
    public override IPAddress? ClientsComeFrom => ForwardedFrom;

    /// <summary>The address that its clients have for ACLs; null for their own.</summary>
    public IPAddress? ForwardedFrom { get; set; }

    /// <inheritdoc/>
    public override TransactionLog? Log => null;

    /// <inheritdoc/>
    public override string Mode => "observer";

    /// <inheritdoc/>
    public override bool IsServing => _isServing;

    /// <summary>What is left out of the rules; nothing but in tests.</summary>
    public LearnerOmissions Omissions { get; init; } = LearnerOmissions.None;

    /// <summary>
    /// The transaction that the leader must send first, to show that a state from disk is of its own history; null where that is settled.
    /// </summary>
    public TxnHeader? Awaits { get; private set; }

    /// <summary>Takes over the leader's state, and serves from then on. Under the leader's gate.</summary>
    public void Synchronise(DataTree source)
    {
        lock (Gate)
        {
            Tree.CopyFrom(source);
            _isServing = true;
        }
    }

    /// <summary>After how many transactions the tree was compared with the leader's. Under the gate.</summary>
    public long DigestsCompared { get; private set; }

    /// <summary>Whether it is behind what it had shown before it lost its leader.</summary>
    public bool HasGoneBack
    {
        get
        {
            lock (Gate)
            {
                return Tree.LastZxid < _shown;
            }
        }
    }

    /// <summary>It has caught up with its leader: clients may come.</summary>
    public void Serve()
    {
        lock (Gate)
        {
            _isServing = true;
        }
    }

    /// <summary>
    /// The leader is lost: clients are closed and turned away until <see cref="Serve"/>. What waited for it is never answered.
    /// </summary>
    public void StopServing()
    {
        lock (Gate)
        {
            if (_isServing)
            {
                _shown = Tree.LastZxid;
            }
            _touched.Clear();
            _recorded = null;
            _awaited?.Reached.TrySetResult();
            if (Omissions.AnswersWithoutLeader)
            {
                return;
            }
            _isServing = false;
        }
        CloseConnections();
    }

    /// <summary>
    /// Whether the tree is the leader's is checked after each transaction from now on. The tree is exactly the leader's at this moment.
    /// </summary>
    public void CheckDigests()
    {
        lock (Gate)
        {
            if (Tree.Digest is null)
            {
                Tree.KeepDigest();
            }
        }
    }

    /// <summary>Forgets the whole state. Nobody is served.</summary>
    public void Forget()
    {
        lock (Gate)
        {
            Tree.Clear();
            Tree.LastZxid = 0;
            (_last, Awaits) = (null, null);
        }
    }

    /// <summary>
    /// Goes on from a state of the past. The leader sends its last transaction once more, which changes nothing, and whether it is the same
    /// one says whether it is the same history. Nobody is served yet.
    /// </summary>
    public void Restore(DataTree state, in ReplicaPosition position)
    {
        lock (Gate)
        {
            Tree.Adopt(state);
            Tree.LastZxid = position.Before;
            Awaits = Omissions.TrustsTheDisk ? null : position.Last;
        }
    }

    /// <summary>A transaction is about to be applied.</summary>
    /// <exception cref="ForeignHistoryException">It is not the one that must come first.</exception>
    public void Expect(in TxnHeader next)
    {
        lock (Gate)
        {
            if (Awaits is { } awaited && awaited != next)
            {
                throw new ForeignHistoryException(awaited.Zxid);
            }
            Awaits = null;
        }
    }

    /// <summary>
    /// Copies the state, to be kept on disk; null where there is none that a restart could go on from, or that is on disk already.
    /// </summary>
    /// <param name="acceptedEpoch">Is kept with it.</param>
    /// <param name="savedZxid">The last transaction of the state that is on disk; 0 for none.</param>
    /// <param name="zxid">The last transaction of this one.</param>
    public List<byte[]>? CopyState(long acceptedEpoch, long savedZxid, out long zxid)
    {
        lock (Gate)
        {
            zxid = Tree.LastZxid;
            return _last is { } last && last.Header.Zxid == zxid && zxid != savedZxid && Awaits is null
                ? ReplicaFile.Take(Tree, new ReplicaPosition(acceptedEpoch, last.Before, last.Header))
                : null;
        }
    }

    /// <summary>Remembers what the leader commits from now on, for <see cref="TryAdopt"/>.</summary>
    /// <returns>The last transaction that is not remembered; null while it does not serve.</returns>
    public long? Record()
    {
        lock (Gate)
        {
            if (!_isServing)
            {
                return null;
            }
            (_recorded, _recordedBytes) = ([], 0);
            return Tree.LastZxid;
        }
    }

    /// <summary>Nothing is remembered any more.</summary>
    public void StopRecording()
    {
        lock (Gate)
        {
            _recorded = null;
        }
    }

    /// <summary>Completes when a transaction has been applied, or the leader is lost.</summary>
    public Task ReachAsync(long zxid)
    {
        lock (Gate)
        {
            if (!_isServing || Tree.LastZxid >= zxid)
            {
                return Task.CompletedTask;
            }
            _awaited = (zxid, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            return _awaited.Value.Reached.Task;
        }
    }

    /// <summary>Replaces the state by another copy of the leader's, which keeps other znodes, brought to where this one is.</summary>
    /// <param name="copy">As the leader was after some transaction that this observer has applied, and not before <see
    /// cref="Record"/>.</param>
    /// <returns>False where the leader was lost meanwhile, or too much has come.</returns>
    public bool TryAdopt(DataTree copy)
    {
        lock (Gate)
        {
            if (_recorded is not { } recorded || Tree.LastZxid < copy.LastZxid)
            {
                return false;
            }
            foreach (var commit in recorded)
            {
                if (commit.Header.Zxid > copy.LastZxid)
                {
                    copy.Apply(commit.Header, commit.Txn!);
                }
            }
            Tree.Adopt(copy);
            _recorded = null;
            return true;
        }
    }

    /// <summary>Forgets what is not at or below some of the roots.</summary>
    public void KeepOnly(Roots roots)
    {
        lock (Gate)
        {
            Tree.KeepOnly(roots);
        }
    }

    /// <summary>Something from the leader.</summary>
    public void Receive(Commit commit) => Run(() => Apply(commit));

    /// <summary>Several things from the leader, in order.</summary>
    /// <exception cref="DivergenceException">After one of them this tree is not the leader's.</exception>
    public void Receive(IReadOnlyList<Commit> commits)
    {
        lock (Gate)
        {
            foreach (var commit in commits)
            {
                Apply(commit);
            }
        }
        FlushOthers();
    }

    /// <summary>An id for a session that no other server gives: this server's number is in its highest byte.</summary>
    public long NewSessionId() => Interlocked.Increment(ref _nextSessionId);

    /// <inheritdoc/>
    public void Dispose() => _ticker.Dispose();

    /// <inheritdoc/>
    public override bool Handle(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body)
    {
        var forLeader = !Options.ReadOnly && !IsForeign(header.Op, body) && (header.Op.IsWrite() || header.Op is OpCode.Sync or OpCode.CloseSession);
        if (!forLeader && (connection.Waiting.Count == 0 || Omissions.ReadsAtOnce))
        {
            return Execute(connection, header, body);
        }
        if (header.Op == OpCode.Auth)
        {
            // Later writes leave for the leader before the reply's turn comes, and must carry the new identity.
            AddIdentity(connection, body);
        }
        var request = new WaitingRequest(connection, header, body.ToArray(), connection.Identities, forLeader);
        connection.Waiting.Enqueue(request);
        if (connection.Waiting.Count >= WaitingLimit)
        {
            connection.Pause();
        }
        if (forLeader)
        {
            Leader.Submit(request);
        }
        return true;
    }

    /// <inheritdoc/>
    protected override void CreateSession(ServerConnection connection)
    {
        var id = NewSessionId();
        var timeout = connection.TimeoutMs;
        var request = new WaitingRequest(connection, new RequestHeader(0, OpCode.CreateSession), [], [], ForLeader: true);
        connection.State = ConnectionState.Connecting;
        connection.Pause();
        Leader.CreateSession(request, id, timeout);
    }

    /// <inheritdoc/>
    protected override void Reattach(ServerConnection connection, long sessionId)
    {
        connection.State = ConnectionState.Connecting;
        connection.Pause();
        Leader.Revalidate(sessionId, connection.TimeoutMs, valid => Run(() => Attach(connection, valid ? sessionId : 0)));
    }

    /// <inheritdoc/>
    protected override void Touch(long sessionId) => _touched[sessionId] = Attached.TryGetValue(sessionId, out var connection) ? connection.TimeoutMs : 0;

    /// <inheritdoc/>
    protected override void SubmitWrite(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body) =>
        throw new InvalidOperationException("Writes go to the leader.");

    private void Apply(in Commit commit)
    {
        var before = Tree.LastZxid;
        var result = commit.Txn is { } txn ? Tree.Apply(commit.Header, txn) : default;
        if (commit.Txn is not null)
        {
            _last = (before, commit.Header);
        }
        if (_recorded is not null && commit.Txn is not null)
        {
            _recorded.Add(commit with { Origin = null });
            _recordedBytes += SizeOf(commit.Txn);
            _recorded = _recordedBytes > MostRecorded ? null : _recorded;
        }
        if (_awaited is { } awaited && Tree.LastZxid >= awaited.Zxid)
        {
            awaited.Reached.TrySetResult();
            _awaited = null;
        }
        if (commit.Digest is { } leaders && Tree.Digest is { } own)
        {
            DigestsCompared++;
            if (own != leaders)
            {
                // Nobody is told anything that rests on this state.
                throw new DivergenceException(commit.Header.Zxid);
            }
        }
        if (commit.Origin is { } request)
        {
            Answer(request, commit.Header, result);
        }
        if (commit.Txn is CloseSessionTxn && Attached.TryGetValue(commit.Header.SessionId, out var connection))
        {
            connection.Close();
        }
    }

    private static long SizeOf(Txn txn) => 200 + txn switch
    {
        CreateTxn create => create.Data?.Length ?? 0,
        SetDataTxn set => set.Data?.Length ?? 0,
        MultiTxn multi => multi.Txns.Sum(SizeOf),
        _ => 0,
    };

    private void Answer(WaitingRequest request, in TxnHeader header, in TxnResult result)
    {
        var connection = request.Connection;
        if (connection.State == ConnectionState.Closed)
        {
            return;
        }
        if (request.Header.Op == OpCode.CreateSession)
        {
            Attach(connection, header.SessionId);
            return;
        }
        // The reads before it have been answered already, so it is the first.
        connection.Waiting.Dequeue();
        HasOutput(connection);
        if (result.Error == ErrorCode.SessionMoved)
        {
            connection.Close();
            return;
        }
        if (request.Header.Op == OpCode.Sync)
        {
            Execute(connection, request.Header, request.Body);
        }
        else
        {
            ReplyToWrite(connection, request.Header, Tree.LastZxid, result);
        }
        while (connection.State != ConnectionState.Closed && connection.Waiting.TryPeek(out var next) && !next.ForLeader)
        {
            connection.Waiting.Dequeue();
            if (!Execute(connection, next.Header, next.Body))
            {
                connection.Close();
            }
        }
        if (connection.Waiting.Count < WaitingLimit)
        {
            connection.Resume();
        }
    }

    private void Attach(ServerConnection connection, long sessionId)
    {
        FinishConnect(connection, sessionId);
        HasOutput(connection);
        connection.Resume();
    }

    private void Tick()
    {
        Run(() =>
        {
            if (_touched.Count > 0 || _everTouched.Count > 0)
            {
                _everTouched.UnionWith(Omissions.TouchesForEver ? _touched : []);
                var touched = Omissions.TouchesForEver ? [.. _everTouched] : _touched.ToArray();
                _touched.Clear();
                Leader.Touch(touched);
            }
            CloseIdle();
        });
    }
}
