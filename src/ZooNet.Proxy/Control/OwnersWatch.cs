using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Follows the records of clients' remote sessions, so that every proxy of the region knows which client owns an ephemeral znode in a
/// mount, whichever proxy that client is connected to. A record is written before its session's first write, so it is known soon after,
/// not before: until then the remote owner shows. Servers before 3.6 have no such watch; then only this proxy's own clients are known.
/// </summary>
/// <remarks>Only proxies can write where it looks, so what it reads is as much as there are clients that have written to mounts.</remarks>
public sealed class OwnersWatch : IHostedService, IAsyncDisposable
{
    private const int AtOnce = 64;
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>A server that does not know the watch closes the control session's connection when asked for it: not often.</summary>
    private static readonly TimeSpan WithoutWatches = TimeSpan.FromMinutes(10);

    private readonly ClusterControl _home;
    private readonly ProxyConfig _config;
    private readonly ProxySecret _secret;
    private readonly Region _region;
    private readonly TimeProvider _time;
    private readonly Loop _loop;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (int Cluster, long RemoteSession)> _records = new(StringComparer.Ordinal);
    private HashSet<string> _changed = new(StringComparer.Ordinal);
    private bool _isBlind;
    private long? _unknownSince;

    /// <summary>Makes it; it begins when home is reached.</summary>
    public OwnersWatch(ClusterControls clusters, ProxyConfig config, ProxySecret secret, Region region, TimeProvider time, ILogger<OwnersWatch> logger)
    {
        _home = clusters.Home;
        _config = config;
        _secret = secret;
        _region = region;
        _time = time;
        _loop = new Loop(FollowAsync, Report, RetryPause, LongestPause, time);
        _home.Connected += OnConnected;
        _home.WatchFired += OnWatchFired;

        void Report(Exception e)
        {
            // That home is away, or its tree is not in order, is told already.
            if (e is not (ClusterUnreachableException or TreeException))
            {
                logger.OwnersNotFollowed(e.Message);
            }
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (_config.Remotes.Count > 0)
        {
            _loop.Start();
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _home.Connected -= OnConnected;
        _home.WatchFired -= OnWatchFired;
        return _loop.DisposeAsync();
    }

    private void OnConnected()
    {
        LookAgain();
        _loop.Ring();
    }

    private void LookAgain()
    {
        lock (_lock)
        {
            _isBlind = true;
        }
    }

    private void OnWatchFired(WatchNotification e)
    {
        if (SessionRecord.TryParse(e.Path, _config, out _, out _))
        {
            lock (_lock)
            {
                _changed.Add(e.Path);
            }
            _loop.Ring();
        }
    }

    private async Task<TimeSpan> FollowAsync(CancellationToken cancellationToken)
    {
        if (_unknownSince is { } since && _time.GetElapsedTime(since) < WithoutWatches)
        {
            return WithoutWatches - _time.GetElapsedTime(since);
        }
        HashSet<string> changed;
        bool isBlind;
        lock (_lock)
        {
            (changed, _changed) = (_changed, new(StringComparer.Ordinal));
            (isBlind, _isBlind) = (_isBlind, false);
        }
        try
        {
            if (isBlind)
            {
                await ListAsync(changed, cancellationToken);
            }
            foreach (var some in changed.Chunk(AtOnce))
            {
                await Task.WhenAll(some.Select(path => ReadAsync(path, cancellationToken)));
            }
        }
        catch (KeeperException e) when (e.Code == ErrorCode.Unimplemented)
        {
            // A server before 3.6. It may be replaced by a newer one.
            _unknownSince = _time.GetTimestamp();
            LookAgain();
            return WithoutWatches;
        }
        catch
        {
            LookAgain();
            throw;
        }
        return Loop.UntilRung;
    }

    /// <summary>Arms the watch, and finds what there is to read and what is gone.</summary>
    private async Task ListAsync(HashSet<string> changed, CancellationToken cancellationToken)
    {
        // Only in a folder that nobody else can write is there no more than the proxies have made.
        await _home.Tree.EnsureAsync(cancellationToken);
        await _home.CallAsync(c => c.AddWatchAsync(ZooNetTree.Sessions, AddWatchMode.PersistentRecursive), cancellationToken);
        var folders = await Task.WhenAll(Enumerable.Range(0, SessionRecord.Folders).Select(async number =>
        {
            var folder = SessionRecord.FolderOf(number);
            try
            {
                var names = (await _home.CallAsync(c => c.GetChildrenAsync(folder), cancellationToken)).Names;
                return names.Select(name => $"{folder}/{name}");
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                return [];
            }
        }));
        changed.UnionWith(folders.SelectMany(paths => paths));
        // What is gone meanwhile is read, too, and forgotten then.
        changed.UnionWith(_records.Keys);
    }

    private async Task ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (!SessionRecord.TryParse(path, _config, out var homeSession, out var cluster))
        {
            return;
        }
        try
        {
            var data = (await _home.CallAsync(c => c.GetDataAsync(path), cancellationToken)).Data;
            if (SessionRecord.Open(data, _secret, _config, homeSession, cluster) is not { } record)
            {
                return;
            }
            lock (_lock)
            {
                var now = (cluster.Ordinal, record.Remote.SessionId);
                if (_records.TryGetValue(path, out var before) && before != now)
                {
                    _region.Owners.Remove(before.Cluster, before.RemoteSession);
                }
                _records[path] = now;
                _region.Owners.Add(cluster.Ordinal, record.Remote.SessionId, homeSession);
            }
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            lock (_lock)
            {
                if (_records.Remove(path, out var gone))
                {
                    _region.Owners.Remove(gone.Cluster, gone.RemoteSession);
                }
            }
        }
    }
}
