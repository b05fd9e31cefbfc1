using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// Does for one proxy what <see cref="MountActivation"/> asks for: reads and writes the view records, makes the data path follow the
/// graph, acknowledges, and tells who has not (docs/consistency.md, "Changing the graph"). One loop does everything in home; <see
/// cref="RemoteWork"/> runs beside it. <see cref="RouteFollower"/> is how the data path follows, <see cref="GraphStatus"/> what is told.
/// Public members are thread-safe.
/// </summary>
public sealed class ViewDriver : IHostedService, IMountActivation, IGraphSource, IAsyncDisposable
{
    private static readonly TimeSpan PendingPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(8);

    private readonly ProxyConfig _config;
    private readonly ClusterControls _clusters;
    private readonly MountStore _store;
    private readonly Region _region;
    private readonly MountWriter _writer;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ViewFolder[] _folders;
    private readonly RemoteWork _work;
    private readonly Registration _registration;
    private readonly HomeLease _lease;
    private readonly MountActivation _activation;
    private readonly RouteFollower _follower;
    private readonly GraphStatus _status;
    private readonly PreferredServers? _preferred;
    private readonly Loop _loop;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _disposed;

    /// <summary>Makes a driver; it does nothing before it is started.</summary>
    /// <param name="config">Names region and clusters.</param>
    /// <param name="clusters">The control sessions.</param>
    /// <param name="store">The mount table.</param>
    /// <param name="writer">Writes it.</param>
    /// <param name="region">What the data path follows.</param>
    /// <param name="secret">Owns the records.</param>
    /// <param name="time">For pauses and the lease.</param>
    /// <param name="logger">Hears of changes.</param>
    /// <param name="sessions">Tells when requests that were routed by an old table are answered; null where there are no sessions.</param>
    /// <param name="interest">Watches what others can see of home, where that may save barriers; null where it is not watched.</param>
    /// <param name="servers">
    /// The servers of the remote clusters; null where the proxies of the region need not agree on any, and then couple everything.
    /// </param>
    public ViewDriver(ProxyConfig config, ClusterControls clusters, MountStore store, MountWriter writer, Region region, ProxySecret secret,
        TimeProvider time, ILogger<ViewDriver> logger, ISessionFence? sessions = null, InterestWatch? interest = null,
        IRemoteServers? servers = null)
    {
        _config = config;
        _clusters = clusters;
        _store = store;
        _region = region;
        _writer = writer;
        _time = time;
        _logger = logger;
        _loop = new Loop(TurnAsync, Report, RetryPause, LongestPause, time);
        if (servers is not null)
        {
            _preferred = new PreferredServers(region.ClusterCount, servers, time, _loop.Ring, _stop.Token);
            region.Copies.Wanted += _preferred.Reached;
            servers.Taken += _loop.Ring;
        }
        _folders = [.. clusters.All.Select(c => new ViewFolder(c, secret, logger))];
        _registration = new Registration(clusters.Home, config, secret);
        _lease = new HomeLease(_registration.WriteAsync, region, time, logger);
        _activation = new MountActivation(config.Region, config.Home.Name, "", config.Consistency == ConsistencyMode.Ordered);
        _work = new RemoteWork(config, clusters, _folders, _activation, _loop.Ring, logger, _stop.Token);
        _follower = new RouteFollower(config, region, _activation, _lease, sessions, interest, _preferred, servers, logger, _stop.Token);
        _status = new GraphStatus(config, region, _activation, _lease, interest, ordinal => _folders[ordinal].Error);
        _region.Coupling = Coupling.Conservative(region.ClusterNames, "the graph has not been read yet");
        foreach (var control in clusters.All)
        {
            var folder = _folders[control.Cluster.Ordinal];
            control.Tree.Replaced += () =>
            {
                folder.IsReplaced = true;
                folder.IsDirty = true;
                _loop.Ring();
            };
            if (_preferred is { } preferred && !control.Cluster.IsHome)
            {
                control.Disconnected += () => preferred.Doubt(control.Cluster.Ordinal);
                control.Connected += () => preferred.Doubt(control.Cluster.Ordinal);
            }
            control.Connected += () =>
            {
                folder.IsDirty = true;
                _loop.Ring();
            };
            control.WatchFired += e =>
            {
                if (e.Path.StartsWith(ZooNetTree.Views, StringComparison.Ordinal)
                    || e.Path.StartsWith(ZooNetTree.Proxies, StringComparison.Ordinal))
                {
                    folder.IsDirty = true;
                    _loop.Ring();
                }
            };
        }
        store.Changed += _ => _loop.Ring();
    }

    /// <inheritdoc/>
    public event Action? Changed;

