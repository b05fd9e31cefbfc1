using System.Net;
using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Server.Cluster;
using ZooNet.Server.Connections;
using ZooNet.Server.Persistence;
using ZooNet.Server.Sessions;
using ZooNet.Tree.Membership;
using ZooNet.Tree.Requests;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server;

/// <summary>
/// The replica that orders all writes, gives zxids and expires sessions: a stand-alone server, or the voters of a cluster rolled
/// into one. Its own clients' requests are executed at once; observers learn every transaction in order.
/// </summary>
internal sealed class Leader : Replica, IDisposable
{
    private readonly Preparer _preparer;
    private readonly SessionTable _sessions;
    private readonly List<EmbeddedLeader> _observers = [];
    private readonly ITimer _ticker;
    private readonly ITimer _reaper;
    private readonly TaskCompletionSource<Exception> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _nextSessionId;

    /// <exception cref="InvalidDataException">The data directory is damaged.</exception>
    /// <exception cref="IOException">The data directory can't be used.</exception>
    public Leader(EmbeddedServerOptions options)
        : base(options)
    {
        _preparer = new Preparer(Tree, options.ExtendedTypes);
        _sessions = new SessionTable(options.Time, options.Tick);
        Tree.LastZxid = (long)options.Epoch << 32;
        if (options.DataDirectory is { } folder)
        {
            Log = TransactionLog.Open(folder, Tree, options.SnapshotAfter, options.Logging.CreateLogger<TransactionLog>());
            Log.Failed += Fail;
        }
        _nextSessionId = FirstSessionId(options.ServerId, NowMs);
        foreach (var (id, timeout) in Tree.Sessions)
        {
            // Their clients have a whole timeout to come back.
            _sessions.Add(id, timeout, this);
            _nextSessionId = id >>> 56 == options.ServerId ? Math.Max(_nextSessionId, id + 1) : _nextSessionId;
        }
        _ticker = options.Time.CreateTimer(_ => Tick(), null, options.Tick, options.Tick);
        _reaper = options.Time.CreateTimer(_ => Reap(), null, options.ReapInterval, options.ReapInterval);
    }

    /// <inheritdoc/>
    public override TransactionLog? Log { get; }

    /// <summary>Completes with the error when the server can't go on.</summary>
    public Task<Exception> Failure => _failure.Task;

    /// <inheritdoc/>
    public override bool IsServing => !_failure.Task.IsCompleted;

    /// <inheritdoc/>
    public override string Mode => _observers.Count > 0 ? "leader" : "standalone";

    /// <summary>How many observers follow. Under the gate.</summary>
    public int ObserverCount => _observers.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<(DateTimeOffset? ExpiresAt, long SessionId)> SessionDeadlines()
    {
        var now = Options.Time.GetUtcNow();
        var clock = TimeSpan.FromSeconds((double)Options.Time.GetTimestamp() / Options.Time.TimestampFrequency);
        return [.. _sessions.All.Select(s => ((DateTimeOffset?)(now + (_sessions.ExpiresAfter(s) - clock)), s.Id))];
    }

    /// <inheritdoc/>
    public override void ListensAt(IPEndPoint address)
    {
        if (!Options.ReconfigEnabled)
        {
            return;
        }
        lock (Gate)
        {
            var before = Tree.Find(Configuration.Path)!.Data;
            var configuration = Configuration.AtStart(Options.ServerId, address, before, Tree.LastZxid);
            _preparer.Configuration = configuration;
            Tree.Publish(configuration, NowMs);
        }
    }

    /// <summary>The first session id of a server: its number in the top byte, then the time; as ZooKeeper makes it.</summary>
    public static long FirstSessionId(byte serverId, long nowMs) => ((nowMs << 24) >>> 8) | ((long)serverId << 56);

    /// <inheritdoc/>
    public void Dispose()
    {
        _ticker.Dispose();
        _reaper.Dispose();
        Log?.Dispose();
    }

    /// <summary>From now on the observer learns every transaction. It starts from a copy of the present state.</summary>
    public void Add(EmbeddedLeader observer) => Run(() =>
    {
        observer.Synchronise();
        _observers.Add(observer);
    });

    /// <summary>The observer learns nothing more; its sessions live on.</summary>
    public void Remove(EmbeddedLeader observer) => Run(() => _observers.Remove(observer));

    /// <summary>Orders a request that came through an observer. Under the gate.</summary>
    public void SubmitFrom(EmbeddedLeader observer, WaitingRequest request)
    {
        if (request.Header.Op == OpCode.Sync)
        {
            // Whatever was committed before is on its way to the observer already, in the same queue.
            observer.Tell(new Commit(default, null, request));
            return;
        }
        var session = _sessions.Find(request.Connection.SessionId);
        if (session is null || session.Owner != observer)
        {
            Commit(Header(request.Connection.SessionId, request.Header.Xid), new ErrorTxn(session is null ? ErrorCode.SessionExpired : ErrorCode.SessionMoved), request);
            return;
        }
        Commit(Header(session.Id, request.Header.Xid), Prepare(request.Header, request.Body, request.Identities), request);
    }

