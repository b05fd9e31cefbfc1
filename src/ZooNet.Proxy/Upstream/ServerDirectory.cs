using System.Collections.Concurrent;
using System.Net;
using ZooNet.Federation.Freshness;

namespace ZooNet.Proxy.Upstream;

/// <summary>Where the servers take connections that the pools have met, and what their hosts are called. Thread-safe.</summary>
public sealed class ServerDirectory
{
    private readonly ConcurrentDictionary<UpstreamServer, (IPEndPoint EndPoint, string Host, IOwnServer? Own)> _entries = new();

    /// <summary>A pool has met a server.</summary>
    /// <param name="server">The server.</param>
    /// <param name="endpoint">Where it takes connections.</param>
    /// <param name="host">Its host as it is configured, which its certificate must be for.</param>
    /// <param name="own">The server itself where it is in this process; else null.</param>
    public void Add(UpstreamServer server, IPEndPoint endpoint, string host, IOwnServer? own) => _entries[server] = (endpoint, host, own);

    /// <summary>A pool has forgotten a server.</summary>
    public void Remove(UpstreamServer server) => _entries.TryRemove(server, out _);

    /// <summary>How many servers are entered.</summary>
    internal int Count => _entries.Count;

    /// <summary>
    /// Where a server takes connections, its host, and the server itself where it is in this process; one that no pool has met, where its
    /// address says.
    /// </summary>
    public (IPEndPoint EndPoint, string Host, IOwnServer? Own) Find(UpstreamServer server)
    {
        if (_entries.TryGetValue(server, out var entry))
        {
            return entry;
        }
        var endpoint = IPEndPoint.Parse(server.Address);
        return (endpoint, endpoint.Address.ToString(), null);
    }
}
