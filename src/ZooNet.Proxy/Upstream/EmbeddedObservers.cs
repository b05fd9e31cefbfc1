using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Upstream;

/// <summary>Runs an observer in this process for each remote cluster whose quorum ports are configured. Thread-safe.</summary>
public sealed class EmbeddedObservers(ProxyConfig config, TimeProvider time, ILoggerFactory logging) : IHostedService, IAsyncDisposable
{
    /// <summary>Numbers that people rarely give to servers; 128 would make negative ids that read like a container's owner.</summary>
    private const int FirstSid = 129;
    private const int LastSid = 254;

    private readonly EmbeddedObserver?[] _byOrdinal = new EmbeddedObserver?[config.Clusters.Count];
    private readonly List<LearningServer> _servers = [];

    /// <summary>
    /// Raised before an observer serves again that is behind what it had shown: nothing that is known of how fresh it was holds. The argument is the
    /// cluster's ordinal. Handlers must not wait.
    /// </summary>
    public event Action<int>? WentBack;

    /// <summary>The observer of a cluster; null where none is configured, or before the start.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public EmbeddedObserver? Of(int cluster) => Volatile.Read(ref _byOrdinal[cluster]);

    /// <summary>Starts them. None waits for its ensemble.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var cluster in config.Remotes.Where(c => c.Quorum.Count > 0))
        {
            var options = new EmbeddedServerOptions
            {
                Listen = new IPEndPoint(IPAddress.Loopback, 0),
                MinSessionTimeout = TimeSpan.FromSeconds(1),
                MaxSessionTimeout = TimeSpan.FromMinutes(2),
                Time = time,
                Logging = logging,
            };
            var server = await LearningServer.StartAsync(options, new LearnerOptions
            {
                Quorum = [.. cluster.Quorum.Select(a => new DnsEndPoint(a.Host, a.Port))],
                ServerId = (byte)(cluster.Sid ?? Random.Shared.Next(FirstSid, LastSid + 1)),
                ConnectTimeout = config.ConnectTimeout,
                ForwardsClients = true,
            }, cancellationToken);
            server.WentBack += () => WentBack?.Invoke(cluster.Ordinal);
            _servers.Add(server);
            Volatile.Write(ref _byOrdinal[cluster.Ordinal], new EmbeddedObserver(server, $"observer@{config.ProxyId}"));
        }
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.ToArray())
        {
            _servers.Remove(server);
            await server.DisposeAsync();
        }
    }
}
