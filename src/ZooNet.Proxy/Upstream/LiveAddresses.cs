using System.Collections;
using ZooNet.Client;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Servers for a client that are looked up each time it asks: a session goes on though its cluster's servers are others by now.
/// Thread-safe.
/// </summary>
/// <param name="servers">Looks them up.</param>
internal sealed class LiveAddresses(Func<IReadOnlyList<ServerAddress>> servers) : IReadOnlyList<ServerAddress>
{
    /// <summary>A cluster's addresses, as they are known at the time.</summary>
    public static LiveAddresses Of(ClusterServers servers) => new(() => [.. servers.InOrder.Select(a => new ServerAddress(a.Host,
        a.Port))]);

    public int Count => servers().Count;

    public ServerAddress this[int index] => servers()[index];

    public IEnumerator<ServerAddress> GetEnumerator() => servers().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
