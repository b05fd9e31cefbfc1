using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// One cluster's observer, from its first mount to its last: it keeps what is mounted, takes on what is mounted later, and forgets
/// what is no longer. A cluster of which no server is configured is observed from the start, for a mount has to look at it. Thread-safe.
/// </summary>
internal sealed class ObserverLoop : IAsyncDisposable
{
    /// <summary>How long something is kept that was only looked at, as before a mount.</summary>
    private static readonly TimeSpan LookedAt = TimeSpan.FromMinutes(1);

    /// <summary>How long a look waits for the state of what is not kept yet.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ClusterConfig _cluster;
    private readonly Func<IReadOnlyCollection<string>, CancellationToken, Task<LearningServer>> _start;
    private readonly string _name;
    private readonly TimeProvider _time;
    private readonly Loop _loop;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _looks = new(StringComparer.Ordinal);
    private IReadOnlyCollection<string> _mounted = [];
    private CancellationTokenSource? _turn;
    private LearningServer? _server;
    private volatile EmbeddedObserver? _observer;

    /// <summary>Makes a loop; it does nothing before <see cref="Start"/>.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="start">Starts an observer that keeps some paths.</param>
    /// <param name="name">The observer's name.</param>
    /// <param name="time">The clock.</param>
    /// <param name="failed">Hears why it could not be started.</param>
    public ObserverLoop(ClusterConfig cluster, Func<IReadOnlyCollection<string>, CancellationToken, Task<LearningServer>> start, string name,
        TimeProvider time, Action<Exception> failed)
    {
        _cluster = cluster;
        _start = start;
        _name = name;
        _time = time;
        _loop = new Loop(TurnAsync, failed, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10), time);
    }

    /// <summary>Raised, by any thread, when it keeps something else than before.</summary>
    public event Action? Taken;

    /// <summary>The observer; null while there is none.</summary>
    public EmbeddedObserver? Observer => _observer;

    /// <summary>Begins.</summary>
    public void Start() => _loop.Start();

    /// <summary>These paths of the cluster are mounted now.</summary>
    public void SetMounted(IReadOnlyCollection<string> paths)
    {
        lock (_lock)
        {
            _mounted = paths;
            foreach (var path in paths)
            {
                _looks.Remove(path);
            }
        }
        Ring();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Ring();
        await _loop.DisposeAsync();
        await EndAsync();
    }

    private async Task LookAtAsync(string path, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _looks[path] = _time.GetTimestamp();
        }
        if (_observer is not { IsServing: true } observer || observer.Keeps(path))
        {
            return;
        }
        var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnTaken()
        {
            if (_observer?.Keeps(path) != false)
            {
                taken.TrySetResult();
            }
        }
        Taken += OnTaken;
        try
        {
            Ring();
            await taken.Task.WaitAsync(Patience, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It is asked all the same, and says that it does not know.
        }
        finally
        {
            Taken -= OnTaken;
        }
    }

    private void Ring()
    {
        lock (_lock)
        {
            // What the turn waits for is not what is wanted any more.
            _ = _turn?.CancelAsync();
        }
        _loop.Ring();
    }

    private async Task<TimeSpan> TurnAsync(CancellationToken stop)
    {
        using var turn = CancellationTokenSource.CreateLinkedTokenSource(stop);
        IReadOnlyCollection<string> wanted;
        bool looks;
        lock (_lock)
        {
            _turn = turn;
            foreach (var old in _looks.Where(l => _time.GetElapsedTime(l.Value) > LookedAt).Select(l => l.Key).ToList())
            {
                _looks.Remove(old);
            }
            wanted = [.. _mounted.Concat(_looks.Keys).Distinct(StringComparer.Ordinal)];
            looks = _looks.Count > 0;
        }
        try
        {
            if (wanted.Count == 0 && _cluster.InOrder.Any())
            {
                await EndAsync();
            }
            else if (_server is null)
            {
                _server = await _start(wanted, turn.Token);
                _observer = new EmbeddedObserver(_server, _name, LookAtAsync, _time) { Wanted = wanted };
            }
            else
            {
                _observer!.Wanted = wanted;
                await _server.KeepAsync(wanted, turn.Token);
            }
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return TimeSpan.Zero;
        }
        finally
        {
            lock (_lock)
            {
                _turn = null;
            }
        }
        Taken?.Invoke();
        return looks ? LookedAt : Loop.UntilRung;
    }

    private async Task EndAsync()
    {
        _observer = null;
        if (_server is { } server)
        {
            _server = null;
            await server.DisposeAsync();
        }
    }
}
