namespace ZooNet.Federation.Interest;

/// <summary>
/// One proxy's part in changing the graph safely: it learns records from the folders that it scans, says what its reads must follow,
/// acknowledges, and tells when a mount of its view may be used, and when one that has left may be forgotten. The protocol
/// and why it is safe are in docs/consistency.md ("Changing the graph").
///
/// No I/O, no clock. The driver repeats, whenever something may have changed:
/// <list type="number">
/// <item>for each of <see cref="Clusters"/>: <see cref="BeginScan"/>, then a barrier and a read of the folder of records
/// there, then <see cref="EndScan"/>; in home the list of live proxies and the mount table are read in the same scan;</item>
/// <item><see cref="ToStore"/> for each cluster, and <see cref="Stored"/> for each record that was written;</item>
/// <item><see cref="Decide"/>; make the data path follow the answer; then <see cref="Confirm"/>;</item>
/// <item><see cref="Propose"/>, and a compare-and-set of the answer on the view's own record in home.</item>
/// </list>
/// Not thread-safe: one driver.
/// </summary>
public sealed class MountActivation
{
    private readonly string _region;
    private readonly string _home;
    private readonly KnownRecords _records;
    private readonly CopyAgreement _copies;
    private readonly HashSet<(string Cluster, string Path)> _inUse = [];
    private readonly bool _ordered;
    private Dictionary<string, long> _confirmed = new(StringComparer.Ordinal);
    private bool _coupled = true;
    private bool _admitted;
    private string _proxyId;

    /// <summary>Makes the part of a proxy that has just registered as live.</summary>
    /// <param name="region">Its region, which is the name of its view.</param>
    /// <param name="home">Its home cluster.</param>
    /// <param name="proxyId">The id that it registered under.</param>
    /// <param name="ordered">
    /// Whether everything is coupled whatever the graph is (<c>consistency: ordered</c>), here and in the view's other proxies.
    /// </param>
    public MountActivation(string region, string home, string proxyId, bool ordered = false)
    {
        _ordered = ordered;
        _region = region;
        _home = home;
        _proxyId = proxyId;
        _records = new KnownRecords(region, home);
        _copies = new CopyAgreement(region);
    }

    /// <summary>What is known of each view: closed, that is, what a record acknowledges is known too.</summary>
    public IReadOnlyCollection<ViewRecord> Known => _records.All;

    /// <summary>This view's own record as last seen; null before it was first published.</summary>
    public ViewRecord? Own => _records.Own;

    /// <summary>
    /// The clusters whose folders must be scanned and kept up to date: home, and every cluster of an own mount in whatever state.
    /// </summary>
    public IEnumerable<string> Clusters => Own?.Folders() ?? [_home];

    /// <summary>True once every folder was scanned after registering. Until then the graph is not known.</summary>
    public bool IsReady => _records.IsComplete;

    /// <summary>
    /// True once every other live proxy of the view knows of this one. Before, one of them may still read as if it were the only
    /// one, and then this one must not read through mounts: two proxies that have not agreed are two copies of what a mount shows.
    /// </summary>
    public bool IsAdmitted => _ordered || _admitted;

    /// <summary>The agreement of the region's proxies on servers: tests take its ingredients out.</summary>
    internal CopyAgreement Copies => _copies;

    private bool IsOnlyProxy => Own?.Proxies is [{ } only] && only.Id == _proxyId;

    /// <summary>
    /// The proxy registered anew, under another id: it has been away, and others may have gone on without it.
    /// Everything counts as coupled until all folders were scanned again.
    /// </summary>
    public void Registered(string proxyId)
    {
        _proxyId = proxyId;
        _admitted = false;
        _confirmed = new(StringComparer.Ordinal);
        _records.ScanAnew();
    }

    /// <summary>
    /// A cluster's folder is another one than before: nothing that was written there counts, and it has to be scanned anew.
    /// </summary>
    public void Lost(string cluster) => _records.Lost(cluster);

