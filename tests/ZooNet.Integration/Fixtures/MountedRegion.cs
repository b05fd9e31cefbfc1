using System.Net;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Wan;

namespace ZooNet.Integration.Fixtures;

/// <summary>
/// Region us with one or two proxies and eu's subtree <c>/NAME</c> mounted on <c>/NAME</c>, for one test. Between the proxies and eu's
/// servers are relays, so that a test can cut the way to eu without touching the servers that others use.
/// </summary>
public sealed class MountedRegion : IAsyncDisposable
{
    private readonly List<WanRelay> _relays = [];

    private MountedRegion(string path) => Path = path;

    /// <summary>The mount point, which is the remote path as well.</summary>
    public string Path { get; }

    /// <summary>The first proxy.</summary>
    public ProxyHost Proxy => Proxies[0];

    /// <summary>All proxies of region us.</summary>
    public List<ProxyHost> Proxies { get; } = [];

    /// <summary>A client of the ensemble us itself.</summary>
    public ZooKeeperClient Us { get; private set; } = null!;

    /// <summary>A client of the ensemble eu itself.</summary>
    public ZooKeeperClient Eu { get; private set; } = null!;

    /// <summary>The way to eu's observer in us.</summary>
    public WanRelay ToObserver => _relays[0];

    /// <summary>The way to eu's voter.</summary>
    public WanRelay ToVoter => _relays[1];

    /// <summary>Starts the proxies and mounts.</summary>
    /// <param name="regions">The ensembles.</param>
    /// <param name="name">A name that no other test uses.</param>
    /// <param name="options">The mount's options.</param>
    /// <param name="proxies">How many proxies.</param>
    /// <param name="change">Changes their configuration.</param>
    public static async Task<MountedRegion> StartAsync(RegionsFixture regions, string name, string? options = null, int proxies = 1,
        Func<ProxyConfig, ProxyConfig>? change = null)
    {
        Jars.Require();
        var region = new MountedRegion("/" + name);
        try
        {
            foreach (var server in (RealServer[])[regions.Eu.RemoteObserver, regions.Eu.Voters.First()])
            {
                region._relays.Add(WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new DnsEndPoint("127.0.0.1", server.ClientPort)));
            }
            HostPort At(int relay) => new("127.0.0.1", region._relays[relay].LocalEndPoint.Port);
            region.Us = await regions.Us.ConnectAsync();
            region.Eu = await regions.Eu.ConnectAsync();
            await region.Eu.CreateAsync(region.Path);
            for (var i = 0; i < proxies; i++)
            {
                region.Proxies.Add(await Fixtures.Proxies.StartAsync(regions.Us, regions.Eu, config =>
                {
                    config = config with { Remotes = [new ClusterConfig("eu", 1, [At(0)], [At(1)])], ConnectTimeout = TimeSpan.FromSeconds(2) };
                    return change?.Invoke(config) ?? config;
                }));
            }
            await region.Proxy.MountAsync($"eu:{region.Path}", region.Path, options);
            foreach (var proxy in region.Proxies)
            {
                await Eventually.Async(() => proxy.Path.Region.Mounts.At(region.Path) is not null, "the mount, on every proxy");
                await Eventually.Async(() => proxy.Path.Region.SessionTimeouts.MinMs > 0, "what timeouts the clusters grant");
            }
            return region;
        }
        catch
        {
            await region.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client of one proxy.</summary>
    public Task<ZooKeeperClient> ConnectAsync(int timeoutMs = 6000, int proxy = 0) => Proxies[proxy].ConnectAsync(TimeSpan.FromMilliseconds(timeoutMs));

    /// <summary>A client that knows all proxies.</summary>
    public Task<ZooKeeperClient> ConnectToAnyAsync(int timeoutMs = 6000) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = [.. Proxies.Select(p => p.Address())],
        SessionTimeout = TimeSpan.FromMilliseconds(timeoutMs),
    });

    /// <summary>A path under the mount.</summary>
    public string Under(string name) => $"{Path}/{name}";

    /// <summary>Cuts every way to eu.</summary>
    public void CutEu(bool silent = false) => _relays.ForEach(r => r.Cut(silent));

    /// <summary>Ends <see cref="CutEu"/>.</summary>
    public void HealEu() => _relays.ForEach(r => r.Heal());

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        HealEu();
        try
        {
            if (Proxies.Count > 0 && Proxy.Path.Region.Mounts.At(Path) is not null)
            {
                await Proxy.UnmountAsync(Path);
            }
        }
        finally
        {
            foreach (var proxy in Proxies)
            {
                await proxy.DisposeAsync();
            }
            foreach (var client in (ZooKeeperClient?[])[Us, Eu])
            {
                if (client is not null)
                {
                    await client.DisposeAsync();
                }
            }
            foreach (var relay in _relays)
            {
                await relay.DisposeAsync();
            }
        }
    }
}
