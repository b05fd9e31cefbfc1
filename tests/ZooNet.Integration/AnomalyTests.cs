using System.Text;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Integration;

/// <summary>
/// The classic anomaly of composed clusters: two clients each write their own region and then read the other's. In no order of the
/// four operations can both miss the other's write.
/// </summary>
public sealed class AnomalyTests
{
    private static readonly TimeSpan Wan = TimeSpan.FromMilliseconds(100);

    [SkippableFact]
    public async Task Both_clients_missing_the_others_write_happens_without_barriers_and_never_with_them()
    {
        Jars.Require();
        var options = new RealEnsembleOptions { RemoteObservers = 1, Wan = new() { Rtt = Wan } };
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", options), RealEnsemble.StartAsync("eu", options));
        await using var us = ensembles[0];
        await using var eu = ensembles[1];
        // On a busy machine the two are seldom close enough to each other: rounds until it has happened.
        Assert.Equal(1, await CountAnomaliesAsync(us, eu, ConsistencyMode.None, rounds: 500, enough: 1));
        Assert.Equal(0, await CountAnomaliesAsync(us, eu, ConsistencyMode.Ordered, rounds: 40, enough: 1));
        Assert.Equal(0, await CountAnomaliesAsync(us, eu, ConsistencyMode.Sequential, rounds: 40, enough: 1));
    }

    private static async Task<int> CountAnomaliesAsync(RealEnsemble us, RealEnsemble eu, ConsistencyMode mode, int rounds, int enough)
    {
        await using var proxyUs = await Proxies.StartAsync(us, eu, c => c with { Consistency = mode });
        await using var proxyEu = await Proxies.StartAsync(eu, us, c => c with { Consistency = mode });
        var name = mode.ToString().ToLowerInvariant();
        foreach (var ensemble in (RealEnsemble[])[us, eu])
        {
            await using var direct = await ensemble.ConnectAsync();
            await direct.CreateAsync($"/{name}");
            await direct.CreateAsync($"/{name}/flag", "0"u8.ToArray());
        }
        foreach (var proxy in (ProxyHost[])[proxyUs, proxyEu])
        {
            await Eventually.Async(() => proxy.Services.GetRequiredService<ClusterControls>()[1].Health.IsUp, "the way to the other region", TimeSpan.FromSeconds(60));
        }
        await proxyUs.MountAsync($"eu:/{name}", $"/mnt-{name}");
        await proxyEu.MountAsync($"us:/{name}", $"/mnt-{name}");
        await using var ann = await proxyUs.ConnectAsync();
        await using var bob = await proxyEu.ConnectAsync();
        // The links to the mounts are up before the first round.
        await Task.WhenAll(ann.ExistsAsync($"/mnt-{name}/flag"), bob.ExistsAsync($"/mnt-{name}/flag"));
        var anomalies = 0;
        for (var round = 1; round <= rounds && anomalies < enough; round++)
        {
            var saw = await Task.WhenAll(WriteThenReadAsync(ann, round), WriteThenReadAsync(bob, round));
            if (saw[0] < round && saw[1] < round)
            {
                anomalies++;
            }
        }
        return anomalies;

        async Task<int> WriteThenReadAsync(ZooKeeperClient client, int round)
        {
            await AgainAsync(() => client.SetDataAsync($"/{name}/flag", Encoding.UTF8.GetBytes($"{round}")));
            return int.Parse(Encoding.UTF8.GetString((await AgainAsync(() => client.GetDataAsync($"/mnt-{name}/flag"))).Data!));
        }
    }

    /// <summary>
    /// On a busy machine a barrier may take too long, and the connection with it. Both operations may be repeated: what was read counts.
    /// </summary>
    private static async Task<T> AgainAsync<T>(Func<Task<T>> operation)
    {
        while (true)
        {
            try
            {
                return await operation();
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
            }
        }
    }
}
