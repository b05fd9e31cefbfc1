using System.Net;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;
using ZooNet.Server;
using ZooNet.Wan;

namespace ZooNet.Demo;

/// <summary>
/// One region of the demo: its cluster, that cluster's observer in the other region, the WAN link that leads to it from there, and
/// the region's proxy, which may be replaced. Used by one caller at a time.
/// </summary>
internal sealed class DemoRegion : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly EmbeddedCluster _cluster;
    private readonly WanRelay _wan;
    private ProxyHost? _proxy;

    private DemoRegion(string name, EmbeddedCluster cluster, WanRelay wan)
    {
        Name = name;
        _cluster = cluster;
        _wan = wan;
    }

    /// <summary>Name of the region and of its cluster.</summary>
    public string Name { get; }

    /// <summary>Where the other region mounts this one's <c>/apps</c>.</summary>
    public string MountPoint => $"/mnt/{Name}";

    /// <summary>The cluster's own server.</summary>
    public IPEndPoint Server => _cluster.Address;

    /// <summary>Its observer, which stands in the other region and lags by half a round trip.</summary>
    public IPEndPoint ObserverElsewhere => _cluster.Observers[0].Address;

    /// <summary>The cluster's own server as the other region reaches it: across the WAN.</summary>
    public IPEndPoint ServerAcrossWan => _wan.LocalEndPoint;

    /// <summary>The proxy that runs now.</summary>
    public ProxyHost Proxy => _proxy ?? throw new InvalidOperationException($"region {Name} has no proxy yet");

    /// <summary>Starts the cluster, its observer and the WAN link.</summary>
    /// <param name="name">Name of the region.</param>
    /// <param name="number">1 or 2: keeps apart the two clusters' session ids and zxids, for people who look at them.</param>
    /// <param name="rtt">Round trip between the regions.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<DemoRegion> StartAsync(string name, int number, TimeSpan rtt, CancellationToken cancellationToken)
    {
        var cluster = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions
        {
            Leader = new EmbeddedServerOptions { ServerId = (byte)(10 * number), Epoch = number },
            Observers = [new EmbeddedObserverOptions { Delay = rtt / 2 }],
        }, cancellationToken);
        return new DemoRegion(name, cluster, WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), cluster.Address, new WanOptions { Rtt = rtt }));
    }

    /// <summary>Starts the region's proxy in place of the one that ran before.</summary>
    /// <exception cref="IOException">The address can't be listened on.</exception>
    public async Task StartProxyAsync(DemoRegion other, ConsistencyMode mode, HostPort listen, string secret, CancellationToken cancellationToken)
    {
        await StopProxyAsync();
        var config = new ProxyConfig
        {
            Region = Name,
            Listen = [listen],
            Admin = new HostPort("127.0.0.1", 0),
            Home = new ClusterConfig(Name, 0, [], [Of(Server)]),
            Remotes = [new ClusterConfig(other.Name, 1, [Of(other.ObserverElsewhere)], [Of(other.ServerAcrossWan)])],
            Consistency = mode,
            Secret = secret,
        };
        // What goes wrong reaches the demo's own clients, and is told there; a log would break the story.
        _proxy = new ProxyHost(config, configureLogging: _ => { });
        await _proxy.StartAsync(cancellationToken);
        await _proxy.Services.GetRequiredService<MountStore>().FirstRead.WaitAsync(cancellationToken);
        foreach (var control in _proxy.Services.GetRequiredService<ClusterControls>().All)
        {
            await WaitUntilUpAsync(control, cancellationToken);
        }
    }

    /// <summary>Mounts <c>/apps</c> of the other region, as <c>zoonet mount</c> does.</summary>
    public async Task MountAsync(DemoRegion other, CancellationToken cancellationToken)
    {
        var outcome = await Proxy.Services.GetRequiredService<MountCommands>()
            .MountAsync(new MountRequest($"{other.Name}:/apps", other.MountPoint), cancellationToken);
        if (outcome.Refusal is not null)
        {
            throw new DemoFailedException(outcome.Message);
        }
    }

    /// <summary>A session at an address.</summary>
    public static Task<ZooKeeperClient> ConnectAsync(IPEndPoint address, CancellationToken cancellationToken) =>
        ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [new ServerAddress(address.Address.ToString(), address.Port)] }, cancellationToken);

    /// <summary>A session through the region's proxy.</summary>
    public Task<ZooKeeperClient> ConnectAsync(CancellationToken cancellationToken) => ConnectAsync(Proxy.ClientEndPoints[0], cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopProxyAsync();
        await _wan.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    private async Task StopProxyAsync()
    {
        if (_proxy is { } proxy)
        {
            _proxy = null;
            await proxy.DisposeAsync();
        }
    }

    /// <summary>Waits until the proxy has reached a cluster: before that it refuses to mount it.</summary>
    private static async Task WaitUntilUpAsync(ClusterControl control, CancellationToken cancellationToken)
    {
        var up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        control.HealthChanged += Look;
        try
        {
            Look();
            await up.Task.WaitAsync(StartLimit, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new DemoFailedException($"the proxy does not reach the cluster {control.Cluster.Name} within {StartLimit.TotalSeconds} s: {control.Health.LastError}");
        }
        finally
        {
            control.HealthChanged -= Look;
        }

        void Look()
        {
            if (control.Health.IsUp)
            {
                up.TrySetResult();
            }
        }
    }

    private static HostPort Of(IPEndPoint address) => new(address.Address.ToString(), address.Port);
}

/// <summary>The demo can't go on, or has found what must not be. The message says what.</summary>
internal sealed class DemoFailedException(string message) : Exception(message);
