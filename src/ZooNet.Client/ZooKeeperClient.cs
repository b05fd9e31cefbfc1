using System.Net;
using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>
/// A small asynchronous ZooKeeper client: one session, pipelined, attached again by itself when its connection is lost.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Requests are sent in the order in which the calls were made; continuations run on the thread pool.</para>
/// <para>A request in flight when the connection is lost fails with <see cref="KeeperException"/> of
/// <see cref="ErrorCode.ConnectionLoss"/>: whether it took effect is unknown. A request made while there is no connection waits for one,
/// at most <see cref="ZooKeeperClientOptions.ConnectionWait"/>. When the window is full, callers wait.</para>
/// <para>Cancelling a call gives up waiting for it; the request may still be executed.</para>
/// <para>Watches stay in force over reconnects. Events come in order with replies, on the connection's read loop: a handler must
/// neither block nor wait for a request of the same client.</para>
/// </remarks>
public sealed class ZooKeeperClient : IAsyncDisposable
{
    private static readonly TimeSpan CloseWait = TimeSpan.FromSeconds(5);

    private readonly ClientSession _session;

    /// <summary>Makes a client; it begins to connect at once.</summary>
    /// <exception cref="ArgumentException">No server is given.</exception>
    public ZooKeeperClient(ZooKeeperClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _session = new ClientSession(options);
        _session.Start();
    }

    /// <summary>Raised on every change of <see cref="State"/>, in order, not on a caller's stack. Handlers must not block.</summary>
    public event Action<SessionState> StateChanged
    {
        add => _session.StateChanged += value;
        remove => _session.StateChanged -= value;
    }

    /// <summary>Raised for every watch event, in order with replies. Handlers must not block.</summary>
    public event Action<WatchNotification> WatchFired
    {
        add => _session.WatchFired += value;
        remove => _session.WatchFired -= value;
    }

    /// <summary>
    /// Raised with the zxid in the header of every reply to a request, in order with <see cref="WatchFired"/> and before the request
    /// completes. Handlers must not block.
    /// </summary>
    public event Action<long> PositionShown
    {
        add => _session.PositionShown += value;
        remove => _session.PositionShown -= value;
    }

    /// <summary>Where the session stands.</summary>
    public SessionState State => _session.State;

    /// <summary>The session's id; 0 before it is made and after it has expired.</summary>
    public long SessionId => _session.Id;

    /// <summary>The session's password, 16 bytes; empty before it is made.</summary>
    public byte[] SessionPassword => _session.Password;

    /// <summary>The session timeout that the server granted; zero before the first connection.</summary>
    public TimeSpan SessionTimeout => _session.Timeout;

    /// <summary>The server that the client is connected to; null where it is not.</summary>
    public IPEndPoint? Server => _session.Server;

    /// <summary>Whether that server serves reads only.</summary>
    public bool IsReadOnly => _session.IsReadOnly;

    /// <summary>The largest zxid that a reply's header has shown this client.</summary>
    public long LastZxid => _session.LastZxid;

