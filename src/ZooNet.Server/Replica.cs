using System.Buffers;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using ZooNet.Protocol;
using ZooNet.Protocol.FourLetterWords;
using ZooNet.Server.Connections;
using ZooNet.Server.Persistence;
using ZooNet.Server.Requests;
using ZooNet.Tree;
using ZooNet.Tree.Requests;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server;

/// <summary>
/// One server: a tree, and the connections it serves. Everything that reads or changes either happens under one gate, a batch
/// of requests at a time: so a read sees an exact state, whose zxid its reply carries. What differs between the server that
/// orders the writes (<see cref="Leader"/>) and one that follows it (<see cref="Cluster.Observer"/>) is abstract here.
/// </summary>
internal abstract class Replica
{
    /// <summary>How long a connection may take to send its connect request; as in ZooKeeper.</summary>
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    private readonly HashSet<ServerConnection> _connections = [];
    private readonly Dictionary<long, ServerConnection> _attached = [];
    private readonly ReadExecutor _reads;
    private List<ServerConnection> _withOutput = [];
    private ServerConnection? _executing;

    /// <summary>Of the frames being executed: those with credentials, which do not keep a session alive.</summary>
    private long _noSigns;

    protected Replica(EmbeddedServerOptions options)
    {
        Options = options;
        StartedAt = options.Time.GetTimestamp();
        _reads = new ReadExecutor(Tree);
    }

    public EmbeddedServerOptions Options { get; }
    public Lock Gate { get; } = new();
    public DataTree Tree { get; } = new();

    /// <summary>What all connections together have counted.</summary>
    public Traffic Traffic { get; } = new();

    /// <summary>A timestamp of the clock.</summary>
    public long StartedAt { get; }

    /// <summary>standalone, leader or observer.</summary>
    public abstract string Mode { get; }

    /// <summary>The log that makes changes durable; null in memory.</summary>
    public abstract TransactionLog? Log { get; }

    /// <summary>The address that all clients have for ACLs; null for each one's own.</summary>
    public virtual IPAddress? ClientsComeFrom => null;

    /// <summary>False while an observer has no leader: clients are turned away then.</summary>
    public virtual bool IsServing => true;

    /// <summary>Connections that are open. Under the gate.</summary>
    public IReadOnlyCollection<ServerConnection> Connections => _connections;

    /// <summary>Connections in session, by session id. Under the gate.</summary>
    public IReadOnlyDictionary<long, ServerConnection> Attached => _attached;

    protected long NowMs => Options.Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Learns where it listens, before the first connection is accepted.</summary>
    public virtual void ListensAt(IPEndPoint address)
    {
    }

    /// <summary>Serves a connection from its first byte to its end.</summary>
    public async Task ServeAsync(ConnectionContext context)
    {
        var connection = new ServerConnection(context, this);
        lock (Gate)
        {
            _connections.Add(connection);
        }
        await connection.RunAsync().ConfigureAwait(false);
    }