    /// <summary>
    /// The servers that the data path reads each mounted cluster through, or would like to: published by <see cref="Propose"/>, allowed by
    /// <see cref="Decide"/>.
    /// </summary>
    /// <param name="servers">By cluster, "address:port".</param>
    public void WantToRead(IReadOnlyDictionary<string, string> servers)
    {
        // Ordered proxies are coupled whatever they read through.
        if (!_ordered)
        {
            _copies.Want(servers);
        }
    }

    /// <summary>Begins a scan of a cluster's folder: call before the barrier that precedes the reading.</summary>
    public FolderScan BeginScan(string cluster) => _records.BeginScan(cluster);

    /// <summary>
    /// True when the own record is in a cluster's folder and no scan has begun there since: somebody else may have copied it there, and
    /// then nothing need change there any more that would call for a scan.
    /// </summary>
    public bool IsScanDue(string cluster) => _records.IsScanDue(cluster);

    /// <summary>Ends a scan with the records that were found.</summary>
    /// <param name="scan">The scan.</param>
    /// <param name="records">The records.</param>
    /// <param name="live">
    /// The proxies that were registered in this cluster after the records were read; null if that was not asked. Registrations are never
    /// used again, so a proxy that a record of the cluster's own region lists and that is not among them is gone for good.
    /// </param>
    /// <param name="present">
    /// The views of which there is any record in the folder, also one that can't be read; null where all are in <paramref name="records"/>.
    /// One that was there and is not any more is among <see cref="ToStore"/> again.
    /// </param>
    public void EndScan(FolderScan scan, IReadOnlyCollection<ViewRecord> records, IReadOnlyCollection<string>? live = null,
        IReadOnlyCollection<string>? present = null) => _records.EndScan(scan, records, live, present);

    /// <summary>What must be written to a cluster's folder because something older, or nothing, is there.</summary>
    public IReadOnlyList<ViewRecord> ToStore(string cluster) => _records.ToStore(cluster);

    /// <summary>A record is in a cluster's folder: it was written, or seen there.</summary>
    public void Stored(string cluster, ViewRecord record) => _records.Stored(cluster, record);

    /// <summary>What the data path must follow from now on.</summary>
    /// <param name="active">The mounts that the mount table calls active: what the data path is about to use.</param>
    public Directive Decide(IEnumerable<(string Cluster, string Path)> active)
    {
        var graph = new InterestGraph(_records.All);
        var (kind, why) = Judge(graph);
        _admitted |= Own is { } own && own.Proxies.Any(proxy => proxy.Id == _proxyId)
            && own.Proxies.All(proxy => proxy.Id == _proxyId || proxy.Acknowledged.GetValueOrDefault(_region, -1) >= own.Version);
        var published = (Own?.Mounts ?? []).DistinctBy(mount => (mount.Cluster, mount.RemotePath))
            .ToDictionary(mount => (mount.Cluster, mount.RemotePath), mount => mount.State);
        var usable = new HashSet<(string Cluster, string Path)>();
        var blocked = new HashSet<(string Cluster, string Path)>();
        foreach (var mount in active)
        {
            // One that is leaving, as another proxy has found, is neither used nor waited for.
            var isPublished = published.TryGetValue(mount, out var state);
            if (!isPublished || state <= PublishedState.Active)
            {
                (isPublished && IsAdmitted ? usable : blocked).Add(mount);
            }
        }
        var fresh = kind != CouplingKind.Free != _coupled || !usable.IsSubsetOf(_inUse);
        var allowed = _copies.Allowed(Own, _proxyId);
        var versions = new Dictionary<string, long>(_confirmed, StringComparer.Ordinal);
        foreach (var record in _records.All.Where(record => IsReady || record.View == _region))
        {
            // The own view's record can be followed before all folders were read, for until then everything is coupled.
            versions[record.View] = record.Version;
        }
        return new Directive(graph, kind, why, fresh, usable, blocked, versions)
        {
            // Ordered proxies are coupled whatever they read through.
            Servers = _ordered ? null : allowed,
            IsOnlyProxy = IsOnlyProxy,
        };
    }

    /// <summary>
    /// The data path follows the directive: no read goes by the old coupling, no request uses a mount that is not usable.
    /// </summary>
    public void Confirm(Directive directive)
    {
        _coupled = directive.Coupled;
        _confirmed = new Dictionary<string, long>(directive.Versions, StringComparer.Ordinal);
        _inUse.Clear();
        _inUse.UnionWith(directive.Usable);
    }

