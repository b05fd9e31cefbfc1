using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Integration;

/// <summary>Real ensembles that are set up anew, with nothing in them, while proxies of both regions run.</summary>
public sealed class LostHistoryTests
{
    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_ensemble_that_comes_back_empty_is_used_again_without_a_restart_of_any_proxy(bool ofHome)
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu");
        await MakeAsync(us, "/shared");
        await MakeAsync(eu, "/apps");
        await using var proxy = await Proxies.StartAsync(us, eu);
        await using var other = await Proxies.StartAsync(eu, us);
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await other.MountAsync("us:/shared", "/mnt/us");
        await using (var before = await proxy.ConnectAsync())
        {
            await before.CreateAsync("/mnt/eu/before");
        }

        await (ofHome ? us : eu).Servers[0].WipeAsync();

        // What clients kept there is gone, with the mounts of the region that it is home of; nobody's else.
        var (lost, its, kept) = ofHome ? (proxy, "/mnt/eu", other) : (other, "/mnt/us", proxy);
        await MakeAsync(ofHome ? us : eu, ofHome ? "/shared" : "/apps");
        await Eventually.Async(() => lost.Path.Region.Mounts.At(its) is null, "the lost mounts are forgotten", TimeSpan.FromSeconds(60));
        await UsedAsync(kept, ofHome ? "/mnt/us" : "/mnt/eu");
        await MountAgainAsync(lost, ofHome ? "eu:/apps" : "us:/shared", its);
        await UsedAsync(lost, its);
        await using var direct = await eu.ConnectAsync();
        Assert.Equal(ofHome, (await direct.ExistsAsync("/apps/before")).Exists);
    }

    private static async Task MakeAsync(RealEnsemble ensemble, string path)
    {
        await using var direct = await ensemble.ConnectAsync();
        await direct.CreateAsync(path);
    }

    private static Task MountAgainAsync(ProxyHost proxy, string source, string path) => Eventually.Async(async () =>
        (await proxy.Services.GetRequiredService<MountCommands>()
            .MountAsync(new MountRequest(source, path), CancellationToken.None)).Refusal is null || proxy.Path.Region.Mounts.At(path) is not null, $"{source} mounted again", TimeSpan.FromSeconds(60));

    /// <summary>A client that comes now can write through the mount.</summary>
    private static Task UsedAsync(ProxyHost proxy, string mount) => Eventually.Async(async () =>
    {
        try
        {
            await using var client = await proxy.ConnectAsync();
            await client.CreateAsync($"{mount}/after").WaitAsync(TimeSpan.FromSeconds(5));
            return true;
        }
        catch (Exception e) when (e is KeeperException or TimeoutException)
        {
            return false;
        }
    }, $"a write through {mount}", TimeSpan.FromSeconds(60));
}
