using System.Net;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>Trees that somebody else has made, or could write: nothing in them is used, and a proxy that knows nothing serves
/// nobody.</summary>
public sealed class ProxyTreeTests : IAsyncLifetime
{
    private const string Super = "super:test";
    private const string Secret = ProxyConfig.DefaultSecret;
    private static readonly IReadOnlyList<Acl> Private = new ProxySecret(Secret).Acl;

    private TwoRegions _regions = null!;
    private ZooKeeperClient _us = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _us = await _regions.ConnectAsync(_regions.Us.Address);
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task A_proxy_with_another_secret_than_its_siblings_is_not_ready_says_why_and_lets_nobody_in()
    {
        var first = await _regions.StartProxyAsync();
        await first.MountAsync("eu:/apps", "/mnt/eu");

        var second = await _regions.StartProxyAsync(c => c with { Secret = "zoonet:mistyped" }, waitReady: false);

        await UntilSaidAsync(second, "/zookeeper/zoonet in the cluster 'us' belongs to somebody else", "another 'secret'", "zoonet repair");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await second.Http.GetAsync("/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await second.Http.GetAsync("/api/v1/mounts")).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await second.Http.GetAsync("/api/v1/resolve?path=/mnt/eu")).StatusCode);
        var (status, message) = await second.MountAsync("eu:/apps", "/m");
        Assert.Equal(503, status);
        Assert.Contains("zoonet repair", message);
        await NobodyIsLetInAsync(second);
    }

    [Fact]
    public async Task A_zookeeper_that_was_closed_to_writers_is_no_reason_not_to_look()
    {
        var before = await _regions.StartProxyAsync();
        await before.MountAsync("eu:/apps", "/mnt/eu");
        await before.Host.StopAsync();
        await CloseAsync("/zookeeper");

        var after = await _regions.StartProxyAsync();

        await TwoRegions.Eventually(() => Task.FromResult(after.Host.Path.Region.Mounts.At("/mnt/eu") is not null));
        Assert.Empty((await after.StatusAsync()).Problems);
    }

    [Fact]
    public async Task Where_there_is_no_tree_and_none_may_be_made_home_is_served_and_nothing_can_be_mounted()
    {
        await CloseAsync("/zookeeper");

        var proxy = await _regions.StartProxyAsync();

        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/served");
        Assert.Empty(await proxy.MountsAsync());
        var (status, message) = await proxy.MountAsync("eu:/apps", "/m");
        Assert.Equal(503, status);
        Assert.Contains("has no /zookeeper/zoonet and the proxy may not make it", message);
        Assert.Contains(message, (await proxy.StatusAsync()).Problems.Single());
    }

    [Theory]
    [InlineData(ZooNetTree.Root)]
    [InlineData(ZooNetTree.Mounts)]
    [InlineData(ZooNetTree.Proxies)]
    [InlineData(ZooNetTree.Views)]
    [InlineData(ZooNetTree.Sessions)]
    [InlineData(ZooNetTree.Roaming)]
    public async Task A_folder_that_others_can_write_is_found_and_nothing_is_used_before_it_is_repaired(string folder)
    {
        await MakeTreeAsync(_regions.Us, folder, Acl.Open);
        await _us.CreateAsync($"{folder}/forged", """{"cluster":"eu","remotePath":"/apps","state":"active"}"""u8.ToArray());
        var proxy = await _regions.StartProxyAsync(waitReady: false);
        await UntilSaidAsync(proxy, $"{folder} in the cluster 'us' belongs to somebody else");
        await NobodyIsLetInAsync(proxy);

        var planned = await RepairAsync(dryRun: true);
        Assert.Contains(planned, s => s.What.StartsWith($"give {folder} the proxies' ACL", StringComparison.Ordinal));
        Assert.Equal(Acl.Open, (await _us.GetAclAsync(folder)).AccessControl);
        var steps = await RepairAsync(dryRun: false);
        Assert.DoesNotContain(steps, s => s.Error is not null);

        await TwoRegions.Eventually(async () => (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        Assert.Empty(await proxy.MountsAsync());
        Assert.Equal(201, (await MountAsync(proxy, "/mnt/eu")).Status);
        Assert.Empty((await proxy.StatusAsync()).Problems);
        Assert.Empty(await RepairAsync(dryRun: true));
        // What was set right counts as such only as it was then.
        var owner = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        await owner.SetAclAsync(folder, Private);
        Assert.NotEmpty(await RepairAsync(dryRun: true));
    }

    [Fact]
    public async Task A_folder_that_has_the_right_acl_now_and_had_another_one_before_is_not_trusted()
    {
        await MakeTreeAsync(_regions.Us, ZooNetTree.Mounts, Acl.Open);
        await _us.CreateAsync(ZooNetTree.RecordOf("/app"), """{"cluster":"eu","remotePath":"/apps","state":"active"}"""u8.ToArray(),
            acl: Private);
        await _us.SetAclAsync(ZooNetTree.Mounts, Private);

        var proxy = await _regions.StartProxyAsync(waitReady: false);

        await UntilSaidAsync(proxy, $"{ZooNetTree.Mounts} in the cluster 'us' has had another ACL for a while");
        Assert.DoesNotContain(await RepairAsync(dryRun: false), s => s.Error is not null);
        await TwoRegions.Eventually(async () => (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        Assert.Empty(await proxy.MountsAsync());
    }

    [Fact]
    public async Task A_repair_that_is_not_allowed_says_so_and_works_with_the_super_users_credentials()
    {
        var stranger = new[] { new Acl(Permissions.All, "digest", ProxySecret.DigestOf("some:body")),
            new Acl(Permissions.Read, "world", "anyone") };
        await MakeTreeAsync(_regions.Us, ZooNetTree.Root, stranger, "some:body");

        Assert.Contains(await RepairAsync(dryRun: false), s => s.Error?.Contains("--auth") == true);

        Assert.DoesNotContain(await RepairAsync(dryRun: false, auth: Super), s => s.Error is not null);
        await _regions.StartProxyAsync();
    }

    [Fact]
    public async Task A_tree_that_opens_while_a_proxy_runs_is_found_and_what_was_known_stays_in_use()
    {
        var proxy = await _regions.StartProxyAsync();
        await MountAsync(proxy, "/mnt/eu");
        var owner = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        await owner.SetAclAsync(ZooNetTree.Mounts, Acl.Open);
        await _us.CreateAsync(ZooNetTree.RecordOf("/forged"), """{"cluster":"eu","remotePath":"/apps","state":"active"}"""u8.ToArray());

        // It is seen, and not used.
        await TwoRegions.Eventually(async () => (await proxy.MountsAsync()).Any(m => m.Path == "/forged"));
        Assert.Equal(["/mnt/eu"], proxy.Host.Path.Region.Mounts.Mounts.Select(m => m.Path));

        // A connection that is made anew is a reason to look at once; else it is half a minute.
        _regions.Us.CloseConnections();

        await UntilSaidAsync(proxy, $"{ZooNetTree.Mounts} in the cluster 'us' belongs to somebody else");
        Assert.Equal(["/mnt/eu"], proxy.Host.Path.Region.Mounts.Mounts.Select(m => m.Path));
        Assert.True((await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        Assert.Equal(503, (await proxy.MountAsync("eu:/apps", "/m")).Status);
        await RepairAsync(dryRun: false);
        await TwoRegions.Eventually(async () => (await proxy.StatusAsync()).Problems.Count == 0);
        Assert.Equal(["/mnt/eu"], (await proxy.MountsAsync()).Select(m => m.Path));
    }

    [Theory]
    [InlineData(ZooNetTree.Root)]
    [InlineData(ZooNetTree.Proxies)]
    [InlineData(ZooNetTree.Views)]
    public async Task A_remote_whose_tree_a_stranger_has_made_can_t_be_mounted_and_the_command_says_which_znode(string folder)
    {
        await MakeTreeAsync(_regions.Eu, folder, Acl.Open);
        var proxy = await _regions.StartProxyAsync();

        var (status, message) = await proxy.MountAsync("eu:/apps", "/mnt/eu");

        Assert.Equal(503, status);
        Assert.Contains($"{folder} in the cluster 'eu' belongs to somebody else", message);
        Assert.Contains(message, (await proxy.StatusAsync()).Problems.Single());
    }

    [Fact]
    public async Task A_record_by_hand_that_calls_itself_active_passes_the_same_checks_as_the_command()
    {
        var proxy = await _regions.StartProxyAsync();
        await _us.CreateAsync("/app");
        await _us.CreateAsync("/app/db", "the true one"u8.ToArray());
        var owner = await _regions.ConnectAsync(_regions.Us.Address, Secret);

        await owner.CreateAsync(ZooNetTree.RecordOf("/app"), """{"cluster":"eu","remotePath":"/apps","state":"active"}"""u8.ToArray(),
            acl: Private);

        await TwoRegions.Eventually(async () => await proxy.MountsAsync() is [{ State: "requested", WaitingFor: [var why] }]
            && why.Contains("has 1 child that the mount would hide"));
        Assert.Null(proxy.Host.Path.Region.Mounts.At("/app"));
    }

    [Fact]
    public async Task A_record_that_others_can_change_is_not_used_and_says_with_which_acl_to_make_it()
    {
        var proxy = await _regions.StartProxyAsync();
        var owner = await _regions.ConnectAsync(_regions.Us.Address, Secret);

        await owner.CreateAsync(ZooNetTree.RecordOf("/m"), """{"cluster":"eu","remotePath":"/apps"}"""u8.ToArray());

        await TwoRegions.Eventually(async () => await proxy.MountsAsync() is [{ State: "error" }]);
        Assert.Contains("auth::cdrwa", (await proxy.MountsAsync())[0].Error);
    }

    [Fact]
    public async Task A_record_that_is_changed_by_hand_while_it_is_used_is_checked_again_and_requests_wait_meanwhile()
    {
        var proxy = await _regions.StartProxyAsync();
        await MountAsync(proxy, "/mnt/eu");
        var owner = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        var record = MountRecord.Parse((await owner.GetDataAsync(ZooNetTree.RecordOf("/mnt/eu"))).Data);
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/there");

        await owner.SetDataAsync(ZooNetTree.RecordOf("/mnt/eu"), (record with { Options = "ro" }).ToJson());

        await TwoRegions.Eventually(async () =>
        {
            // At no moment does the empty znode at the mount point show.
            Assert.True((await client.ExistsAsync("/mnt/eu/there")).Exists);
            return await proxy.MountsAsync() is [{ State: "active", Options: "ro" }];
        });
        Assert.Equal(200, (await proxy.UnmountAsync("/mnt/eu")).Status);
        Assert.False((await _us.ExistsAsync("/mnt/eu")).Exists);
    }

    [Fact]
    public async Task The_secret_is_changed_in_three_steps_while_clients_and_mounts_stay()
    {
        const string next = "zoonet:the-next-one";
        var first = await _regions.StartProxyAsync(c => c with { AcceptedSecret = next });
        await MountAsync(first, "/mnt/eu");
        var client = await _regions.ConnectAsync(first.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/lock", flags: CreateFlags.Ephemeral);

        // One after the other takes the new one for what it writes, and reads both.
        var second = await _regions.StartProxyAsync(c => c with { Secret = next, AcceptedSecret = Secret });
        Assert.Equal(201, (await MountAsync(second, "/mnt/two")).Status);
        await TwoRegions.Eventually(() => Task.FromResult(first.Host.Path.Region.Mounts.At("/mnt/two") is { IsSuspended: false }));
        Assert.True((await client.ExistsAsync("/mnt/two/lock")).Exists);
        await first.Host.StopAsync();
        Assert.NotEmpty(await RepairAsync(dryRun: false, change: c => c with { Secret = next, AcceptedSecret = Secret }));
        await second.Host.StopAsync();

        // The old one is given up.
        var last = await _regions.StartProxyAsync(c => c with { Secret = next });
        await TwoRegions.Eventually(() => Task.FromResult(last.Host.Path.Region.Mounts.Mounts.Count == 2));
        Assert.Empty((await last.StatusAsync()).Problems);
        Assert.All(await last.MountsAsync(), m => Assert.Equal("active", m.State));
        Assert.Equal(200, (await last.UnmountAsync("/mnt/eu")).Status);
    }

    [Fact]
    public async Task Whoever_walks_the_whole_tree_finds_nothing_that_it_may_not_read()
    {
        var proxy = await _regions.StartProxyAsync();
        await MountAsync(proxy, "/mnt/eu");
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/lock", flags: CreateFlags.Ephemeral);
        var other = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        foreach (var walker in new[] { _us, other })
        {
            var seen = new List<string>();
            await WalkAsync(walker, "/", seen);
            Assert.Contains(seen, p => p.StartsWith($"{ZooNetTree.Sessions}/", StringComparison.Ordinal)
                && p.EndsWith("@eu", StringComparison.Ordinal));
            Assert.Contains(ZooNetTree.RecordOf("/mnt/eu"), seen);
            Assert.Contains(ZooNetTree.ViewOf("us"), seen);
            Assert.Contains(seen, p => p.StartsWith($"{ZooNetTree.Proxies}/", StringComparison.Ordinal));
            Assert.Equal(walker == other, seen.Contains("/mnt/eu/lock"));
            Assert.Equal(seen.Count - 1, await CountAsync(walker));
        }

        // A tree that holds a mount point is deleted as far as it can be; what is mounted is not touched.
        await other.CreateAsync("/mnt/mine");
        await other.DeleteAsync("/mnt/mine");
        Assert.True((await other.ExistsAsync("/mnt/eu/lock")).Exists);

        async Task WalkAsync(ZooKeeperClient walker, string path, List<string> seen)
        {
            seen.Add(path);
            await walker.GetDataAsync(path);
            await walker.GetAclAsync(path);
            foreach (var name in (await walker.GetChildrenAsync(path)).Names)
            {
                await WalkAsync(walker, path == "/" ? $"/{name}" : $"{path}/{name}", seen);
            }
        }

        static async Task<int> CountAsync(ZooKeeperClient walker) => (await walker.GetAllChildrenNumberAsync("/")).Value;
    }

    [Fact]
    public async Task Whoever_watches_everything_is_told_nothing_while_nothing_is_changed()
    {
        var proxy = await _regions.StartProxyAsync();
        await MountAsync(proxy, "/mnt/eu");
        await TwoRegions.Eventually(async () => (await proxy.StatusAsync()).Graph is { Awaiting.Count: 0, MountsHeld: null });
        var events = 0;
        _us.WatchFired += e => Interlocked.Increment(ref events);
        await _us.AddWatchAsync("/", AddWatchMode.PersistentRecursive);

        // Renewals of the lease are what goes on all the time.
        for (var renewals = 0; renewals < 3; renewals++)
        {
            var before = proxy.Host.Path.Region.MountsUsableUntilMs;
            await TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.Region.MountsUsableUntilMs > before));
        }
        await _us.SyncAsync("/");
        Assert.Equal(0, Volatile.Read(ref events));
    }

    /// <summary>Makes a tree of which one folder has another ACL.</summary>
    private async Task MakeTreeAsync(EmbeddedServer cluster, string folder, IReadOnlyList<Acl> acl, string secret = Secret)
    {
        var maker = await _regions.ConnectAsync(cluster.Address, secret);
        foreach (var path in ZooNetTree.Folders)
        {
            await maker.CreateAsync(path, acl: path == folder ? acl : new ProxySecret(secret).AclOf(path));
        }
    }

    private async Task CloseAsync(string path)
    {
        var super = await _regions.ConnectAsync(_regions.Us.Address, Super);
        await super.SetAclAsync(path, [new Acl(Permissions.All, "digest", "admin:AAAA"), new Acl(Permissions.Read, "world", "anyone")]);
    }

    private Task<IReadOnlyList<RepairStep>> RepairAsync(bool dryRun, string? auth = null, Func<ProxyConfig, ProxyConfig>? change = null) =>
        _regions.RepairAsync(change?.Invoke(_regions.Config()) ?? _regions.Config(), dryRun, auth: auth);

    private static async Task UntilSaidAsync(RunningProxy proxy, params string[] words)
    {
        await TwoRegions.Eventually(async () => (await proxy.StatusAsync()).Problems.Any(p => words.All(p.Contains)));
        var ready = await (await proxy.Http.GetAsync("/ready")).Content.ReadAsStringAsync();
        Assert.Contains("zoonet repair", ready);
    }

    private static async Task NobodyIsLetInAsync(RunningProxy proxy)
    {
        var address = proxy.Host.ClientEndPoints[0];
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ZooKeeperClient.ConnectAsync(
            new ZooKeeperClientOptions { Servers = [new ServerAddress(address.Address.ToString(), address.Port)] }, enough.Token));
    }

    private static async Task<(int Status, string Message)> MountAsync(RunningProxy proxy, string path)
    {
        var reply = await proxy.MountAsync("eu:/apps", path);
        await TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.Region.Mounts.At(path) is { IsSuspended: false }));
        return reply;
    }
}
