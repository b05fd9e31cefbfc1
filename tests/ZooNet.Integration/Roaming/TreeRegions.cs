using System.Net;
using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Wan;

namespace ZooNet.Integration.Roaming;

/// <summary>
/// Regions that share a roaming tree: each has a real ensemble and proxies of its own, and reaches the other ensembles across a WAN of its
/// own. The tree is mounted at <see cref="Mount"/> everywhere, and the first region is its arbiter and its first owner.
/// </summary>
public sealed class TreeRegions : IAsyncDisposable
{
    /// <summary>The tree's name.</summary>
    public const string Tree = "orders";

    /// <summary>Where it is mounted.</summary>
    public const string Mount = "/shared";

    private readonly Dictionary<string, RealEnsemble> _ensembles = [];
    private readonly Dictionary<(string From, string To), WanRelay[]> _ways = [];
    private readonly Dictionary<string, ProxyProcess[]> _proxies = [];

    private TreeRegions()
    {
    }

    /// <summary>The ensembles, by region.</summary>
    public IReadOnlyDictionary<string, RealEnsemble> Ensembles => _ensembles;

    /// <summary>The proxies, by region.</summary>
    public IReadOnlyDictionary<string, ProxyProcess[]> Proxies => _proxies;

    /// <summary>The ways of a region's proxies to the voters of another region.</summary>
    public IReadOnlyList<WanRelay> Ways(string from, string to) => _ways[(from, to)];

    /// <summary>Starts everything, and returns when every proxy serves the tree.</summary>
    /// <param name="zones">The regions.</param>
    /// <param name="voters">Servers of each ensemble.</param>
    /// <param name="proxies">Proxies of each region.</param>
    /// <param name="wan">What is between the regions.</param>
    /// <param name="consistency">The proxies' mode.</param>
    /// <param name="ensemble">How else each ensemble is made up.</param>
    public static async Task<TreeRegions> StartAsync(IReadOnlyList<string> zones, int voters, int proxies, WanOptions wan,
        string consistency = "sequential", RealEnsembleOptions? ensemble = null)
    {
        var regions = new TreeRegions();
        try
        {
            await regions.StartAllAsync(zones, (ensemble ?? new()) with { Voters = voters }, proxies, wan, consistency);
            return regions;
        }
        catch
        {
            await regions.DisposeAsync();
            throw;
        }
    }

    /// <summary>Moves the tree.</summary>
    /// <param name="zone">The zone that is to own it.</param>
    /// <param name="by">The region whose first proxy is asked; null for that zone's.</param>
    public Task MoveAsync(string zone, string? by = null) => _proxies[by ?? zone][0].MoveTreeAsync(Tree, zone);

    /// <summary>Who owns it, as a region's first proxy says.</summary>
    public async Task<string?> OwnerAsync(string region) =>
        (await _proxies[region][0].TreeAsync(Tree)).GetProperty("owner").GetString();

    /// <summary>A client of a region's proxies, of which it begins with this one.</summary>
    public Task<ZooKeeperClient> ConnectAsync(string region, int first = 0, int timeoutMs = 6000)
    {
        var proxies = _proxies[region];
        return ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [.. proxies.Skip(first).Concat(proxies.Take(first)).Select(p => p.Address)],
            SessionTimeout = TimeSpan.FromMilliseconds(timeoutMs),
        });
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_proxies.Values.SelectMany(p => p).Select(p => p.DisposeAsync().AsTask()));
        await Task.WhenAll(_ensembles.Values.Select(e => e.DisposeAsync().AsTask()));
        foreach (var way in _ways.Values.SelectMany(w => w))
        {
            await way.DisposeAsync();
        }
    }

    private async Task StartAllAsync(
        IReadOnlyList<string> zones, RealEnsembleOptions options, int proxies, WanOptions wan, string consistency)
    {
        foreach (var ensemble in await Task.WhenAll(zones.Select(z => RealEnsemble.StartAsync(z, options))))
        {
            _ensembles.Add(ensemble.Name, ensemble);
        }
        foreach (var (from, to) in zones.SelectMany(from => zones.Where(to => to != from).Select(to => (from, to))))
        {
            _ways[(from, to)] = [.. _ensembles[to].Voters.Select(v => WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0),
                new DnsEndPoint("127.0.0.1", v.ClientPort), wan))];
        }
        foreach (var zone in zones)
        {
            ProxyCluster[] others = [.. zones.Where(z => z != zone).Select(z => new ProxyCluster(z,
                [.. Ways(zone, z).Select(w => new ServerAddress("127.0.0.1", w.LocalEndPoint.Port))], [])), ProxyCluster.Tree(Tree)];
            _proxies[zone] = await Task.WhenAll(Enumerable.Range(0, proxies).Select(_ =>
                ProxyProcess.StartAsync(ProxyCluster.Home(_ensembles[zone]), others,
                    new() { ["logLevel"] = "warning", ["consistency"] = consistency, ["fourLetterWords"] = new JsonArray("*") })));
        }
        var maker = _proxies[zones[0]][0];
        await Eventually.Async(async () => (await maker.StatusAsync()).GetProperty("clusters").EnumerateArray()
            .Count(c => c.GetProperty("up").GetBoolean()) >= zones.Count, "the other clusters, at the first proxy");
        await maker.CreateTreeAsync(Tree, zones, zones[0]);
        await Task.WhenAll(_proxies.Values.SelectMany(p => p).Select(p => p.WaitClustersAsync()));
        foreach (var zone in zones)
        {
            await _proxies[zone][0].MountAsync($"{Tree}:/", Mount);
        }
        await Task.WhenAll(_proxies.Values.SelectMany(p => p).Select(p => p.WaitMountedAsync(Mount)));
    }
}
