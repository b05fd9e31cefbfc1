using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Views;

namespace ZooNet.Integration;

/// <summary>Two regions that mount each other, 100 ms apart: which writes at home cost the reads of the mount a barrier.</summary>
public sealed class InterestTests
{
    private const int Rounds = 200;
    // Debian's 3.8.0 tells a watcher only of znodes that its session may read, as 3.8.4 does.
    private const string Secret = "super:test";
    private const string SuperUser = "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

    [SkippableFact]
    public async Task Clients_that_write_private_znodes_read_the_mount_without_barriers_and_those_that_write_mounted_ones_with_them()
    {
        Jars.Require();
        var options = new RealEnsembleOptions { RemoteObservers = 1, Wan = new() { Rtt = TimeSpan.FromMilliseconds(100) }, Jvm = [SuperUser] };
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", options), RealEnsemble.StartAsync("eu", options));
        await using var us = ensembles[0];
        await using var eu = ensembles[1];
        await using var proxyUs = await Proxies.StartAsync(us, eu, c => c with { Consistency = ConsistencyMode.Sequential, Secret = Secret });
        await using var proxyEu = await Proxies.StartAsync(eu, us, c => c with { Consistency = ConsistencyMode.Sequential, Secret = Secret });
        foreach (var ensemble in ensembles)
        {
            await using var direct = await ensemble.ConnectAsync();
            foreach (var path in new[] { "/shared", "/shared/flag", "/private" })
            {
                await direct.CreateAsync(path, "0"u8.ToArray());
            }
        }
        await Task.WhenAll(proxyUs.MountAsync("eu:/shared", "/mnt-eu"), proxyEu.MountAsync("us:/shared", "/mnt-us"));
        await using var ann = await proxyUs.ConnectAsync();

        var least = Rounds;
        for (var attempt = 0; attempt < 10 && least * 100 >= Rounds; attempt++)
        {
            // On a machine that stalls the watch may be given up for a moment, and reads then pay: again, from where it watches.
            await Eventually.Async(() => proxyUs.Path.Region.Coupling is Coupling { Kind: CouplingKind.Cycle, AllowsWatermark: true }
                && proxyUs.Path.Region.HomeInterest?.Watcher is not null, "us watches what eu sees", TimeSpan.FromSeconds(60));
            await WriteAndReadAsync(ann, "/private");
            least = Math.Min(least, (int)await BarriersAsync(proxyUs, Rounds, () => WriteAndReadAsync(ann, "/private")));
        }
        Assert.True(least * 100 < Rounds, $"{least} barriers for {Rounds} reads; {proxyUs.Services.GetRequiredService<InterestWatch>().State}");

        // What eu can see must be waited for.
        Assert.InRange(await BarriersAsync(proxyUs, 5, () => WriteAndReadAsync(ann, "/shared/flag")), 5, 100);
    }

    private static async Task<long> BarriersAsync(ProxyHost proxy, int rounds, Func<Task> round)
    {
        var counters = proxy.Path.Region.Mounts.At("/mnt-eu")!.Counters;
        var before = counters.BarriersNeeded;
        for (var i = 0; i < rounds; i++)
        {
            await round();
        }
        return counters.BarriersNeeded - before;
    }

    private static async Task WriteAndReadAsync(ZooKeeperClient client, string path)
    {
        while (true)
        {
            try
            {
                await client.SetDataAsync(path, "1"u8.ToArray());
                await client.GetDataAsync("/mnt-eu/flag");
                return;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                // A barrier took too long on a busy machine; both may be repeated.
            }
        }
    }
}
