using System.Globalization;
using ZooNet.Proxy.Admin;

namespace ZooNet.Proxy.Downstream;

/// <summary>Tells operators of a client connection.</summary>
internal static class ClientDescription
{
    /// <summary>The client, its links and what it waits for, read in one moment under its lock.</summary>
    /// <param name="client">The connection.</param>
    /// <param name="clusters">Names by ordinal.</param>
    public static SessionInfo Describe(this DownstreamConnection client, IReadOnlyList<string> clusters)
    {
        lock (client.Gate)
        {
            var session = client.Session;
            var status = session.Describe();
            return new SessionInfo(
                client.Address,
                Hex(session.SessionId),
                session.TimeoutMs,
                client.Established,
                client.FramesReceived,
                client.FramesSent,
                (int)Math.Max(0, session.Asked - session.Answered),
                status.WaitsFor,
                [.. status.Links.Select(link => new LinkInfo(
                    clusters[link.Cluster],
                    link.Phase.ToString().ToLowerInvariant(),
                    link.Server,
                    Hex(link.SessionId),
                    link.Outstanding,
                    link.Cluster == 0 ? null : link.Watches,
                    link.Cluster == 0 ? null : link.Ephemerals,
                    "0x" + link.LastZxid.ToString("x", CultureInfo.InvariantCulture)))]);
        }
    }

    private static string? Hex(long id) => id == 0 ? null : "0x" + id.ToString("x", CultureInfo.InvariantCulture);
}