    /// <summary>Makes a client and waits until it is connected.</summary>
    /// <exception cref="KeeperException">The session or the credentials were refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the client is closed.</exception>
    public static async Task<ZooKeeperClient> ConnectAsync(ZooKeeperClientOptions options, CancellationToken cancellationToken = default)
    {
        var client = new ZooKeeperClient(options);
        try
        {
            await client.WaitConnectedAsync(cancellationToken).ConfigureAwait(false);
            return client;
        }
        catch
        {
            await client.DetachAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Waits until the session is attached.</summary>
    /// <exception cref="KeeperException">The session has ended.</exception>
    public Task WaitConnectedAsync(CancellationToken cancellationToken = default) => _session.WaitConnectedAsync(0, cancellationToken);

    /// <summary>
    /// Drops the connection and attaches the session again, at the next server of the list. After expiry a new session is made.
    /// </summary>
    /// <exception cref="KeeperException">The session has ended for good.</exception>
    public Task ReconnectAsync(CancellationToken cancellationToken = default) => _session.ReconnectAsync(cancellationToken);

    /// <summary>Ends the session, so that its ephemeral znodes go at once, and closes. Waits at most five seconds for the server.</summary>
    public async Task CloseAsync()
    {
        if (State == SessionState.Connected)
        {
            using var limit = new CancellationTokenSource(CloseWait, _session.Options.TimeProvider);
            try
            {
                await SubmitAsync(OpCode.CloseSession, null, null, static (ref _, header) => header.Zxid, limit.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is KeeperException or OperationCanceledException)
            {
                // The cluster ends the session itself when it hears no more of it.
            }
        }
        await _session.StopAsync().ConfigureAwait(false);
    }

    /// <summary>Closes without ending the session: it can be attached elsewhere, or expires.</summary>
    public Task DetachAsync() => _session.StopAsync();

    /// <inheritdoc cref="CloseAsync"/>
    public async ValueTask DisposeAsync() => await CloseAsync().ConfigureAwait(false);

    /// <summary>Creates a znode.</summary>
    /// <param name="path">Its path; a sequential one gets a counter appended.</param>
    /// <param name="data">Its data; null is kept apart from empty. Not to be changed before the call has completed.</param>
    /// <param name="flags">One of <see cref="CreateFlags"/>. Container znodes need servers of 3.5.1, TTL ones of 3.5.3.</param>
    /// <param name="acl">Its ACL; null for <see cref="ZooKeeperClientOptions.DefaultAcl"/>.</param>
    /// <param name="ttl">Time to live, for the TTL flags.</param>
    /// <param name="withStat">Whether to ask for the Stat too (create2, 3.5).</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<CreateResult> CreateAsync(string path, byte[]? data = null, int flags = CreateFlags.Persistent, IReadOnlyList<Acl>? acl = null,
        TimeSpan ttl = default, bool withStat = false, CancellationToken cancellationToken = default)
    {
        var op = flags switch
        {
            CreateFlags.Container => OpCode.CreateContainer,
            CreateFlags.PersistentWithTtl or CreateFlags.PersistentSequentialWithTtl => OpCode.CreateTtl,
            _ => withStat ? OpCode.Create2 : OpCode.Create,
        };
        var request = new CreateRequest(path, data, [.. acl ?? _session.Options.DefaultAcl], flags, (long)ttl.TotalMilliseconds);
        return SubmitAsync(op, path, request.WriterFor(op), (ref reader, header) =>
            new CreateResult(reader.ReadString() ?? "", op == OpCode.Create ? null : Stat.Read(ref reader), header.Zxid), cancellationToken);
    }

    /// <summary>Deletes a znode at a version; -1 for any.</summary>
    /// <returns>The zxid of the write.</returns>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<long> DeleteAsync(string path, int version = -1, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.Delete, path, new PathVersionRequest(path, version).Write, static (ref _, header) => header.Zxid, cancellationToken);

    /// <summary>Asks for a znode's Stat. A missing znode is an answer, not an error; a watch is set either way.</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<ExistsResult> ExistsAsync(string path, bool watch = false, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.Exists, path, new PathWatchRequest(path, watch).Write, (ref reader, header) => header.Error switch
        {
            ErrorCode.Ok => new ExistsResult(Stat.Read(ref reader), header.Zxid),
            ErrorCode.NoNode => new ExistsResult(null, header.Zxid),
            _ => throw new KeeperException(header.Error, OpCode.Exists, path, header.Zxid),
        }, cancellationToken, Arm(watch, OpCode.Exists, path), readErrors: true);

    /// <summary>Reads data and Stat.</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<DataResult> GetDataAsync(string path, bool watch = false, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.GetData, path, new PathWatchRequest(path, watch).Write,
            static (ref reader, header) => new DataResult(reader.ReadBuffer(), Stat.Read(ref reader), header.Zxid), cancellationToken, Arm(watch, OpCode.GetData, path));

    /// <summary>Replaces data at a version; -1 for any.</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<StatResult> SetDataAsync(string path, byte[]? data, int version = -1, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.SetData, path, new SetDataRequest(path, data, version).Write, static (ref reader, header) => new StatResult(Stat.Read(ref reader), header.Zxid), cancellationToken);

