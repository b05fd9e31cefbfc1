using System.Net;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Downstream;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Admin;

/// <summary>What the data path tells about itself. Each answer looks at one client after the other, under that client's lock.</summary>
internal sealed class DataPathStatus(DataPath path, Func<IReadOnlyList<IPEndPoint>> listening) : IProxyStatus
{
    public IReadOnlyList<HostPort> Listening => [.. listening().Select(e => new HostPort(e.Address.ToString(), e.Port))];

    public bool IsDraining => path.IsDraining;

    public int Sessions => path.Clients.Count(c => c.Session.IsEstablished);

    public long? Delayed => path.Throttle?.Delayed;

    public (long InAll, long OfAddress) Refused => (path.Limits.RefusedInAll, path.Limits.RefusedOfAddress);

    public (int InAll, int OfAddress) ConnectionLimits => (path.Limits.Total, path.Limits.PerAddress);

    public TrafficCounters Traffic => path.Traffic;

    public long? Watches => null;

    public IReadOnlyList<ConnectionInfo> Connections => [.. path.Clients.Select(Describe)];

    public int SessionsIn(int cluster) => cluster == 0 ? Sessions : ServersInUse(cluster).Sum(s => s.Links);

    public UpstreamServer? ReadServer(int cluster) => path.Pools[cluster].Current;

    public IReadOnlyList<ServerInUse> ServersInUse(int cluster)
    {
        var links = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var client in path.Clients)
        {
            lock (client.Gate)
            {
                foreach (var link in client.Session.Links)
                {
                    if (link.Cluster == cluster && link.Phase == LinkPhase.Ready && link.Server is { } server)
                    {
                        links[server.Address] = links.GetValueOrDefault(server.Address) + 1;
                    }
                }
            }
        }
        return [.. links.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => new ServerInUse(l.Key, l.Value))];
    }

    private static ConnectionInfo Describe(DownstreamConnection client)
    {
        lock (client.Gate)
        {
            var session = client.Session;
            return new ConnectionInfo(client.Address, session.SessionId, session.TimeoutMs, client.Established,
                client.FramesReceived, client.FramesSent, (int)Math.Max(0, session.Asked - session.Answered));
        }
    }
}
