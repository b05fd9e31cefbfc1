using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using ZooNet.Server;

namespace ZooNet.Proxy.Upstream;

/// <summary>A server of a remote cluster that runs in this process. Thread-safe.</summary>
public interface IOwnServer
{
    /// <summary>
    /// What stands for its address. It listens nowhere: whoever could connect would pass by all that a proxy asks of its clients. As text
    /// it is a name that no other proxy's server has, on whatever host.
    /// </summary>
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

    /// <summary>A client's way to it. It is closed at the handshake if it serves nobody.</summary>
    /// <param name="client">Who the client is, for ACLs, as far as the cluster is to know.</param>
    IDuplexPipe Connect(ForwardedClient client);

    /// <summary>The way to it for the proxy's own sessions: as the stream of a socket.</summary>
    Stream Open();
}

/// <summary>
/// What stands for the address of a server in this process, another one for each: nobody can connect to it, for it is among those that
/// networks throw away (100::/64, RFC 6666). As text it is the server's name: proxies agree on a server by that, and two of them on two
/// hosts have two servers.
/// </summary>
internal sealed class OwnEndPoint(string name) : IPEndPoint(Next(), 1)
{
    private static long _last;

    public override string ToString() => name;

    private static IPAddress Next()
    {
        var bytes = new byte[16];
        bytes[0] = 1;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(8), Interlocked.Increment(ref _last));
        return new IPAddress(bytes);
    }
}