    /// <summary>Lists children, with the parent's Stat.</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<ChildrenResult> GetChildrenAsync(string path, bool watch = false, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.GetChildren2, path, new PathWatchRequest(path, watch).Write,
            static (ref reader, header) => new ChildrenResult(reader.ReadStrings(), Stat.Read(ref reader), header.Zxid), cancellationToken, Arm(watch, OpCode.GetChildren2, path));

    /// <summary>Reads an ACL.</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<AclResult> GetAclAsync(string path, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.GetAcl, path, writer => writer.WriteString(path),
            static (ref reader, header) => new AclResult(Acl.ReadList(ref reader) ?? [], Stat.Read(ref reader), header.Zxid), cancellationToken);

    /// <summary>Replaces an ACL at an ACL version; -1 for any.</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<StatResult> SetAclAsync(string path, IReadOnlyList<Acl> acl, int version = -1, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.SetAcl, path, new SetAclRequest(path, [.. acl], version).Write, static (ref reader, header) => new StatResult(Stat.Read(ref reader), header.Zxid), cancellationToken);

    /// <summary>
    /// Brings the server up to what its leader has committed. Answered without a vote: see <see cref="QuorumBarrierAsync"/>.
    /// </summary>
    /// <returns>The server's position.</returns>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<long> SyncAsync(string path = "/", CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.Sync, path, writer => writer.WriteString(path), static (ref _, header) => header.Zxid, cancellationToken);

    /// <summary>
    /// A write that changes nothing: proposed and voted like one, fires no watch, needs READ on "/" at most. When it has completed,
    /// this server has applied everything that was committed before the call.
    /// </summary>
    /// <returns>Its zxid.</returns>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public async Task<long> QuorumBarrierAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return (await MultiAsync([MultiOp.Check("/")], cancellationToken).ConfigureAwait(false)).Zxid;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
        {
            // An empty multi is voted too, and reads nothing.
            return (await MultiAsync([], cancellationToken).ConfigureAwait(false)).Zxid;
        }
    }

    /// <summary>Executes several writes, all or none.</summary>
    /// <exception cref="KeeperException">One failed: the code and path are that one's, and <see cref="KeeperException.Results"/> holds
    /// all; or the connection was lost.</exception>
    public Task<MultiResult> MultiAsync(IReadOnlyList<MultiOp> ops, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.Multi, null, writer => MultiOp.WriteAll(writer, ops), (ref reader, header) =>
        {
            var results = MultiOp.ReadAll(ref reader);
            var failed = results.FindIndex(result => result.Error is not (ErrorCode.Ok or ErrorCode.RuntimeInconsistency));
            return failed < 0
                ? new MultiResult(results, header.Zxid)
                : throw new KeeperException(results[failed].Error, OpCode.Multi, failed < ops.Count ? ops[failed].Path : null, header.Zxid, results);
        }, cancellationToken);

    /// <summary>Several reads in one request (3.6). Each result has its own outcome.</summary>
    /// <exception cref="KeeperException">The request as a whole was refused, or the connection was lost.</exception>
    public Task<MultiResult> MultiReadAsync(IReadOnlyList<MultiOp> ops, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.MultiRead, null, writer => MultiOp.WriteAll(writer, ops),
            static (ref reader, header) => new MultiResult(MultiOp.ReadAll(ref reader), header.Zxid), cancellationToken);

    /// <summary>Adds a persistent watch (3.6).</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<long> AddWatchAsync(string path, AddWatchMode mode, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.AddWatch, path, new PathKindRequest(path, (int)mode).Write, static (ref _, header) => header.Zxid, cancellationToken,
            error => { if (error == ErrorCode.Ok) { _session.Watches.Added(path, mode); } });

    /// <summary>Removes watches of a path (3.5).</summary>
    /// <exception cref="KeeperException"><see cref="ErrorCode.NoWatcher"/> where there is none; or the connection was lost.</exception>
    public Task<long> RemoveWatchesAsync(string path, WatcherType type = WatcherType.Any, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.RemoveWatches, path, new PathKindRequest(path, (int)type).Write, static (ref _, header) => header.Zxid, cancellationToken,
            error => { if (error is ErrorCode.Ok or ErrorCode.NoWatcher) { _session.Watches.Removed(path, type); } });

    /// <summary>Adds credentials to this connection and, once accepted, to every later one.</summary>
    /// <exception cref="KeeperException"><see cref="ErrorCode.AuthFailed"/>: refused, and the session is over for this client; or the
    /// connection was lost.</exception>
    public async Task AddAuthAsync(string scheme, byte[] secret, CancellationToken cancellationToken = default)
    {
        await SubmitAsync(OpCode.Auth, null, new AuthRequest(0, scheme, secret).Write, static (ref _, header) => header.Zxid, cancellationToken,
            replied: error => { if (error == ErrorCode.Ok) { _session.AddCredentials(new AuthCredentials(scheme, secret)); } }).ConfigureAwait(false);
    }

    /// <summary>This session's ephemeral znodes whose path starts with a prefix, as plain text (3.6).</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<ValueResult<string[]>> GetEphemeralsAsync(string prefix = "/", CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.GetEphemerals, prefix, writer => writer.WriteString(prefix),
            static (ref reader, header) => new ValueResult<string[]>(reader.ReadStrings(), header.Zxid), cancellationToken);

    /// <summary>How many znodes are below a path (3.6).</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<ValueResult<int>> GetAllChildrenNumberAsync(string path, CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.GetAllChildrenNumber, path, writer => writer.WriteString(path),
            static (ref reader, header) => new ValueResult<int>(reader.ReadInt(), header.Zxid), cancellationToken);

    /// <summary>The identities of this connection, as (scheme, user) (3.7).</summary>
    /// <exception cref="KeeperException">Refused, or the connection was lost.</exception>
    public Task<ValueResult<IReadOnlyList<(string Scheme, string User)>>> WhoAmIAsync(CancellationToken cancellationToken = default) =>
        SubmitAsync(OpCode.WhoAmI, null, null, static (ref reader, header) =>
        {
            var identities = new (string, string)[reader.ReadCount(8)];
            for (var i = 0; i < identities.Length; i++)
            {
                identities[i] = (reader.ReadString() ?? "", reader.ReadString() ?? "");
            }
            return new ValueResult<IReadOnlyList<(string, string)>>(identities, header.Zxid);
        }, cancellationToken);

    private Action<ErrorCode>? Arm(bool watch, OpCode op, string path) => watch ? error => _session.Watches.Armed(op, path, error) : null;

    private Task<T> SubmitAsync<T>(OpCode op, string? path, Action<JuteWriter>? body, ReplyReader<T> read, CancellationToken cancellationToken,
        Action<ErrorCode>? replied = null, bool readErrors = false) =>
        _session.SubmitAsync(new PendingRequest<T>(op, path, body, read, readErrors) { Replied = replied }, cancellationToken);
}
