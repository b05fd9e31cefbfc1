namespace ZooNet.Federation.Interest;

/// <summary>
/// What one proxy knows of the views' records: which it believes, what is in each cluster's folder, and which folders it has scanned since
/// it registered. Not thread-safe: one driver.
/// </summary>
/// <param name="view">The proxy's own view.</param>
/// <param name="home">Its home cluster, where the own record is changed by compare-and-set only.</param>
internal sealed class KnownRecords(string view, string home)
{
    private readonly Dictionary<string, ViewRecord> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ViewRecord> _waiting = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Folder> _folders = new(StringComparer.Ordinal);
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);

    /// <summary>What is known of each view: closed, that is, what a record acknowledges is known too.</summary>
    public IReadOnlyCollection<ViewRecord> All => _known.Values;

    /// <summary>The own view's record as last seen; null before it was first published.</summary>
    public ViewRecord? Own => _known.GetValueOrDefault(view);

    /// <summary>
    /// True when every folder of the own view's edges was scanned since the proxy registered. Before, the graph is not known.
    /// </summary>
    public bool IsComplete => Own is { } own && own.Clusters().All(cluster => FolderOf(cluster).Scans > 0);

    /// <summary>The records of the views that are connected with the own one in a graph made of <see cref="All"/>.</summary>
    public IReadOnlyList<ViewRecord> ConnectedIn(InterestGraph graph) => [.. graph.ComponentOf(view).Select(other => _known[other])];

    /// <summary>Whether a proxy was registered once and is not any more; registrations are never used again.</summary>
    public bool IsGone(string proxyId) => _gone.Contains(proxyId);

    /// <summary>The record of the own view that is in a cluster's folder; null for none.</summary>
    public ViewRecord? OwnIn(string cluster) => FolderOf(cluster).Records.GetValueOrDefault(view);

    /// <summary>Begins a scan of a cluster's folder: call before the barrier that precedes the reading.</summary>
    public FolderScan BeginScan(string cluster)
    {
        var folder = FolderOf(cluster);
        return new FolderScan(cluster, folder.ScansBegun,
            folder.Records.ToDictionary(pair => pair.Key, pair => pair.Value.Version, StringComparer.Ordinal));
    }

    /// <summary>Ends a scan with the records that were found.</summary>
    /// <param name="scan">The scan.</param>
    /// <param name="records">The records.</param>
    /// <param name="live">The proxies that were registered in this cluster after the records were read; null if that was not asked.</param>
    /// <param name="present">
    /// The views of which there is any record, readable or not; null where all are in <paramref name="records"/>.
    /// </param>
    public void EndScan(FolderScan scan, IReadOnlyCollection<ViewRecord> records, IReadOnlyCollection<string>? live,
        IReadOnlyCollection<string>? present = null)
    {
        // What somebody has deleted, or put back, is to be stored again: whoever starts next has nothing but the folders to know it from.
        FolderOf(scan.Cluster).Remove(scan.StoredViews.Except(present ?? [.. records.Select(record => record.View)])
            .Concat(records.Where(record => record.Version < scan.StoredVersion(record.View)).Select(record => record.View)));
        foreach (var record in records)
        {
            if (live is not null && record.Home == scan.Cluster)
            {
                _gone.UnionWith(record.Proxies.Select(proxy => proxy.Id).Except(live));
            }
            Stored(scan.Cluster, record);
            if (record.IsNewerThan(_known.GetValueOrDefault(record.View)) && record.IsNewerThan(_waiting.GetValueOrDefault(record.View)))
            {
                _waiting[record.View] = record;
            }
        }
        AcceptWaiting();
        var folder = FolderOf(scan.Cluster);
        if (scan.Begun == folder.ScansBegun)
        {
            folder.Scanned(scan.StoredVersion(view));
        }
    }

    /// <summary>
    /// True when the own record is in a cluster's folder and no scan has begun there since: somebody else may have copied it there, and
    /// then nothing need change there any more that would call for a scan.
    /// </summary>
    public bool IsScanDue(string cluster) =>
        Own is { } own && FolderOf(cluster).ScannedAfter < own.Version && OwnIn(cluster)?.Version >= own.Version;

    /// <summary>Whether a cluster's folder was scanned after the own record, as it is known, had been written there.</summary>
    public bool IsScannedAfterOwn(string cluster) => Own is { } own && FolderOf(cluster).ScannedAfter >= own.Version;

    /// <summary>What must be written to a cluster's folder because something older, or nothing, is there.</summary>
    public IReadOnlyList<ViewRecord> ToStore(string cluster)
    {
        var folder = FolderOf(cluster);
        return [.. _known.Values.Where(record => record.IsNewerThan(folder.Records.GetValueOrDefault(record.View)))
            .Where(record => cluster != home || record.View != view)];
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

    /// <summary>The proxy registered anew: every folder has to be scanned again, and a scan that is under way does not count.</summary>
    public void ScanAnew()
    {
        foreach (var folder in _folders.Values)
        {
            folder.ScanAnew();
        }
    }

    /// <summary>
    /// A cluster's folder is another one than before: nothing that was written there counts, and it has to be scanned anew.
    /// </summary>
    public void Lost(string cluster)
    {
        var folder = FolderOf(cluster);
        folder.Records.Clear();
        folder.ScanAnew();
    }

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
        foreach (var (accepting, record) in accepted)
        {
            _known[accepting] = record;
            _waiting.Remove(accepting);
        }

        long VersionOf(string other) => (accepted.GetValueOrDefault(other) ?? _known.GetValueOrDefault(other))?.Version ?? -1;
    }

    private Folder FolderOf(string cluster)
    {
        if (!_folders.TryGetValue(cluster, out var folder))
        {
            _folders[cluster] = folder = new Folder();
        }
        return folder;
    }

    /// <summary>One cluster's folder, as it is known.</summary>
    private sealed class Folder
    {
        public Dictionary<string, ViewRecord> Records { get; } = new(StringComparer.Ordinal);

        /// <summary>Scans that ended since they were last begun anew.</summary>
        public int Scans { get; private set; }

        /// <summary>How often they were begun anew.</summary>
        public int ScansBegun { get; private set; }

        /// <summary>The largest own version that was in this folder before a scan of it began.</summary>
        public long ScannedAfter { get; private set; } = -1;

        public void Scanned(long ownVersion)
        {
            Scans++;
            ScannedAfter = Math.Max(ScannedAfter, ownVersion);
        }

        public void Remove(IEnumerable<string> views)
        {
            foreach (var gone in views)
            {
                Records.Remove(gone);
            }
        }

        public void ScanAnew()
        {
            Scans = 0;
            ScansBegun++;
            ScannedAfter = -1;
        }
    }
}
