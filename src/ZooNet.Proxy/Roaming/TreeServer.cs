using System.IO.Pipelines;
using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Proxy.Upstream;
using ZooNet.Roaming;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Server;
using ZooNet.Server.Cluster;
using ZooNet.Server.Connections;
using ZooNet.Tree;
using ZooNet.Tree.Requests;
using ZooNet.Tree.Transactions;

namespace ZooNet.Proxy.Roaming;

/// <summary>
/// A roaming tree as one more ZooKeeper server in this process: an observer whose leader is the tree's log. Reads and watches are served
/// from the copy; writes go to the log and are answered when the copy has applied them; a sync, and a multi that only checks, is answered
/// when the copy has all that was committed before it came. So to everything else of the proxy a tree is a cluster with an observer here.
/// </summary>
/// <remarks>
/// A session is (zone, id). It has no timeout here: it ends when its client closes it, or when <see cref="SessionSweep"/> finds that it is
/// over. What it is told is in the order in which it asked: a write is not sent before a barrier that came before it is answered.
/// </remarks>
internal sealed class TreeServer : ILeader, IObjectUser, IOwnServer, IAsyncDisposable
{
    /// <summary>Sessions that ended, of which it is remembered.</summary>
    private const int MaxEnded = 16 * 1024;

    private readonly string _zone;
    private readonly Observer _observer;
    private readonly ServerListener _listener;
    private readonly Dictionary<ServerConnection, Lane> _lanes = [];
    private readonly HashSet<long> _writers = [];
    private readonly HashSet<long> _ended = [];
    private readonly Queue<long> _endedInOrder = [];
    private readonly HashSet<long> _ending = [];
    private RoamingObject? _object;
    private bool _isBare = true;

    private TreeServer(string zone, Observer observer, ServerListener listener, string name)
    {
        (_zone, _observer, _listener) = (zone, observer, listener);
        EndPoint = new OwnEndPoint(name);
    }

    /// <inheritdoc/>
    public IPEndPoint EndPoint { get; }

    /// <inheritdoc/>
    public string Name => EndPoint.ToString();

    /// <inheritdoc/>
    public string What => "the proxy's copy of the tree";

    /// <inheritdoc/>
    public bool IsServing
    {
        get
        {
            lock (_observer.Gate)
            {
                return _observer.IsServing;
            }
        }
    }

    /// <inheritdoc/>
    public bool IsReady => IsServing;

    /// <inheritdoc/>
    public string State => IsServing ? "serving" : "loading";

    /// <inheritdoc/>
    public string? Problem => _object?.Problem;

    /// <summary>The object that it serves.</summary>
    public RoamingObject Object => _object!;

    /// <summary>Begins to follow the tree's log; it serves when it has caught up.</summary>
    /// <param name="tree">The tree's name.</param>
    /// <param name="record">What the tree is made of.</param>
    /// <param name="zone">The zone of this proxy.</param>
    /// <param name="zones">The ensembles.</param>
    /// <param name="name">The server's name: no other proxy's.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logging">Where diagnostics go.</param>
    /// <param name="failed">Told why the tree can't go on.</param>
    public static TreeServer Start(string tree, TreeRecord record, string zone, IZones zones, string name, TimeProvider time,
        ILoggerFactory logging, Action<Exception> failed)
    {
        var options = new EmbeddedServerOptions
        {
            MinSessionTimeout = TimeSpan.FromSeconds(1),
            MaxSessionTimeout = TimeSpan.FromMinutes(2),
            Time = time,
            Logging = logging,
        };
        // Clients come by their proxies: none has an address of its own here.
        var observer = new Observer(options) { ForwardedFrom = IPAddress.Any };
        var server = new TreeServer(zone, observer, ServerListener.InProcess(observer), name);
        observer.Leader = server;
        server._object = new RoamingObject(new Layout(tree), record, TreeRecord.RootObject, zone, zones, server, time, failed);
        server._object.Start();
        return server;
    }

    /// <inheritdoc/>
    /// <remarks>A tree's ACLs know digests only, which mean the same in every region.</remarks>
    public IDuplexPipe Connect(ForwardedClient client) => _listener.Connect();

