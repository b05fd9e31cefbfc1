using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Roaming;

/// <summary>The servers of the roaming trees in this process, by the ordinal of the tree's cluster. Thread-safe.</summary>
public sealed class TreeServers
{
    private readonly TreeServer?[] _byOrdinal = new TreeServer?[ProxyConfig.MaxRemotes + 1];

    /// <summary>The server of a tree; null while there is none, and for clusters that are no trees.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public IOwnServer? Of(int cluster) => Volatile.Read(ref _byOrdinal[cluster]);

    internal void Set(int cluster, TreeServer? server) => Volatile.Write(ref _byOrdinal[cluster], server);
}
