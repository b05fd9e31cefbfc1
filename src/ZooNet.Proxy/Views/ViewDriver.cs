using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// Does for one proxy what <see cref="MountActivation"/> asks for: reads and writes the view records, makes the data path follow the
/// graph, acknowledges, and tells who has not (docs/consistency.md, "Changing the graph"). One loop does everything in home; looks at remote
/// folders and writes there run beside it, so that a cluster that does not answer delays nothing else. Public members are thread-safe.
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
    private readonly ISessionFence? _sessions;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ViewFolder[] _folders;
    private readonly Task<Action>?[] _work;
    private readonly Registration _registration;
    private readonly HomeLease _lease;
    private readonly MountActivation _activation;
    private readonly bool _homeHasSeveralServers;
    private readonly Loop _loop;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _routed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _routedVersion = -1;
    private readonly InterestWatch? _interest;
    private readonly ServerWishes? _wishes;
    private bool _choosesServers = true;
    private volatile Progress _progress = Progress.None;
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
    /// <param name="servers">The servers of the remote clusters; null where the proxies of the region need not agree on any, and then couple everything.</param>
    public ViewDriver(ProxyConfig config, ClusterControls clusters, MountStore store, MountWriter writer, Region region, ProxySecret secret,
        TimeProvider time, ILogger<ViewDriver> logger, ISessionFence? sessions = null, InterestWatch? interest = null, IRemoteServers? servers = null)
    {
        _interest = interest;
        _config = config;
        _clusters = clusters;
        _store = store;
        _region = region;
        _writer = writer;
        _sessions = sessions;
        _time = time;
        _logger = logger;
        _loop = new Loop(TurnAsync, Report, RetryPause, LongestPause, time);
        if (servers is not null)
        {
            _wishes = new ServerWishes(region.ClusterCount, servers, time, _loop.Ring, _stop.Token);
            region.ServerWanted += _wishes.Reached;
        }
        _folders = [.. clusters.All.Select(c => new ViewFolder(c, secret, logger))];
        _work = new Task<Action>?[_folders.Length];
        _registration = new Registration(clusters.Home, config, secret);
        _lease = new HomeLease(_registration.WriteAsync, region, time, logger);
        _activation = new MountActivation(config.Region, config.Region, config.Home.Name, "", config.Consistency == ConsistencyMode.Ordered);
        _homeHasSeveralServers = config.Home.Servers.Count > 1 || config.Home.Servers.Any(s => !System.Net.IPAddress.TryParse(s.Host, out _));
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
            control.Connected += () =>
            {
                folder.IsDirty = true;
                _loop.Ring();
            };
            control.WatchFired += e =>
            {
                if (e.Path.StartsWith(ZooNetTree.Views, StringComparison.Ordinal) || e.Path.StartsWith(ZooNetTree.Proxies, StringComparison.Ordinal))
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

    /// <summary>Stops, and takes this proxy from the list of live ones: nobody need wait for it. The data path has stopped by then.</summary>
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
        _routed.TrySetCanceled();
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> WaitingFor(MountEntry mount)
    {
        if (mount.Mount is { Options.Barriers: false })
        {
            // It is outside of the guarantee, and of the graph.
            return [];
        }
        if (_progress.Steps.TryGetValue((mount.Path, mount.Version), out var waiting))
        {
            return waiting;
        }
        _loop.Ring();
        return [$"proxy {_config.ProxyId} of region {_config.Region}"];
    }

    /// <inheritdoc/>
    public async Task RoutesAsync(MountSnapshot snapshot, CancellationToken cancellationToken)
    {
        while (true)
        {
            var routed = Volatile.Read(ref _routed).Task;
            if (Volatile.Read(ref _routedVersion) >= snapshot.Version)
            {
                return;
            }
            await routed.WaitAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public GraphInfo Describe()
    {
        var progress = _progress;
        var coupling = _region.Coupling as Coupling;
        var names = _region.ClusterNames;
        var pairs = new List<IReadOnlyList<string>>();
        for (var i = 0; i < names.Count; i++)
        {
            for (var j = i + 1; j < names.Count; j++)
            {
                if ((_region.Coupling.CoupledTo(i) >> j & _region.Coupling.CoupledTo(j) >> i & 1) != 0)
                {
                    pairs.Add([names[i], names[j]]);
                }
            }
        }
        return new GraphInfo(
            _config.Consistency.ToString().ToLowerInvariant(),
            coupling?.Kind is null or CouplingKind.Conservative,
            progress.Why + HomeAlone(coupling, names),
            _lease.WhyNot,
            _region.Coupling.AllowsWatermark ? _interest?.State : null,
            [.. progress.Views.OrderBy(v => v.View, StringComparer.Ordinal).Select(Describe)],
            [.. progress.Graph.Blocks().Where(b => b.Views.Count + b.Clusters.Count > 2)
                .Select(b => (IReadOnlyList<string>)[.. b.Views.Select(v => $"view {v}"), .. b.Clusters.Select(c => $"cluster {c}")])],
            pairs,
            [.. progress.NotAcknowledged, .. progress.Errors]);
    }

    /// <summary>
    /// Without a cycle one direction may be left: home through several servers must not be read older than what a remote told.
    /// </summary>
    private static string HomeAlone(Coupling? coupling, IReadOnlyList<string> names)
    {
        if (coupling is not { Kind: CouplingKind.Free } || coupling.CoupledTo(0) == 0)
        {
            return "";
        }
        var remotes = Enumerable.Range(1, names.Count - 1).Where(i => (coupling.CoupledTo(0) >> i & 1) != 0).Select(i => names[i]);
        return $"; only reads of {names[0]} itself wait for what was learned in {string.Join(" or ", remotes)}, "
            + "because its sessions go to several servers";
    }

    private GraphView Describe(ViewRecord record) => new(record.View, record.Home, [.. record.Clusters()],
        [.. record.Mounts.Where(m => m.State == PublishedState.Joining).Select(m => m.Cluster).Distinct()],
        [.. record.Proxies.Select(p => p.Id)], record.Version, record.View == _config.Region);

    // ---------------------------------------------------------------- the loop

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
        return _progress.IsPending || _lease.IsHeld ? PendingPause : _wishes?.LookAgain ?? Loop.UntilRung;
    }

    private void Report(Exception e) =>
        _logger.ViewsNotRead(_config.Home.Name, e is KeeperException or ClusterUnreachableException or TreeException ? e.Message
            : e.ToString());

    /// <summary>One round: look, write, follow, acknowledge.</summary>
    /// <returns>True where something was changed that the next round has to look at.</returns>
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
        var look = _activation.BeginLook(_config.Home.Name);
        await home.BarrierAsync(cancellationToken);
        // The table before the record: a mount that is active there has been published before.
        var table = await _store.RefreshAsync(cancellationToken);
        var live = await _registration.LiveAsync(cancellationToken);
        var records = await home.ReadAsync(cancellationToken);
        _activation.EndLook(look, records);
        var own = records.FirstOrDefault(r => r.View == _config.Region);
        var again = await DemoteAsync(table, own, cancellationToken);

        again |= WorkBeside();
        foreach (var record in _activation.ToStore(_config.Home.Name))
        {
            again = true;
            if (await home.WriteAsync(record, cancellationToken))
            {
                _activation.Stored(_config.Home.Name, record);
            }
        }
        await FollowAsync(table);
        if (_activation.Propose(look, own, live, Published(table)) is { } proposed)
        {
            again = true;
            if (await home.WriteAsync(proposed, cancellationToken))
            {
                _activation.Stored(_config.Home.Name, proposed);
            }
        }
        Report(table);
        return again;
    }

    /// <summary>The looks and writes in remote clusters: takes in what has ended, and begins what is due.</summary>
    private bool WorkBeside()
    {
        var again = false;
        foreach (var name in _activation.Clusters.Where(c => c != _config.Home.Name).ToList())
        {
            if (_config.FindCluster(name) is not { IsHome: false } cluster)
            {
                continue;
            }
            var folder = _folders[cluster.Ordinal];
            if (_work[cluster.Ordinal] is { IsCompleted: true } done)
            {
                _work[cluster.Ordinal] = null;
                if (done.IsCompletedSuccessfully)
                {
                    folder.Error = null;
                    done.Result();
                }
                else
                {
                    var error = done.Exception?.InnerException?.Message ?? "it was given up";
                    if (folder.Error != error)
                    {
                        _logger.ViewsNotRead(name, error);
                    }
                    folder.Error = error;
                    folder.IsDirty = true;
                }
                again = folder.Error is null;
            }
            if (_work[cluster.Ordinal] is not null || (folder.Error is not null && !_clusters[cluster.Ordinal].Health.IsUp))
            {
                continue;
            }
            var due = _activation.ToStore(name);
            if (folder.IsDirty || _activation.IsLookDue(name))
            {
                Begin(cluster.Ordinal, LookAsync(folder, _activation.BeginLook(name)));
            }
            else if (due.Count > 0)
            {
                Begin(cluster.Ordinal, WriteAsync(folder, name, due));
            }
        }
        return again;

        void Begin(int ordinal, Task<Action> work)
        {
            _work[ordinal] = work;
            _ = work.ContinueWith(_ => _loop.Ring(), TaskScheduler.Default);
        }
    }

    private async Task<Action> LookAsync(ViewFolder folder, Look look)
    {
        await folder.BarrierAsync(_stop.Token);
        var records = await folder.ReadAsync(_stop.Token);
        var live = await folder.ReadLiveAsync(_stop.Token);
        return () => _activation.EndLook(look, records, live);
    }

    private async Task<Action> WriteAsync(ViewFolder folder, string cluster, IReadOnlyList<ViewRecord> records)
    {
        var written = new List<ViewRecord>();
        foreach (var record in records)
        {
            if (await folder.WriteAsync(record, _stop.Token))
            {
                written.Add(record);
            }
        }
        return () => written.ForEach(record => _activation.Stored(cluster, record));
    }

    /// <summary>Makes the data path follow what is known, and only then takes note that it does.</summary>
    private async Task FollowAsync(MountSnapshot table)
    {
        var active = table.Entries.Where(e => e is { State: MountState.Active, Mount: not null }).Select(e => e.Mount!).ToList();
        if (_wishes is not null)
        {
            var mounted = _activation.Clusters.Concat(Published(table).Select(m => m.Cluster)).Distinct(StringComparer.Ordinal)
                .Select(_config.FindCluster).Where(c => c is { IsHome: false }).Select(c => (c!.Name, c.Ordinal));
            _activation.WantToRead(_wishes.Of(mounted, _choosesServers));
        }
        var standing = _activation.TakeUp(active.Where(m => m.Options.Barriers).Select(m => (m.ClusterName, m.RemotePath)));
        if (!_activation.IsAdmitted && _registration.Id.Length > 0)
        {
            _lease.Hold("other proxies of the region have to take note of this one");
        }
        var coupling = CouplingOf(standing, table);
        var before = _region.Coupling as Coupling;
        _interest?.Follow(coupling.AllowsWatermark ? InterestSet.Of(_activation.Known, _config.Home.Name, _config.Region) : []);
        // No server is heard that the region's proxies have not agreed on, and only then may the rules rely on that.
        _choosesServers = standing.Servers is null;
        _region.ReadOnlyThrough(standing.Servers is { } agreed ? [.. _region.ClusterNames.Select(agreed.GetValueOrDefault)] : null);
        if (before is null || standing.Fresh || !coupling.SameAs(before))
        {
            _region.Follow(coupling, standing.Fresh || before?.NeedsSingleCopy != coupling.NeedsSingleCopy);
            if (before?.Kind != coupling.Kind || standing.Why != _progress.Why)
            {
                _logger.RulesChanged(coupling.Kind.ToString().ToLowerInvariant(), standing.Why);
            }
        }
        var routed = active.Where(m => !m.Options.Barriers || standing.Usable.Contains((m.ClusterName, m.RemotePath)))
            // Those that are not usable only because this proxy is not admitted wait for the lease; the others by themselves.
            .Concat(active.Where(m => m.Options.Barriers && standing.Blocked.Contains((m.ClusterName, m.RemotePath))).Select(m => _activation.IsAdmitted ? HeldOf(m) : m))
            .Concat(table.Entries.Where(e => e is { IsHeld: true, Mount: not null }).Select(e => HeldOf(e.Mount!)));
        await RouteAsync([.. routed], table.Version);
        _activation.Applied(standing);
        _progress = _progress with { Why = standing.Why, Graph = standing.Graph, Views = [.. _activation.Known] };
        if (_activation.IsAdmitted && _registration.Id.Length > 0)
        {
            _lease.Release();
        }
    }

    /// <summary>Swaps the mounts; where some are gone, returns when every request that was routed by them is answered.</summary>
    private async Task RouteAsync(IReadOnlyList<Mount> mounts, long version)
    {
        var before = _region.Mounts;
        if (before.Version != version || before.Mounts.Count != mounts.Count || !mounts.All(m => before.At(m.Path) == m))
        {
            _region.Mounts = new MountTable(mounts, version);
            if (_sessions is not null && before.Mounts.Any(old => mounts.All(m => !m.IsSameAs(old))))
            {
                await _sessions.RequestsAnsweredAsync(_stop.Token);
            }
        }
        Volatile.Write(ref _routedVersion, version);
        Interlocked.Exchange(ref _routed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private Mount HeldOf(Mount mount)
    {
        if (_region.Mounts.At(mount.Path) is { IsHeld: true } held && held.IsSameAs(mount))
        {
            return held;
        }
        return new Mount(mount.Path, mount.Cluster, mount.ClusterName, mount.RemotePath, mount.Options, held: true);
    }

    private Coupling CouplingOf(Standing standing, MountSnapshot table)
    {
        var names = _region.ClusterNames;
        // Clusters all of whose mounts are outside the guarantee are outside of it too.
        var exempt = 0UL;
        foreach (var cluster in table.Entries.Where(e => e.Mount is not null).GroupBy(e => e.Mount!.Cluster))
        {
            exempt |= cluster.All(e => !e.Mount!.Options.Barriers) ? 1UL << cluster.Key : 0;
        }
        switch (standing.Kind)
        {
            case CouplingKind.Ordered:
                return Coupling.Ordered(names, exempt);
            case CouplingKind.Conservative:
                return Coupling.Conservative(names, standing.Why, exempt);
            default:
                var edges = _activation.Own!.Clusters().ToHashSet(StringComparer.Ordinal);
                for (var i = 1; i < names.Count; i++)
                {
                    exempt |= edges.Contains(names[i]) ? 0 : 1UL << i;
                }
                // Another proxy may be configured with another server of home.
                return Coupling.Sequential(standing.Graph, _config.Region, names, 0, _homeHasSeveralServers || !standing.IsOnlyProxy, exempt, standing.IsOnlyProxy);
        }
    }

    private static IEnumerable<ViewMount> Published(MountSnapshot table) => table.Entries
        .Where(e => e.Mount is { Options.Barriers: true } && e.State is MountState.Joining or MountState.Active or MountState.Leaving)
        // Of two mounts of the same znode the one that is used counts.
        .OrderBy(e => e.State switch { MountState.Active => 0, MountState.Joining => 1, _ => 2 })
        .Select(e => new ViewMount(e.Mount!.ClusterName, e.Mount.RemotePath, e.State switch
        {
            MountState.Active => PublishedState.Active,
            MountState.Joining => PublishedState.Joining,
            _ => PublishedState.Leaving,
        }));

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
            if (own?.Mounts.Any(m => m.Cluster == mount.ClusterName && m.RemotePath == mount.RemotePath && m.State <= PublishedState.Active) == true)
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

    private void Report(MountSnapshot table)
    {
        var steps = new Dictionary<(string, int), IReadOnlyList<string>>();
        var pending = false;
        foreach (var entry in table.Entries.Where(e => e.Mount is { Options.Barriers: true }))
        {
            var mount = entry.Mount!;
            IReadOnlyList<string>? waiting = entry.State switch
            {
                MountState.Joining => _activation.WaitingToJoin(mount.ClusterName, mount.RemotePath),
                // Where the same znode stays mounted elsewhere the edge stays, and there is nothing to wait for.
                MountState.Leaving => table.Entries.Any(e => e != entry && e.State is MountState.Active or MountState.Joining && e.Mount is { } m
                        && m.Cluster == mount.Cluster && m.RemotePath == mount.RemotePath)
                    ? [] : _activation.WaitingToLeave(mount.ClusterName, mount.RemotePath),
                _ => null,
            };
            if (waiting is not null)
            {
                steps[(entry.Path, entry.Version)] = waiting;
                pending = true;
            }
        }
        var errors = new List<string>();
        foreach (var name in _activation.Clusters)
        {
            if (_config.FindCluster(name) is not { } cluster)
            {
                errors.Add($"cluster {name}: a mount of it is published and this proxy's configuration does not know it");
            }
            else if (_folders[cluster.Ordinal].Error is { } error)
            {
                errors.Add($"cluster {name}: {error}");
            }
        }
        var unacknowledged = _activation.NotAcknowledged();
        pending |= unacknowledged.Count > 0 || _activation.Own?.Mounts.Any(m => m.State != PublishedState.Active) == true || errors.Count > 0;
        var before = _progress;
        _progress = before with { Steps = steps, NotAcknowledged = unacknowledged, Errors = errors, IsPending = pending };
        if (steps.Count != before.Steps.Count || steps.Any(s => !before.Steps.TryGetValue(s.Key, out var was) || !was.SequenceEqual(s.Value)))
        {
            Changed?.Invoke();
        }
    }

    /// <summary>Takes this proxy off the lists, so that nobody waits for its acknowledgement.</summary>
    private async Task SignOffAsync(CancellationToken cancellationToken)
    {
        await _registration.RemoveAsync(cancellationToken);
        var look = _activation.BeginLook(_config.Home.Name);
        await _folders[0].BarrierAsync(cancellationToken);
        var live = await _registration.LiveAsync(cancellationToken);
        var records = await _folders[0].ReadAsync(cancellationToken);
        _activation.EndLook(look, records);
        var own = records.FirstOrDefault(r => r.View == _config.Region);
        if (own is null || _activation.Propose(look, own, live, Published(_store.Current)) is not { } proposed
            || !await _folders[0].WriteAsync(proposed, cancellationToken))
        {
            return;
        }
        // There may be nobody left who would carry it to the clusters where the other regions look.
        await Task.WhenAll(proposed.Folders().Select(name => _config.FindCluster(name)).Where(c => c is { IsHome: false }).Select(async cluster =>
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

    /// <summary>What the last round came to. Immutable.</summary>
    private sealed record Progress(
        string Why,
        InterestGraph Graph,
        IReadOnlyList<ViewRecord> Views,
        IReadOnlyList<string> NotAcknowledged,
        IReadOnlyList<string> Errors,
        IReadOnlyDictionary<(string Path, int Version), IReadOnlyList<string>> Steps,
        bool IsPending)
    {
        public static Progress None { get; } = new("", new InterestGraph([]), [], [], [], new Dictionary<(string, int), IReadOnlyList<string>>(), true);
    }
}
