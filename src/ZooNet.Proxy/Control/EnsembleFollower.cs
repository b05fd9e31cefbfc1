using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Follows the clusters that are configured with <c>follow: true</c>: their own <c>/zookeeper/config</c> says which servers they have, and
/// says it anew when they are reconfigured. The znode is read when the proxy's session there is made, when a watch on it fires, and twice a
/// minute in case a watch was lost. Where no server has answered for a minute, those that are configured are tried again. Thread-safe.
/// </summary>
public sealed class EnsembleFollower(ClusterControls clusters, TimeProvider time, ILogger<EnsembleFollower> logger) : IHostedService,
    IAsyncDisposable
{
    private const string Znode = "/zookeeper/config";

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(30);

    /// <summary>For how long a cluster must be away before what it said of itself is believed no more.</summary>
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(1);

    private readonly List<Loop> _loops = [];

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var control in clusters.All.Where(c => c.Cluster.Follow))
        {
            var versions = new Versions();
            Loop loop = null!;
            loop = new Loop(async token =>
            {
                await ReadAsync(control, versions, token);
                return LookAgain;
            }, e => logger.ConfigNotFollowed(control.Cluster.Name, e.Message), TimeSpan.FromSeconds(1), LookAgain, time);
            control.Connected += loop.Ring;
            control.WatchFired += e =>
            {
                if (e.Path == Znode)
                {
                    loop.Ring();
                }
            };
            loop.Start();
            _loops.Add(loop);
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var loop in _loops)
        {
            await loop.DisposeAsync();
        }
        _loops.Clear();
    }

    private async Task ReadAsync(ClusterControl control, Versions versions, CancellationToken cancellationToken)
    {
        EnsembleConfig config;
        try
        {
            var read = await control.CallAsync(c => c.GetDataAsync(Znode, watch: true, cancellationToken), cancellationToken);
            config = EnsembleConfig.Parse(read.Data);
        }
        catch (ClusterUnreachableException)
        {
            if (control.Health is { IsUp: false } health && time.GetUtcNow() - health.Since > Forgotten)
            {
                versions.Seen = 0;
                control.Addresses.Learn([], ClusterServers.Configuration);
            }
            return;
        }
        // A server that lags behind, or one that was left out of the ensemble, tells an older one.
        if (config.Servers.Count > 0 && config.Version >= versions.Seen)
        {
            versions.Seen = config.Version;
            control.Addresses.Learn(config.Servers, Znode);
        }
    }

    private sealed class Versions
    {
        public long Seen;
    }
}
