using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using ZooNet.Server.Cluster;
using ZooNet.Tree;

namespace ZooNet.Server.Quorum;

/// <summary>
/// Keeps an observer on a real ensemble: finds the leader, follows it, and when it is lost finds the next one. Thread-safe.
/// </summary>
internal sealed class Learner : IAsyncDisposable
{
    /// <summary>While no leader is found, how often the addresses are looked up again.</summary>
    private static readonly TimeSpan FindAgain = TimeSpan.FromSeconds(30);

    private readonly Observer _observer;
    private readonly LearnerOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private Task _run = Task.CompletedTask;
    private long _acceptedEpoch;
    private readonly SemaphoreSlim _keeping = new(1);
    private readonly LearnerStore? _store;
    private int _divergences;
    private int _snapshots;
    private volatile string? _problem;
    private volatile LearnerConnection? _current;
    private volatile DnsEndPoint? _followed;
    private IReadOnlyList<DnsEndPoint> _quorum;
    private long? _found;

    /// <summary>Makes one; it does nothing before <see cref="Start"/>.</summary>
    /// <exception cref="IOException">The folder for its state can't be used.</exception>
    public Learner(Observer observer, LearnerOptions options)
    {
        _observer = observer;
        _options = options;
        _quorum = options.Quorum;
        _logger = observer.Options.Logging.CreateLogger<Learner>();
        _observer.Leader = NoLeader.Instance;
        _observer.Tree.Roots = options.Roots is { } roots ? RootsOf(roots) : null;
        _store = options.DataDirectory is { } folder ? new LearnerStore(folder, observer, _logger) : null;
    }

    /// <summary>Where it stands.</summary>
    public LearnerState State => _stop.IsCancellationRequested ? LearnerState.Stopped : _current?.State ?? LearnerState.Looking;

    /// <summary>The leader's address; null while there is none.</summary>
    public string? Address => _current?.Address;

    /// <summary>Why it does not follow, in a sentence; null while it does, or before the first attempt has ended.</summary>
    public string? Problem => _problem;

    /// <summary>How often the replica was not what its leader was, and was thrown away.</summary>
    public int Divergences => Volatile.Read(ref _divergences);

    /// <summary>
    /// How often the whole state was taken: at the first start, and where a leader had no list any more of what was missing.
    /// </summary>
    public int Snapshots => Volatile.Read(ref _snapshots);

    /// <summary>The last time, in a sentence; null while it never was.</summary>
    public string? Divergence { get; private set => Volatile.Write(ref field, value); }

    /// <summary>Raised whenever <see cref="State"/> has changed, on the learner's own thread.</summary>
    public event Action<LearnerState>? Changed;

    /// <summary>Raised, on the learner's own thread, before the observer serves again if it is behind what it had shown before.</summary>
    public event Action? WentBack;

    private TimeProvider Time => _observer.Options.Time;

