using System.Text;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// What <c>/zookeeper/config</c> reads as through the proxy: the proxies, as if they were the ensemble's servers (format:
/// ZooKeeper's dynamic configuration). Clients that follow it stay with the proxies.
/// </summary>
public static class AdvertisedConfig
{
    /// <summary>The data of the znode; empty where no address is advertised.</summary>
    public static byte[] Of(IReadOnlyList<HostPort> proxies)
    {
        if (proxies.Count == 0)
        {
            return [];
        }
        var text = new StringBuilder();
        for (var i = 0; i < proxies.Count; i++)
        {
            var host = proxies[i].Host.Contains(':') ? $"[{proxies[i].Host}]" : proxies[i].Host;
            // The quorum ports have to be there for the line to be read; no client connects to them.
            text.Append($"server.{i + 1}={host}:2888:3888:participant;{host}:{proxies[i].Port}\n");
        }
        return Encoding.UTF8.GetBytes(text.Append("version=0").ToString());
    }
}
