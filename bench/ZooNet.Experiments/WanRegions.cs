using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Experiments;

/// <summary>
/// One region as its clients see it under one variant: where they connect, where their data are, and who works for them there.
/// </summary>
/// <param name="Server">Where clients connect.</param>
/// <param name="Local">Path of the local data.</param>
/// <param name="Remote">Path of the remote data; null where they can't be reached.</param>
/// <param name="Admin">The proxy's admin endpoint; null where there is none.</param>
/// <param name="Processes">The processes of this region that take part, by what they are.</param>
internal sealed record WanEntry(ServerAddress Server, string Local, string? Remote, Uri? Admin, IReadOnlyDictionary<string, int> Processes);

/// <summary>
/// Two regions with a WAN between them, and every variant's way in, all running at once so that they can be measured in turn. With
/// pinning everything of a region shares one processor: neither region profits from the other's being slow.
/// </summary>
/// <remarks>
/// Proxies of one home are proxies of one region, and what they need depends on how many they are (docs/consistency.md): (b) and (c)
/// have a pair of ensembles each, so that both are regions with one proxy. (d) and (e) publish no view and are not counted; they use
/// (b)'s, as do (a), (f) and (g).
/// </remarks>
internal sealed class WanRegions : IAsyncDisposable
{
    private const string Shared = "/shared";
    private const int LogsKept = 3;
    private readonly WanExperimentOptions _options;
    private readonly int _rttMs;
    private readonly List<IAsyncDisposable> _started = [];
    private readonly List<RealEnsemble> _ensembles = [];
    private readonly Dictionary<(char Variant, int Region), WanEntry> _entries = [];

    private WanRegions(int rttMs, WanExperimentOptions options) => (_rttMs, _options) = (rttMs, options);

    public WanEntry Entry(WanVariant variant, int region) => _entries[(variant.Letter, region)];

    public static async Task<WanRegions> StartAsync(int rttMs, WanExperimentOptions options, IReadOnlyList<WanVariant> variants)
    {
        var regions = new WanRegions(rttMs, options);
        try
        {
            await regions.StartAllAsync(variants);
            return regions;
        }
        catch
        {
            await regions.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Removes old snapshots and transaction logs: hours of updates would fill the disk. No server is started again from them.
    /// </summary>
    public void RemoveOldLogs()
    {
        foreach (var kind in _ensembles.SelectMany(ensemble => ensemble.Servers).SelectMany(server => (string[][])
            [Directory.GetFiles(server.DataFolder, "log.*"), Directory.GetFiles(server.DataFolder, "snapshot.*")]))
        {
            foreach (var old in kind.OrderByDescending(file => long.Parse(file[(file.LastIndexOf('.') + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)).Skip(LogsKept))
            {
                File.Delete(old);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in Enumerable.Reverse(_started))
        {
            await one.DisposeAsync();
        }
    }

    private async Task StartAllAsync(IReadOnlyList<WanVariant> variants)
    {
        foreach (var sharing in variants.GroupBy(variant => variant.HasOwnEnsembles))
        {
            var us = await EnsembleAsync("us", 1);
            var eu = await EnsembleAsync("eu", 2);
            foreach (var variant in sharing)
            {
                var proxies = new List<ProxyProcess>();
                for (var region = 1; region <= 2; region++)
                {
                    var (home, other) = region == 1 ? (us, eu) : (eu, us);
                    var processes = new Dictionary<string, int> { ["home"] = home.Voters.First().ProcessId, ["observer"] = other.RemoteObserver.ProcessId };
                    _entries[(variant.Letter, region)] = variant.Letter switch
                    {
                        'a' => new WanEntry(region == 1 ? us.Addresses[0] : us.RemoteObserver.Address, $"/r{region}", $"/r{3 - region}", null, processes),
                        'f' => new WanEntry(home.Addresses[0], Shared, null, null, processes),
                        'g' => await HaProxyAsync(home, region, processes),
                        _ => await ProxyAsync(variant, home, other, region, processes, proxies),
                    };
                }
                foreach (var proxy in proxies)
                {
                    await proxy.WaitMountedAsync(MountOf(proxy == proxies[0] ? eu : us));
                }
                foreach (var proxy in proxies.Where(_ => variant.Letter is 'b' or 'c'))
                {
                    await RequireOneProxyPerRegionAsync(proxy);
                }
            }
        }
    }

    private async Task<RealEnsemble> EnsembleAsync(string name, int home)
    {
        var ensemble = await RealEnsemble.StartAsync(name, new RealEnsembleOptions
        {
            Voters = _options.Voters,
            RemoteObservers = 1,
            Wan = new Wan.WanOptions { Rtt = TimeSpan.FromMilliseconds(_rttMs) },
            Jvm = RunningFast.Jvm,
            Launcher = _options.Launcher(home),
            RemoteLauncher = _options.Launcher(3 - home),
        });
        _started.Add(ensemble);
        _ensembles.Add(ensemble);
        await using var client = await ensemble.ConnectAsync();
        foreach (var path in (string[])[Shared, "/r1", "/r2"])
        {
            await client.CreateAsync(path);
        }
        return ensemble;
    }

    private async Task<WanEntry> HaProxyAsync(RealEnsemble home, int region, Dictionary<string, int> processes)
    {
        var haProxy = await HaProxy.StartAsync(home.Addresses, _options.Launcher(region));
        _started.Add(haProxy);
        processes["proxy"] = haProxy.ProcessId;
        return new WanEntry(haProxy.Address, Shared, null, null, processes);
    }

    private async Task<WanEntry> ProxyAsync(WanVariant variant, RealEnsemble home, RealEnsemble other, int region, Dictionary<string, int> processes, List<ProxyProcess> proxies)
    {
        var proxy = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [ProxyCluster.Remote(other)], new JsonObject { ["consistency"] = variant.Consistency }, _options.Launcher(region));
        _started.Add(proxy);
        proxies.Add(proxy);
        processes["proxy"] = proxy.ProcessId;
        await using var client = await home.ConnectAsync();
        try
        {
            await client.GetDataAsync($"/zookeeper/zoonet/mounts{MountOf(other)}");
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NoAuth)
        {
            // The table is in the ensemble, so the first proxy's mount is every proxy's.
            if (!(await client.ExistsAsync(MountOf(other))).Exists)
            {
                await proxy.MountAsync($"{other.Name}:{Shared}", MountOf(other));
            }
        }
        return new WanEntry(proxy.Address, Shared, MountOf(other), proxy.Admin, processes);
    }

    private static string MountOf(RealEnsemble other) => $"/mnt/{other.Name}";

    private static async Task RequireOneProxyPerRegionAsync(ProxyProcess proxy)
    {
        using var http = new HttpClient { BaseAddress = proxy.Admin };
        var graph = await http.GetFromJsonAsync<JsonElement>("api/v1/graph");
        var views = graph.GetProperty("views").EnumerateArray().Select(view => (Name: view.GetProperty("name").GetString(), Proxies: view.GetProperty("proxies").GetArrayLength())).ToArray();
        if (views.Length != 2 || views.Any(view => view.Proxies != 1))
        {
            throw new InvalidOperationException($"not two regions with one proxy each: {graph}");
        }
    }
}