    /// <inheritdoc/>
    public Stream Open() => _listener.Open();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Object.DisposeAsync();
        _observer.StopServing();
        _observer.Dispose();
        await _listener.DisposeAsync();
    }

    // ---------------------------------------------------------------- sessions that ended elsewhere

    /// <summary>Sessions of this zone that own ephemeral znodes and have no connection here.</summary>
    public Task<IReadOnlyList<long>> AbsentOwnersAsync(CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource<IReadOnlyList<long>>(TaskCreationOptions.RunContinuationsAsynchronously);
        Object.Post(() =>
        {
            lock (_observer.Gate)
            {
                done.TrySetResult([.. Object.Copy.Owners.Keys.Where(s => s.Zone == _zone && !_ending.Contains(s.Id)
                    && !_observer.Attached.ContainsKey(s.Id)).Select(s => s.Id)]);
            }
        });
        return done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>A session of this zone is over: what it owns goes.</summary>
    public void End(long session) => Object.Post(() =>
    {
        if (_ending.Add(session) && !Object.TrySend(Command.EndSession(new SessionName(_zone, session)), null))
        {
            _ending.Remove(session);
        }
    });

    // ---------------------------------------------------------------- what the observer asks of its leader

    /// <inheritdoc/>
    public void Submit(WaitingRequest request) => Object.Post(() => Take(request));

    /// <inheritdoc/>
    public void CreateSession(WaitingRequest request, long sessionId, int timeoutMs) => Object.Post(() =>
        // The observer's number may be another proxy's, too.
        _observer.Receive(new Commit(new TxnHeader(NewSession(), 0, 0, 0), null, request)));

    /// <inheritdoc/>
    public void Revalidate(long sessionId, int timeoutMs, Action<bool> answer) => Object.Post(() => Object.Freshen(new Question(_ =>
    {
        // Whoever served it before may have written for it.
        _writers.Add(sessionId);
        answer(!_ended.Contains(sessionId));
    })));

    /// <inheritdoc/>
    public void Touch(IReadOnlyCollection<KeyValuePair<long, int>> sessions)
    {
        // Sessions have no timeout here.
    }

    // ---------------------------------------------------------------- the order of one client's requests

    private void Take(WaitingRequest request)
    {
        if (!_lanes.TryGetValue(request.Connection, out var lane))
        {
            _lanes[request.Connection] = lane = new Lane();
        }
        lane.Held.Enqueue(request);
        Release(request.Connection, lane);
    }

    private void Release(ServerConnection connection, Lane lane)
    {
        if (connection.State == ConnectionState.Closed)
        {
            // What was not sent never will be.
            lane.Held.Clear();
        }
        while (lane.Held.TryPeek(out var request))
        {
            var isRead = IsAnsweredByBarrier(request);
            if (isRead ? lane.Writes > 0 : lane.Barriers > 0)
            {
                return;
            }
            lane.Held.Dequeue();
            if (isRead)
            {
                lane.Barriers++;
                Object.Freshen(request);
            }
            else if (Object.TrySend(CommandOf(request), request))
            {
                lane.Writes++;
                _writers.Add(connection.SessionId);
            }
            else
            {
                lane.Held.Clear();
                _observer.Run(connection.Close);
            }
        }
        if (lane is { Writes: 0, Barriers: 0 })
        {
            _lanes.Remove(connection);
        }
    }

    private Command CommandOf(WaitingRequest request)
    {
        var session = new SessionName(_zone, request.Connection.SessionId);
        return request.Header.Op == OpCode.CloseSession ? Command.EndSession(session)
            : Command.Write(session, request.Header.Op, request.Body, [.. request.Identities.Take(Command.MaxIdentities)]);
    }

    /// <summary>What changes nothing, and needs no place in the log: it is answered when the copy is fresh.</summary>
    private bool IsAnsweredByBarrier(WaitingRequest request)
    {
        switch (request.Header.Op)
        {
            case OpCode.Sync:
                return true;
            case OpCode.CloseSession:
                return !_writers.Contains(request.Connection.SessionId);
            case OpCode.Multi:
                var reader = new JuteReader(request.Body);
                return MultiReader.TryRead(ref reader, out var operations) && operations.TrueForAll(o => o is
                {
                    Type: OpCode.Check,
                    Path: not null
                });
            default:
                return IsTooLong(request);
        }
    }

    private bool IsTooLong(WaitingRequest request) => CommandOf(request).Length > Entry.MaxLength - 1024;

    private void Answered(WaitingRequest request, bool isRead)
    {
        if (_lanes.TryGetValue(request.Connection, out var lane))
        {
            (lane.Writes, lane.Barriers) = isRead ? (lane.Writes, lane.Barriers - 1) : (lane.Writes - 1, lane.Barriers);
            Release(request.Connection, lane);
        }
    }

    // ---------------------------------------------------------------- what the object tells

    /// <inheritdoc/>
    public void Load(ObjectCopy copy)
    {
        _ending.Clear();
        _isBare = copy.Tree.Find("/zookeeper") is null;
        if (_isBare)
        {
            // A new tree. Every ZooKeeper has this znode, and the proxies keep theirs below it.
            var writer = new JuteWriter();
            new CreateRequest("/zookeeper", [], [.. Acl.Open], CreateFlags.Persistent).Write(writer, OpCode.Create);
            Object.TrySend(Command.Write(new SessionName(_zone, 0), OpCode.Create, writer.Written.ToArray(), []), null);
            return;
        }
        // Clients come back, and are told what has changed meanwhile of what they watch.
        _observer.StopServing();
        var tree = new DataTree();
        tree.Clear();
        var owners = copy.Owners.ToDictionary(o => o.Value, o => o.Key.Id);
        foreach (var node in copy.Tree.Nodes)
        {
            tree.Restore(WithOwner(node, node.Owner == 0 ? 0 : owners[node.Owner]));
        }
        tree.RelinkChildren();
        tree.LastZxid = copy.Tree.LastZxid;
        _observer.Synchronise(tree);
    }

    /// <inheritdoc/>
    public void Applied(ObjectCopy copy, IReadOnlyList<(Outcome Outcome, object? Tag)> outcomes)
    {
        if (_isBare)
        {
            if (copy.Tree.Find("/zookeeper") is not null)
            {
                Load(copy);
            }
            return;
        }
        var commits = new List<Commit>(outcomes.Count);
        foreach (var (outcome, tag) in outcomes)
        {
            if (outcome.Change is { } change)
            {
                commits.Add(new Commit(new TxnHeader(change.Session.Id, 0, outcome.Zxid, copy.TimeMs), change.Txn, tag as WaitingRequest));
                if (change.Txn is CloseSessionTxn)
                {
                    Remember(change.Session.Id);
                }
            }
        }
        _observer.Receive(commits);
        foreach (var (_, tag) in outcomes)
        {
            if (tag is WaitingRequest request)
            {
                Answered(request, isRead: false);
            }
        }
    }

    /// <inheritdoc/>
    public void Fresh(ObjectCopy copy, object tag)
    {
        if (tag is Question question)
        {
            question.Answer(copy);
            return;
        }
        var request = (WaitingRequest)tag;
        // It changes nothing, so it has the place of what was before it.
        var header = new TxnHeader(request.Connection.SessionId, 0, copy.Tree.LastZxid, copy.TimeMs);
        Txn? txn = request.Header.Op switch
        {
            OpCode.Sync => null,
            OpCode.CloseSession => CloseSessionTxn.Instance,
            OpCode.Multi => copy.Prepare(CommandOf(request)),
            _ => new ErrorTxn(ErrorCode.MarshallingError),
        };
        _observer.Receive(new Commit(header, txn, request));
        Answered(request, isRead: true);
    }

    /// <inheritdoc/>
    public void Lost(object tag)
    {
        if (tag is WaitingRequest request)
        {
            _observer.Run(request.Connection.Close);
            _lanes.Remove(request.Connection);
        }
    }

    private void Remember(long session)
    {
        _writers.Remove(session);
        _ending.Remove(session);
        if (_ended.Add(session))
        {
            _endedInOrder.Enqueue(session);
            if (_endedInOrder.Count > MaxEnded)
            {
                _ended.Remove(_endedInOrder.Dequeue());
            }
        }
    }

    private static Znode WithOwner(Znode node, long owner) => new(node.Path, node.Data, node.AccessControl, node.Kind, owner, node.TtlMs)
    {
        Czxid = node.Czxid,
        Mzxid = node.Mzxid,
        Pzxid = node.Pzxid,
        Ctime = node.Ctime,
        Mtime = node.Mtime,
        Version = node.Version,
        Aversion = node.Aversion,
        Creates = node.Creates,
    };

    /// <summary>Positive, so that nobody takes it for the owner of a container or a TTL znode.</summary>
    private static long NewSession()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return (BitConverter.ToInt64(bytes) & long.MaxValue) | 1;
    }

    /// <summary>What is on its way of one connection, and what waits for that.</summary>
    private sealed class Lane
    {
        public Queue<WaitingRequest> Held { get; } = [];
        public int Writes { get; set; }
        public int Barriers { get; set; }
    }

    /// <summary>Something of the proxy's own that is asked of a fresh copy.</summary>
    private sealed record Question(Action<ObjectCopy> Answer);
}
