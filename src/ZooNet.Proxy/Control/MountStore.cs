using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Reads the mount table of the home cluster and watches it. One loop reads the whole table after every event and after every
/// reconnect, and publishes a snapshot when it differs. While home is away the last one stays in use. Thread-safe.
/// </summary>
public sealed class MountStore : IAsyncDisposable
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly ClusterControl _home;
    private readonly ProxyConfig _config;
    private readonly ProxySecret _secret;
    private readonly ILogger _logger;
    private readonly Loop _loop;
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private List<TaskCompletionSource> _waiting = [];
    private bool _disposed;
    private volatile MountSnapshot _current = MountSnapshot.Empty;

    /// <summary>Makes a store. It does nothing before <see cref="Start"/>.</summary>
    /// <param name="home">The control session of the home cluster.</param>
    /// <param name="config">Gives the clusters that records may name.</param>
    /// <param name="secret">Owns the znodes.</param>
    /// <param name="time">For pauses between attempts.</param>
    /// <param name="logger">Hears of changes and of bad records.</param>
    public MountStore(ClusterControl home, ProxyConfig config, ProxySecret secret, TimeProvider time, ILogger<MountStore> logger)
    {
        _home = home;
        _config = config;
        _secret = secret;
        _logger = logger;
        _loop = new Loop(ReadAsync, Report, RetryPause, LongestPause, time);
        _home.Connected += _loop.Ring;
        _home.WatchFired += OnWatchFired;
    }

    /// <summary>
    /// Raised on the store's loop when a snapshot differs from the last one; the argument is the new one. Handlers do not block.
    /// </summary>
    public event Action<MountSnapshot>? Changed;

    /// <summary>The last snapshot.</summary>
    public MountSnapshot Current => _current;

    /// <summary>
    /// Completes when the table has been read for the first time. No client may be served before: a mount point would read as the
    /// empty znode that stands for it.
    /// </summary>
    public Task FirstRead => _first.Task;

    /// <summary>Why the last reading failed; null after one that did not. What was read before stays in use.</summary>
    public string? Error => _loop.Failure;

    /// <summary>Begins to read and to watch.</summary>
    public void Start() => _loop.Start();

    /// <summary>Waits for a reading that begins after this call, so that it shows what the control session has written before.</summary>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    /// <exception cref="TreeException">The proxies' tree in home is not in order.</exception>
    /// <exception cref="KeeperException">Home refused it.</exception>
    public async Task<MountSnapshot> RefreshAsync(CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _waiting.Add(done);
        }
        _loop.Ring();
        await done.Task.WaitAsync(cancellationToken);
        return _current;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }
            _disposed = true;
        }
        _home.Connected -= _loop.Ring;
        _home.WatchFired -= OnWatchFired;
        await _loop.DisposeAsync();
        _first.TrySetCanceled();
        TakeWaiting().ForEach(w => w.TrySetCanceled());
    }

    private void OnWatchFired(WatchNotification e)
    {
        if (e.Path.StartsWith(ZooNetTree.Mounts, StringComparison.Ordinal))
        {
            _loop.Ring();
        }
    }

    private List<TaskCompletionSource> TakeWaiting()
    {
        lock (_lock)
        {
            var waiting = _waiting;
            _waiting = [];
            return waiting;
        }
    }

    private void Report(Exception e)
    {
        // That home is away is told already.
        if (e is not ClusterUnreachableException)
        {
            _logger.TableNotRead(_first.Task.IsCompleted ? "the last one stays in use" : "no client is served before", e.Message);
        }
    }

    private async Task<TimeSpan> ReadAsync(CancellationToken cancellationToken)
    {
        var waiting = TakeWaiting();
        try
        {
            await ReadTableAsync(cancellationToken);
            waiting.ForEach(w => w.TrySetResult());
            return ProxyTree.CheckInterval;
        }
        catch (Exception e)
        {
            if (e is TreeException { IsAbsent: true })
            {
                // Home says that there is no table, so there are no mounts: it can be served all the same.
                Publish(MountSnapshot.Empty);
            }
            waiting.ForEach(w => w.TrySetException(e));
            throw;
        }
    }

    private async Task ReadTableAsync(CancellationToken cancellationToken)
    {
        await _home.Tree.EnsureAsync(cancellationToken);
        ChildrenResult children;
        try
        {
            children = await _home.CallAsync(c => c.GetChildrenAsync(ZooNetTree.Mounts, watch: true), cancellationToken);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            // The tree is gone; the next reading makes it again.
            _home.Tree.Forget();
            throw;
        }
        var records = new List<RawRecord>();
        foreach (var name in children.Names)
        {
            try
            {
                var path = $"{ZooNetTree.Mounts}/{name}";
                var result = await _home.CallAsync(c => c.GetDataAsync(path, watch: true), cancellationToken);
                // Whoever changes the ACL later has the secret, or had the znode's permission before; then it is found here.
                var acl = await _home.CallAsync(c => c.GetAclAsync(path, cancellationToken), cancellationToken);
                records.Add(new RawRecord(name, result.Data, result.Stat, acl.AccessControl));
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                // Gone meanwhile; the watch on the children tells, too.
            }
        }
        var version = records.Select(r => r.Stat.Mzxid).Append(children.Stat.Pzxid).Max();
        Publish(MountSnapshotBuilder.Build(records, _config, _secret, _current, version, children.Stat.Version));
    }

    private void Publish(MountSnapshot snapshot)
    {
        var before = _current;
        _current = snapshot;
        if (snapshot.Version != before.Version || !_first.Task.IsCompleted)
        {
            var bad = snapshot.Entries.Where(e => e.Error is not null).ToList();
            var active = snapshot.Table.Mounts.Count;
            _logger.TableRead(snapshot.Version, active, snapshot.Entries.Count - active - bad.Count, bad.Count);
            foreach (var entry in bad.Where(e => before.Entries.All(b => b.Name != e.Name || b.Error != e.Error)))
            {
                _logger.BadRecord(entry.Name, entry.Error!);
            }
            Changed?.Invoke(snapshot);
        }
        _first.TrySetResult();
    }
}
