using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Experiments;

/// <summary>One region as its clients see it under one variant: where they connect, and where their data are.</summary>
internal sealed record WanEntry(ServerAddress Server, string Local, string? Remote, ProxyProcess? Proxy);

/// <summary>
/// Two regions with a WAN between them, and every variant's way in, all running at once so that they can be measured in turn. With
/// pinning everything of a region shares one processor: neither region profits from the other's being slow.
/// </summary>
internal sealed class WanRegions : IAsyncDisposable
{
    private const string Shared = "/shared";
    private readonly List<IAsyncDisposable> _started = [];
    private readonly Dictionary<(char Variant, int Region), WanEntry> _entries = [];

    public WanEntry Entry(WanVariant variant, int region) => _entries[(variant.Letter, region)];

    /// <summary>What to start a region's processes with.</summary>
    public static IReadOnlyList<string> Launcher(int region, bool pin) => pin ? ["taskset", "-c", $"{(region - 1) % Environment.ProcessorCount}"] : [];

    public static async Task<WanRegions> StartAsync(int rttMs, WanExperimentOptions options, IReadOnlyList<WanVariant> variants)
    {
        var regions = new WanRegions();
        try
        {
            await regions.StartAllAsync(rttMs, options, variants);
            return regions;
        }
        catch
        {
            await regions.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in Enumerable.Reverse(_started))
        {
            await one.DisposeAsync();
        }
    }

    private async Task StartAllAsync(int rttMs, WanExperimentOptions options, IReadOnlyList<WanVariant> variants)
    {
        async Task<RealEnsemble> Ensemble(string name, int home)
        {
            var ensemble = await RealEnsemble.StartAsync(name, new RealEnsembleOptions
            {
                Voters = options.Voters,
                RemoteObservers = 1,
                Wan = new Wan.WanOptions { Rtt = TimeSpan.FromMilliseconds(rttMs) },
                Jvm = RunningFast.Jvm,
                Launcher = Launcher(home, options.Pin),
                RemoteLauncher = Launcher(3 - home, options.Pin),
            });
            _started.Add(ensemble);
            await using var client = await ensemble.ConnectAsync();
            foreach (var path in (string[])[Shared, "/r1", "/r2"])
            {
                await client.CreateAsync(path);
            }
            return ensemble;
        }

        var us = await Ensemble("us", 1);
        var eu = await Ensemble("eu", 2);
        foreach (var variant in variants)
        {
            for (var region = 1; region <= 2; region++)
            {
                var (home, other) = region == 1 ? (us, eu) : (eu, us);
                _entries[(variant.Letter, region)] = variant.Letter switch
                {
                    'a' => new WanEntry(region == 1 ? us.Addresses[0] : us.RemoteObserver.Address, $"/r{region}", $"/r{3 - region}", null),
                    'f' => new WanEntry(home.Addresses[0], Shared, null, null),
                    'g' => new WanEntry(await HaProxyAsync(home, region, options), Shared, null, null),
                    _ => await ProxyAsync(variant, home, other, region, options),
                };
            }
        }
    }

    private async Task<ServerAddress> HaProxyAsync(RealEnsemble home, int region, WanExperimentOptions options)
    {
        var haProxy = await HaProxy.StartAsync(home.Addresses, Launcher(region, options.Pin));
        _started.Add(haProxy);
        return haProxy.Address;
    }

    private async Task<WanEntry> ProxyAsync(WanVariant variant, RealEnsemble home, RealEnsemble other, int region, WanExperimentOptions options)
    {
        var proxy = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [ProxyCluster.Remote(other)], new JsonObject { ["consistency"] = variant.Consistency }, Launcher(region, options.Pin));
        _started.Add(proxy);
        var mount = $"/mnt/{other.Name}";
        await using var client = await home.ConnectAsync();
        try
        {
            await client.GetDataAsync($"/zookeeper/zoonet/mounts{mount}");
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NoAuth)
        {
            // The table is in the ensemble, so the first proxy's mount is every proxy's.
            if (!(await client.ExistsAsync(mount)).Exists)
            {
                await proxy.MountAsync($"{other.Name}:{Shared}", mount);
            }
        }
        return new WanEntry(proxy.Address, Shared, mount, proxy);
    }
}
