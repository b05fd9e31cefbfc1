using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Control;

/// <summary>
/// The proxy's own session in one cluster, home or remote: it does what mounting needs done there, and its probes tell whether
/// the cluster can be reached. Client requests never wait for it. Thread-safe.
/// </summary>
/// <remarks>
/// One loop makes the session and probes it; a session that is lost or expired is made anew, observers first, after a pause that
/// doubles, with jitter, up to <see cref="LongestPause"/>. Calls go through a circuit of the cluster: after repeated failures they fail
/// at once until a probe is let through.
/// </remarks>
public sealed class ClusterControl : IAsyncDisposable
{
    /// <summary>The longest pause between attempts to reach a cluster that is down.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// An answer that takes longer than three round trips is late: sooner than after the first of these for none, and after the second for
    /// each. Round trips are long, too, where the last answer was late.
    /// </summary>
    private static readonly (TimeSpan Never, TimeSpan Always) Late = (TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(1));

    /// <summary>How long a session may be without a connection, while it changes servers, before its cluster counts as down.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan BreakDuration = TimeSpan.FromSeconds(2);

    private readonly ProxyConfig _config;
    private readonly ProxySecret _secret;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CircuitBreakerStateProvider _circuit = new();
    private readonly CircuitBreakerManualControl _circuitControl = new();
    private readonly ResiliencePipeline _calls;
    private readonly ResiliencePipeline _reconnect;
    private readonly Func<IOwnServer?> _embedded;
    private readonly ClusterServers _addresses;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private Task _run = Task.CompletedTask;
    private int _disposed;
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ZooKeeperClient? _client;
    private volatile string? _lastLine;
    private ClusterHealth _health;
    private long? _asked;
    private long _answers;
    private long _position;