    /// <summary>Creates a session whose id an observer chose. Under the gate.</summary>
    public void CreateSessionFrom(EmbeddedLeader observer, WaitingRequest request, long sessionId, int timeoutMs)
    {
        _sessions.Add(sessionId, timeoutMs, observer);
        Commit(Header(sessionId, 0), new CreateSessionTxn(timeoutMs), request);
    }

    /// <summary>Confirms a session that a client wants to re-attach at an observer. Under the gate.</summary>
    public bool Revalidate(EmbeddedLeader observer, long sessionId, int timeoutMs) => TakeOver(observer, sessionId, timeoutMs);

    /// <summary>A session was heard of by an observer. Under the gate.</summary>
    public void TouchFrom(EmbeddedLeader observer, IEnumerable<long> sessionIds)
    {
        foreach (var id in sessionIds)
        {
            if (_sessions.Find(id) is { } session && session.Owner == observer)
            {
                _sessions.Touch(id);
            }
        }
    }

    /// <inheritdoc/>
    protected override void CreateSession(ServerConnection connection)
    {
        var id = _nextSessionId++;
        _sessions.Add(id, connection.TimeoutMs, this);
        Commit(Header(id, 0), new CreateSessionTxn(connection.TimeoutMs), null);
        FinishConnect(connection, id);
    }

    /// <inheritdoc/>
    protected override void Reattach(ServerConnection connection, long sessionId) =>
        FinishConnect(connection, TakeOver(this, sessionId, connection.TimeoutMs) ? sessionId : 0);

    /// <inheritdoc/>
    protected override void Touch(long sessionId) => _sessions.Touch(sessionId);

    /// <inheritdoc/>
    protected override void SubmitWrite(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body)
    {
        if (_sessions.Find(connection.SessionId) is not { } session || session.Owner != this)
        {
            // The session has moved (or is over): no reply, the client must find out by re-attaching.
            connection.Close();
            return;
        }
        if (header.Op == OpCode.Reconfig && !IsReadable(body))
        {
            // The one write that a real server decodes before it takes a zxid for it.
            connection.Reply(header.Xid, Tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        var txn = Prepare(header, body, connection.Identities);
        var result = Commit(Header(session.Id, header.Xid), txn, null);
        ReplyToWrite(connection, header, Tree.LastZxid, result);
        if (txn is CloseSessionTxn)
        {
            connection.Close();
        }
    }

    private static bool IsReadable(ReadOnlySpan<byte> reconfig)
    {
        var reader = new JuteReader(reconfig);
        ReconfigRequest.Read(ref reader);
        return !reader.Failed;
    }

    private Txn Prepare(RequestHeader header, ReadOnlySpan<byte> body, IReadOnlyList<Identity> identities) =>
        header.Op == OpCode.CloseSession ? CloseSessionTxn.Instance : _preparer.Prepare(header.Op, body, identities);

    private TxnHeader Header(long sessionId, int xid) => new(sessionId, xid, Tree.LastZxid + 1, NowMs);

    private TxnResult Commit(in TxnHeader header, Txn txn, WaitingRequest? origin)
    {
        var result = Tree.Apply(header, txn);
        if (Log is { } log)
        {
            log.Append(header, txn);
            if (log.WantsSnapshot)
            {
                log.TakeSnapshot(Tree);
            }
        }
        foreach (var observer in _observers)
        {
            observer.Tell(new Commit(header, txn, origin));
        }
        if (txn is CloseSessionTxn)
        {
            _sessions.Remove(header.SessionId);
        }
        return result;
    }

    private bool TakeOver(object owner, long sessionId, int timeoutMs)
    {
        if (_sessions.Find(sessionId) is not { } session)
        {
            return false;
        }
        session.TimeoutMs = timeoutMs;
        session.Owner = owner;
        _sessions.Touch(sessionId);
        return true;
    }

    private void Fail(Exception error)
    {
        // What can't be made durable must not be seen: nobody is served any more.
        _failure.TrySetResult(error);
        CloseConnections();
    }

    private void Tick() => Run(() =>
    {
        foreach (var session in _sessions.Expired())
        {
            Commit(Header(session.Id, 0), CloseSessionTxn.Instance, null);
            if (Attached.TryGetValue(session.Id, out var connection))
            {
                connection.Close();
            }
        }
        CloseIdle();
    });

    private void Reap() => Run(() =>
    {
        foreach (var path in Tree.Reapable.ToArray())
        {
            if (Tree.Find(path) is { ChildCount: 0 } node && node.IsDue(NowMs))
            {
                Commit(Header(0, 0), _preparer.DeleteReapable(path), null);
            }
        }
    });
}