    /// <summary>
    /// The view's own record as it should be, to be set in home on the condition that it has not changed since the scan.
    /// </summary>
    /// <param name="scan">The scan of home in which everything here was read; it has ended.</param>
    /// <param name="inHome">The own record that was found; null where there is none.</param>
    /// <param name="live">The ids of the live proxies of the view.</param>
    /// <param name="table">The mount table: mounts that are joining, active or leaving.</param>
    /// <returns>Null where nothing is to be changed.</returns>
    public ViewRecord? Propose(FolderScan scan, ViewRecord? inHome, IReadOnlyCollection<string> live, IEnumerable<ViewMount> table)
    {
        var before = inHome ?? new ViewRecord { View = _region, Region = _region, Home = _home, Version = 0, Revision = 0 };
        var mounts = Mounts(before, [.. table]);
        // A proxy that comes must be taken into account by the others; one that is gone need not.
        var proxies = live.Order(StringComparer.Ordinal).Select(id =>
        {
            var listed = before.Proxies.FirstOrDefault(proxy => proxy.Id == id);
            return new ViewProxy(id, Acknowledged(scan, before, id)) { Reads = id == _proxyId ? _copies.Wanted : listed?.Reads };
        }).ToList();
        var changed = !Counted(mounts).SetEquals(Counted(before.Mounts))
            || proxies.Any(proxy => before.Proxies.FirstOrDefault(old => old.Id == proxy.Id) is not { } old
                || CopyAgreement.Changes(old, proxy, proxies));
        // Elsewhere there may be more than in home, which is the truth: home was made anew. What is written now must be newer than that.
        var elsewhere = Own is { } known && known.IsNewerThan(before) ? known : null;
        var after = before with { Mounts = mounts, Proxies = proxies, Version = before.Version + (changed || inHome is null ? 1 : 0) };
        if (elsewhere is not null)
        {
            return after with { Version = Math.Max(before.Version, elsewhere.Version) + 1, Revision = elsewhere.Revision + 1 };
        }
        if (after.Version == before.Version && after.Mounts.SequenceEqual(before.Mounts) && SameProxies(before.Proxies, proxies))
        {
            return null;
        }
        return after with { Revision = before.Revision + 1 };
    }

    /// <summary>Who is still to acknowledge before a joining mount may be used; empty where it may.</summary>
    public IReadOnlyList<string> WaitingToJoin(string cluster, string path)
    {
        if (Own is not { } own || own.Mounts.All(m => m.Cluster != cluster || m.RemotePath != path || m.State > PublishedState.Active))
        {
            return [$"region {_region} has not published it yet"];
        }
        var waiting = own.Clusters().Where(c => !_records.IsScannedAfterOwn(c))
            .Select(c => $"cluster {c}: the records there could not be written and read").ToList();
        var part = _records.ConnectedIn(new InterestGraph(_records.All));
        foreach (var other in part)
        {
            waiting.AddRange(Missing(other, part));
        }
        return waiting;
    }

    /// <summary>Who has not stopped using a leaving mount; empty where nobody uses it.</summary>
    public IReadOnlyList<string> WaitingToLeave(string cluster, string path) =>
        Own is not { } own || own.Mounts.Any(m => m.Cluster == cluster && m.RemotePath == path && m.State < PublishedState.Leaving)
            ? [$"region {_region} has not published it yet"]
            : [.. Missing(own, [own])];

    /// <summary>Who has not acknowledged what, over the whole connected part; for status.</summary>
    public IReadOnlyList<string> NotAcknowledged()
    {
        var part = _records.ConnectedIn(new InterestGraph(_records.All));
        return [.. part.SelectMany(other => Missing(other, part))];
    }

