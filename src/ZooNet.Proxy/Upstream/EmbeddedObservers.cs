using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Upstream;

/// <summary>Runs an observer in this process for each remote cluster whose quorum ports are configured. Thread-safe.</summary>
public sealed class EmbeddedObservers : IHostedService, IAsyncDisposable
{
    /// <summary>Numbers that people rarely give to servers; 128 would make negative ids that read like a container's owner.</summary>
    private const int FirstSid = 129;
    private const int LastSid = 254;

    private readonly ProxyConfig _config;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _logging;
    private readonly ObserverLoop?[] _byOrdinal;

    /// <summary>Makes them; nothing is started.</summary>
    public EmbeddedObservers(ProxyConfig config, TimeProvider time, ILoggerFactory logging)
    {
        _config = config;
        _time = time;
        _logging = logging;
        _byOrdinal = new ObserverLoop?[config.Clusters.Count];
        var logger = logging.CreateLogger<EmbeddedObservers>();
        foreach (var cluster in config.Remotes.Where(c => c.Quorum.Count > 0))
        {
            var loop = new ObserverLoop(cluster, (paths, cancel) => ObserveAsync(cluster, paths, cancel), $"observer@{config.ProxyId}", time,
                e => logger.ObserverNotStarted(cluster.Name, e.Message));
            loop.Taken += () => Taken?.Invoke();
            _byOrdinal[cluster.Ordinal] = loop;
        }
    }

    /// <summary>
    /// Raised before an observer serves again that is behind what it had shown: nothing that is known of how fresh it was holds. The
    /// argument is the cluster's ordinal. Handlers must not wait.
    /// </summary>
    public event Action<int>? WentBack;

    /// <summary>Raised when an observer keeps something else than before.</summary>
    public event Action? Taken;

    /// <summary>
    /// The observer of a cluster; null where none is configured, or none is needed, for nothing of the cluster is mounted.
    /// </summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public EmbeddedObserver? Of(int cluster) => _byOrdinal[cluster]?.Observer;

    /// <summary>The observers keep what this table mounts.</summary>
    public void Follow(MountSnapshot table)
    {
        for (var i = 0; i < _byOrdinal.Length; i++)
        {
            _byOrdinal[i]?.SetMounted([.. table.Entries.Select(e => e.Mount).Where(m => m?.Cluster == i).Select(m => m!.RemotePath)]);
        }
    }

    /// <summary>Starts those that are needed. None waits for its ensemble.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var loop in _byOrdinal)
        {
            loop?.Start();
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var loop in _byOrdinal.OfType<ObserverLoop>())
        {
            await loop.DisposeAsync();
        }
    }

    private async Task<LearningServer> ObserveAsync(ClusterConfig cluster, IReadOnlyCollection<string> paths, CancellationToken cancellationToken)
    {
        var options = new EmbeddedServerOptions
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            MinSessionTimeout = TimeSpan.FromSeconds(1),
            MaxSessionTimeout = TimeSpan.FromMinutes(2),
            Time = _time,
            Logging = _logging,
        };
        var server = await LearningServer.StartAsync(options, new LearnerOptions
        {
            Quorum = [.. cluster.Quorum.Select(a => new DnsEndPoint(a.Host, a.Port))],
            ServerId = (byte)(cluster.Sid ?? Random.Shared.Next(FirstSid, LastSid + 1)),
            ConnectTimeout = _config.ConnectTimeout,
            ForwardsClients = true,
            Roots = paths.Contains("/") ? null : [.. paths],
        }, cancellationToken);
        server.WentBack += () => WentBack?.Invoke(cluster.Ordinal);
        return server;
    }
}
