using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Federation.Interest;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Views;

namespace ZooNet.Integration;

/// <summary>
/// A region of two proxies that mounts another one, which mounts nothing. There is no cycle, so no read needs a barrier as long as both
/// read through one observer.
/// </summary>
public sealed class TwoProxiesTests
{
    private const int Rounds = 100;

    [SkippableFact]
    public async Task Two_proxies_read_through_one_observer_and_need_no_barriers_and_go_to_the_next_one_together()
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu", new() { RemoteObservers = 2, Wan = new() { Rtt = TimeSpan.FromMilliseconds(20) } });
        var observers = eu.Observers.Where(o => o.Relays.Count > 0).ToList();
        await using (var direct = await eu.ConnectAsync())
        {
            await direct.CreateAsync("/shared", "0"u8.ToArray());
        }
        await using var one = await Proxies.StartAsync(us, eu);
        await one.MountAsync("eu:/shared", "/mnt");
        await using var two = await Proxies.StartAsync(us, eu);
        ProxyHost[] proxies = [one, two];
        await using var ann = await one.ConnectAsync();
        await using var bob = await two.ConnectAsync();
        await ann.CreateAsync("/mine");

        async Task ReadThroughAsync(RealServer observer)
        {
            var address = $"{observer.Address.Host}:{observer.Address.Port}";
            await Eventually.Async(() => proxies.All(p => p.Path.Region.Coupling is Coupling { Kind: CouplingKind.Free } && p.Path.Region.Copies.Agreed(1) == address),
                $"both proxies read through {address}", TimeSpan.FromSeconds(60));
            // The first reads after a change of the rules are fresh.
            await RoundAsync(ann);
            await RoundAsync(bob);
            var least = long.MaxValue;
            for (var attempt = 0; attempt < 10 && least > 0; attempt++)
            {
                // On a machine that stalls a proxy may lose touch for a moment, and has fresh barriers made when it is back.
                var before = proxies.Sum(Barriers);
                for (var i = 0; i < Rounds; i++)
                {
                    await RoundAsync(i % 2 == 0 ? ann : bob);
                }
                least = Math.Min(least, proxies.Sum(Barriers) - before);
            }
            Assert.Equal(0, least);
        }

        await ReadThroughAsync(observers[0]);
        await observers[0].KillAsync();
        await RoundAsync(ann);
        await RoundAsync(bob);
        await ReadThroughAsync(observers[1]);
    }

    [SkippableFact]
    public async Task Two_proxies_leave_an_observer_that_has_gone_though_no_client_is_there_that_would_miss_it()
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu", new() { RemoteObservers = 2 });
        var observers = eu.Observers.Where(o => o.Relays.Count > 0).ToList();
        await using var one = await Proxies.StartAsync(us, eu);
        await one.MountAsync("eu:/", "/mnt");
        await using var two = await Proxies.StartAsync(us, eu);
        await ReadThroughAsync(observers[0]);
        await observers[0].KillAsync();
        await ReadThroughAsync(observers[1]);

        Task ReadThroughAsync(RealServer observer) => Eventually.Async(
            () => ((ProxyHost[])[one, two]).All(p => p.Path.Region.Copies.Agreed(1) == $"{observer.Address.Host}:{observer.Address.Port}"),
            $"both proxies read through {observer.Address}", TimeSpan.FromSeconds(60));
    }

    [SkippableFact]
    public async Task Two_proxies_that_read_through_observers_of_their_own_couple_everything_and_say_why()
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu", new() { RemoteObservers = 2 });
        await using (var direct = await eu.ConnectAsync())
        {
            await direct.CreateAsync("/shared", "0"u8.ToArray());
        }
        await using var one = await Proxies.StartAsync(us, eu);
        await one.MountAsync("eu:/shared", "/mnt");
        await using var two = await Proxies.StartAsync(us, eu, c => c with { Remotes = [c.Remotes[0] with { Observers = [.. c.Remotes[0].Observers.Reverse()] }] });
        await using var bob = await two.ConnectAsync();
        await bob.CreateAsync("/mine");
        foreach (var proxy in new[] { one, two })
        {
            await Eventually.Async(() => proxy.Path.Region.Coupling is Coupling { Kind: CouplingKind.Conservative }
                && proxy.Services.GetRequiredService<ViewDriver>().Describe().Why.StartsWith("the region's proxies read eu through different servers: ", StringComparison.Ordinal), "both know");
        }
        var before = Barriers(two);
        await RoundAsync(bob);
        Assert.NotEqual(before, Barriers(two));
    }

    private static long Barriers(ProxyHost proxy) => proxy.Path.Region.Mounts.At("/mnt")!.Counters.BarriersNeeded + proxy.Path.Region.HomeCounters.BarriersNeeded;

    private static async Task RoundAsync(ZooKeeperClient client)
    {
        while (true)
        {
            try
            {
                await client.SetDataAsync("/mine", "1"u8.ToArray());
                await client.GetDataAsync("/mnt");
                return;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                // The observer has gone, or the proxies are agreeing on the next one; both requests may be repeated.
            }
        }
    }
}
