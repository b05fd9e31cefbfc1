using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Keeps the records of clients' remote sessions in the home cluster, with the proxy's own session there: writes them, finds those of a
/// client that comes from another proxy, and removes them when the client's session is over (docs/adr/0003). Thread-safe.
/// </summary>
/// <remarks>
/// A record says which proxy serves its client. That proxy removes it: at once when the client has ended its session, and else when the
/// client has not come back, here or elsewhere, for so long that home must have ended its session. Before the record of a client that may
/// have had ephemeral znodes in a strict mount goes, its session at home is ended: were it alive after all, it would believe in locks
/// that are gone.
/// </remarks>
public sealed class RecordStore : IAsyncDisposable
{
    private const int AtOnce = 64;
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly ProxyConfig _config;
    private readonly ClusterControl _home;
    private readonly ProxySecret _secret;
    private readonly ProxyInstance _self;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Loop _loop;
    private readonly Lock _lock = new();
    private readonly Dictionary<(long Session, int Cluster), Own> _own = [];
    private long _failures;

    /// <summary>Makes it, and begins to remove what is over.</summary>
    public RecordStore(ProxyConfig config, ClusterControls clusters, ProxySecret secret, ProxyInstance self, TimeProvider time, ILogger<RecordStore> logger)
    {
        _config = config;
        _home = clusters.Home;
        _secret = secret;
        _self = self;
        _time = time;
        _logger = logger;
        _loop = new Loop(RemoveAsync, e =>
        {
            Interlocked.Increment(ref _failures);
            logger.RecordsNotRemoved(e.Message);
        }, RetryPause, LongestPause, time);
        _home.Connected += OnConnected;
        _loop.Start();
    }

