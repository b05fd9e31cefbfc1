using System.Net;
using ZooNet.Client;
using ZooNet.Federation.Interest;
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
    [InlineData(Earlier, 1)]
    [InlineData(Later, 1)]
    [InlineData(Earlier, 2)]
    [InlineData(Later, 2)]
    public async Task A_remote_that_comes_back_empty_is_told_its_mounts_go_on_and_new_ones_join(int epoch, int count)
    {
        var proxies = await StartSeveralAsync(count);
        var proxy = proxies[0];
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        await UntilUsedAsync(proxies, "/mnt/eu");
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/before");

        await _regions.ReplaceAsync(_regions.Eu, epoch);

        foreach (var each in proxies)
        {
            await UntilSaidAsync(each, "cluster 'eu'", epoch == Earlier ? "came back as a new one" : "was made anew");
        }
        var direct = await _regions.ConnectAsync(_regions.Eu.Address);
        await direct.CreateAsync("/apps");
        await direct.CreateAsync("/more");
        await MountAsync(proxy, "eu:/more", "/mnt/more");
        await UntilUsedAsync(proxies, "/mnt/more");
        foreach (var each in proxies)
        {
            var fresh = await _regions.ConnectAsync(each.Host.ClientEndPoints[0]);
            var id = each.Host.Config.ProxyId;
            await TwoRegions.Eventually(async () => await TryAsync(() => fresh.CreateAsync($"/mnt/eu/{id}")));
            Assert.True((await direct.ExistsAsync($"/apps/{id}")).Exists);
            Assert.True(each.Host.Path.Region.Positions.Known(1) >> 32 == epoch, "what was known before stands for what is there");
        }
        Assert.True((await direct.ExistsAsync(ZooNetTree.ViewOf("us"))).Exists);
    }

    [Theory]
    [InlineData(Earlier, 1, false)]
    [InlineData(Later, 1, false)]
    [InlineData(Earlier, 1, true)]
    [InlineData(Earlier, 2, false)]
    [InlineData(Later, 2, false)]
    public async Task After_home_came_back_empty_nothing_is_mounted_and_can_be_again(int epoch, int count, bool restart)
    {
        var proxies = await StartSeveralAsync(count);
        var proxy = proxies[0];
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");
        await UntilUsedAsync(proxies, "/mnt/eu");
        // The copy of the region's record in eu gets ahead of what a new home begins with.
        await proxy.UnmountAsync("/mnt/eu");
        await MountAsync(proxy, "eu:/apps", "/mnt/eu");

        await _regions.ReplaceAsync(_regions.Us, epoch);

        foreach (var each in proxies)
        {
            await UntilSaidAsync(each, "cluster 'us'", epoch == Earlier ? "came back as a new one" : "was made anew");
            await TwoRegions.Eventually(async () => await IsReadyAsync(each) && (await each.MountsAsync()).Count == 0);
        }
        if (restart)
        {
            await proxy.Host.StopAsync();
            proxies[0] = await StartAsync();
        }
        await MountAsync(proxies[^1], "eu:/apps", "/mnt/eu");
        await UntilUsedAsync(proxies, "/mnt/eu");
        foreach (var each in proxies)
        {
            var client = await _regions.ConnectAsync(each.Host.ClientEndPoints[0]);
            await TwoRegions.Eventually(async () => await TryAsync(() => client.CreateAsync($"/mnt/eu/{each.Host.Config.ProxyId}")));
        }
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
    [InlineData("us", true)]
    [InlineData("us", false)]
    [InlineData("eu", true)]
    public async Task A_view_record_that_somebody_deletes_is_written_again_and_mounts_go_on(string view, bool atHome)
    {
        var us = await StartAsync();
        var eu = await StartAsync(TwoRegions.InEu);
        await (await _regions.ConnectAsync(_regions.Us.Address)).CreateAsync("/shared");
        await MountAsync(us, "eu:/apps", "/mnt/eu");
        await MountAsync(eu, "us:/shared", "/mnt/us");
        var direct = await _regions.ConnectAsync(atHome ? _regions.Us.Address : _regions.Eu.Address, ProxyConfig.DefaultSecret);
        async Task<ViewRecord> WhenActiveAsync()
        {
            ViewRecord? record = null;
            await TwoRegions.Eventually(async () => await TryAsync(async () => record =
                    ViewRecordJson.TryParse((await direct.GetDataAsync(ZooNetTree.ViewOf(view))).Data, view, out _))
                && record is { Mounts: [{ State: PublishedState.Active }] });
            return record!;
        }
        // The mount is active at home before the copies of the record say so.
        var before = await WhenActiveAsync();

        await direct.DeleteAsync(ZooNetTree.ViewOf(view));

        var after = await WhenActiveAsync();
        Assert.Equal(before.Mounts, after.Mounts);
        Assert.True(after.Version >= before.Version && after.Revision >= before.Revision, $"{before} became {after}");
        foreach (var (proxy, mount) in new[] { (us, "/mnt/eu"), (eu, "/mnt/us") })
        {
            await UntilUsedAsync([proxy], mount);
            // Never does either of them take itself for free of the other.
            Assert.NotEqual(CouplingKind.Free, ((Coupling)proxy.Host.Path.Region.Coupling).Kind);
            var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
            await TwoRegions.Eventually(async () => await TryAsync(() => client.CreateAsync($"{mount}/after")));
        }
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

    private async Task<List<RunningProxy>> StartSeveralAsync(int count)
    {
        var proxies = new List<RunningProxy>();
        while (proxies.Count < count)
        {
            var id = $"us-{proxies.Count + 1}";
            proxies.Add(await StartAsync(c => c with { ProxyId = id }));
        }
        return proxies;
    }

    private static async Task UntilUsedAsync(IEnumerable<RunningProxy> proxies, string path)
    {
        foreach (var proxy in proxies)
        {
            await TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.Region.Mounts.At(path) is { IsSuspended: false }));
        }
    }

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