    /// <summary>Begins.</summary>
    public void Start() => _run = Task.Run(RunAsync);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _store?.Save(_acceptedEpoch);
        _store?.Dispose();
        _stop.Dispose();
        _keeping.Dispose();
    }

    /// <summary>
    /// Keeps other parts of the cluster from now on. What is no longer wanted is forgotten at once; for what is not kept yet the state is
    /// taken once more, on a second connection, while this observer goes on serving. Waits until it follows a leader.
    /// </summary>
    /// <param name="paths">The znodes to keep, with all below them; null for everything.</param>
    /// <param name="cancellationToken">Gives up; what was kept is kept.</param>
    public async Task KeepAsync(IReadOnlyCollection<string>? paths, CancellationToken cancellationToken)
    {
        var wanted = paths is null ? null : RootsOf(paths);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        await _keeping.WaitAsync(stop.Token).ConfigureAwait(false);
        try
        {
            while (!IsKept(wanted) && !await TryTakeAsync(wanted, stop.Token).ConfigureAwait(false))
            {
                await Task.Delay(_options.Pause.Shortest, Time, stop.Token).ConfigureAwait(false);
            }
            if (wanted is not null && !wanted.Paths.SequenceEqual(_observer.Tree.Roots?.Paths ?? []))
            {
                _observer.KeepOnly(wanted);
            }
        }
        finally
        {
            _keeping.Release();
        }
    }

    private bool IsKept(Roots? wanted)
    {
        lock (_observer.Gate)
        {
            return _observer.IsServing && (_observer.Tree.Roots is not { } roots || (wanted is not null && roots.HoldAll(wanted)));
        }
    }

    /// <summary>Takes the state with other roots, beside the one that is served, and puts it in its place.</summary>
    /// <returns>False where that must be tried again.</returns>
    private async Task<bool> TryTakeAsync(Roots? wanted, CancellationToken cancellationToken)
    {
        if (_current is not { State: LearnerState.Following } current || _observer.Record() is not { } from)
        {
            return false;
        }
        var name = current.Address;
        using var copy = new Observer(_observer.Options);
        copy.Tree.Roots = wanted;
        try
        {
            var stream = await ConnectAsync(_followed!).ConfigureAwait(false);
            var connection = new LearnerConnection(stream, name, copy, _options.Silence);
            await using (connection.ConfigureAwait(false))
            {
                await connection.HandshakeAsync(_options.ServerId, 0, cancellationToken).ConfigureAwait(false);
                await connection.BringUpToDateAsync(cancellationToken).ConfigureAwait(false);
            }
            if (copy.Tree.LastZxid < from)
            {
                return false;
            }
            await _observer.ReachAsync(copy.Tree.LastZxid).WaitAsync(_options.Silence, Time, cancellationToken).ConfigureAwait(false);
            return _observer.TryAdopt(copy.Tree);
        }
        catch (Exception e) when (e is LearnerException or DivergenceException or IOException or InvalidDataException or SocketException or TimeoutException)
        {
            LogMessages.NotTaken(_logger, name, e.Message);
            return false;
        }
        finally
        {
            _observer.StopRecording();
        }
    }

    /// <summary>Every server keeps what is its own; a root of "/" stands for everything, but for the digests.</summary>
    private static Roots RootsOf(IEnumerable<string> paths) => new([.. paths, "/zookeeper"]);

    private async Task RunAsync()
    {
        if (_store?.TryLoad(_observer.Tree.Roots) is { } epoch)
        {
            _acceptedEpoch = epoch;
        }
        using var saver = Time.CreateTimer(_ => _store?.Save(_acceptedEpoch), null, _options.SaveEvery, _options.SaveEvery);
        var pause = _options.Pause.Shortest;
        while (!_stop.IsCancellationRequested)
        {
            var problems = new List<string>();
            foreach (var address in await FindAsync(problems).ConfigureAwait(false))
            {
                if (await TryAsync(address).ConfigureAwait(false) is not { } problem)
                {
                    // It has followed, and was lost: the next one may be elected already.
                    problems.Clear();
                    pause = _options.Pause.Shortest;
                    break;
                }
                problems.Add(problem);
            }
            if (_stop.IsCancellationRequested)
            {
                return;
            }
            if (problems.Count > 0)
            {
                Tell(string.Join("; ", problems));
            }
            await Task.Delay(pause, Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < _options.Pause.Longest ? pause * 2 : _options.Pause.Longest;
        }
    }

    /// <summary>The addresses to try. What was found last is used until something else is.</summary>
    private async Task<IReadOnlyList<DnsEndPoint>> FindAsync(List<string> problems)
    {
        if (_options.FindQuorum is not { } find || (_quorum.Count > 0 && Time.GetElapsedTime(_found!.Value) < FindAgain))
        {
            return _quorum;
        }
        try
        {
            _quorum = await find(_stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return [];
        }
        catch (IOException e)
        {
            problems.Add(e.Message);
        }
        _found = Time.GetTimestamp();
        return _quorum;
    }

    /// <summary>Follows whoever listens there for as long as it leads.</summary>
    /// <returns>Why it can't be followed; null where it has been.</returns>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever a stranger's bytes bring about costs this connection and nothing else.")]
    private async Task<string?> TryAsync(DnsEndPoint address)
    {
        var name = $"{address.Host}:{address.Port}";
        var followed = false;
        var diverged = false;
        var foreign = false;
        string problem;
        try
        {
            var stream = await ConnectAsync(address).ConfigureAwait(false);
            var connection = new LearnerConnection(stream, name, _observer, _options.Silence);
            await using (connection.ConfigureAwait(false))
            {
                _followed = address;
                _current = connection;
                connection.Changed += state =>
                {
                    if (state == LearnerState.Snapshot)
                    {
                        Interlocked.Increment(ref _snapshots);
                    }
                    if (state == LearnerState.Following)
                    {
                        followed = true;
                        _observer.Leader = connection;
                        _problem = null;
                        LogMessages.Following(_logger, name, connection.Epoch);
                    }
                    Changed?.Invoke(state);
                };
                connection.WentBack += () => WentBack?.Invoke();
                await connection.HandshakeAsync(_options.ServerId, _acceptedEpoch, _stop.Token).ConfigureAwait(false);
                _acceptedEpoch = connection.Epoch;
                await connection.FollowAsync(_stop.Token).ConfigureAwait(false);
            }
            problem = $"{name}: it ended";
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            problem = $"{name}: stopped";
        }
        catch (LearnerException e)
        {
            problem = e.Message;
        }
        catch (DivergenceException e)
        {
            problem = $"{name}: {e.Message}. The replica is thrown away";
            diverged = true;
        }
        catch (ForeignHistoryException e)
        {
            problem = $"{name}: {e.Message}. The state is thrown away";
            foreign = true;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or SocketException or OperationCanceledException)
        {
            problem = $"{name}: {e.Message}";
        }
        catch (Exception e)
        {
            // A transaction may be half applied.
            problem = $"{name}: what it sends can't be followed: {e.Message}. The replica is thrown away";
            diverged = true;
        }
        _current = null;
        _observer.Leader = NoLeader.Instance;
        _observer.StopServing();
        if (diverged)
        {
            _observer.Forget();
            Divergence = problem;
            Interlocked.Increment(ref _divergences);
            LogMessages.Diverged(_logger, problem);
        }
        if (foreign)
        {
            ThrowAway(problem);
        }
        Changed?.Invoke(LearnerState.Looking);
        if (!followed)
        {
            return problem;
        }
        Tell($"the leader was lost: {problem}");
        return null;
    }

    /// <summary>The state from disk is of no use.</summary>
    private void ThrowAway(string why)
    {
        _observer.Forget();
        // The epoch came with it, and may be another ensemble's.
        _acceptedEpoch = 0;
        _store?.Discard(why);
    }

    private async Task<Stream> ConnectAsync(DnsEndPoint address)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var timer = Time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limit, _options.ConnectTimeout, Timeout.InfiniteTimeSpan);
        try
        {
            await socket.ConnectAsync(address, limit.Token).ConfigureAwait(false);
            if (_options.ForwardsClients)
            {
                // Clients are served only once this connection follows, so each of them gets it.
                _observer.ForwardedFrom = (socket.LocalEndPoint as IPEndPoint)?.Address;
            }
            Stream stream = new NetworkStream(socket, ownsSocket: true);
            if (_options.Tls is { } tls)
            {
                var secure = new SslStream(stream);
                stream = secure;
                await secure.AuthenticateAsClientAsync(tls(address.Host), limit.Token).ConfigureAwait(false);
            }
            if (_options.Credentials is { } credentials)
            {
                await QuorumLogin.LoginAsync(stream, credentials, $"{address.Host}:{address.Port}", limit.Token).ConfigureAwait(false);
            }
            return stream;
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            socket.Dispose();
            var how = (_options.Tls, _options.Credentials) switch
            {
                (null, null) => "",
                (_, null) => ": does it speak TLS there (sslQuorum)?",
                _ => ": does it ask for SASL there (quorum.auth.enableSasl)?",
            };
            var limitSeconds = _options.ConnectTimeout.TotalSeconds;
            throw new LearnerException($"{address.Host}:{address.Port} did not take a connection within {limitSeconds:0.#} s{how}");
        }
        catch (Exception e) when (_options.Tls is not null && e is AuthenticationException or IOException and not LearnerException)
        {
            socket.Dispose();
            var reason = (e.InnerException ?? e).Message.TrimEnd('.');
            throw new LearnerException($"{address.Host}:{address.Port} can't be spoken to by TLS: {reason}. "
                + "Is it the leader's quorum port, with sslQuorum=true, and do the certificates match?", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private void Tell(string problem)
    {
        if (_problem != problem)
        {
            _problem = problem;
            LogMessages.NotFollowing(_logger, problem);
        }
    }

    /// <summary>
    /// What takes an observer's requests while there is no leader: nothing is answered, and its clients have been closed.
    /// </summary>
    private sealed class NoLeader : ILeader
    {
        public static NoLeader Instance { get; } = new();

        public void Submit(WaitingRequest request)
        {
            // The connection that asked is closed, or will be in a moment.
        }

        public void CreateSession(WaitingRequest request, long sessionId, int timeoutMs)
        {
            // As above.
        }

        public void Revalidate(long sessionId, int timeoutMs, Action<bool> answer)
        {
            // As above.
        }

        public void Touch(IReadOnlyCollection<KeyValuePair<long, int>> sessions)
        {
            // Nobody is told: their sessions must not outlive the leader that knows them.
        }
    }
}