    /// <summary>How often a record could not be read, written or removed since the start.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>How many records this proxy answers for.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _own.Count;
            }
        }
    }

    /// <summary>
    /// The remote sessions of a client that has come back, as fresh as home is now. From now on they are this proxy's to serve.
    /// </summary>
    /// <param name="holder">The client's connection, by which <see cref="Ended"/> knows whether it still is the one.</param>
    /// <param name="session">The client's session at home.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null where that can't be told: home does not answer, or what is there was not written by a proxy with this
    /// secret.</returns>
    public async Task<IReadOnlyList<RemoteSessionRecord>?> FindAsync(object holder, HomeSession session, CancellationToken cancellationToken)
    {
        try
        {
            return await _home.CallAsync(async client =>
            {
                // The record may have been written through another server a moment ago.
                await client.SyncAsync(ZooNetTree.Sessions, cancellationToken);
                var takes = _config.Remotes.Select(async remote => await TakeOverAsync(client, holder, session, remote, cancellationToken));
                var records = await Task.WhenAll(takes);
                return (IReadOnlyList<RemoteSessionRecord>)[.. records.OfType<RemoteSessionRecord>()];
            }, cancellationToken);
        }
        catch (Exception e) when (e is ClusterUnreachableException or KeeperException or OperationCanceledException or BadRecordException)
        {
            CountFailure(e, cancellationToken);
            return null;
        }
    }

    /// <summary>Writes a record, over one that is there.</summary>
    /// <param name="holder">The client's connection.</param>
    /// <param name="session">The client's session at home.</param>
    /// <param name="remote">Its session in a remote cluster.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>False where it could not be written.</returns>
    public async Task<bool> SaveAsync(object holder, HomeSession session, RemoteSessionRecord remote, CancellationToken cancellationToken)
    {
        var path = SessionRecord.PathOf(session.Id, _config.Clusters[remote.Cluster].Name);
        var content = new SessionRecord(session, remote, _self.Id).Seal(_secret, _config);
        Hold(holder, session, remote.Cluster);
        try
        {
            await _home.CallAsync(client => WriteAsync(client, path, content, cancellationToken), cancellationToken);
            return true;
        }
        catch (Exception e) when (e is ClusterUnreachableException or KeeperException or OperationCanceledException)
        {
            CountFailure(e, cancellationToken);
            return false;
        }
    }

    /// <summary>A client that goes before its record is there is no failure.</summary>
    private void CountFailure(Exception e, CancellationToken gone)
    {
        if (!(e is OperationCanceledException && gone.IsCancellationRequested))
        {
            Interlocked.Increment(ref _failures);
        }
    }

    /// <summary>A client's connection has ended.</summary>
    /// <param name="holder">The connection.</param>
    /// <param name="session">The client's session at home.</param>
    /// <param name="over">Whether that session is over; else the client may come back.</param>
    public void Ended(object holder, long session, bool over)
    {
        var any = false;
        lock (_lock)
        {
            foreach (var remote in _config.Remotes)
            {
                if (_own.TryGetValue((session, remote.Ordinal), out var own) && own.Holder == holder)
                {
                    own.Holder = null;
                    own.IsOver = over;
                    own.UnservedSince = _time.GetTimestamp();
                    any = true;
                }
            }
        }
        if (any)
        {
            _loop.Ring();
        }
    }

    /// <summary>
    /// Looks after a record from now on whose proxy is gone. If the client does not come back, it is removed as one of this proxy's own.
    /// </summary>
    /// <param name="path">Its znode.</param>
    /// <param name="session">The client's session at home.</param>
    /// <param name="cluster">The remote cluster.</param>
    /// <param name="servedBy">The proxy that is gone: if the record names another one by now, nothing is done.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    public async Task AdoptAsync(string path, long session, int cluster, string servedBy, CancellationToken cancellationToken)
    {
        try
        {
            var found = await _home.CallAsync(client => client.GetDataAsync(path, cancellationToken: cancellationToken), cancellationToken);
            if (SessionRecord.Open(found.Data, _secret, _config, session, _config.Clusters[cluster]) is not { } record
                || record.ServedBy != servedBy)
            {
                return;
            }
            var mine = (record with { ServedBy = _self.Id }).Seal(_secret, _config);
            await _home.CallAsync(client => client.SetDataAsync(path, mine, found.Stat.Version, cancellationToken), cancellationToken);
            lock (_lock)
            {
                _own.TryAdd((session, cluster), new Own(record.Home) { UnservedSince = _time.GetTimestamp() });
            }
            _loop.Ring();
        }
        catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NoNode)
        {
            // Another proxy looks after it, or it is gone.
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _home.Connected -= OnConnected;
        return _loop.DisposeAsync();
    }

    private void Hold(object holder, HomeSession session, int cluster)
    {
        lock (_lock)
        {
            _own[(session.Id, cluster)] = new Own(session) { Holder = holder };
        }
    }

    private async Task<RemoteSessionRecord?> TakeOverAsync(ZooKeeperClient client, object holder, HomeSession session, ClusterConfig remote, CancellationToken cancellationToken)
    {
        var path = SessionRecord.PathOf(session.Id, remote.Name);
        while (true)
        {
            DataResult found;
            try
            {
                found = await client.GetDataAsync(path, cancellationToken: cancellationToken);
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                return null;
            }
            var record = SessionRecord.Open(found.Data, _secret, _config, session.Id, remote);
            if (record is null)
            {
                _logger.BadSessionRecord(path);
            }
            if (record is null or { IsEnding: true })
            {
                throw new BadRecordException();
            }
            try
            {
                if (record.ServedBy != _self.Id)
                {
                    var mine = (record with { Home = session, ServedBy = _self.Id }).Seal(_secret, _config);
                    await client.SetDataAsync(path, mine, found.Stat.Version, cancellationToken);
                }
                Hold(holder, session, remote.Ordinal);
                return record.Remote;
            }
            catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NoNode)
            {
                // The proxy that served the client before has changed it meanwhile, or removed it.
            }
        }
    }

    private async Task<long> WriteAsync(ZooKeeperClient client, string path, byte[] content, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return (await client.CreateAsync(path, content, acl: _secret.Acl, cancellationToken: cancellationToken)).Zxid;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                await MakeFolderAsync(client, ZnodePath.ParentOf(path), cancellationToken);
                continue;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
            {
            }
            try
            {
                // Home has let the client in through this proxy, so it is this proxy that knows.
                return (await client.SetDataAsync(path, content, cancellationToken: cancellationToken)).Zxid;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                // Removed meanwhile.
            }
        }
    }

    private async Task MakeFolderAsync(ZooKeeperClient client, string folder, CancellationToken cancellationToken)
    {
        try
        {
            await client.CreateAsync(folder, [], acl: _secret.Acl, cancellationToken: cancellationToken);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
        {
        }
    }

    // ---------------------------------------------------------------- removing

    /// <summary>
    /// Sessions live on while home has no leader, and get their whole timeout anew when it has one again; servers close their connections
    /// then. So nothing is certain of the time before.
    /// </summary>
    private void OnConnected()
    {
        lock (_lock)
        {
            foreach (var own in _own.Values)
            {
                own.UnservedSince = _time.GetTimestamp();
            }
        }
        _loop.Ring();
    }

    private async Task<TimeSpan> RemoveAsync(CancellationToken cancellationToken)
    {
        List<KeyValuePair<(long Session, int Cluster), Own>> due;
        var next = Loop.UntilRung;
        lock (_lock)
        {
            due = [.. _own.Where(o => o.Value is { Holder: null } own && (own.IsOver || Rest(own) <= TimeSpan.Zero))];
            foreach (var own in _own.Values.Where(o => o is { Holder: null, IsOver: false }))
            {
                var rest = Rest(own);
                next = rest > TimeSpan.Zero && (next == Loop.UntilRung || rest < next) ? rest : next;
            }
        }
        foreach (var some in due.Chunk(AtOnce))
        {
            await Task.WhenAll(some.Select(d => RemoveOneAsync(d.Key, d.Value, cancellationToken)));
        }
        return next;

        TimeSpan Rest(Own own) => SessionEnd.Grace(own.Session.TimeoutMs) - _time.GetElapsedTime(own.UnservedSince);
    }

    private async Task RemoveOneAsync((long Session, int Cluster) key, Own own, CancellationToken cancellationToken)
    {
        var path = SessionRecord.PathOf(key.Session, _config.Clusters[key.Cluster].Name);
        try
        {
            var version = own.IsOver ? -1 : await EndAsync(path, key, cancellationToken);
            await _home.CallAsync(client => client.DeleteAsync(path, version, cancellationToken), cancellationToken);
        }
        catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NoNode)
        {
            // It is gone, or another proxy serves the client.
        }
        lock (_lock)
        {
            if (own.Holder is null && _own.GetValueOrDefault(key) == own)
            {
                _own.Remove(key);
            }
        }
    }

    /// <summary>Makes sure that the session of a client is over that nobody has served for too long.</summary>
    /// <returns>The version at which its record may be removed.</returns>
    /// <exception cref="KeeperException">BadVersion or NoNode: the record is not this proxy's any more.</exception>
    private async Task<int> EndAsync(string path, (long Session, int Cluster) key, CancellationToken cancellationToken)
    {
        var found = await _home.CallAsync(client => client.GetDataAsync(path, cancellationToken: cancellationToken), cancellationToken);
        if (SessionRecord.Open(found.Data, _secret, _config, key.Session, _config.Clusters[key.Cluster]) is not { } record || record.ServedBy != _self.Id)
        {
            throw new KeeperException(ErrorCode.BadVersion, OpCode.GetData, path);
        }
        if (!record.Remote.Strict)
        {
            return found.Stat.Version;
        }
        // From here on no proxy lets the client in.
        var ending = (record with { IsEnding = true }).Seal(_secret, _config);
        var marked = await _home.CallAsync(client => client.SetDataAsync(path, ending, found.Stat.Version, cancellationToken), cancellationToken);
        await SessionEnd.EnsureAsync(_config, _home.Addresses, record.Home, _time, cancellationToken);
        return marked.Stat.Version;
    }

    /// <summary>A record that this proxy answers for.</summary>
    private sealed class Own(HomeSession session)
    {
        public HomeSession Session { get; } = session;

        /// <summary>The connection of the client; null while it has none here.</summary>
        public object? Holder { get; set; }
        public bool IsOver { get; set; }
        public long UnservedSince { get; set; }
    }

    /// <summary>A record that can't be gone by.</summary>
    private sealed class BadRecordException : Exception;
}