    /// <summary>Executes the whole requests at the start of a buffer.</summary>
    /// <returns>How many bytes they took.</returns>
    public int ExecuteBatch(ServerConnection connection, in ReadOnlySequence<byte> buffer, out Task? pause)
    {
        if (buffer.IsSingleSegment)
        {
            return ExecuteBatch(connection, buffer.FirstSpan, out pause);
        }
        // The codec reads one span: a frame in several segments is copied once.
        var length = checked((int)buffer.Length);
        var copy = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            buffer.CopyTo(copy);
            return ExecuteBatch(connection, copy.AsSpan(0, length), out pause);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    /// <summary>Takes one request that has a header: executes it, or queues it. Under the gate.</summary>
    /// <returns>False where the connection must be closed at once.</returns>
    public virtual bool Handle(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body) => Execute(connection, header, body);

    /// <summary>Takes the connect request. Under the gate.</summary>
    public void Connect(ServerConnection connection, ConnectRequest request)
    {
        if (!IsServing || request.LastZxidSeen > Tree.LastZxid || (Options.ReadOnly && request.ReadOnly != true))
        {
            // The client has seen a state that this server has not reached: it must try another. Nothing is answered.
            connection.Close();
            return;
        }
        connection.TimeoutMs = Math.Clamp(request.TimeoutMs, Options.MinSessionTimeoutMs, Options.MaxSessionTimeoutMs);
        if (request.SessionId == 0)
        {
            CreateSession(connection);
            return;
        }
        // As in ZooKeeper the connection that holds the session goes before the password is looked at.
        if (_attached.TryGetValue(request.SessionId, out var before))
        {
            before.Close();
        }
        if (request.Password is { } password && password.AsSpan().SequenceEqual(SessionPassword.Of(request.SessionId)))
        {
            Reattach(connection, request.SessionId);
        }
        else
        {
            FinishConnect(connection, 0);
        }
    }

    /// <summary>Answers a four-letter word. Under the gate.</summary>
    public string Answer(string word)
    {
        if (!IsServing && word != "ruok")
        {
            return FourLetterWord.NotServing;
        }
        switch (word)
        {
            case "srst":
                Traffic.Reset();
                break;
            case "crst":
                foreach (var connection in _connections)
                {
                    connection.Traffic.Reset();
                }
                break;
        }
        return FourLetterWord.Answer(word, StatusReport.Of(this));
    }

    /// <summary>The sessions, and when each expires where that is known. Under the gate.</summary>
    public virtual IReadOnlyList<(DateTimeOffset? ExpiresAt, long SessionId)> SessionDeadlines() => [.. Tree.Sessions.Keys.Select(id => ((DateTimeOffset?)null, id))];

    /// <summary>The connection is over: its watches and its place as its session's connection go. Under the gate.</summary>
    public void Detach(ServerConnection connection)
    {
        if (_attached.TryGetValue(connection.SessionId, out var attached) && attached == connection)
        {
            _attached.Remove(connection.SessionId);
        }
        Tree.DataWatches.RemoveAll(connection);
        Tree.ChildWatches.RemoveAll(connection);
    }

    /// <summary>The connection's read loop has ended. Under the gate.</summary>
    public void Forget(ServerConnection connection) => _connections.Remove(connection);

    /// <summary>Remembers that a connection was written to on another's behalf. Under the gate.</summary>
    public void HasOutput(ServerConnection connection)
    {
        if (connection != _executing)
        {
            _withOutput.Add(connection);
        }
    }

    /// <summary>Sends what was written to connections on another's behalf. Not under the gate.</summary>
    public void FlushOthers()
    {
        List<ServerConnection> list;
        lock (Gate)
        {
            if (_withOutput.Count == 0)
            {
                return;
            }
            (list, _withOutput) = (_withOutput, []);
        }
        foreach (var connection in list)
        {
            connection.FlushInBackground();
        }
    }

    /// <summary>Runs something under the gate, then sends the events it caused.</summary>
    public void Run(Action action)
    {
        lock (Gate)
        {
            action();
        }
        FlushOthers();
    }

    /// <summary>Ends every connection.</summary>
    public void CloseConnections() => Run(() =>
    {
        foreach (var connection in _connections.ToArray())
        {
            connection.Close();
        }
    });

    /// <summary>Gives the connection a new session; <see cref="FinishConnect"/> follows.</summary>
    protected abstract void CreateSession(ServerConnection connection);

    /// <summary>Gives the connection an existing session if it lives; <see cref="FinishConnect"/> follows.</summary>
    protected abstract void Reattach(ServerConnection connection, long sessionId);

    /// <summary>The session has been heard of.</summary>
    protected abstract void Touch(long sessionId);

    /// <summary>Executes a write or a closeSession.</summary>
    protected abstract void SubmitWrite(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body);

    /// <summary>Closes connections that never connected, or were not heard of for their session's timeout. Under the gate.</summary>
    protected void CloseIdle()
    {
        foreach (var connection in _connections.ToArray())
        {
            var (since, limit) = connection.State == ConnectionState.Ready
                ? (connection.LastHeard, TimeSpan.FromMilliseconds(connection.TimeoutMs) + Options.Tick)
                : (connection.CreatedAt, ConnectLimit);
            if (Options.Time.GetElapsedTime(since) > limit)
            {
                connection.Close();
            }
        }
    }

    /// <summary>Answers the connect request.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="sessionId">Its session; 0 where it is refused: clients are told so and closed.</param>
    protected void FinishConnect(ServerConnection connection, long sessionId)
    {
        if (connection.State == ConnectionState.Closed)
        {
            return;
        }
        bool? readOnly = connection.KnowsReadOnly ? Options.ReadOnly : null;
        if (sessionId == 0)
        {
            connection.Reply(ConnectResponse.Refused(readOnly));
            connection.Close();
            return;
        }
        connection.SessionId = sessionId;
        connection.State = ConnectionState.Ready;
        if (_attached.TryGetValue(sessionId, out var before))
        {
            before.Close();
        }
        _attached[sessionId] = connection;
        connection.Reply(new ConnectResponse(0, connection.TimeoutMs, sessionId, SessionPassword.Of(sessionId), readOnly));
    }

    /// <summary>Executes one request now.</summary>
    protected bool Execute(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body)
    {
        if (IsForeign(header.Op, body))
        {
            if (connection.IsLink)
            {
                // A link to a mount that is not kept yet: it may find another server, and is not told an error that its client would
                // believe.
                connection.Close();
                return true;
            }
            connection.Reply(header.Xid, Tree.LastZxid, ErrorCode.Unimplemented);
            return true;
        }
        switch (header.Op)
        {
            case OpCode.Auth:
                _noSigns++;
                return Authenticate(connection, header.Xid, body);
            case OpCode.Sasl:
                // A server without SASL answers so, and nothing is wrong.
                _noSigns++;
                connection.BeginReply(header.Xid, 0).WriteInt(-1);
                connection.EndReply();
                return true;
            case OpCode.Sync when Options.ReadOnly:
            case var op when Options.ReadOnly && op.IsWrite():
                connection.Reply(header.Xid, Tree.LastZxid, ErrorCode.NotReadOnly);
                return true;
            case OpCode.CloseSession:
            case var op when op.IsWrite():
                SubmitWrite(connection, header, body);
                return true;
            case OpCode.Ping or OpCode.MultiRead or OpCode.GetChildren2 or OpCode.CheckWatches or OpCode.RemoveWatches:
            case >= OpCode.Exists and <= OpCode.Sync:
            case >= OpCode.SetWatches and <= OpCode.WhoAmI:
                _reads.Execute(connection, header, body);
                return true;
            default:
                // A check on its own is among these: it crashes ensembles up to 3.8.4, newer ones don't know it.
                connection.Reply(header.Xid, -1, ErrorCode.Unimplemented);
                connection.Close();
                return true;
        }
    }

    /// <summary>
    /// Whether a request is about a znode of which a replica that keeps only a part knows nothing, or of whose data and children it knows
    /// nothing. A multi and setWatches are not looked into: who sends them has read their paths here.
    /// </summary>
    protected bool IsForeign(OpCode op, ReadOnlySpan<byte> body)
    {
        if (Tree.Roots is not { } roots)
        {
            return false;
        }
        switch (op)
        {
            case OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl or OpCode.Delete or OpCode.SetData or OpCode.SetAcl:
            case OpCode.Exists or OpCode.GetAcl or OpCode.GetData or OpCode.GetChildren or OpCode.GetChildren2:
            case OpCode.GetAllChildrenNumber or OpCode.AddWatch:
                var reader = new JuteReader(body);
                var path = reader.ReadBytes(out _);
                return !reader.Failed && !roots.Hold(path)
                    && !(op is OpCode.Exists or OpCode.GetAcl or OpCode.Create or OpCode.SetAcl && roots.AreBelow(path));
            default:
                return false;
        }
    }

    /// <summary>Writes the reply to a write.</summary>
    protected static void ReplyToWrite(ServerConnection connection, RequestHeader header, long zxid, in TxnResult result)
    {
        if (result.Error != ErrorCode.Ok)
        {
            connection.Reply(header.Xid, zxid, result.Error);
            return;
        }
        var output = connection.BeginReply(header.Xid, zxid);
        switch (header.Op)
        {
            case OpCode.Create:
                output.WriteString(result.Path);
                break;
            case OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                output.WriteString(result.Path);
                result.Stat.Write(output);
                break;
            case OpCode.SetData or OpCode.SetAcl:
                result.Stat.Write(output);
                break;
            case OpCode.Reconfig:
                output.WriteBuffer(result.Data);
                result.Stat.Write(output);
                break;
            case OpCode.Multi:
                WriteResults(output, result.Results!);
                break;
        }
        connection.EndReply();
    }

    /// <summary>Adds the identity of an auth request ahead of its reply; a request that is no good changes nothing.</summary>
    protected void AddIdentity(ServerConnection connection, ReadOnlySpan<byte> body)
    {
        var reader = new JuteReader(body);
        var request = AuthRequest.Read(ref reader);
        if (!reader.Failed && IdentityOf(connection, request) is { } identity)
        {
            Add(connection, identity);
        }
    }

    private static void WriteResults(JuteWriter output, TxnResult[] results)
    {
        foreach (var result in results)
        {
            if (result.Type == OpCode.Error)
            {
                MultiHeader.WriteErrorResult(output, result.Error);
                continue;
            }
            var withStat = result.Type is OpCode.CreateContainer or OpCode.CreateTtl;
            new MultiHeader(withStat ? OpCode.Create2 : result.Type, false, 0).Write(output);
            if (result.Path is not null)
            {
                output.WriteString(result.Path);
            }
            if (withStat || result.Type == OpCode.SetData)
            {
                result.Stat.Write(output);
            }
        }
        MultiHeader.End.Write(output);
    }

    private int ExecuteBatch(ServerConnection connection, ReadOnlySpan<byte> span, out Task? pause)
    {
        var start = Stopwatch.GetTimestamp();
        lock (Gate)
        {
            _executing = connection;
            _noSigns = 0;
            var (received, sent) = (connection.Traffic.Received, connection.Traffic.Sent);
            var consumed = connection.Execute(span, out pause);
            _executing = null;
            var elapsed = Stopwatch.GetElapsedTime(start);
            connection.Traffic.AddLatency(connection.Traffic.Received - received, elapsed);
            Traffic.AddLatency(connection.Traffic.Received - received, elapsed);
            Traffic.Received += connection.Traffic.Received - received;
            Traffic.Sent += connection.Traffic.Sent - sent;
            // The end of a connection is no sign of life, and neither are credentials.
            if (connection.State == ConnectionState.Ready && connection.Traffic.Received - received > _noSigns)
            {
                Touch(connection.SessionId);
            }
            return consumed;
        }
    }

    private bool Authenticate(ServerConnection connection, int xid, ReadOnlySpan<byte> body)
    {
        var reader = new JuteReader(body);
        var request = AuthRequest.Read(ref reader);
        if (reader.Failed)
        {
            return false;
        }
        if (IdentityOf(connection, request) is not { } known)
        {
            connection.Reply(xid, 0, ErrorCode.AuthFailed);
            connection.Close();
            return true;
        }
        Add(connection, known);
        connection.Reply(xid, 0, ErrorCode.Ok);
        return true;
    }

    private static Identity? IdentityOf(ServerConnection connection, AuthRequest request) => request switch
    {
        { Scheme: "digest", Credentials: not null } => Identity.OfDigest(request.Credentials),
        { Scheme: "ip" } => connection.Identities[0],
        _ => null,
    };

    private void Add(ServerConnection connection, Identity identity)
    {
        if (identity.Scheme == "digest" && identity.Id == Options.SuperDigest)
        {
            Add(connection, Identity.Super);
        }
        if (!connection.Identities.Contains(identity))
        {
            connection.Identities = [.. connection.Identities, identity];
        }
    }
}
