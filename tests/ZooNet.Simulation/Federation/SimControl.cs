using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Simulation.Clusters;

namespace ZooNet.Simulation.Federation;

/// <summary>Where a mount stands in the mount table.</summary>
internal enum TableState
{
    Joining,
    Active,
    Leaving,
}

/// <summary>An entry of the mount table. Two are the same only if they are one object: that is what a compare-and-set compares.</summary>
internal sealed class TableEntry(TableState state)
{
    public TableState State { get; } = state;

    public override string ToString() => State.ToString();
}

/// <summary>
/// The control plane of one proxy: the real <see cref="MountActivation"/>, driven as the proxy drives it, one small step at a time.
/// It looks at lagging servers after barriers, writes records by compare-and-set, makes the data path follow, and keeps its lease.
/// </summary>
internal sealed class SimControl
{
    private static readonly Func<bool> AtOnce = () => true;

    private readonly World _world;
    private readonly SimProxy _proxy;
    private readonly string _view;
    private readonly SimCluster _home;
    private readonly MountActivation _activation;
    private readonly IEnumerator<Func<bool>> _driver;
    private readonly IEnumerator<Func<bool>> _keeper;
    private readonly Dictionary<string, TableEntry> _table = new(StringComparer.Ordinal);
    private readonly HashSet<string> _inUse = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _wanted = new(StringComparer.Ordinal);
    private int _stalledUntil;
    private IReadOnlyList<string> _live = [];
    private ViewRecord? _own;
    private string _id = "";
    private bool _registered;
    private bool _blocked = true;
    private long _leaseUntilMs;

    public SimControl(World world, SimProxy proxy)
    {
        _world = world;
        _proxy = proxy;
        _view = proxy.Place.Name;
        _home = world.Cluster(proxy.Place.Home);
        _activation = new MountActivation(_view, _home.Name, "", world.Scenario.Policy == Policy.Ordered);
        _activation.Copies.Omissions = proxy.Region.Omissions;
        proxy.Region.Copies.Wanted += (cluster, address) => _wanted[proxy.Region.ClusterNames[cluster]] = address;
        _driver = Drive().GetEnumerator();
        _keeper = Keep().GetEnumerator();
        _driver.MoveNext();
        _keeper.MoveNext();
        Lease();
    }

    /// <summary>Whether the data path follows a first directive: before, no client is let in.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>True while the network between the control plane and home is broken, whatever else works.</summary>
    public bool IsCutOff { get; set; }

    /// <summary>Does the next thing, or the next few, if they can be done now.</summary>
    /// <param name="keep">Whether for its lease; else for mounts.</param>
    public void Step(bool keep)
    {
        var next = keep ? _keeper : _driver;
        if (next == _driver && !_world.IsPreparing)
        {
            // Now and then one takes ages to look again.
            if (_world.Now < _stalledUntil)
            {
                return;
            }
            if (_world.Random.Next(60) == 0)
            {
                _stalledUntil = _world.Now + _world.Random.Next(2000);
            }
        }
        do
        {
            if (!next.Current())
            {
                return;
            }
            next.MoveNext();
        }
        while (_world.Random.Next(3) > 0);
    }

    private bool CanReach(string cluster) => !_proxy.CutOff.Contains(cluster) && !(IsCutOff && cluster == _home.Name);

