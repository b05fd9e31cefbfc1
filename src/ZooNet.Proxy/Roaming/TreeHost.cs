using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Roaming;
using ZooNet.Roaming.Policies;
using ZooNet.Roaming.Records;

namespace ZooNet.Proxy.Roaming;

/// <summary>
/// Runs the server of one tree while there is such a tree: finds its record at home, starts and ends the server, says at home that this
/// proxy serves, and ends sessions that are over. Thread-safe.
/// </summary>
internal sealed class TreeHost : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly ClusterConfig _cluster;
    private readonly ProxyConfig _config;
    private readonly ClusterControls _clusters;
    private readonly TreeServers _servers;
    private readonly ProxySecret _secret;
    private readonly ProxyInstance _self;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _logging;
    private readonly ILogger _logger;
    private readonly Layout _layout;
    private readonly SessionSweep _sweep;
    private readonly Loop _loop;
    private TreeServer? _server;
    private ZoneSessions? _zones;
    private TreeRecord? _record;
    private string? _policy;
    private long _announced;
    private long _checked;
    private string? _problem;

    public TreeHost(ClusterConfig cluster, ProxyConfig config, ClusterControls clusters, TreeServers servers, ProxySecret secret,
        ProxyInstance self, SessionSweep sweep, TimeProvider time, ILoggerFactory logging)
    {
        (_cluster, _config, _clusters, _servers, _secret, _self) = (cluster, config, clusters, servers, secret, self);
        (_sweep, _time, _logging, _logger) = (sweep, time, logging, logging.CreateLogger<TreeHost>());
        _layout = new Layout(cluster.Name);
        _loop = new Loop(TurnAsync, Failed, RetryPause, LongestPause, time);
    }

    /// <summary>The tree's name.</summary>
    public string Name => _cluster.Name;

    /// <summary>The ordinal of its cluster.</summary>
    public int Ordinal => _cluster.Ordinal;

    /// <summary>What the tree is made of; null while it is not known, or there is none.</summary>
    public TreeRecord? Record => Volatile.Read(ref _record);

    /// <summary>The server; null while there is none.</summary>
    public TreeServer? Server => Volatile.Read(ref _server);

    /// <summary>Why nothing is served, or something does not go on; null while all is well.</summary>
    public string? Problem => _loop.Failure ?? Volatile.Read(ref _problem) ?? Server?.Problem;

    /// <summary>Begins.</summary>
    public void Start()
    {
        _clusters.Home.WatchFired += OnWatchFired;
        _clusters.Home.Connected += OnConnected;
        _loop.Start();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _clusters.Home.WatchFired -= OnWatchFired;
        _clusters.Home.Connected -= OnConnected;
        await _loop.DisposeAsync();
        await EndAsync();
    }

    /// <summary>Looks at once: the tree was made, moved or deleted.</summary>
    public void Ring() => _loop.Ring();

    /// <summary>A home that is reached anew may be another one than before.</summary>
    private void OnConnected()
    {
        Interlocked.Exchange(ref _checked, 0);
        _loop.Ring();
    }

    private void OnWatchFired(WatchNotification e)
    {
        if (e.Path == _layout.Root)
        {
            _loop.Ring();
        }
    }

    private void Failed(Exception e)
    {
        if (e is not ClusterUnreachableException)
        {
            _logger.TreeFailed(Name, e is KeeperException or TreeException or RoamingDataException ? e.Message : e.ToString());
        }
    }

    private async Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        // Of a tree of ours that others could write nothing is read; what is served already goes on.
        await _clusters.Home.Tree.CheckAsync(cancellationToken);
        var record = await ReadAsync(cancellationToken);
        if (record is null || (_record is { } before && before.Id != record.Id))
        {
            await EndAsync();
        }
        if (record is null)
        {
            Volatile.Write(ref _problem, $"there is no roaming tree '{Name}' in the cluster '{_config.Home.Name}': "
                + $"make it with 'zoonet tree create {Name}', or take it out of 'remotes'");
            return Loop.UntilRung;
        }
        Volatile.Write(ref _record, record);
        if (_server is null)
        {
            if (TreeRules.CheckZones(record.Zones, _config) is { } why)
            {
                throw new RoamingDataException($"the tree '{Name}' can't be served here: {why}");
            }
            await CheckAsync(record, cancellationToken);
            _zones = new ZoneSessions(record.Zones.Select(z => _clusters[_config.FindCluster(z)!.Ordinal]), _secret);
            Volatile.Write(ref _server, TreeServer.Start(Name, record, _config.Home.Name, _zones, $"tree@{_config.ProxyId}",
                _time, _logging, e => _logger.TreeFailed(Name, e.Message)));
            _servers.Set(_cluster.Ordinal, _server);
        }
        else
        {
            await CheckAsync(record, cancellationToken);
        }
        Volatile.Write(ref _problem, Place(_server.Object, record));
        await AnnounceAsync(cancellationToken);
        if (_server.IsServing)
        {
            await _sweep.SweepAsync(_server, _layout, _cluster, cancellationToken);
        }
        return Interval;
    }

    /// <summary>Says to the object who moves it.</summary>
    /// <returns>Why it is pinned although something else is written; null where all is well.</returns>
    private string? Place(RoamingObject tree, TreeRecord record)
    {
        var text = record.Policy ?? Policy.Default;
        try
        {
            var policy = Policy.Parse(text, record.Zones, record.Arbiter);
            if (text != _policy)
            {
                tree.Place(policy.Create());
                _policy = text;
            }
            return null;
        }
        catch (RoamingDataException e)
        {
            // Perhaps of a newer version. It only wishes: without it the tree is as good.
            tree.Place(new Pinned());
            _policy = null;
            return $"the tree '{Name}' stays where it is: {e.Message}; give it another one with 'zoonet tree policy {Name}'";
        }
    }

    /// <summary>
    /// Sees that nobody else can say what the tree is, who owns it, or what its zones have promised; now and then, in each zone that
    /// answers. Where somebody can, the tree is served no more.
    /// </summary>
    private async Task CheckAsync(TreeRecord record, CancellationToken cancellationToken)
    {
        var before = Interlocked.Read(ref _checked);
        if (before != 0 && _time.GetElapsedTime(before) < ProxyTree.CheckInterval)
        {
            return;
        }
        var now = _time.GetTimestamp();
        foreach (var zone in record.Zones)
        {
            var control = _clusters[_config.FindCluster(zone)!.Ordinal];
            string? open;
            try
            {
                await control.Tree.CheckAsync(cancellationToken);
                open = await FindOpenAsync(control, cancellationToken);
            }
            catch (ClusterUnreachableException)
            {
                continue;
            }
            if (open is not null)
            {
                await EndAsync();
                throw new TreeException($"{open} in the cluster '{zone}' can be changed by others than the proxies: the tree '{Name}' is "
                    + "not served before 'zoonet repair' has put it in order");
            }
        }
        // Unless a connection was lost meanwhile.
        Interlocked.CompareExchange(ref _checked, now, before);
    }

    private async Task<string?> FindOpenAsync(ClusterControl control, CancellationToken cancellationToken)
    {
        foreach (var path in _layout.Guarded(TreeRecord.RootObject))
        {
            try
            {
                var acl = (await control.CallAsync(c => c.GetAclAsync(path, cancellationToken), cancellationToken)).AccessControl;
                if (!_secret.KeepsOthersOut(acl))
                {
                    return path;
                }
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                // The arbiter alone has the record.
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
            {
                return path;
            }
        }
        return null;
    }

    private async Task<TreeRecord?> ReadAsync(CancellationToken cancellationToken)
    {
        var home = _clusters.Home;
        if (!(await home.CallAsync(c => c.ExistsAsync(_layout.Root, watch: true, cancellationToken), cancellationToken)).Exists)
        {
            return null;
        }
        var data = (await home.CallAsync(c => c.GetDataAsync(_layout.Root, cancellationToken: cancellationToken), cancellationToken)).Data;
        // Empty while it is being made.
        return data is { Length: > 0 } ? TreeRecord.Read(_layout.Root, data) : null;
    }

    /// <summary>Says at home, for as long as the control session lives, that this proxy looks after its clients' sessions.</summary>
    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        var session = await _clusters.Home.CallAsync(c => Task.FromResult(c.SessionId), cancellationToken);
        if (session == _announced)
        {
            return;
        }
        var path = $"{_layout.Serving}/{_self.Id}";
        try
        {
            await _clusters.Home.CallAsync(c => c.SessionId == session
                ? c.CreateAsync(path, [], CreateFlags.Ephemeral, _secret.Acl, cancellationToken: cancellationToken)
                : throw new KeeperException(ErrorCode.SessionExpired, OpCode.Create, path), cancellationToken);
            _announced = session;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
        {
            // Of the session before, which home has not ended yet; or of this one, and the reply was lost.
            var stat = (await _clusters.Home.CallAsync(c => c.ExistsAsync(path, cancellationToken: cancellationToken),
                cancellationToken)).Stat;
            _announced = stat?.EphemeralOwner == session ? session : 0;
        }
    }

    private async Task EndAsync()
    {
        _servers.Set(_cluster.Ordinal, null);
        Volatile.Write(ref _record, null);
        (_announced, _policy) = (0, null);
        if (_server is { } server)
        {
            Volatile.Write(ref _server, null);
            await server.DisposeAsync();
        }
        _zones?.Dispose();
        _zones = null;
    }
}
