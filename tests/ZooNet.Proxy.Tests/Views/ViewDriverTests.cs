using System.Net;
using System.Net.Http.Json;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>Proxies that keep the interest graph among themselves: what they couple, whom they wait for.</summary>
public sealed class ViewDriverTests : IAsyncLifetime
{
    private static readonly IReadOnlyList<Acl> Private = new ProxySecret(ProxyConfig.DefaultSecret).Acl;

    private TwoRegions _regions = null!;
    private RunningProxy _us = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
        await (await _regions.ConnectAsync(_regions.Us.Address)).CreateAsync("/shared");
        _us = await _regions.StartProxyAsync();
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task Reads_of_an_asymmetric_mount_need_no_barrier_whatever_is_written_at_home()
    {
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await Until(_us, CouplingKind.Free);
        var client = await _regions.ConnectAsync(_us.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/mnt/eu");
        var before = (await TrafficAsync(_us)).BarriersNeeded;
        for (var i = 0; i < 10; i++)
        {
            await client.CreateAsync($"/written-{i}");
            await client.GetDataAsync("/mnt/eu");
        }

        var traffic = await TrafficAsync(_us);
        Assert.Equal(before, traffic.BarriersNeeded);
        Assert.True(traffic.AvoidedNotCoupled >= 10, $"{traffic}");
    }

    [Fact]
    public async Task Two_proxies_without_a_cycle_are_not_said_to_be_coupled()
    {
        await using var regions = await TwoRegions.StartAsync();
        var first = await regions.StartProxyAsync();
        var second = await regions.StartProxyAsync();
        Assert.Equal(201, (await first.MountAsync("eu:/apps", "/mnt/eu", "create")).Status);
        foreach (var proxy in new[] { first, second })
        {
            await TwoRegions.Eventually(async () => (await proxy.StatusAsync()).Graph!.Why.StartsWith("no cycle", StringComparison.Ordinal));
            var graph = (await proxy.StatusAsync()).Graph!;
            Assert.Empty(graph.Coupled);
            Assert.Equal("no cycle runs through this view; only reads of us itself wait for what was learned in eu, "
                + "because its sessions go to several servers", graph.Why);
        }
    }

    [Fact]
    public async Task Mutual_mounts_are_coupled_on_both_sides_and_the_graph_says_why()
    {
        var eu = await _regions.StartProxyAsync(TwoRegions.InEu);
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await Until(_us, CouplingKind.Free);
        await MountAsync(eu, "us:/shared", "/mnt/us");
        // Before the second mount is in use, both know of the cycle.
        Assert.NotEqual(CouplingKind.Free, KindOf(_us));
        Assert.NotEqual(CouplingKind.Free, KindOf(eu));
        await Until(_us, CouplingKind.Cycle);
        await Until(eu, CouplingKind.Cycle);

        var client = await _regions.ConnectAsync(_us.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/mnt/eu");
        var before = (await TrafficAsync(_us)).BarriersNeeded;
        await client.CreateAsync("/shared/written");
        await client.GetDataAsync("/mnt/eu");
        Assert.Equal(before + 1, (await TrafficAsync(_us)).BarriersNeeded);

        var graph = await GraphAsync(_us);
        Assert.Equal(["eu", "us"], graph.Views.Select(v => v.Name));
        Assert.Equal(["view eu", "view us", "cluster eu", "cluster us"], Assert.Single(graph.Components));
        Assert.Equal(["us", "eu"], Assert.Single(graph.Coupled));
        Assert.Contains("cycle", graph.Why);
        Assert.Null(graph.MountsHeld);
        Assert.NotNull(graph.Watermark);
        await TwoRegions.Eventually(async () => (await GraphAsync(_us)).Awaiting.Count == 0);
        var resolved = await _us.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/mnt/eu");
        Assert.False(resolved!.NeedsBarrier, resolved.Why);
    }

    [Fact]
    public async Task After_an_unmount_the_other_region_makes_no_barriers_any_more_and_forgets_the_mount()
    {
        var eu = await _regions.StartProxyAsync(TwoRegions.InEu);
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await MountAsync(eu, "us:/shared", "/mnt/us");

        await _us.UnmountAsync("/mnt/eu");

        await Until(eu, CouplingKind.Free);
        await Until(_us, CouplingKind.Free);
        await TwoRegions.Eventually(async () => (await GraphAsync(eu)).Views.Single(v => v.Name == "us").Reads is ["us"]);
    }

    [Fact]
    public async Task A_second_proxy_that_reads_through_the_same_server_makes_one_copy_with_the_first()
    {
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await Until(_us, CouplingKind.Free);

        var second = await _regions.StartProxyAsync();
        var client = await _regions.ConnectAsync(second.Host.ClientEndPoints[0]);
        // Served only once the first one knows of the second.
        await client.GetDataAsync("/mnt/eu");
        Assert.Equal(2, (await GraphAsync(_us)).Views.Single().Proxies.Count);
        await Until(_us, CouplingKind.Free);
        await Until(second, CouplingKind.Free);
        var server = $"127.0.0.1:{_regions.Eu.Address.Port}";
        Assert.All([_us, second], proxy => Assert.Equal(server, proxy.Host.Path.Region.Copies.Agreed(1)));

        await second.Host.StopAsync();
        await TwoRegions.Eventually(async () => (await GraphAsync(_us)).Views.Single().Proxies.Count == 1);
        await Until(_us, CouplingKind.Free);
        Assert.Null(_us.Host.Path.Region.Copies.Agreed(1));
    }

    [Fact]
    public async Task A_mount_waits_for_a_live_proxy_that_does_not_answer_names_it_and_can_be_forced()
    {
        await PublishAsync(new ViewRecord { View = "eu", Region = "eu", Home = "eu", Version = 1, Revision = 1, Proxies = [new("eu-silent", new Dictionary<string, long>())] });

        var (status, message) = await _us.MountAsync("eu:/apps", "/mnt/eu");

        Assert.Equal(202, status);
        Assert.Contains("proxy eu-silent of region eu did not acknowledge it", message);
        Assert.Null(_us.Host.Path.Region.Mounts.At("/mnt/eu"));
        Assert.Contains("proxy eu-silent of region eu", (await GraphAsync(_us)).Awaiting);
        Assert.Equal(201, (await _us.MountAsync("eu:/apps", "/mnt/eu", force: true)).Status);
        Assert.NotNull(_us.Host.Path.Region.Mounts.At("/mnt/eu"));
    }

    [Fact]
    public async Task A_proxy_that_stops_takes_itself_off_the_list_in_every_cluster_that_the_region_reads()
    {
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await _us.Host.StopAsync();
        var direct = await _regions.ConnectAsync(_regions.Eu.Address);
        var record = ViewRecordJson.TryParse((await direct.GetDataAsync(ZooNetTree.ViewOf("us"))).Data, "us", out _);
        Assert.Empty(record!.Proxies);
    }

    [Fact]
    public async Task Nobody_waits_for_a_proxy_whose_registration_is_gone()
    {
        await PublishAsync(new ViewRecord { View = "eu", Region = "eu", Home = "eu", Version = 1, Revision = 1, Proxies = [new("eu-dead", new Dictionary<string, long>())] }, live: false);
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
    }

    [Fact]
    public async Task A_record_that_calls_itself_active_and_was_never_published_has_to_join_first()
    {
        await PublishAsync(new ViewRecord { View = "eu", Region = "eu", Home = "eu", Version = 1, Revision = 1, Proxies = [new("eu-silent", new Dictionary<string, long>())] });
        var admin = await _regions.ConnectAsync(_regions.Us.Address, ProxyConfig.DefaultSecret);
        await admin.CreateAsync("/by-hand");
        await admin.CreateAsync(ZooNetTree.RecordOf("/by-hand"),
            new MountRecord { Cluster = "eu", RemotePath = "/apps", State = MountState.Active }.ToJson(), acl: Private);

        await TwoRegions.Eventually(async () => await _us.MountsAsync() is [{ State: "joining", WaitingFor: ["proxy eu-silent of region eu"] }]);
    }

    [Fact]
    public async Task A_bad_view_record_and_one_that_others_can_change_is_ignored_and_harms_nothing()
    {
        var admin = await _regions.ConnectAsync(_regions.Us.Address, ProxyConfig.DefaultSecret);
        await admin.CreateAsync(ZooNetTree.ViewOf("zz"), "{ no JSON"u8.ToArray(), acl: Private);
        await admin.CreateAsync(ZooNetTree.ViewOf("yy"), Encoding.UTF8.GetBytes("""{"format":1,"view":"other"}"""), acl: Private);
        var good = ViewRecordJson.Format(new ViewRecord { View = "xx", Region = "xx", Home = "eu", Version = 1, Revision = 1 });
        Assert.NotNull(ViewRecordJson.TryParse(good, "xx", out _));
        await admin.CreateAsync(ZooNetTree.ViewOf("xx"), good);

        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        Assert.Equal(["us"], (await GraphAsync(_us)).Views.Select(v => v.Name));
    }

    [Fact]
    public async Task Mounts_are_served_while_another_remote_is_down_and_everything_counts_as_coupled_until_it_was_read()
    {
        var dead = new ClusterConfig("ap", 1, [], [new HostPort("127.0.0.1", 9)]);
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await _us.Host.StopAsync();
        await PublishOwnAsync(own => own with
        {
            Revision = own.Revision + 1,
            Version = own.Version + 1,
            Mounts = [.. own.Mounts, new ViewMount("ap", "/x", PublishedState.Active)],
        });
        var admin = await _regions.ConnectAsync(_regions.Us.Address, ProxyConfig.DefaultSecret);
        await admin.CreateAsync(ZooNetTree.RecordOf("/mnt/ap"), new MountRecord
        {
            Cluster = "ap",
            RemotePath = "/x",
            State = MountState.Active
        }.ToJson(ZooNetTree.NameOf("/mnt/ap"), new ProxySecret(ProxyConfig.DefaultSecret)), acl: Private);

        var restarted = await _regions.StartProxyAsync(c => c with { Remotes = [dead, c.Remotes[0] with { Ordinal = 2 }] }, waitReady: false);
        var client = await _regions.ConnectAsync(restarted.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/mnt/eu");
        Assert.Equal(CouplingKind.Conservative, KindOf(restarted));
        Assert.Contains((await GraphAsync(restarted)).Awaiting, who => who.StartsWith("cluster ap", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Requests_for_mounts_wait_while_home_is_not_heard_of_and_home_need_not_be_told()
    {
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        await TwoRegions.Eventually(async () => (await GraphAsync(_us)).MountsHeld is null);
        await _regions.Us.DisposeAsync();
        await TwoRegions.Eventually(async () => (await GraphAsync(_us)).MountsHeld?.Contains("home has not answered") == true);
        Assert.True(_us.Host.Path.Region.MountsUsableUntilMs < _us.Host.Services.GetRequiredService<TimeProvider>().GetTimestamp() / (TimeProvider.System.TimestampFrequency / 1000));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_mount_that_is_taken_away_and_made_again_is_kept_usable_by_every_proxy(int count)
    {
        var proxies = count == 1 ? [_us] : new[] { _us, await _regions.StartProxyAsync() };
        await MountAsync(_us, "eu:/apps", "/mnt/eu");
        foreach (var proxy in proxies)
        {
            await TwoRegions.Eventually(async () => (await GraphAsync(proxy)).MountsHeld is null && IsUsed(proxy));
        }

        Assert.Equal(200, (await _us.UnmountAsync("/mnt/eu")).Status);
        // The lease has seen that there are no mounts when it has not been renewed for a while.
        await Task.Delay(TimeSpan.FromSeconds(2));
        await MountAsync(proxies[^1], "eu:/apps", "/mnt/eu");

        await Task.WhenAll(proxies.Select(async proxy =>
        {
            await TwoRegions.Eventually(() => Task.FromResult(IsUsed(proxy)));
            var region = proxy.Host.Path.Region;
            for (var renewals = 0; renewals < 5; renewals++)
            {
                var before = region.MountsUsableUntilMs;
                await TwoRegions.Eventually(() => Task.FromResult(region.MountsUsableUntilMs > before));
            }
            var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
            Assert.True((await client.ExistsAsync("/mnt/eu")).Exists);
        }));

        static bool IsUsed(RunningProxy proxy) => proxy.Host.Path.Region.Mounts.At("/mnt/eu") is { IsSuspended: false };
    }

    [Fact]
    public async Task With_consistency_none_there_is_no_graph()
    {
        var proxy = await _regions.StartProxyAsync(c => c with { Consistency = ConsistencyMode.None });
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.Http.GetAsync("/api/v1/graph")).StatusCode);
    }

    /// <summary>Mounts; on a busy machine the command may lose patience, and the mount is seen through all the same.</summary>
    private static async Task MountAsync(RunningProxy proxy, string source, string path)
    {
        Assert.InRange((await proxy.MountAsync(source, path)).Status, 201, 202);
        for (var began = DateTime.UtcNow; (await proxy.MountsAsync()).Single(m => m.Path == path) is { State: not "active" } mount; await Task.Delay(10))
        {
            Assert.True(DateTime.UtcNow - began < TimeSpan.FromSeconds(60), $"{path} is {mount.State} and waits for {string.Join("; ", mount.WaitingFor)}");
        }
        await TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.Region.Mounts.At(path) is not null));
    }

    private static CouplingKind? KindOf(RunningProxy proxy) => (proxy.Host.Path.Region.Coupling as Coupling)?.Kind;

    private static Task Until(RunningProxy proxy, CouplingKind kind) => TwoRegions.Eventually(() => Task.FromResult(KindOf(proxy) == kind));

    private static async Task<GraphInfo> GraphAsync(RunningProxy proxy) => (await proxy.Http.GetFromJsonAsync<GraphInfo>("/api/v1/graph"))!;

    private static async Task<MountTraffic> TrafficAsync(RunningProxy proxy) => Assert.Single((await proxy.StatusAsync()).Mounts).Traffic!;

    private async Task PublishAsync(ViewRecord record, bool live = true)
    {
        var admin = await _regions.ConnectAsync(_regions.Eu.Address, ProxyConfig.DefaultSecret);
        foreach (var path in ZooNetTree.Folders)
        {
            await admin.CreateAsync(path, acl: new ProxySecret(ProxyConfig.DefaultSecret).AclOf(path));
        }
        if (live)
        {
            foreach (var proxy in record.Proxies)
            {
                await admin.CreateAsync($"{ZooNetTree.Proxies}/{proxy.Id}", flags: CreateFlags.Ephemeral, acl: Private);
            }
        }
        await admin.CreateAsync(ZooNetTree.ViewOf(record.View), ViewRecordJson.Format(record), acl: Private);
    }

    private async Task PublishOwnAsync(Func<ViewRecord, ViewRecord> change)
    {
        var admin = await _regions.ConnectAsync(_regions.Us.Address, ProxyConfig.DefaultSecret);
        await TwoRegions.Eventually(async () =>
        {
            var found = await admin.GetDataAsync(ZooNetTree.ViewOf("us"));
            var record = ViewRecordJson.TryParse(found.Data, "us", out _)!;
            try
            {
                await admin.SetDataAsync(ZooNetTree.ViewOf("us"), ViewRecordJson.Format(change(record)), found.Stat.Version);
                return true;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.BadVersion)
            {
                return false;
            }
        });
    }
}
