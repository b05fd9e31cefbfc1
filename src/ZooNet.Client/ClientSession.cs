using System.Net;
using System.Threading.Channels;
using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>
/// A session over a series of connections: one loop connects, serves, and connects again until the session ends. State is written by
/// the loop only and may be read from anywhere; events are raised on the loop or on a connection's read loop, never on a caller's stack.
/// </summary>
#pragma warning disable CA1001 // Without a timer it holds nothing, and late callers still ask it.
internal sealed class ClientSession
#pragma warning restore CA1001
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(1);
    // A connection that ends sooner than this counts as a failed attempt: a server that accepts and closes is no better than a dead one.
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(1);

    private readonly Channel<PendingRequest> _requests;
    private readonly ServerCursor _cursor;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<AuthCredentials> _credentials;
    private TaskCompletionSource _changed = NewSignal();
    private TaskCompletionSource? _revive;
    private ClientConnection? _connection;
    private Task _run = Task.CompletedTask;
    private SessionState _state = SessionState.Connecting;
    private long _lastZxid;
    private int _generation;
    private int _roundsWaitedFor;
    private bool _noSetWatches2;

    public ClientSession(ZooKeeperClientOptions options)
    {
        if (options.Servers.Count == 0)
        {
            throw new ArgumentException("at least one server is needed", nameof(options));
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Window, 1, nameof(options));
        Options = options;
        _cursor = new ServerCursor(options.Servers);
        _credentials = [.. options.Auth];
        _lastZxid = options.LastZxidSeen;
        Id = options.SessionId;
        Password = options.SessionPassword ?? (options.SessionId == 0 ? [] : SessionPassword.Of(options.SessionId));
        _requests = Channel.CreateBounded<PendingRequest>(new BoundedChannelOptions(options.Window) { SingleReader = true });
    }

    public event Action<SessionState>? StateChanged;

    public event Action<WatchNotification>? WatchFired;

    public event Action<long>? PositionShown;

    public ZooKeeperClientOptions Options { get; }

    public WatchRegistry Watches { get; } = new();

    public long Id { get; private set; }

    public byte[] Password { get; private set; }

    public TimeSpan Timeout { get; private set; }

    public IPEndPoint? Server { get; private set; }

    public bool IsReadOnly { get; private set; }

    public SessionState State
    {
        get
        {
            lock (_gate)
            {
                return _state;
            }
        }
    }

    public long LastZxid => Interlocked.Read(ref _lastZxid);

    public void Start() => _run = Task.Run(RunAsync);

    public async Task<T> SubmitAsync<T>(PendingRequest<T> request, CancellationToken cancellationToken)
    {
        if (Final(State) is { } code)
        {
            throw new KeeperException(code, request.Op, request.Path);
        }
        request.QueuedAt = Options.TimeProvider.GetTimestamp();
        // Blocked writers are served in the order in which they came, so program order holds under back-pressure too.
        await _requests.Writer.WriteAsync(request, cancellationToken).ConfigureAwait(false);
        // The session may have ended between the check and the write.
        if (Final(State) is { } late)
        {
            FailQueued(late);
        }
        return await request.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task WaitConnectedAsync(int afterGeneration, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (_state == SessionState.Connected && _generation > afterGeneration)
                {
                    return;
                }
                if (Final(_state) is { } code && _revive is not { Task.IsCompleted: true })
                {
                    throw new KeeperException(code, OpCode.CreateSession, null);
                }
                changed = _changed.Task;
            }
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public Task ReconnectAsync(CancellationToken cancellationToken)
    {
        int generation;
        lock (_gate)
        {
            generation = _generation;
            _revive?.TrySetResult();
            _connection?.Drop("asked to reconnect");
        }
        return WaitConnectedAsync(generation, cancellationToken);
    }

    public void AddCredentials(AuthCredentials credentials)
    {
        lock (_gate)
        {
            _credentials.Add(credentials);
        }
    }

    public async Task StopAsync()
    {
        if (!_stop.IsCancellationRequested)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
        }
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    internal void OnReply(long zxid)
    {
        // One connection at a time writes this. A proxy may answer an older zxid than before; going back would lose watches.
        if (zxid > _lastZxid)
        {
            Interlocked.Exchange(ref _lastZxid, zxid);
        }
        if (zxid > 0 && PositionShown is { } shown)
        {
            Show(shown, zxid);
        }
    }

    // Apart, so that replies that nobody listens to make no closure.
    private void Show(Action<long> shown, long zxid) => Guarded(() => shown(zxid));

    internal void OnWatchEvent(WatcherEvent watchEvent, long zxid)
    {
        Watches.Fired(watchEvent);
        Guarded(() => WatchFired?.Invoke(new WatchNotification(watchEvent.Type, watchEvent.Path ?? "", zxid)));
    }

    internal void OnSetWatchesReply(ErrorCode error)
    {
        if (error == ErrorCode.Unimplemented)
        {
            // Before 3.6. The server closes now; the next connection sends setWatches, without the persistent watches such a server can't
            // hold.
            _noSetWatches2 = true;
        }
    }

    private async Task RunAsync()
    {
        var ended = SessionState.Closed;
        try
        {
            while (true)
            {
                FailStale();
                var connection = await TryConnectAsync().ConfigureAwait(false);
                if (connection is null)
                {
                    continue;
                }
                using (connection)
                {
                    if (connection.Response is { TimeoutMs: <= 0 } or { SessionId: 0 })
                    {
                        await ExpireAsync().ConfigureAwait(false);
                        continue;
                    }
                    await ServeAsync(connection).ConfigureAwait(false);
                    if (connection.AuthRefused)
                    {
                        ended = SessionState.AuthFailed;
                        return;
                    }
                }
                Move(SessionState.Disconnected);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        finally
        {
            Move(ended);
            FailQueued(Final(ended)!.Value);
        }
    }

    private async Task<ClientConnection?> TryConnectAsync()
    {
        _stop.Token.ThrowIfCancellationRequested();
        var time = Options.TimeProvider;
        if (_cursor.Rounds > _roundsWaitedFor)
        {
            _roundsWaitedFor = _cursor.Rounds;
            var backoff = TimeSpan.FromMilliseconds(20 << Math.Min(_cursor.Rounds, 6));
            backoff = (backoff < LongestBackoff ? backoff : LongestBackoff) * (0.5 + Random.Shared.NextDouble() / 2);
            await Task.Delay(backoff, time, _stop.Token).ConfigureAwait(false);
        }
        using var timer = new CancellationTokenSource(Options.AttemptTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, timer.Token);
        IPEndPoint? server = null;
        try
        {
            (server, var host) = await _cursor.NextAsync(limit.Token).ConfigureAwait(false);
            var request = new ConnectRequest(0, LastZxid, (int)Options.SessionTimeout.TotalMilliseconds, Id, Password, Options.ReadOnly);
            var connection = await ClientConnection.OpenAsync(server, host, request, this, limit.Token).ConfigureAwait(false);
            Server = server;
            return connection;
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            Report($"{server?.ToString() ?? "a name"}: no answer within {Options.AttemptTimeout.TotalMilliseconds:F0} ms");
        }
        catch (Exception e) when (e is System.Net.Sockets.SocketException or IOException)
        {
            Report($"{server?.ToString() ?? "resolving a name"}: {e.Message}");
        }
        return null;
    }

    private async Task ServeAsync(ClientConnection connection)
    {
        var response = connection.Response;
        var again = Id != 0;
        Id = response.SessionId;
        Password = response.Password;
        Timeout = TimeSpan.FromMilliseconds(response.TimeoutMs);
        IsReadOnly = response.ReadOnly ?? false;
        AuthCredentials[] credentials;
        lock (_gate)
        {
            credentials = [.. _credentials];
        }
        var setWatches = Watches.HasPersistent && !_noSetWatches2 ? OpCode.SetWatches2 : OpCode.SetWatches;
        connection.SendPreamble(credentials, Watches.Requests(LastZxid), setWatches);
        lock (_gate)
        {
            _connection = connection;
            _generation++;
        }
        Report($"{Server}: session 0x{Id:x} {(again ? "attached again" : "made")}, timeout {response.TimeoutMs} ms");
        Move(SessionState.Connected);
        var began = Options.TimeProvider.GetTimestamp();
        var reason = await connection.RunAsync(_requests.Reader, _stop.Token).ConfigureAwait(false);
        lock (_gate)
        {
            _connection = null;
        }
        if (Options.TimeProvider.GetElapsedTime(began) >= ShortLife)
        {
            _cursor.Connected();
            _roundsWaitedFor = 0;
        }
        Report($"{Server}: connection lost: {reason}");
        Server = null;
    }

    private async Task ExpireAsync()
    {
        Report($"session 0x{Id:x} has expired");
        Id = 0;
        Password = [];
        Watches.Clear();
        Task revive;
        lock (_gate)
        {
            _revive = NewSignal();
            revive = _revive.Task;
        }
        Move(SessionState.Expired);
        FailQueued(ErrorCode.SessionExpired);
        await revive.WaitAsync(_stop.Token).ConfigureAwait(false);
        Move(SessionState.Connecting);
        lock (_gate)
        {
            _revive = null;
        }
    }

    private void Move(SessionState state)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            if (_state == state && state != SessionState.Connected)
            {
                return;
            }
            _state = state;
            changed = _changed;
            _changed = NewSignal();
        }
        Guarded(() => StateChanged?.Invoke(state));
        changed.TrySetResult();
    }

    private void FailStale()
    {
        var wait = Options.ConnectionWait ?? Options.SessionTimeout;
        while (_requests.Reader.TryPeek(out var oldest) && Options.TimeProvider.GetElapsedTime(oldest.QueuedAt) >= wait && _requests.Reader.TryRead(out var stale))
        {
            stale.Fail(ErrorCode.ConnectionLoss, new IOException($"no server could be reached for {wait.TotalMilliseconds:F0} ms"));
        }
    }

    private void FailQueued(ErrorCode code)
    {
        while (_requests.Reader.TryRead(out var request))
        {
            request.Fail(code, null);
        }
    }

    private void Guarded(Action handler)
    {
        try
        {
            handler();
        }
        catch (Exception e)
        {
            Report($"an event handler threw: {e}");
        }
    }

    private void Report(string line) => Options.Diagnostics?.Invoke(line);

    private static ErrorCode? Final(SessionState state) => state switch
    {
        SessionState.Expired or SessionState.Closed => ErrorCode.SessionExpired,
        SessionState.AuthFailed => ErrorCode.AuthFailed,
        _ => null,
    };

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
