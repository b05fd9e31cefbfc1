using ZooNet.Proxy.Control;
using ZooNet.Roaming;

namespace ZooNet.Proxy.Roaming;

/// <summary>
/// What clients have written into a roaming tree, as a zone's ensemble keeps it: sealed with the proxies' secret. Everybody may list and
/// read the znodes, so that a walk from the root meets no wall; what is in them only proxies can tell. The records beside them are JSON for
/// operators, and not sealed. Immutable and thread-safe.
/// </summary>
/// <param name="secret">The proxies' secret, which is the same in all zones.</param>
public sealed class SealedZnodes(ProxySecret secret)
{
    private const string Purpose = "what clients have written into a roaming tree";

    /// <summary>What is written for a znode's data.</summary>
    /// <param name="zone">In whose ensemble: it can be opened in no other.</param>
    /// <param name="path">The znode, or how the name of a sequential one begins.</param>
    /// <param name="data">The data.</param>
    public byte[]? Seal(string zone, string path, byte[]? data) =>
        data is not null && Layout.PlaceOfClientsData(path) is { } place ? secret.Seal(Purpose, $"{zone}:{place}", data) : data;

    /// <summary>What was sealed.</summary>
    /// <param name="zone">In whose ensemble it was found.</param>
    /// <param name="path">The znode.</param>
    /// <param name="data">Its data.</param>
    /// <returns>The data; empty if no holder of the secret has written them there: so they are damaged for whoever reads them.</returns>
    public byte[]? Open(string zone, string path, byte[]? data) =>
        data is not null && Layout.PlaceOfClientsData(path) is { } place ? secret.Open(Purpose, $"{zone}:{place}", data) ?? [] : data;
}
