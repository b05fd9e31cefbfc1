using System.Net;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>Clusters that come back empty, old, or as another one, while a proxy runs.</summary>
public sealed class LostHistoryTests : IAsyncLifetime
{
    private const int Earlier = 3;
    private const int Later = 30;

    private static readonly ProxySecret Secret = new(ProxyConfig.DefaultSecret);

    private TwoRegions _regions = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Theory]
    [InlineData(Earlier)]
    [InlineData(Later)]
    public async Task A_remote_that_comes_back_empty_is_told_its_mounts_go_on_and_new_ones_join(int epoch)
    {
        var proxy = await StartAsync();
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/before");

        await _regions.ReplaceAsync(_regions.Eu, epoch);

        await UntilSaidAsync(proxy, "cluster 'eu'", epoch == Earlier ? "came back as a new one" : "was made anew");
        var direct = await _regions.ConnectAsync(_regions.Eu.Address);
        await direct.CreateAsync("/apps");
        await direct.CreateAsync("/more");
        await MountAsync(proxy, "eu:/more", "/mnt/more");
        var fresh = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await TwoRegions.Eventually(async () => await TryAsync(() => fresh.CreateAsync("/mnt/eu/after")));
        Assert.True((await direct.ExistsAsync("/apps/after")).Exists);
        Assert.True((await direct.ExistsAsync(ZooNetTree.ViewOf("us"))).Exists);
        Assert.True(proxy.Host.Path.Region.Positions.Known(1) >> 32 == epoch, "what was known before stands for what is there");
    }

    [Theory]
    [InlineData(Earlier, false)]
    [InlineData(Later, false)]
    [InlineData(Earlier, true)]
    public async Task After_home_came_back_empty_nothing_is_mounted_and_can_be_again(int epoch, bool restart)
    {
        var proxy = await StartAsync();
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        // The copy of the region's record in eu gets ahead of what a new home begins with.
        await proxy.UnmountAsync("/mnt/eu");
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");

        await _regions.ReplaceAsync(_regions.Us, epoch);

        await UntilSaidAsync(proxy, "cluster 'us'", epoch == Earlier ? "came back as a new one" : "was made anew");
        await TwoRegions.Eventually(async () => await IsReadyAsync(proxy) && (await proxy.MountsAsync()).Count == 0);
        if (restart)
        {
            await proxy.Host.StopAsync();
            proxy = await StartAsync();
        }
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await TwoRegions.Eventually(async () => await TryAsync(() => client.CreateAsync("/mnt/eu/after")));
    }

    [Fact]
    public async Task Two_regions_that_mount_each_other_get_over_one_that_comes_back_empty()
    {
        var us = await StartAsync();
        var eu = await StartAsync(TwoRegions.InEu);
        await (await _regions.ConnectAsync(_regions.Us.Address)).CreateAsync("/shared");
        await MountAsync(us, "eu:/apps", "/mnt/eu");
        await MountAsync(eu, "us:/shared", "/mnt/us");

        await _regions.ReplaceAsync(_regions.Eu, Earlier);
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");

        await TwoRegions.Eventually(async () => await IsReadyAsync(eu) && (await eu.MountsAsync()).Count == 0);
        await MountAsync(eu, "us:/shared", "/mnt/us");
        await MountAsync(us, "eu:/apps", "/mnt/again");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cluster_that_comes_back_old_is_refused_with_what_to_do_until_its_data_are_back(bool isHome)
    {
        var proxy = await StartAsync();
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        var old = isHome ? _regions.Us : _regions.Eu;
        var mark = (await (await _regions.ConnectAsync(old.Address)).GetDataAsync(ZooNetTree.Root)).Data;

        await RestoreAsync(await _regions.ReplaceAsync(old, Earlier), mark);

        await UntilSaidAsync(proxy, isHome ? "cluster 'us' has lost changes" : "cluster 'eu' has lost changes",
            "restart the region's proxies");
        Assert.Equal(!isHome, await IsReadyAsync(proxy));
        if (!isHome)
        {
            var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
            await client.CreateAsync("/home-is-served");
            Assert.False(await TryAsync(() => client.GetDataAsync("/mnt/eu")));
        }

        await RestoreAsync(await _regions.ReplaceAsync(isHome ? _regions.Us : _regions.Eu, Later), mark);
        await TwoRegions.Eventually(async () => await IsReadyAsync(proxy)
            && !(await proxy.StatusAsync()).Problems.Any(p => p.Contains("has lost changes")));
    }

    [Fact]
    public async Task After_a_restart_of_the_proxy_an_old_cluster_is_served()
    {
        var proxy = await StartAsync();
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        var mark = (await (await _regions.ConnectAsync(_regions.Eu.Address)).GetDataAsync(ZooNetTree.Root)).Data;
        await RestoreAsync(await _regions.ReplaceAsync(_regions.Eu, Earlier), mark);
        await UntilSaidAsync(proxy, "cluster 'eu' has lost changes");

        await proxy.Host.StopAsync();
        var restarted = await StartAsync();

        var client = await _regions.ConnectAsync(restarted.Host.ClientEndPoints[0]);
        await TwoRegions.Eventually(async () => await TryAsync(() => client.GetDataAsync("/mnt/eu")));
    }

    /// <summary>A backup of a cluster that had this tree.</summary>
    private async Task RestoreAsync(EmbeddedServer server, byte[]? mark)
    {
        var direct = await _regions.ConnectAsync(server.Address, ProxyConfig.DefaultSecret);
        await direct.MultiAsync([.. ZooNetTree.Folders.Select(path =>
            MultiOp.Create(path, path == ZooNetTree.Root ? mark : [], acl: Secret.AclOf(path)))]);
        await direct.CreateAsync("/apps");
    }

    private Task<RunningProxy> StartAsync(Func<ProxyConfig, ProxyConfig>? change = null) => _regions.StartProxyAsync(c =>
    {
        // A session that its cluster does not know any more is given up soon.
        var config = c with { SessionTimeout = TimeSpan.FromSeconds(2) };
        return change?.Invoke(config) ?? config;
    });

    private static async Task MountAsync(RunningProxy proxy, string source, string path)
    {
        await TwoRegions.Eventually(async () => (await proxy.MountAsync(source, path)).Status is 201 or 202
            || (await proxy.MountsAsync()).Any(m => m.Path == path));
        await TwoRegions.Eventually(async () => (await proxy.MountsAsync()).Single(m => m.Path == path).State == "active"
            && proxy.Host.Path.Region.Mounts.At(path) is { IsSuspended: false });
    }

    private static async Task<bool> IsReadyAsync(RunningProxy proxy) =>
        (await proxy.Http.GetAsync("/ready")).StatusCode == HttpStatusCode.OK;

    private static async Task<bool> TryAsync(Func<Task> work)
    {
        try
        {
            await work().WaitAsync(TimeSpan.FromSeconds(5));
            return true;
        }
        catch (Exception e) when (e is KeeperException or TimeoutException)
        {
            return false;
        }
    }

    private static Task UntilSaidAsync(RunningProxy proxy, params string[] words) =>
        TwoRegions.Eventually(async () => (await proxy.StatusAsync()).Problems.Any(p => words.All(p.Contains)));
}
