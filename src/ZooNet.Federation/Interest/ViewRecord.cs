using System.Text.Json.Serialization;

namespace ZooNet.Federation.Interest;

/// <summary>Where a mount stands in its life, as its view publishes it (docs/consistency.md, "Changing the graph").</summary>
public enum PublishedState
{
    /// <summary>Counted as an edge by whoever learns of it, and not used yet.</summary>
    Joining,

    /// <summary>In use.</summary>
    Active,

    /// <summary>The view's proxies are to stop using it; some may not have yet.</summary>
    Leaving,

    /// <summary>
    /// No proxy of the view uses it any more. Still an edge, for what was read through it may still be on its way: all who
    /// learn of it couple everything and acknowledge, and only then is it dropped.
    /// </summary>
    Left,

    /// <summary>
    /// No longer an edge. Listed until the record that says so has been written in the cluster, where the view has nothing
    /// else to do any more.
    /// </summary>
    Forgotten,
}

/// <summary>One mount, as a view publishes it.</summary>
/// <param name="Cluster">The cluster that owns the data.</param>
/// <param name="RemotePath">The mounted subtree's root in that cluster; with all others it makes up that cluster's interest set.</param>
/// <param name="State">Where it stands.</param>
public sealed record ViewMount(string Cluster, string RemotePath, PublishedState State);

/// <summary>One live proxy of a view, and what it has taken into account.</summary>
/// <param name="Id">Unique per registration: a proxy that was away comes back under another id, with nothing acknowledged.</param>
/// <param name="Acknowledged">
/// For each view, this proxy's own included, the largest <see cref="ViewRecord.Version"/> that the proxy has taken
/// into account: its reads follow the coupling that those edges ask for, and it uses no mount of its own that is leaving there.
/// </param>
public sealed record ViewProxy(string Id, IReadOnlyDictionary<string, long> Acknowledged)
{
    /// <summary>
    /// The server, as "address:port", through which it reads each mounted cluster, or would. The proxies of a view are one copy of a
    /// cluster where they name the same one. Null from a version of ZooNet that does not say: it may read through any.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Reads { get; init; }
}

/// <summary>
/// What one view publishes of itself, in every cluster that it reads. Immutable. The copy in the home cluster is
/// the truth and is changed by compare-and-set only; all others are copies of it.
/// </summary>
public sealed record ViewRecord
{
    /// <summary>The format written by this version of ZooNet.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The format that the record was written in.</summary>
    [JsonRequired]
    public int Format { get; init; } = CurrentFormat;

    /// <summary>
    /// The view's name, unique in the federation: the region's name. Whether the region's proxies read each remote as one copy is told by
    /// <see cref="ViewProxy.Reads"/>.
    /// </summary>
    public required string View { get; init; }

    /// <summary>The region that the view belongs to.</summary>
    public required string Region { get; init; }

    /// <summary>The view's home cluster: always an edge.</summary>
    public required string Home { get; init; }

    /// <summary>
    /// Grows by one with each change of <see cref="Mounts"/>, or of the servers that proxies read through, that somebody must take into
    /// account. A mount that goes from joining to active changes nothing for others and keeps the version.
    /// </summary>
    public required long Version { get; init; }

    /// <summary>Grows with each change of the record; of two copies the one with the larger revision is newer.</summary>
    public required long Revision { get; init; }

    /// <summary>The mounts that count as edges. Mounts with consistency "none" are outside the guarantee and not listed.</summary>
    [JsonRequired]
    public IReadOnlyList<ViewMount> Mounts { get; init; } = [];

    /// <summary>The view's live proxies.</summary>
    [JsonRequired]
    public IReadOnlyList<ViewProxy> Proxies { get; init; } = [];

    /// <summary>The view's edges: home first, then each mounted cluster once, forgotten ones left out.</summary>
    public IEnumerable<string> Clusters() => Mounts.Where(mount => mount.State != PublishedState.Forgotten)
        .Select(mount => mount.Cluster).Prepend(Home).Distinct(StringComparer.Ordinal);

    /// <summary>The clusters in which this view keeps records: its edges and the clusters of forgotten mounts.</summary>
    public IEnumerable<string> Folders() => Mounts.Select(mount => mount.Cluster).Prepend(Home).Distinct(StringComparer.Ordinal);

    /// <summary>True where <paramref name="other"/> is another state of the same view and older than this one.</summary>
    public bool IsNewerThan(ViewRecord? other) => other is null || Revision > other.Revision;
}
