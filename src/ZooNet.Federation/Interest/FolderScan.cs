namespace ZooNet.Federation.Interest;

/// <summary>One scan of a cluster's folder of records, from before its barrier to after its last read. Immutable.</summary>
public sealed class FolderScan
{
    private readonly Dictionary<string, long> _stored;

    internal FolderScan(string cluster, int begun, Dictionary<string, long> stored)
    {
        Cluster = cluster;
        Begun = begun;
        _stored = stored;
    }

    /// <summary>The cluster.</summary>
    public string Cluster { get; }

    /// <summary>How often the folder's scans had been begun anew when this one began: one from before does not count.</summary>
    internal int Begun { get; }

    /// <summary>The views whose records were in the folder when the scan began.</summary>
    internal IEnumerable<string> StoredViews => _stored.Keys;

    /// <summary>The version of a view's record that was in the folder when the scan began; -1 for none.</summary>
    internal long StoredVersion(string view) => _stored.GetValueOrDefault(view, -1);
}
