using ZooNet.Protocol;
using ZooNet.Server.Connections;
using ZooNet.Server.Persistence;
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

    private readonly Leader _leader;
    private readonly Func<TimeSpan> _delay;
    private readonly ITimer _ticker;
    private readonly HashSet<long> _touched = [];
    private DelayLine _up;
    private DelayLine _down;
    private long _nextSessionId;
    private bool _connected = true;

    public Observer(EmbeddedServerOptions options, Leader leader, Func<TimeSpan> delay)
        : base(options)
    {
        _leader = leader;
        _delay = delay;
        _up = new DelayLine(options.Time, delay);
        _down = new DelayLine(options.Time, delay);
        _nextSessionId = Leader.FirstSessionId(options.ServerId, NowMs);
        _leader.Add(this);
        _ticker = options.Time.CreateTimer(_ => Tick(), null, options.Tick / 2, options.Tick / 2);
    }

    /// <inheritdoc/>
    public override TransactionLog? Log => null;

    /// <inheritdoc/>
    public override string Mode => "observer";

    /// <inheritdoc/>
    public override bool IsServing => _connected;

    /// <summary>Takes over the leader's state. Under the leader's gate.</summary>
    public void Synchronise(DataTree source)
    {
        lock (Gate)
        {
            Tree.CopyFrom(source);
            _connected = true;
        }
    }

    /// <summary>The connection to the leader breaks: clients are closed and turned away.</summary>
    public void Disconnect()
    {
        _leader.Remove(this);
        lock (Gate)
        {
            _connected = false;
            _up.Dispose();
            _down.Dispose();
        }
        CloseConnections();
    }

    /// <summary>The connection to the leader is back: after a round trip the observer serves again.</summary>
    public void Reconnect()
    {
        lock (Gate)
        {
            if (_connected)
            {
                return;
            }
            _up.Dispose();
            _down.Dispose();
            _up = new DelayLine(Options.Time, _delay);
            _down = new DelayLine(Options.Time, _delay);
            _up.Post(() => _down.Post(() => _leader.Add(this)));
        }
    }

    /// <summary>Something from the leader: it arrives after the delay.</summary>
    public void Receive(Commit commit) => _down.Post(() => Run(() => Apply(commit)));

    /// <inheritdoc/>
    public void Dispose()
    {
        _ticker.Dispose();
        _leader.Remove(this);
        _up.Dispose();
        _down.Dispose();
    }

    /// <inheritdoc/>
    public override bool Handle(ClientConnection connection, RequestHeader header, ReadOnlySpan<byte> body)
    {
        var forLeader = !Options.ReadOnly && (header.Op.IsWrite() || header.Op is OpCode.Sync or OpCode.CloseSession);
        if (!forLeader && connection.Waiting.Count == 0)
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
            _up.Post(() => _leader.Run(() => _leader.SubmitFrom(this, request)));
        }
        return true;
    }

    /// <inheritdoc/>
    protected override void CreateSession(ClientConnection connection)
    {
        var id = _nextSessionId++;
        var timeout = connection.TimeoutMs;
        var request = new WaitingRequest(connection, new RequestHeader(0, OpCode.CreateSession), [], [], ForLeader: true);
        connection.State = ConnectionState.Connecting;
        connection.Pause();
        _up.Post(() => _leader.Run(() => _leader.CreateSessionFrom(this, request, id, timeout)));
    }

    /// <inheritdoc/>
    protected override void Reattach(ClientConnection connection, long sessionId)
    {
        connection.State = ConnectionState.Connecting;
        connection.Pause();
        var timeout = connection.TimeoutMs;
        var down = _down;
        _up.Post(() => _leader.Run(() =>
        {
            var valid = _leader.Revalidate(this, sessionId, timeout);
            down.Post(() => Run(() => Attach(connection, valid ? sessionId : 0)));
        }));
    }

    /// <inheritdoc/>
    protected override void Touch(long sessionId) => _touched.Add(sessionId);

    /// <inheritdoc/>
    protected override void SubmitWrite(ClientConnection connection, RequestHeader header, ReadOnlySpan<byte> body) =>
        throw new InvalidOperationException("Writes go to the leader.");

    private void Apply(in Commit commit)
    {
        var result = commit.Txn is { } txn ? Tree.Apply(commit.Header, txn) : default;
        if (commit.Origin is { } request)
        {
            Answer(request, commit.Header, result);
        }
        if (commit.Txn is CloseSessionTxn && Attached.TryGetValue(commit.Header.SessionId, out var connection))
        {
            connection.Close();
        }
    }

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

    private void Attach(ClientConnection connection, long sessionId)
    {
        FinishConnect(connection, sessionId);
        HasOutput(connection);
        connection.Resume();
    }

    private void Tick()
    {
        Run(() =>
        {
            if (_touched.Count > 0)
            {
                var touched = _touched.ToArray();
                _touched.Clear();
                _up.Post(() => _leader.Run(() => _leader.TouchFrom(this, touched)));
            }
            CloseIdle();
        });
    }
}