    private (CouplingKind Kind, string Why) Judge(InterestGraph graph)
    {
        if (_ordered)
        {
            return (CouplingKind.Ordered, "consistency is 'ordered'");
        }
        if (!IsReady)
        {
            return (CouplingKind.Conservative, "the records of all clusters have not been read yet");
        }
        if (!IsOnlyProxy && _copies.WhyMany(Own!, _proxyId) is { } why)
        {
            return (CouplingKind.Conservative, why);
        }
        if (_records.ConnectedIn(graph).FirstOrDefault(record => record.Mounts.Any(mount => mount.State == PublishedState.Left)) is { } leaving)
        {
            return (CouplingKind.Conservative, $"a mount of view {leaving.View} is being forgotten");
        }
        return graph.IsOnCycle(_region)
            ? (CouplingKind.Cycle, "a cycle runs through this view")
            : (CouplingKind.Free, "no cycle runs through this view");
    }

    // All pairs: that each has acknowledged mine is not enough, for one of them may not know of an edge that another
    // has published meanwhile, and with it the cycle.
    private IEnumerable<string> Missing(ViewRecord other, IReadOnlyCollection<ViewRecord> part) => other.Proxies
        .Where(proxy => !_records.IsGone(proxy.Id))
        .Where(proxy => part.Any(record => proxy.Acknowledged.GetValueOrDefault(record.View, -1) < record.Version))
        .Select(proxy => $"proxy {proxy.Id} of region {other.Region}");

    private List<ViewMount> Mounts(ViewRecord before, IReadOnlyList<ViewMount> table)
    {
        var mounts = table.DistinctBy(mount => (mount.Cluster, mount.RemotePath)).ToList();
        var droppable = IsKnown(before) && _records.ConnectedIn(new InterestGraph(_records.All))
            .All(other => other.Proxies.All(proxy =>
                _records.IsGone(proxy.Id) || proxy.Acknowledged.GetValueOrDefault(_region, -1) >= before.Version));
        foreach (var old in before.Mounts)
        {
            if (mounts.Exists(mount => mount.Cluster == old.Cluster && mount.RemotePath == old.RemotePath))
            {
                continue;
            }
            if (old.State == PublishedState.Forgotten)
            {
                if (_records.OwnIn(old.Cluster) is not { } there || there.Version < before.Version)
                {
                    mounts.Add(old);
                }
            }
            else
            {
                mounts.Add(old with { State = old.State == PublishedState.Left && droppable ? PublishedState.Forgotten : PublishedState.Left });
            }
        }
        mounts.Sort((a, b) => string.CompareOrdinal(a.Cluster + a.RemotePath, b.Cluster + b.RemotePath));
        return mounts;

        // The connected part is judged by what is known, so the record at hand must be part of that.
        bool IsKnown(ViewRecord record) => Own is { } own && own.Revision == record.Revision;
    }

    private IReadOnlyDictionary<string, long> Acknowledged(FolderScan scan, ViewRecord before, string id)
    {
        var acknowledged = before.Proxies.FirstOrDefault(proxy => proxy.Id == id)?.Acknowledged ?? new Dictionary<string, long>();
        if (id != _proxyId)
        {
            return acknowledged;
        }
        // A proxy that registers after this scan finds in home whatever is acknowledged here; one that registered before is
        // in the list of live ones. So nothing is acknowledged that was not in home when the scan began.
        var result = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var (view, version) in _confirmed)
        {
            result[view] = scan.StoredVersion(view) >= version ? version : acknowledged.GetValueOrDefault(view, -1);
        }
        return result;
    }

    private static bool SameProxies(IReadOnlyList<ViewProxy> one, IReadOnlyList<ViewProxy> other) => one.Count == other.Count
        && one.Zip(other).All(pair => pair.First.Id == pair.Second.Id && CopyAgreement.IsSame(pair.First, pair.Second)
            && pair.First.Acknowledged.Count == pair.Second.Acknowledged.Count
            && pair.First.Acknowledged.All(ack => pair.Second.Acknowledged.GetValueOrDefault(ack.Key, -2) == ack.Value));

    private static HashSet<(string, string, int)> Counted(IEnumerable<ViewMount> mounts) =>
        [.. mounts.Where(mount => mount.State != PublishedState.Forgotten)
            .Select(mount => (mount.Cluster, mount.RemotePath, Math.Max((int)mount.State, (int)PublishedState.Active)))];
}
