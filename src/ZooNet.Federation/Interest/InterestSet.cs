using ZooNet.Protocol;

namespace ZooNet.Federation.Interest;

/// <summary>
/// The subtrees of one cluster that somebody outside a view can read. A view that has the cluster as its home reads
/// all of it; others read what they mount. Joining mounts count, and leaving ones until they are dropped.
/// </summary>
public static class InterestSet
{
    /// <summary>
    /// The roots of those subtrees, none inside another, in order; "/" alone where everything can be seen.
    /// </summary>
    /// <param name="records">Everything known.</param>
    /// <param name="cluster">The cluster that is asked about.</param>
    /// <param name="view">The view whose own reading does not count.</param>
    public static IReadOnlyList<string> Of(IEnumerable<ViewRecord> records, string cluster, string view)
    {
        var roots = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var record in records)
        {
            if (record.View == view)
            {
                continue;
            }
            if (record.Home == cluster)
            {
                return ["/"];
            }
            foreach (var mount in record.Mounts)
            {
                if (mount.Cluster == cluster && mount.State != PublishedState.Forgotten)
                {
                    roots.Add(mount.RemotePath);
                }
            }
        }
        return [.. roots.Where(root => !roots.Any(other => other != root && ZnodePath.IsAtOrUnder(root, other)))];
    }
}
