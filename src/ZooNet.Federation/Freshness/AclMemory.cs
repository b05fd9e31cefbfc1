using System.Collections.Concurrent;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// Since when changed ACLs have been seen. A Stat counts the changes of a znode's ACL and does not date them; but what has been shown at
/// one position of the cluster, under the same count, was so at that position. Thread-safe; bounded: when it is full it begins anew,
/// which costs barriers and nothing else.
/// </summary>
internal sealed class AclMemory
{
    /// <summary>How many ACLs are kept.</summary>
    public const int Capacity = 8192;

    private readonly ConcurrentDictionary<(int Cluster, string Path, long Czxid, int Aversion), long> _seen = new();
    private int _count;

    /// <summary>The first position at which this ACL was seen; it was made at or before that.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="path">The znode, in the cluster's own terms.</param>
    /// <param name="czxid">The change that created the znode.</param>
    /// <param name="aversion">How often its ACL has been changed since.</param>
    /// <param name="position">Where the cluster's server stood that shows it now.</param>
    public long FirstSeen(int cluster, string path, long czxid, int aversion, long position)
    {
        var key = (cluster, path, czxid, aversion);
        if (_seen.TryGetValue(key, out var first))
        {
            // A server that lags may show it at an earlier position than the first that was asked.
            if (position < first)
            {
                _seen.TryUpdate(key, position, first);
            }
            return Math.Min(first, position);
        }
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            _seen.Clear();
            Interlocked.Exchange(ref _count, 1);
        }
        _seen[key] = position;
        return position;
    }
}
