using System.Net;
using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Wan;

namespace ZooNet.Experiments;

/// <summary>
/// Two regions, one proxy each, a WAN between them. us mounts eu's <see cref="Exported"/>; eu mounts that of us once it is told to.
/// </summary>
internal sealed class FreshnessRegions : IAsyncDisposable
{
    /// <summary>The folder that the other region mounts.</summary>
    public const string Exported = "/exported";

    /// <summary>A folder that nobody else sees.</summary>
    public const string Private = "/private";

    /// <summary>Where the other region's folder is mounted.</summary>
    public const string Mount = "/far";

    /// <summary>Znodes in each folder.</summary>
    public const int Znodes = 50;

    // Debian's 3.8.0 tells a watcher only of znodes that its session may read, as 3.8.4 does: to watch what others see of home the
    // proxies must be the super user (docs/configuration.md, "secret").
    private const string Secret = "super:test";
    private const string SuperUser = "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

    private readonly List<IAsyncDisposable> _started = [];

    public RealEnsemble Us { get; private set; } = null!;

    public RealEnsemble Eu { get; private set; } = null!;

    public ProxyProcess ProxyUs { get; private set; } = null!;

    public ProxyProcess ProxyEu { get; private set; } = null!;

    public static async Task<FreshnessRegions> StartAsync(string consistency, FreshnessOptions options)
    {
        var regions = new FreshnessRegions();
        try
        {
            await regions.StartAllAsync(consistency, options);
            return regions;
        }
        catch
        {
            await regions.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes interest mutual.</summary>
    public Task MountInEuAsync() => ProxyEu.MountAsync($"us:{Exported}", Mount);

    public async ValueTask DisposeAsync()
    {
        foreach (var one in Enumerable.Reverse(_started))
        {
            await one.DisposeAsync();
        }
    }

    private async Task StartAllAsync(string consistency, FreshnessOptions options)
    {
        var wan = new WanOptions { Rtt = TimeSpan.FromMilliseconds(options.RttMs) };
        var ensembles = await Task.WhenAll(((string[])["us", "eu"]).Select(name =>
            RealEnsemble.StartAsync(name, new RealEnsembleOptions { Voters = options.Voters, RemoteObservers = 1, Wan = wan, Jvm = [.. RunningFast.Jvm, SuperUser] })));
        _started.AddRange(ensembles);
        (Us, Eu) = (ensembles[0], ensembles[1]);
        foreach (var ensemble in ensembles)
        {
            await using var client = await ensemble.ConnectAsync();
            foreach (var folder in (string[])[Exported, Private])
            {
                await client.CreateAsync(folder);
                await Task.WhenAll(Enumerable.Range(0, Znodes).Select(i => client.CreateAsync($"{folder}/{i}", new byte[100])));
            }
        }
        ProxyUs = await ProxyAsync(Us, Eu, consistency, wan);
        ProxyEu = await ProxyAsync(Eu, Us, consistency, wan);
        await ProxyUs.WaitClustersAsync();
        await ProxyEu.WaitClustersAsync();
        await ProxyUs.MountAsync($"eu:{Exported}", Mount);
    }

    private async Task<ProxyProcess> ProxyAsync(RealEnsemble home, RealEnsemble other, string consistency, WanOptions wan)
    {
        var ways = other.Voters.Select(voter => WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new DnsEndPoint("127.0.0.1", voter.ClientPort), wan)).ToArray();
        _started.AddRange(ways);
        var far = new ProxyCluster(other.Name, [.. ways.Select(way => new ServerAddress("127.0.0.1", way.LocalEndPoint.Port))], [other.RemoteObserver.Address]);
        var proxy = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [far], new JsonObject { ["consistency"] = consistency, ["secret"] = Secret, ["logLevel"] = "warning" });
        _started.Add(proxy);
        return proxy;
    }
}