    /// <summary>The proxy's part in the life of mounts, over and over. Between two yields anything can happen.</summary>
    private IEnumerable<Func<bool>> Drive()
    {
        while (true)
        {
            if (!_registered)
            {
                yield return () => CanReach(_home.Name);
                _id = _world.NewProxyId();
                _home.Commit("live", _id, _view);
                _home.Heard[_id] = _world.Now;
                _registered = true;
                yield return AtOnce;
                _activation.Registered(_id);
            }
            FolderScan? homeScan = null;
            foreach (var cluster in _activation.Clusters.ToArray())
            {
                if (!CanReach(cluster))
                {
                    continue;
                }
                var scan = _activation.BeginScan(cluster);
                yield return AtOnce;
                var server = _world.AnyServerOf(_proxy, cluster);
                var upTo = server.Cluster.Log.Count;
                yield return () => server.Applied >= upTo || !CanReach(cluster);
                // Not one snapshot: some of it is read before the rest.
                var later = _world.Random.Next(2) == 0;
                var found = server.Tree.Records("views").Where(_ => _world.Random.Next(2) == 0).Select(r => (ViewRecord)r.Value).ToList();
                if (cluster == _home.Name && !later)
                {
                    ReadHome(server);
                }
                yield return AtOnce;
                if (!CanReach(cluster))
                {
                    continue;
                }
                found.AddRange(server.Tree.Records("views").Where(r => !found.Exists(f => f.View == r.Key)).Select(r => (ViewRecord)r.Value));
                if (cluster == _home.Name)
                {
                    homeScan = scan;
                    _own = found.Find(r => r.View == _view);
                    if (later)
                    {
                        ReadHome(server);
                    }
                }
                _activation.EndScan(scan, found, cluster == _home.Name ? null : [.. server.Tree.Records("live").Keys]);
            }
            if (!_registered)
            {
                continue;
            }
            foreach (var cluster in _activation.Clusters.ToArray())
            {
                foreach (var record in _activation.ToStore(cluster))
                {
                    yield return AtOnce;
                    var store = _world.Cluster(cluster);
                    if (!CanReach(cluster) || !record.IsNewerThan(store.Head.Record("views", record.View) as ViewRecord))
                    {
                        continue;
                    }
                    var at = store.Commit("views", record.View, record);
                    var server = _world.AnyServerOf(_proxy, cluster);
                    yield return () => server.Applied >= at || !CanReach(cluster);
                    if (CanReach(cluster))
                    {
                        _activation.Stored(cluster, record);
                    }
                }
            }
            _activation.WantToRead(_activation.Clusters.Union(_table.Keys).Where(c => c != _home.Name)
                .ToDictionary(c => c, c => _wanted.GetValueOrDefault(c) ?? _world.ObserversOf(_proxy.Place, c)[0].Address));
            var directive = _activation.Decide(_table.Where(e => e.Value.State == TableState.Active).Select(e => (e.Key, "/")));
            yield return AtOnce;
            var sent = Follow(directive);
            if (sent.Count > 0)
            {
                yield return () => sent.All(s => s.Host.IsClosed || s.Host.Session.Answered >= s.Submitted);
            }
            _activation.Confirm(directive);
            _inUse.Clear();
            _inUse.UnionWith(directive.Usable.Select(u => u.Cluster));
            IsOpen = true;
            if (homeScan is null)
            {
                yield return AtOnce;
                continue;
            }
            var proposed = _activation.Propose(homeScan, _own, _live, _table.Select(e => new ViewMount(e.Key, "/", e.Value.State switch
            {
                TableState.Joining => PublishedState.Joining,
                TableState.Active => PublishedState.Active,
                _ => PublishedState.Leaving,
            })));
            yield return AtOnce;
            if (!MayWriteHome())
            {
                continue;
            }
            if (proposed is not null && ReferenceEquals(_home.Head.Record("views", _view), _own))
            {
                var at = _home.Commit("views", _view, proposed);
                var server = _world.AnyServerOf(_proxy, _home.Name);
                yield return () => server.Applied >= at || !CanReach(_home.Name);
                if (CanReach(_home.Name))
                {
                    _activation.Stored(_home.Name, proposed);
                }
            }
            SeeThrough();
            yield return AtOnce;
        }
    }

    private void ReadHome(SimServer server)
    {
        _live = [.. server.Tree.Records("live").Where(r => (string)r.Value == _view).Select(r => r.Key)];
        _table.Clear();
        foreach (var (remote, entry) in server.Tree.Records("mounts"))
        {
            _table.Add(remote, (TableEntry)entry);
        }
        // The session that made the entry has expired.
        _registered = _live.Contains(_id);
    }

