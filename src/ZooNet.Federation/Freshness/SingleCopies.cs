namespace ZooNet.Federation.Freshness;

/// <summary>
/// Through which server the region reads each remote cluster, when all its sessions must read one copy of it
/// (docs/consistency.md, "The rule" and "Several proxies of a region"). Thread-safe; a lock is taken only when a link is about to be used.
/// </summary>
public sealed class SingleCopies
{
    private readonly Region _region;
    private readonly UpstreamServer?[] _inUse;
    private readonly Lock _lock = new();
    private string?[]? _agreed;

    internal SingleCopies(Region region)
    {
        _region = region;
        _inUse = new UpstreamServer?[region.ClusterCount];
    }

    /// <summary>
    /// Raised with a cluster's ordinal and a server's address when a link has reached a server other than the one agreed on: as a rule that
    /// one can't be reached. Handlers must not wait.
    /// </summary>
    public event Action<int, string>? Wanted;

    /// <summary>
    /// The region's proxies have agreed through which server each remote is read: from now on no other one is heard. Call it before
    /// <see cref="Region.Follow"/>.
    /// </summary>
    /// <param name="servers">
    /// By ordinal, the addresses: empty for a cluster that must not be read yet, null for one that may be read through any. Null when this
    /// proxy is the region's only one.
    /// </param>
    public void Agree(string?[]? servers) => Volatile.Write(ref _agreed, servers);

    /// <summary>
    /// The server of a remote that the region's proxies have agreed on: empty if they have not yet, null if they need not.
    /// </summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public string? Agreed(int cluster) => Volatile.Read(ref _agreed)?[cluster];

    /// <summary>
    /// A link to a server of a remote cluster is about to be used. If single copies matter and the region has read that
    /// cluster through another server so far, the server must be refreshed first, and links to the other one end.
    /// </summary>
    /// <returns>False if the region's proxies have not agreed on that server: it must not be used now.</returns>
    internal bool ReadThrough(UpstreamServer server)
    {
        if (!IsAgreed(server))
        {
            Wanted?.Invoke(server.Cluster, server.Address);
            return false;
        }
        lock (_lock)
        {
            if (_inUse[server.Cluster] != server)
            {
                // In this order: a barrier counts only if it begins when the other server is no longer heard.
                var fresh = _inUse[server.Cluster] is not null && _region.Coupling.NeedsSingleCopy;
                if (fresh)
                {
                    server.RefuseUntilDemanded();
                }
                Volatile.Write(ref _inUse[server.Cluster], server);
                if (fresh)
                {
                    server.DemandRefresh();
                }
            }
        }
        return true;
    }

    /// <summary>True for a server whose cluster the region reads through another one now.</summary>
    internal bool IsSuperseded(UpstreamServer server) => !server.IsHome
        && ((_region.Coupling.NeedsSingleCopy && Volatile.Read(ref _inUse[server.Cluster]) != server) || !IsAgreed(server));

    private bool IsAgreed(UpstreamServer server) => Agreed(server.Cluster) is not { } agreed || agreed == server.Address;
}
