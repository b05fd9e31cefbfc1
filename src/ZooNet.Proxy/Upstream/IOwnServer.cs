using System.IO.Pipelines;
using System.Net;

namespace ZooNet.Proxy.Upstream;

/// <summary>A server of a remote cluster that runs in this process. Thread-safe.</summary>
public interface IOwnServer
{
    /// <summary>Where it listens, on loopback. As text it is a name that no other proxy's server has, on whatever host.</summary>
    IPEndPoint EndPoint { get; }

    /// <summary>Its name among the servers that the region's proxies read through.</summary>
    string Name { get; }

    /// <summary>What it is, for an operator: "the proxy's own observer".</summary>
    string What { get; }

    /// <summary>Whether it serves.</summary>
    bool IsServing { get; }

    /// <summary>Whether it serves all that is mounted of its cluster. Until then links go to other servers, if there are any.</summary>
    bool IsReady { get; }

    /// <summary>Where it stands, in one word.</summary>
    string State { get; }

    /// <summary>Why it does not serve, in a sentence; null while it does.</summary>
    string? Problem { get; }

    /// <summary>A connection to it without a socket. It is closed at the handshake if it serves nobody.</summary>
    IDuplexPipe Connect();
}

/// <summary>
/// Proxies agree on a server by its address. Two of them on two hosts may have their own servers at the same loopback address, and those
/// are two servers.
/// </summary>
internal sealed class NamedEndPoint(IPEndPoint at, string name) : IPEndPoint(at.Address, at.Port)
{
    public override string ToString() => name;
}