    /// <summary>Makes the data path follow.</summary>
    /// <returns>The requests that must be answered before it does: they were sent when more could be used.</returns>
    private List<(SimHost Host, long Submitted)> Follow(Directive directive)
    {
        var region = _proxy.Region;
        region.Copies.Agree(directive.Servers is { } servers ? [.. region.ClusterNames.Select(c => servers.GetValueOrDefault(c))] : null);
        region.Follow(CouplingOf(directive), directive.Fresh);
        _world.AgreedCopies += directive is { Kind: CouplingKind.Free, IsOnlyProxy: false } && !_world.IsPreparing ? 1 : 0;
        _blocked = directive.Blocked.Count > 0;
        region.Mounts = _proxy.Table(directive.Usable.Concat(directive.Blocked).Select(m => m.Cluster));
        Lease();
        return _inUse.IsSubsetOf(directive.Usable.Select(u => u.Cluster))
            ? []
            : [.. _world.HostsOf(_proxy).Select(h => (h, h.Session.Submitted))];
    }

    private ICoupling CouplingOf(Directive directive)
    {
        var clusters = _proxy.Region.ClusterNames;
        switch (_world.Scenario.Policy)
        {
            case Policy.None:
                return Coupling.None(clusters);
            case Policy.Ordered or Policy.EverySwitch:
                return Coupling.Ordered(clusters);
            case Policy.SymmetricPairs:
                return new SimProxy.PairCoupling(clusters, [.. _activation.Known.Where(r => r.Clusters().Contains(_home.Name)).Select(r => r.Home)]);
        }
        if (directive.Kind == CouplingKind.Conservative)
        {
            return Coupling.Conservative(clusters, directive.Why);
        }
        var edges = _activation.Own!.Clusters().ToHashSet(StringComparer.Ordinal);
        var exempt = ClusterSet.Of([.. Enumerable.Range(0, clusters.Count).Where(i => !edges.Contains(clusters[i]))]);
        return Coupling.Sequential(directive.Graph, _view, clusters, 0, _world.Scenario.HomeServers > 1, exempt, directive.IsOnlyProxy);
    }

    private bool MayWriteHome()
    {
        if (!CanReach(_home.Name))
        {
            return false;
        }
        _registered &= _home.Heard.ContainsKey(_id);
        return _registered;
    }

    /// <summary>Carries commands through as far as they may go: what waits in <c>zoonet mount</c> and <c>unmount</c>.</summary>
    private void SeeThrough()
    {
        foreach (var (remote, entry) in _table.ToList())
        {
            if (!MayWriteHome() || !ReferenceEquals(_home.Head.Record("mounts", remote), entry))
            {
                continue;
            }
            if (entry.State == TableState.Joining && _activation.IsReady && MayJoin(remote))
            {
                _home.Commit("mounts", remote, new TableEntry(TableState.Active));
                _world.Note($"{_view} uses {remote}");
            }
            else if (entry.State == TableState.Leaving && _activation.WaitingToLeave(remote, "/").Count == 0)
            {
                _home.Commit("mounts", remote, null);
                _world.Note($"{_view} has left {remote}");
            }
        }
    }

    private bool MayJoin(string remote) => _world.Scenario.Mutation == Mutation.NoAcknowledgements
        ? _activation.Own!.Mounts.Any(m => m.Cluster == remote)
        : _activation.WaitingToJoin(remote, "/").Count == 0;

    /// <summary>Keeps the registration alive, and tells until when the proxy may act on it.</summary>
    private IEnumerable<Func<bool>> Keep()
    {
        while (true)
        {
            yield return () => _registered && CanReach(_home.Name);
            var id = _id;
            var sentMs = _proxy.NowMs;
            yield return AtOnce;
            if (!CanReach(_home.Name) || !_home.Heard.ContainsKey(id))
            {
                continue;
            }
            _home.Heard[id] = _world.Now;
            yield return AtOnce;
            if (CanReach(_home.Name) && id == _id)
            {
                // Counted from when the question was sent, for home counts from no earlier.
                _leaseUntilMs = sentMs + World.ControlTimeout * 4 * 2 / 3;
                Lease();
            }
        }
    }

    private void Lease() => _proxy.Region.MountsUsableUntilMs = _blocked ? long.MinValue : _leaseUntilMs;
}
