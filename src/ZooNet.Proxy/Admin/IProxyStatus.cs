using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// What the admin endpoint, the four-letter words and the metrics ask of the data path. All members may be called by any
/// thread at any time and answer at once; numbers are as of about now.
/// </summary>
public interface IProxyStatus
{
    /// <summary>Where clients can connect: real ports, also where port 0 was configured. Empty before and after.</summary>
    IReadOnlyList<HostPort> Listening { get; }

    /// <summary>True from the moment that SIGTERM was received: no new client is accepted.</summary>
    bool IsDraining { get; }

    /// <summary>Client sessions with a connection.</summary>
    int Sessions { get; }

    /// <summary>Client sessions that have a session of their own in a cluster.</summary>
    /// <param name="cluster">Ordinal, from 0 for home.</param>
    int SessionsIn(int cluster);

    /// <summary>The servers that links go to now, with the number of links to each.</summary>
    /// <param name="cluster">Ordinal, from 0 for home.</param>
    IReadOnlyList<ServerInUse> ServersInUse(int cluster);

    /// <summary>Client connections, for <c>cons</c>.</summary>
    IReadOnlyList<ConnectionInfo> Connections { get; }

    /// <summary>Connections that were refused because there were too many in all, and too many from their address.</summary>
    (long InAll, long OfAddress) Refused { get; }

    /// <summary>Requests that had to wait because their address asked for more than it may; null without such a limit.</summary>
    long? Delayed { get; }

    /// <summary>The most client connections at a time, in all and from one address.</summary>
    (int InAll, int OfAddress) ConnectionLimits { get; }

    /// <summary>What is counted of the client side.</summary>
    TrafficCounters Traffic { get; }

    /// <summary>The server that reads of a cluster go to now; null where nobody has read there yet.</summary>
    /// <param name="cluster">Ordinal, from 0 for home.</param>
    UpstreamServer? ReadServer(int cluster);

    /// <summary>The watches that clients have set, at home and in mounts; null where that is not counted.</summary>
    long? Watches { get; }
}

/// <summary>An upstream server with links to it.</summary>
/// <param name="Address">As configured.</param>
/// <param name="Links">How many.</param>
public sealed record ServerInUse(string Address, int Links);

/// <summary>One client connection.</summary>
/// <param name="Client">Its address, <c>/10.0.0.1:40000</c>.</param>
/// <param name="SessionId">Its session; 0 before it has one.</param>
/// <param name="TimeoutMs">The session timeout in milliseconds.</param>
/// <param name="Established">When it connected.</param>
/// <param name="Received">Frames from it.</param>
/// <param name="Sent">Frames to it.</param>
/// <param name="Outstanding">Requests that wait for their reply.</param>
public sealed record ConnectionInfo(string Client, long SessionId, int TimeoutMs, DateTimeOffset Established, long Received, long Sent, int Outstanding);

/// <summary>Tells the interest graph as this proxy knows it.</summary>
public interface IGraphSource
{
    /// <summary>The graph now.</summary>
    GraphInfo Describe();
}

/// <summary>The interest graph: which regions (views) read which clusters.</summary>
/// <param name="Consistency">The mode this proxy runs in.</param>
/// <param name="Conservative">True where the proxy is cut off from news and treats everything as coupled.</param>
/// <param name="Why">Why this view's clusters are coupled, or are not.</param>
/// <param name="MountsHeld">Why requests for mounts wait at this proxy; null where they are served.</param>
/// <param name="Watermark">How the interest watermark is, which saves barriers for private changes of home; null where it has no
/// part.</param>
/// <param name="Views">All views it knows.</param>
/// <param name="Components">The biconnected components that have a cycle, each as the names in it (<c>view us</c>, <c>cluster
/// eu</c>).</param>
/// <param name="Coupled">Pairs of clusters that are coupled for this view.</param>
/// <param name="Awaiting">Who has not acknowledged the records of the connected part, and clusters whose records can't be reached.</param>
public sealed record GraphInfo(
    string Consistency,
    bool Conservative,
    string Why,
    string? MountsHeld,
    string? Watermark,
    IReadOnlyList<GraphView> Views,
    IReadOnlyList<IReadOnlyList<string>> Components,
    IReadOnlyList<IReadOnlyList<string>> Coupled,
    IReadOnlyList<string> Awaiting);

/// <summary>One view of the graph.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Home">Its home cluster.</param>
/// <param name="Reads">The clusters it reads, home included.</param>
/// <param name="Joining">The clusters it is about to read.</param>
/// <param name="Proxies">Its live proxies.</param>
/// <param name="Version">Version of its record.</param>
/// <param name="Self">True for this proxy's own.</param>
public sealed record GraphView(string Name, string Home, IReadOnlyList<string> Reads, IReadOnlyList<string> Joining, IReadOnlyList<string> Proxies, long Version, bool Self);
