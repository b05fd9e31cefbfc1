namespace ZooNet.Federation.Interest;

/// <summary>
/// One proxy's part in changing the graph safely: it learns records wherever it looks, says what its reads must follow,
/// acknowledges, and tells when a mount of its view may be used, and when one that has left may be forgotten. The protocol
/// and why it is safe are in docs/consistency.md ("Changing the graph").
///
/// No I/O, no clock. The driver repeats, whenever something may have changed:
/// <list type="number">
/// <item>for each of <see cref="Clusters"/>: <see cref="BeginLook"/>, then a barrier and a read of the folder of records
/// there, then <see cref="EndLook"/>; in home the list of live proxies and the mount table are read in the same look;</item>
/// <item><see cref="ToStore"/> for each cluster, and <see cref="Stored"/> for each record that was written;</item>
/// <item><see cref="TakeUp"/>; make the data path follow the answer; then <see cref="Applied"/>;</item>
/// <item><see cref="Propose"/>, and a compare-and-set of the answer on the view's own record in home.</item>
/// </list>
/// Not thread-safe: one driver.
/// </summary>
public sealed class MountActivation
{
    private readonly string _region;
    private readonly string _view;
    private readonly string _home;
    private readonly Dictionary<string, ViewRecord> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ViewRecord> _waiting = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Folder> _folders = new(StringComparer.Ordinal);
    private readonly HashSet<(string Cluster, string Path)> _inUse = [];
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);
    private Dictionary<string, long> _applied = new(StringComparer.Ordinal);
    private Dictionary<string, string>? _reads;
    private Dictionary<string, string> _allowed = new(StringComparer.Ordinal);
    private readonly bool _ordered;
    private bool _coupled = true;
    private bool _admitted;
    private string _proxyId;

    /// <summary>Makes the part of a proxy that has just registered as live.</summary>
    /// <param name="region">Its region.</param>
    /// <param name="view">Its view.</param>
    /// <param name="home">Its home cluster.</param>
    /// <param name="proxyId">The id that it registered under.</param>
    /// <param name="ordered">Whether everything is coupled whatever the graph is (<c>consistency: ordered</c>), here and in the view's other proxies.</param>
    public MountActivation(string region, string view, string home, string proxyId, bool ordered = false)
    {
        _ordered = ordered;
        _region = region;
        _view = view;
        _home = home;
        _proxyId = proxyId;
    }

    /// <summary>What is known of each view: closed, that is, what a record acknowledges is known too.</summary>
    public IReadOnlyCollection<ViewRecord> Known => _known.Values;

    /// <summary>This view's own record as last seen; null before it was first published.</summary>
    public ViewRecord? Own => _known.GetValueOrDefault(_view);

    /// <summary>The clusters whose folders must be looked at and kept up to date: home, and every cluster of an own mount in whatever state.</summary>
    public IEnumerable<string> Clusters => Own?.Folders() ?? [_home];

    /// <summary>True once every folder was looked at after registering. Until then the graph is not known.</summary>
    public bool IsReady => Own is { } own && own.Clusters().All(cluster => FolderOf(cluster).Looks > 0);

    /// <summary>
    /// True once every other live proxy of the view knows of this one. Before, one of them may still read as if it were the only
    /// one, and then this one must not read through mounts: two proxies that have not agreed are two copies of what a mount shows.
    /// </summary>
    public bool IsAdmitted => _ordered || _admitted;

    /// <summary>
    /// The proxy registered anew, under another id: it has been away, and others may have gone on without it.
    /// Everything counts as coupled until all folders were looked at again.
    /// </summary>
    public void Registered(string proxyId)
    {
        _proxyId = proxyId;
        _admitted = false;
        _applied = new(StringComparer.Ordinal);
        foreach (var folder in _folders.Values)
        {
            folder.LookAnew();
        }
    }

    /// <summary>A cluster's folder is another one than before: nothing that was written there counts, and it has to be looked at
    /// anew.</summary>
    public void Lost(string cluster)
    {
        var folder = FolderOf(cluster);
        folder.Records.Clear();
        folder.LookAnew();
    }

    /// <summary>The servers that the data path reads each mounted cluster through, or would like to: published by <see cref="Propose"/>, allowed by <see cref="TakeUp"/>.</summary>
    /// <param name="servers">By cluster, "address:port".</param>
    public void WantToRead(IReadOnlyDictionary<string, string> servers) => _reads = _ordered ? null : new(servers, StringComparer.Ordinal);

    /// <summary>Takes an ingredient out, so that the simulation shows that it is needed: the agreement of a region's proxies on the servers that they read through.</summary>
    internal bool TrustsCopies { get; set; }

    /// <summary>Takes an ingredient out: that a server is left for another only when the other proxies know.</summary>
    internal bool ReadsAtOnce { get; set; }

    /// <summary>Takes an ingredient out: that who is about to leave a server couples everything before the record says so.</summary>
    internal bool PublishesAtOnce { get; set; }

    /// <summary>Begins a look at a cluster's folder: call before the barrier that precedes the reading.</summary>
    public Look BeginLook(string cluster)
    {
        var folder = FolderOf(cluster);
        var stored = folder.Records.ToDictionary(pair => pair.Key, pair => pair.Value.Version, StringComparer.Ordinal);
        return new Look(cluster, folder.LooksBegun, stored);
    }

    /// <summary>
    /// True where the own record is in a cluster's folder and no look has begun there since: somebody else may have copied it there, and
    /// then nothing need change there any more that would call for a look.
    /// </summary>
    public bool IsLookDue(string cluster)
    {
        var folder = FolderOf(cluster);
        return Own is { } own && folder.LookedAfter < own.Version && folder.Records.GetValueOrDefault(_view)?.Version >= own.Version;
    }

    /// <summary>Ends a look with the records that were found.</summary>
    /// <param name="look">The look.</param>
    /// <param name="records">The records.</param>
    /// <param name="live">
    /// The proxies that were registered in this cluster after the records were read; null where that was not asked. Registrations are never
    /// used again, so a proxy that a record of the cluster's own region lists and that is not among them is gone for good.
    /// </param>
    public void EndLook(Look look, IEnumerable<ViewRecord> records, IReadOnlyCollection<string>? live = null)
    {
        var folder = FolderOf(look.Cluster);
        foreach (var record in records)
        {
            if (live is not null && record.Home == look.Cluster)
            {
                _gone.UnionWith(record.Proxies.Select(proxy => proxy.Id).Except(live));
            }
            Stored(look.Cluster, record);
            if (record.IsNewerThan(_known.GetValueOrDefault(record.View)) && record.IsNewerThan(_waiting.GetValueOrDefault(record.View)))
            {
                _waiting[record.View] = record;
            }
        }
        AcceptWaiting();
        if (look.Registration == folder.LooksBegun)
        {
            folder.Looks++;
            folder.LookedAfter = Math.Max(folder.LookedAfter, look.StoredVersion(_view));
        }
    }

    /// <summary>What must be written to a cluster's folder because something older, or nothing, is there.</summary>
    public IReadOnlyList<ViewRecord> ToStore(string cluster)
    {
        var folder = FolderOf(cluster);
        return [.. _known.Values.Where(record => record.IsNewerThan(folder.Records.GetValueOrDefault(record.View)))
            .Where(record => cluster != _home || record.View != _view)];
    }

    /// <summary>A record is in a cluster's folder: it was written, or seen there.</summary>
    public void Stored(string cluster, ViewRecord record)
    {
        var folder = FolderOf(cluster);
        if (record.IsNewerThan(folder.Records.GetValueOrDefault(record.View)))
        {
            folder.Records[record.View] = record;
        }
    }

    /// <summary>What the data path must follow from now on.</summary>
    /// <param name="active">The mounts that the mount table calls active: what the data path is about to use.</param>
    public Standing TakeUp(IEnumerable<(string Cluster, string Path)> active)
    {
        var graph = new InterestGraph(_known.Values);
        var (kind, why) = Judge(graph);
        _admitted |= Own is { } own && own.Proxies.Any(proxy => proxy.Id == _proxyId)
            && own.Proxies.All(proxy => proxy.Id == _proxyId || proxy.Acknowledged.GetValueOrDefault(_view, -1) >= own.Version);
        var published = (Own?.Mounts ?? []).DistinctBy(mount => (mount.Cluster, mount.RemotePath)).ToDictionary(mount => (mount.Cluster, mount.RemotePath), mount => mount.State);
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
        var allowed = Allowed();
        var versions = new Dictionary<string, long>(_applied, StringComparer.Ordinal);
        foreach (var record in _known.Values.Where(record => IsReady || record.View == _view))
        {
            // The own view's record can be followed before all folders were read, for until then everything is coupled.
            versions[record.View] = record.Version;
        }
        return new Standing(graph, kind, why, fresh, usable, blocked, versions) { Servers = allowed, IsOnlyProxy = IsOnlyProxy };
    }

    private bool IsOnlyProxy => Own?.Proxies is [{ } only] && only.Id == _proxyId;

    /// <summary>
    /// The servers that may be read through; null where this proxy is alone and may choose freely. One that it has published may be used where no other proxy
    /// names a different one, for then all read one copy; or where all have acknowledged, and so couple everything. Until then it stays with the one before.
    /// </summary>
    private IReadOnlyDictionary<string, string>? Allowed()
    {
        var servers = (Own?.Clusters().Skip(1) ?? []).ToDictionary(cluster => cluster, cluster => _allowed.GetValueOrDefault(cluster, ""), StringComparer.Ordinal);
        if (Own is not { } own || own.Proxies.FirstOrDefault(proxy => proxy.Id == _proxyId) is not { } self)
        {
            // Not admitted yet, or not any more.
            return servers;
        }
        var others = own.Proxies.Where(proxy => proxy != self).ToList();
        var acknowledged = others.TrueForAll(other => other.Acknowledged.GetValueOrDefault(_view, -1) >= own.Version);
        foreach (var cluster in servers.Keys)
        {
            if (self.Reads?.GetValueOrDefault(cluster) is not { } server || _reads?.ContainsKey(cluster) != true)
            {
                // The others take it that this one reads nothing there, or soon will.
                servers[cluster] = "";
            }
            else if (acknowledged || ReadsAtOnce || others.TrueForAll(other => other.Reads is { } reads && reads.GetValueOrDefault(cluster, server) == server))
            {
                servers[cluster] = server;
            }
        }
        _allowed = servers;
        // Ordered proxies are coupled whatever they read through.
        return _ordered || TrustsCopies || others.Count == 0 ? null : servers;
    }

    /// <summary>Why the live proxies of the view are not one copy of what they read; null where they are.</summary>
    private string? WhyManyCopies(ViewRecord own)
    {
        if (own.Proxies.FirstOrDefault(proxy => proxy.Id == _proxyId) is not { } self)
        {
            return "this proxy has not been listed yet";
        }
        if (!PublishesAtOnce && _reads is not null && self.Reads?.FirstOrDefault(read => _reads.GetValueOrDefault(read.Key) != read.Value) is { Key: not null } leaving)
        {
            // Before it is published: who reads the record then takes it that this proxy couples everything.
            return $"this proxy is about to leave {leaving.Value}, through which it reads {leaving.Key}";
        }
        var others = own.Proxies.Where(proxy => proxy != self).ToList();
        foreach (var other in others)
        {
            if (self.Reads is null || other.Reads is null)
            {
                return $"proxy {(self.Reads is null ? self : other).Id} does not say through which servers it reads";
            }
            foreach (var (cluster, server) in self.Reads)
            {
                if (other.Reads.TryGetValue(cluster, out var its) && its != server)
                {
                    return $"the region's proxies read {cluster} through different servers: {self.Id} through {server}, {other.Id} through {its}";
                }
            }
        }
        return others.Find(other => other.Acknowledged.GetValueOrDefault(_view, -1) < own.Version) is { } late
            ? $"proxy {late.Id} has not acknowledged through which servers the region's proxies read"
            : null;
    }

    /// <summary>The data path follows the standing: no read goes by the old coupling, no request uses a mount that is not usable.</summary>
    public void Applied(Standing standing)
    {
        _coupled = standing.Coupled;
        _applied = new Dictionary<string, long>(standing.Versions, StringComparer.Ordinal);
        _inUse.Clear();
        _inUse.UnionWith(standing.Usable);
    }

    /// <summary>
    /// The view's own record as it should be, to be set in home on the condition that it has not changed since the look.
    /// </summary>
    /// <param name="look">The look at home in which everything here was read; it has ended.</param>
    /// <param name="inHome">The own record that was found; null where there is none.</param>
    /// <param name="live">The ids of the live proxies of the view.</param>
    /// <param name="table">The mount table: mounts that are joining, active or leaving.</param>
    /// <returns>Null where nothing is to be changed.</returns>
    public ViewRecord? Propose(Look look, ViewRecord? inHome, IReadOnlyCollection<string> live, IEnumerable<ViewMount> table)
    {
        var before = inHome ?? new ViewRecord { View = _view, Region = _region, Home = _home, Version = 0, Revision = 0 };
        var mounts = Mounts(before, [.. table]);
        // A proxy that comes must be taken into account by the others; one that is gone need not.
        var proxies = live.Order(StringComparer.Ordinal).Select(id =>
        {
            var listed = before.Proxies.FirstOrDefault(proxy => proxy.Id == id);
            return new ViewProxy(id, Acknowledged(look, before, id)) { Reads = id == _proxyId ? _reads : listed?.Reads };
        }).ToList();
        var changed = !Counted(mounts).SetEquals(Counted(before.Mounts))
            || proxies.Any(proxy => before.Proxies.FirstOrDefault(old => old.Id == proxy.Id) is not { } old || ChangesCopies(old, proxy, proxies));
        // Elsewhere there may be more than in home, which is the truth: home was made anew. What is written now must be newer than all of
        // it.
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
        var waiting = own.Clusters().Where(c => FolderOf(c).LookedAfter < own.Version)
            .Select(c => $"cluster {c}: the records there could not be written and read").ToList();
        var part = Part(new InterestGraph(_known.Values));
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
        var part = Part(new InterestGraph(_known.Values));
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
        if (!IsOnlyProxy && !TrustsCopies && WhyManyCopies(Own!) is { } why)
        {
            return (CouplingKind.Conservative, why);
        }
        if (Part(graph).FirstOrDefault(record => record.Mounts.Any(mount => mount.State == PublishedState.Left)) is { } leaving)
        {
            return (CouplingKind.Conservative, $"a mount of view {leaving.View} is being forgotten");
        }
        return graph.IsOnCycle(_view)
            ? (CouplingKind.Cycle, "a cycle runs through this view")
            : (CouplingKind.Free, "no cycle runs through this view");
    }

    private List<ViewRecord> Part(InterestGraph graph) => [.. graph.ComponentOf(_view).Select(view => _known[view])];

    // All pairs: that each has acknowledged mine is not enough, for one of them may not know of an edge that another
    // has published meanwhile, and with it the cycle.
    private IEnumerable<string> Missing(ViewRecord other, IReadOnlyCollection<ViewRecord> part) => other.Proxies
        .Where(proxy => !_gone.Contains(proxy.Id))
        .Where(proxy => part.Any(record => proxy.Acknowledged.GetValueOrDefault(record.View, -1) < record.Version))
        .Select(proxy => $"proxy {proxy.Id} of region {other.Region}");

    private List<ViewMount> Mounts(ViewRecord before, IReadOnlyList<ViewMount> table)
    {
        var mounts = table.DistinctBy(mount => (mount.Cluster, mount.RemotePath)).ToList();
        var droppable = IsKnown(before) && Part(new InterestGraph(_known.Values))
            .All(other => other.Proxies.All(proxy => _gone.Contains(proxy.Id) || proxy.Acknowledged.GetValueOrDefault(_view, -1) >= before.Version));
        foreach (var old in before.Mounts)
        {
            if (mounts.Exists(mount => mount.Cluster == old.Cluster && mount.RemotePath == old.RemotePath))
            {
                continue;
            }
            if (old.State == PublishedState.Forgotten)
            {
                if (FolderOf(old.Cluster).Records.GetValueOrDefault(_view) is not { } there || there.Version < before.Version)
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

    private IReadOnlyDictionary<string, long> Acknowledged(Look look, ViewRecord before, string id)
    {
        var acknowledged = before.Proxies.FirstOrDefault(proxy => proxy.Id == id)?.Acknowledged ?? new Dictionary<string, long>();
        if (id != _proxyId)
        {
            return acknowledged;
        }
        // A proxy that registers after this look finds in home whatever is acknowledged here; one that registered before is
        // in the list of live ones. So nothing is acknowledged that was not in home when the look began.
        var result = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var (view, version) in _applied)
        {
            result[view] = look.StoredVersion(view) >= version ? version : acknowledged.GetValueOrDefault(view, -1);
        }
        return result;
    }

    /// <summary>Whether others must take into account what a proxy reads through now: unless it merely joins those who read a cluster through the same server.</summary>
    private static bool ChangesCopies(ViewProxy before, ViewProxy after, IReadOnlyList<ViewProxy> all) => before.Reads is null || after.Reads is null
        ? before.Reads != after.Reads
        : before.Reads.Any(read => after.Reads.GetValueOrDefault(read.Key) != read.Value)
            || after.Reads.Any(read => !before.Reads.ContainsKey(read.Key)
                && all.Any(other => other.Reads is null || other.Reads.GetValueOrDefault(read.Key, read.Value) != read.Value));

    private static bool SameReads(ViewProxy one, ViewProxy other) => one.Reads is null || other.Reads is null
        ? one.Reads == other.Reads
        : one.Reads.Count == other.Reads.Count && one.Reads.All(read => other.Reads.GetValueOrDefault(read.Key) == read.Value);

    private static bool SameProxies(IReadOnlyList<ViewProxy> one, IReadOnlyList<ViewProxy> other) => one.Count == other.Count
        && one.Zip(other).All(pair => pair.First.Id == pair.Second.Id && SameReads(pair.First, pair.Second) && pair.First.Acknowledged.Count == pair.Second.Acknowledged.Count
            && pair.First.Acknowledged.All(ack => pair.Second.Acknowledged.GetValueOrDefault(ack.Key, -2) == ack.Value));

    private static HashSet<(string, string, int)> Counted(IEnumerable<ViewMount> mounts) => [.. mounts.Where(mount => mount.State != PublishedState.Forgotten)
        .Select(mount => (mount.Cluster, mount.RemotePath, Math.Max((int)mount.State, (int)PublishedState.Active)))];

    // A record is believed only together with all that it acknowledges: whoever sees that somebody has acknowledged him
    // then knows all that the other one knew when he did.
    private void AcceptWaiting()
    {
        var accepted = new Dictionary<string, ViewRecord>(_waiting, StringComparer.Ordinal);
        bool changed;
        do
        {
            changed = false;
            foreach (var record in accepted.Values.ToList())
            {
                if (record.Proxies.Any(proxy => proxy.Acknowledged.Any(ack => VersionOf(ack.Key) < ack.Value)))
                {
                    accepted.Remove(record.View);
                    changed = true;
                }
            }
        }
        while (changed);
        foreach (var (view, record) in accepted)
        {
            _known[view] = record;
            _waiting.Remove(view);
        }

        long VersionOf(string view) => (accepted.GetValueOrDefault(view) ?? _known.GetValueOrDefault(view))?.Version ?? -1;
    }

    private Folder FolderOf(string cluster)
    {
        if (!_folders.TryGetValue(cluster, out var folder))
        {
            _folders[cluster] = folder = new Folder();
        }
        return folder;
    }

    private sealed class Folder
    {
        public Dictionary<string, ViewRecord> Records { get; } = new(StringComparer.Ordinal);

        // Looks that ended since the proxy registered, and the registration that a look must belong to.
        public int Looks { get; set; }
        public int LooksBegun { get; set; }

        // The largest own version that was in this folder before a look at it began.
        public long LookedAfter { get; set; } = -1;

        public void LookAnew()
        {
            Looks = 0;
            LooksBegun++;
            LookedAfter = -1;
        }
    }
}

/// <summary>A look at one cluster's folder of records, from before its barrier to after its last read.</summary>
public sealed class Look
{
    private readonly Dictionary<string, long> _stored;

    internal Look(string cluster, int registration, Dictionary<string, long> stored)
    {
        Cluster = cluster;
        Registration = registration;
        _stored = stored;
    }

    /// <summary>The cluster.</summary>
    public string Cluster { get; }

    internal int Registration { get; }

    internal long StoredVersion(string view) => _stored.GetValueOrDefault(view, -1);
}

/// <summary>What a proxy's data path must follow.</summary>
/// <param name="Graph">The graph as it is known.</param>
/// <param name="Kind">What decides the coupling: ordered, conservative, a cycle, or nothing (free).</param>
/// <param name="Why">The reason, for an operator.</param>
/// <param name="Fresh">
/// True where every server that the proxy reads through needs a barrier that begins from now on before its next read,
/// whatever the session has learned: before this standing, reads went by other rules.
/// </param>
/// <param name="Usable">The own mounts that may be used.</param>
/// <param name="Blocked">Own mounts that are active and may not be used yet: requests for them wait.</param>
/// <param name="Versions">What is acknowledged once the data path follows.</param>
public sealed record Standing(InterestGraph Graph, CouplingKind Kind, string Why, bool Fresh,
    IReadOnlyCollection<(string Cluster, string Path)> Usable, IReadOnlyCollection<(string Cluster, string Path)> Blocked,
    IReadOnlyDictionary<string, long> Versions)
{
    /// <summary>
    /// By cluster, the only server whose replies may be heard, so that the region's proxies are one copy or know that they are not; empty for one that none may be
    /// heard of yet. Null where this proxy is alone. To be followed before the coupling is.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Servers { get; init; }

    /// <summary>Whether all sessions of the view are this proxy's.</summary>
    public bool IsOnlyProxy { get; init; }

    /// <summary>Whether everything that the view reads is coupled.</summary>
    public bool Coupled => Kind != CouplingKind.Free;
}
