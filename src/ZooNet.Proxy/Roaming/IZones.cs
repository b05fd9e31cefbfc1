using ZooNet.Proxy.Control;
using ZooNet.Roaming.Moves;

namespace ZooNet.Proxy.Roaming;

/// <summary>The ensembles of a roaming tree's zones, as its objects use them. Thread-safe.</summary>
internal interface IZones
{
    /// <summary>
    /// Raised, by any thread, when a watch that was set here has fired: with the zone and the znode, or without a znode where the
    /// zone's session was made anew and all watches there are gone. Handlers do not block.
    /// </summary>
    event Action<string, string?>? Stirred;

    /// <summary>
    /// Carries an ask out and fills in its answer. Never throws for what an ensemble says, or does not say: that is in <see
    /// cref="Ask.Error"/>.
    /// </summary>
    Task AskAsync(Ask ask, CancellationToken cancellationToken);

    /// <summary>The data of a znode as the next server has it; null where it has none.</summary>
    /// <exception cref="ClusterUnreachableException">The zone does not answer.</exception>
    Task<byte[]?> PeekAsync(string zone, string path, CancellationToken cancellationToken);

    /// <summary>How many children a znode ever had, as the next server knows; 0 where there is none.</summary>
    /// <exception cref="ClusterUnreachableException">The zone does not answer.</exception>
    Task<int> CountAsync(string zone, string path, CancellationToken cancellationToken);

    /// <summary>Looks at the end of a log, and sets watches: on the entry that comes next, and on the fence.</summary>
    /// <param name="zone">The zone.</param>
    /// <param name="entry">The next entry.</param>
    /// <param name="ballot">The object's ballot.</param>
    /// <param name="log">The log.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ClusterUnreachableException">The zone does not answer.</exception>
    Task<LogEnd> WatchAsync(string zone, string entry, string ballot, string log, CancellationToken cancellationToken);

    /// <summary>Sets a watch on a znode, and tells the version that its data have at the next server; -1 where there is none.</summary>
    /// <exception cref="ClusterUnreachableException">The zone does not answer.</exception>
    Task<int> WatchAsync(string zone, string path, CancellationToken cancellationToken);
}

/// <summary>What was found at the end of a log.</summary>
/// <param name="HasEntry">The entry is there by now.</param>
/// <param name="Fence">The version of the ballot; null where there is none.</param>
/// <param name="Log">The data of the log's znode; null where there is none.</param>
internal readonly record struct LogEnd(bool HasEntry, int? Fence, byte[]? Log);
