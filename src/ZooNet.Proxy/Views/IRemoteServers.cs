namespace ZooNet.Proxy.Views;

/// <summary>The servers of the clusters as the data path meets them. Thread-safe.</summary>
public interface IRemoteServers
{
    /// <summary>The address of the server that a cluster's last link went to; null before the first.</summary>
    string? InUse(int cluster);

    /// <summary>The addresses of a cluster's servers, in order of preference.</summary>
    Task<IReadOnlyList<string>> AddressesAsync(int cluster, CancellationToken cancellationToken);

    /// <summary>Whether a server takes a connection.</summary>
    Task<bool> AnswersAsync(int cluster, string address, CancellationToken cancellationToken);

    /// <summary>Raised, by any thread, when <see cref="IsTaking"/> may answer otherwise than before.</summary>
    event Action? Taken;

    /// <summary>
    /// Whether the proxy's own observer of a cluster serves but does not keep a znode yet: requests about it have to wait,
    /// for other mounts of the same clients are read through it.
    /// </summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="path">A path of the cluster.</param>
    bool IsTaking(int cluster, string path);
}
