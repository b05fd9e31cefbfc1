using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Upstream;

/// <summary>Runs an observer in this process for each cluster, home or remote, whose quorum ports are configured. Thread-safe.</summary>
public sealed class EmbeddedObservers : IHostedService, IAsyncDisposable
{
    /// <summary>Numbers that people rarely give to servers; 128 would make negative ids that read like a container's owner.</summary>
    private const int FirstSid = 129;
    private const int LastSid = 254;

    private readonly ProxyConfig _config;
    private readonly ClusterDirectory _directory;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _logging;
    private readonly ObserverLoop?[] _byOrdinal;

    /// <summary>Makes them; nothing is started.</summary>
    public EmbeddedObservers(ProxyConfig config, ClusterDirectory directory, TimeProvider time, ILoggerFactory logging)
    {
        _directory = directory;
        _config = config;
        _time = time;
        _logging = logging;
        _byOrdinal = new ObserverLoop?[config.Clusters.Count];
        var logger = logging.CreateLogger<EmbeddedObservers>();
        foreach (var cluster in config.Clusters.Where(c => c.IsObserved))
        {
            var loop = new ObserverLoop(cluster, (paths, cancel) => ObserveAsync(cluster, paths, cancel), $"observer@{config.ProxyId}", time,
                e => logger.ObserverNotStarted(cluster.Name, e.Message));
            loop.Taken += () => Taken?.Invoke();
            if (cluster.IsHome)
            {
                // Clients may ask for anything there.
                loop.SetMounted(["/"]);
            }
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
    /// The observer of a cluster; null where none is configured, or none is needed, for nothing of a remote is mounted.
    /// </summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    public EmbeddedObserver? Of(int cluster) => _byOrdinal[cluster]?.Observer;

    /// <summary>The observers keep what this table mounts.</summary>
    public void Follow(MountSnapshot table)
    {
        for (var i = 1; i < _byOrdinal.Length; i++)
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

    /// <summary>Asks a server of the cluster where the quorum ports are.</summary>
    /// <exception cref="IOException">None says so; the message says what to do.</exception>
    private async Task<IReadOnlyList<DnsEndPoint>> FindQuorumAsync(ClusterConfig cluster, CancellationToken cancellationToken)
    {
        var problem = "no server of it answers";
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            using var timer = _time.CreateTimer(static s => ((CancellationTokenSource)s!).Cancel(), limit, _config.ConnectTimeout * 2,
                Timeout.InfiniteTimeSpan);
            await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
            {
                Servers = LiveAddresses.Of(_directory[cluster.Ordinal]),
                SessionTimeout = _config.SessionTimeout,
                AttemptTimeout = _config.ConnectTimeout,
                Tls = cluster.Tls is { } tls ? tls.OptionsFor : null,
                TimeProvider = _time,
            }, limit.Token);
            var (data, _, _) = await client.GetDataAsync("/zookeeper/config", cancellationToken: limit.Token);
            var found = EnsembleConfig.Parse(data).Quorum;
            if (found.Count > 0)
            {
                return [.. found.Select(a => new DnsEndPoint(a.Host, a.Port))];
            }
            problem = "its /zookeeper/config names no voter";
        }
        catch (KeeperException e)
        {
            problem = $"its /zookeeper/config can't be read ({e.Code})";
        }
        catch (Exception e) when (e is IOException or TimeoutException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            problem = $"no server of it answers ({e.Message})";
        }
        throw new IOException($"the quorum ports of '{cluster.Name}' are not known: {problem}; name them in 'quorum'");
    }

    private async Task<LearningServer> ObserveAsync(ClusterConfig cluster, IReadOnlyCollection<string> paths, CancellationToken cancellationToken)
    {
        var options = new EmbeddedServerOptions
        {
            MinSessionTimeout = TimeSpan.FromSeconds(1),
            MaxSessionTimeout = TimeSpan.FromMinutes(2),
            SuperDigest = cluster.Observer.SuperDigest,
            Time = _time,
            Logging = _logging,
        };
        var server = await LearningServer.StartAsync(options, new LearnerOptions
        {
            Quorum = [.. cluster.Quorum.Select(a => new DnsEndPoint(a.Host, a.Port))],
            ServerId = (byte)(cluster.Sid ?? Random.Shared.Next(FirstSid, LastSid + 1)),
            ConnectTimeout = _config.ConnectTimeout,
            FindQuorum = cluster.FindsQuorum ? stop => FindQuorumAsync(cluster, stop) : null,
            ForwardsClients = true,
            Listens = false,
            DataDirectory = cluster.Observer.Data,
            Tls = cluster.Observer.Tls is { } tls ? tls.OptionsFor : null,
            Credentials = cluster.Observer.Login,
            Roots = paths.Contains("/") ? null : [.. paths],
        }, cancellationToken);
        server.WentBack += () => WentBack?.Invoke(cluster.Ordinal);
        return server;
    }
}