    /// <summary>Makes a control of one cluster. It does nothing before <see cref="Start"/>.</summary>
    public ClusterControl(ClusterConfig cluster, ProxyConfig config, ProxySecret secret, TimeProvider time, ILogger<ClusterControl> logger,
        Func<IOwnServer?>? embedded = null, ClusterServers? addresses = null)
    {
        _addresses = addresses ?? new ClusterServers(cluster);
        _embedded = embedded ?? (static () => null);
        Cluster = cluster;
        Tree = new ProxyTree(this, secret, time);
        _secret = secret;
        _config = config;
        _time = time;
        _logger = logger;
        _health = new ClusterHealth(false, time.GetUtcNow(), null, false, null, "not connected yet", "closed");
        var failure = new PredicateBuilder().Handle<KeeperException>(IsLoss).Handle<TimeoutRejectedException>().Handle<ClusterUnreachableException>();
        var calls = new ResiliencePipelineBuilder { TimeProvider = time };
        if (!cluster.IsHome)
        {
            // Home has none: the mount table is wanted in the moment that home is back.
            calls.AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                // Losses are rare where a cluster is well: one call in ten is far from well, also just after a time of many good ones.
                FailureRatio = 0.1,
                MinimumThroughput = 3,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = BreakDuration,
                StateProvider = _circuit,
                ManualControl = _circuitControl,
                ShouldHandle = failure,
            });
        }
        _calls = calls.AddTimeout(config.SessionTimeout).Build();
        _reconnect = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = int.MaxValue,
                Delay = TimeSpan.FromMilliseconds(100),
                MaxDelay = LongestPause,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldHandle = new PredicateBuilder().Handle<Exception>(_ => !_stop.IsCancellationRequested),
            })
            .Build();
    }

    /// <summary>Raised, by any thread, when the control session has been attached, again or for the first time.</summary>
    public event Action? Connected;

    /// <summary>Raised, by any thread, when the control session's connection has been lost.</summary>
    public event Action? Disconnected;

    /// <summary>Raised, by any thread, when <see cref="Health"/> turned up or down.</summary>
    public event Action? HealthChanged;

    /// <summary>Raised for each watch event, on the client's read loop: handlers do not block.</summary>
    public event Action<WatchNotification>? WatchFired;

    /// <summary>The cluster, as it was configured at the start.</summary>
    public ClusterConfig Cluster { get; }

    /// <summary>Its addresses as they are known now.</summary>
    public ClusterServers Addresses => _addresses;

    /// <summary>The newest position that the cluster has shown to the proxy's own sessions: a zxid, 0 for none.</summary>
    public long Position
    {
        get
        {
            lock (_lock)
            {
                return _position;
            }
        }
    }

    /// <summary>Why nothing of the cluster is served though it answers; null where it is (<see cref="LostHistory"/>).</summary>
    public string? Refusal { get; internal set => Volatile.Write(ref field, value); }

    /// <summary>What has happened to the cluster that an operator should know; null for nothing.</summary>
    public string? Notice { get; internal set => Volatile.Write(ref field, value); }

    /// <summary>The proxies' tree there.</summary>
    public ProxyTree Tree { get; }

    /// <summary>The proxy's own observer of it; null where none is configured, and for a tree.</summary>
    public EmbeddedObserver? Embedded => _embedded() as EmbeddedObserver;

    /// <summary>Where it may be reached, the preferred first: the proxy's own observer, those of this region, its servers.</summary>
    public IReadOnlyList<ServerAddress> Servers =>
    [
        .. _embedded() is { } own ? [new ServerAddress(own.EndPoint.Address.ToString(), own.EndPoint.Port)] : (ServerAddress[])[],
        .. _addresses.InOrder.Select(a => new ServerAddress(a.Host, a.Port)),
    ];

    /// <summary>How the cluster looks now.</summary>
    public ClusterHealth Health
    {
        get
        {
            lock (_lock)
            {
                var waited = _asked is { } asked ? _time.GetElapsedTime(asked) : TimeSpan.Zero;
                var late = 3 * _health.RoundTrip.GetValueOrDefault();
                late = late < Late.Never ? Late.Never : late > Late.Always ? Late.Always : late;
                var circuit = _circuit.CircuitState;
                return _health with
                {
                    Circuit = circuit is CircuitState.HalfOpen ? "half-open" : circuit.ToString().ToLowerInvariant(),
                    Silence = _health.IsUp && waited > late ? waited : null,
                };
            }
        }
    }

    /// <summary>The cluster was made anew: what it has shown counts no more.</summary>
    internal void ForgetPosition()
    {
        lock (_lock)
        {
            _position = 0;
        }
    }

    /// <summary>Begins to connect.</summary>
    public void Start() => _run = Task.Run(RunAsync);

    /// <summary>Does something with the control session.</summary>
    /// <exception cref="ClusterUnreachableException">There is no session, the circuit is open, or the answer did not come in
    /// time.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task<T> CallAsync<T>(Func<ZooKeeperClient, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await _calls.ExecuteAsync(async token =>
            {
                var client = _client is { State: SessionState.Connected } connected ? connected : throw Unreachable(null);
                return await work(client).WaitAsync(token);
            }, cancellationToken);
        }
        catch (KeeperException e) when (IsLoss(e))
        {
            throw Unreachable(e);
        }
        catch (Exception e) when (e is TimeoutRejectedException or BrokenCircuitException)
        {
            throw Unreachable(e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        // The loop below ends by throwing only, and the pipeline starts it again: that is where the pauses come from. A session that
        // was up for a while starts a new series of pauses.
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _reconnect.ExecuteAsync(async token => await ServeSessionAsync(token), _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Makes one session and probes it until it is lost; returns where it had been up, throws where it never was.</summary>
    private async Task ServeSessionAsync(CancellationToken cancellationToken)
    {
        if (Servers.Count == 0)
        {
            var nowhere = Unreachable(null);
            TurnDown(nowhere.Message);
            throw nowhere;
        }
        var client = new ZooKeeperClient(new ZooKeeperClientOptions
        {
            Servers = new LiveAddresses(() => Servers),
            SessionTimeout = _config.SessionTimeout,
            AttemptTimeout = _config.ConnectTimeout,
            Tls = Cluster.Tls is { } tls ? tls.OptionsFor : null,
            Dial = endpoint => _embedded() is { } own && own.EndPoint.Equals(endpoint) ? own.Open() : null,
            Auth = _secret.Credentials,
            TimeProvider = _time,
            Diagnostics = line =>
            {
                _lastLine = line;
                _logger.ControlSession(Cluster.Name, line);
            },
        });
        client.WatchFired += e => WatchFired?.Invoke(e);
        client.PositionShown += Show;
        client.StateChanged += state =>
        {
            Interlocked.Exchange(ref _moved, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            if (state == SessionState.Connected)
            {
                Tree.Forget();
                Connected?.Invoke();
            }
            else if (state == SessionState.Disconnected)
            {
                Disconnected?.Invoke();
            }
        };
        var answersBefore = Interlocked.Read(ref _answers);
        try
        {
            using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
            {
                limit.CancelAfter(_config.ConnectTimeout * Math.Max(2, Servers.Count));
                try
                {
                    await client.WaitConnectedAsync(limit.Token);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    throw Unreachable(null);
                }
            }
            _client = client;
            // The handler above was too early for whoever calls us back.
            Tree.Forget();
            Connected?.Invoke();
            await ProbeAsync(client, cancellationToken);
        }
        catch (Exception e) when (e is KeeperException or ClusterUnreachableException)
        {
            TurnDown(e.Message);
            if (Interlocked.Read(ref _answers) == answersBefore)
            {
                throw;
            }
        }
        finally
        {
            _client = null;
            if (client.State is SessionState.Connected)
            {
                await client.CloseAsync();
            }
            else
            {
                await client.DetachAsync();
            }
        }
    }

    /// <summary>
    /// Reads a znode that every server has, again and again; throws when the session is over or the cluster stays silent.
    /// </summary>
    /// <remarks>
    /// An observer answers a read out of its own memory, however far away its ensemble is. There a probe is a sync instead, which the leader
    /// answers. A tree's servers are this process: it has no round trip.
    /// </remarks>
    private async Task ProbeAsync(ZooKeeperClient client, CancellationToken cancellationToken)
    {
        var lastAnswer = _time.GetTimestamp();
        while (true)
        {
            try
            {
                var isSync = !Cluster.IsTree && IsObserver(client);
                var began = _time.GetTimestamp();
                Asked(began);
                if (_circuit.CircuitState is CircuitState.Open && client.State is SessionState.Connected)
                {
                    // The circuit keeps others from asking in vain; whether that is in vain is what is asked here.
                    await client.ExistsAsync("/zookeeper", cancellationToken: cancellationToken)
                        .WaitAsync(_config.SessionTimeout, _time, cancellationToken);
                    await _circuitControl.CloseAsync(cancellationToken);
                }
                else
                {
                    await CallAsync<object?>(async c => isSync ? await c.SyncAsync("/zookeeper") : await c.ExistsAsync("/zookeeper"),
                        cancellationToken);
                }
                lastAnswer = _time.GetTimestamp();
                Interlocked.Increment(ref _answers);
                TurnUp(client, Cluster.IsTree ? null : _time.GetElapsedTime(began));
            }
            catch (Exception e) when (e is ClusterUnreachableException or TimeoutException || e is KeeperException lost && IsLoss(lost))
            {
                TurnDown(e is ClusterUnreachableException ? e.Message : Unreachable(e).Message);
                // The client is trying all servers by now. A new one begins with the observers again, with their names resolved anew, and
                // is not refused by a cluster that has lost what this one has seen.
                if (client.State is SessionState.Expired or SessionState.AuthFailed or SessionState.Closed
                    || _time.GetElapsedTime(lastAnswer) > _config.SessionTimeout)
                {
                    throw;
                }
            }
            finally
            {
                Asked(null);
            }
            await PauseAsync(client, cancellationToken);
        }
    }

    /// <summary>
    /// Until the next probe: at once when the session is attached again, and soon when it has lost its server and finds no other.
    /// </summary>
    private async Task PauseAsync(ZooKeeperClient client, CancellationToken cancellationToken)
    {
        var was = client.State;
        await MovedOrAsync(ProbeInterval);
        if (was is SessionState.Connected && client.State is SessionState.Disconnected)
        {
            await MovedOrAsync(Grace);
        }

        async Task MovedOrAsync(TimeSpan pause)
        {
            var moved = Volatile.Read(ref _moved).Task;
            // What has moved before is not to be missed, nor what moves while this begins.
            if (client.State == was || pause == Grace)
            {
                await moved.WaitAsync(pause, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    private void Asked(long? at)
    {
        lock (_lock)
        {
            _asked = at;
        }
    }

    private void Show(long position)
    {
        lock (_lock)
        {
            _position = Math.Max(_position, position);
        }
    }

    private void TurnUp(ZooKeeperClient client, TimeSpan? roundTrip)
    {
        var server = _embedded() is { } own && own.EndPoint.Equals(client.Server) ? own.Name : client.Server?.ToString();
        bool turned;
        lock (_lock)
        {
            turned = !_health.IsUp;
            _health = _health with
            {
                IsUp = true,
                Since = turned ? _time.GetUtcNow() : _health.Since,
                Server = server,
                IsObserver = IsObserver(client),
                RoundTrip = roundTrip ?? _health.RoundTrip,
            };
        }
        if (turned)
        {
            _logger.ClusterUp(Cluster.Name, server ?? "a server");
            HealthChanged?.Invoke();
        }
    }

    private bool IsObserver(ZooKeeperClient client)
    {
        // Names are resolved by the client; where an observer is configured by name only its port can be compared.
        return client.Server is { } server && (server.Equals(_embedded()?.EndPoint) || _addresses.Observers.Any(o =>
            o.Port == server.Port && (!System.Net.IPAddress.TryParse(o.Host, out var address) || address.Equals(server.Address))));
    }

    private void TurnDown(string error)
    {
        bool turned;
        lock (_lock)
        {
            turned = _health.IsUp || _health.Server is null && _health.LastError != error;
            _health = _health with { IsUp = false, Since = _health.IsUp ? _time.GetUtcNow() : _health.Since, Server = null, IsObserver = false, LastError = error };
        }
        if (turned)
        {
            _logger.ClusterDown(Cluster.Name, error);
            HealthChanged?.Invoke();
        }
    }

    private ClusterUnreachableException Unreachable(Exception? inner)
    {
        var servers = string.Join(", ", _addresses.InOrder);
        if (_embedded() is { } own)
        {
            var state = own.IsServing ? "serving" : own.Problem ?? own.State;
            servers = $"{servers}{(servers.Length == 0 ? "" : ", ")}{own.What}: {state}";
        }
        if (Cluster.Tls is not null && _lastLine is { } line)
        {
            // An address is easily looked up; why certificates don't fit is not.
            servers = $"{servers}: {line}";
        }
        return new ClusterUnreachableException($"the cluster '{Cluster.Name}' can't be reached ({servers}); check its servers and the way to them", inner);
    }

    private static bool IsLoss(KeeperException e) => e.Code is ErrorCode.ConnectionLoss or ErrorCode.SessionExpired or ErrorCode.OperationTimeout or ErrorCode.SessionMoved;
}