    /// <summary>Completes when the data path routes by a mount table that was read. No client may be served before.</summary>
    public Task FirstRouted => _first.Task;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop.Start();
        _lease.Start();
        return Task.CompletedTask;
    }

    /// <summary>
    /// Stops, and takes this proxy from the list of live ones: nobody need wait for it. The data path has stopped by then.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await DisposeAsync();
        _region.MountsUsableUntilMs = 0;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2), _time);
        try
        {
            await SignOffAsync(limit.Token);
        }
        catch (Exception e) when (e is KeeperException or ClusterUnreachableException or TreeException or OperationCanceledException)
        {
            // Then the registration goes with its session.
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
        await _loop.DisposeAsync();
        await _lease.DisposeAsync();
        _first.TrySetCanceled();
        _follower.End();
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> WaitingFor(MountEntry mount)
    {
        if (mount.Mount is { Options.Barriers: false })
        {
            // It is outside of the guarantee, and of the graph.
            return [];
        }
        if (_status.WaitingFor(mount) is { } waiting)
        {
            return waiting;
        }
        _loop.Ring();
        return [$"proxy {_config.ProxyId} of region {_config.Region}"];
    }

    /// <inheritdoc/>
    public Task RoutesAsync(MountSnapshot snapshot, CancellationToken cancellationToken) => _follower.RoutesAsync(snapshot, cancellationToken);

    /// <inheritdoc/>
    public GraphInfo Describe() => _status.Describe();

    private async Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        if (!_first.Task.IsCompleted)
        {
            await _store.FirstRead.WaitAsync(cancellationToken);
            await FollowAsync(_store.Current);
            _first.TrySetResult();
        }
        try
        {
            if (await RoundAsync(cancellationToken))
            {
                return TimeSpan.Zero;
            }
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // What another proxy of the region has changed is followed as far as the store can read it.
            await FollowAsync(_store.Current);
            throw;
        }
        return _status.IsPending || _lease.IsHeld ? PendingPause : _preferred?.CheckAfter ?? Loop.UntilRung;
    }

    private void Report(Exception e) => _logger.ViewsNotRead(_config.Home.Name,
        e is KeeperException or ClusterUnreachableException or TreeException ? e.Message : e.ToString());

    private async Task FollowAsync(MountSnapshot table) =>
        _status.Followed(await _follower.FollowAsync(table, isRegistered: _registration.Id.Length > 0));

    /// <summary>One round: scan, write, follow, acknowledge.</summary>
    /// <returns>True when something was changed that the next round has to find.</returns>
    private async Task<bool> RoundAsync(CancellationToken cancellationToken)
    {
        if (await _registration.EnsureAsync(cancellationToken))
        {
            _logger.Registered(_registration.Id);
            _lease.Hold("other proxies of the region have to take note of this one");
            _activation.Registered(_registration.Id);
            Array.ForEach(_folders, f => f.IsDirty = true);
        }
        foreach (var replaced in _clusters.All.Where(c => _folders[c.Cluster.Ordinal].TakeReplaced()))
        {
            _activation.Lost(replaced.Cluster.Name);
        }
        var home = _folders[0];
        var scan = _activation.BeginScan(_config.Home.Name);
        await home.BarrierAsync(cancellationToken);
        // The table before the record: a mount that is active there has been published before.
        var table = await _store.RefreshAsync(cancellationToken);
        var live = await _registration.LiveAsync(cancellationToken);
        var records = await home.ReadAsync(cancellationToken);
        _activation.EndScan(scan, records, present: home.Present);
        var own = records.FirstOrDefault(r => r.View == _config.Region);
        var again = await DemoteAsync(table, own, cancellationToken);

        again |= _work.Advance();
        foreach (var record in _activation.ToStore(_config.Home.Name))
        {
            again = true;
            if (await home.WriteAsync(record, cancellationToken))
            {
                _activation.Stored(_config.Home.Name, record);
            }
        }
        await FollowAsync(table);
        if (_activation.Propose(scan, own, live, table.Published()) is { } proposed)
        {
            again = true;
            if (await home.WriteAsync(proposed, cancellationToken))
            {
                _activation.Stored(_config.Home.Name, proposed);
            }
        }
        if (_status.RoundEnded(table))
        {
            Changed?.Invoke();
        }
        return again;
    }

    /// <summary>
    /// A mount that is called active and was never published was written by hand, or in a time when the region had no consistency:
    /// nobody has acknowledged it, so it has to join first.
    /// </summary>
    private async Task<bool> DemoteAsync(MountSnapshot table, ViewRecord? own, CancellationToken cancellationToken)
    {
        var demoted = false;
        foreach (var entry in table.Entries.Where(e => e is { State: MountState.Active, Mount.Options.Barriers: true }))
        {
            var mount = entry.Mount!;
            if (own?.Mounts.Any(m => m.Cluster == mount.ClusterName && m.RemotePath == mount.RemotePath
                && m.State <= PublishedState.Active) == true)
            {
                continue;
            }
            _logger.MountDemoted(entry.Path);
            demoted = true;
            try
            {
                await _writer.DemoteAsync(entry, cancellationToken);
            }
            catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NoNode)
            {
                // Somebody else has changed it.
            }
        }
        return demoted;
    }

    /// <summary>Takes this proxy off the lists, so that nobody waits for its acknowledgement.</summary>
    private async Task SignOffAsync(CancellationToken cancellationToken)
    {
        await _registration.RemoveAsync(cancellationToken);
        var scan = _activation.BeginScan(_config.Home.Name);
        await _folders[0].BarrierAsync(cancellationToken);
        var live = await _registration.LiveAsync(cancellationToken);
        var records = await _folders[0].ReadAsync(cancellationToken);
        _activation.EndScan(scan, records, present: _folders[0].Present);
        var own = records.FirstOrDefault(r => r.View == _config.Region);
        if (own is null || _activation.Propose(scan, own, live, _store.Current.Published()) is not { } proposed
            || !await _folders[0].WriteAsync(proposed, cancellationToken))
        {
            return;
        }
        // There may be nobody left who would carry it to the clusters where the other regions scan.
        var remotes = proposed.Folders().Select(name => _config.FindCluster(name)).Where(c => c is { IsHome: false });
        await Task.WhenAll(remotes.Select(async cluster =>
        {
            try
            {
                await _folders[cluster!.Ordinal].ReadAsync(cancellationToken);
                await _folders[cluster.Ordinal].WriteAsync(proposed, cancellationToken);
            }
            catch (Exception e) when (e is KeeperException or ClusterUnreachableException or TreeException)
            {
                // Then whoever comes next in this region does it, or an operator forces what waits.
            }
        }));
    }
}
