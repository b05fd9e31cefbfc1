using System.Collections.Concurrent;
using System.Net;
using ZooNet.Federation.Freshness;

namespace ZooNet.Proxy.Upstream;

/// <summary>Where the servers take connections that the pools have met. Thread-safe.</summary>
public sealed class ServerDirectory
{
    private readonly ConcurrentDictionary<UpstreamServer, IPEndPoint> _endpoints = new();

    /// <summary>A pool has made a server.</summary>
    public void Add(UpstreamServer server, IPEndPoint endpoint) => _endpoints[server] = endpoint;

    /// <summary>Where a server takes connections; one that no pool has met, where its address says.</summary>
    public IPEndPoint EndPointOf(UpstreamServer server) => _endpoints.TryGetValue(server, out var endpoint) ? endpoint : IPEndPoint.Parse(server.Address);
}
