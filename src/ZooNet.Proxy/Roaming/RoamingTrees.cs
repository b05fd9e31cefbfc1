using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Roaming;

/// <summary>Runs the servers of the roaming trees that are configured (docs/roaming.md). Thread-safe.</summary>
public sealed class RoamingTrees : IHostedService, IAsyncDisposable
{
    private readonly List<TreeHost> _hosts;

    /// <summary>Makes them; nothing is started.</summary>
    public RoamingTrees(ProxyConfig config, ClusterControls clusters, TreeServers servers, ProxySecret secret, ProxyInstance self,
        Region region, RecordStore records, TimeProvider time, ILoggerFactory logging) =>
        _hosts = [.. config.Remotes.Where(r => r.IsTree).Select(r => new TreeHost(r, config, clusters, servers, secret, self,
            new SessionSweep(config, clusters, secret, self, region, records, time), time, logging))];

    internal IReadOnlyList<TreeHost> Hosts => _hosts;

    /// <summary>What does not go on, each in a sentence.</summary>
    public IEnumerable<string> Problems => _hosts.Select(h => h.Problem).OfType<string>();

    /// <summary>The zone that owns a tree, as far as this proxy knows; null for a cluster that is no tree.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public string? OwnerOf(int cluster) => _hosts.Find(h => h.Ordinal == cluster)?.Server?.Object.State.At?.Zone;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _hosts.ForEach(h => h.Start());
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }
    }
}
