using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>Mounting and unmounting at the admin endpoint, with the clusters' own view of it.</summary>
public sealed class MountTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;
    private ZooKeeperClient _us = null!;
    private ZooKeeperClient _eu = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _us = await _regions.ConnectAsync(_regions.Us.Address);
        _eu = await _regions.ConnectAsync(_regions.Eu.Address);
        await _eu.CreateAsync("/apps", "data"u8.ToArray());
        _proxy = await _regions.StartProxyAsync();
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task A_mount_is_in_the_table_of_this_proxy_when_the_command_returns_and_its_parents_are_made()
    {
        var (status, message) = await _proxy.MountAsync("eu:/apps", "/mnt/eu", "ro,relaxed");

        Assert.Equal((201, "eu:/apps is mounted on /mnt/eu"), (status, message));
        var mount = Assert.Single(await _proxy.MountsAsync());
        Assert.Equal(("/mnt/eu", "eu", "/apps", "ro,relaxed", "active", true), (mount.Path, mount.Cluster, mount.RemotePath, mount.Options, mount.State, mount.Up));
        Assert.NotNull(_proxy.Host.Path.Region.Mounts.At("/mnt/eu"));
        Assert.Equal(["eu"], (await _us.GetChildrenAsync("/mnt")).Names);
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        Assert.Equal("data"u8.ToArray(), (await client.GetDataAsync("/mnt/eu")).Data);
    }

    [Fact]
    public async Task Unmount_removes_the_mount_and_the_znode_that_it_had_made()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");

        var (status, message) = await _proxy.UnmountAsync("/mnt/eu");

        Assert.Equal((200, "/mnt/eu is unmounted"), (status, message));
        Assert.Empty(await _proxy.MountsAsync());
        Assert.Null(_proxy.Host.Path.Region.Mounts.At("/mnt/eu"));
        Assert.False((await _us.ExistsAsync("/mnt/eu")).Exists);
        Assert.True((await _eu.ExistsAsync("/apps")).Exists);
    }

    [Fact]
    public async Task An_existing_empty_znode_can_be_a_mount_point_and_outlives_the_mount()
    {
        await _us.CreateAsync("/here", "mine"u8.ToArray());

        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/here")).Status);
        Assert.Equal(200, (await _proxy.UnmountAsync("/here")).Status);

        Assert.Equal("mine"u8.ToArray(), (await _us.GetDataAsync("/here")).Data);
    }

    [Fact]
    public async Task A_znode_made_under_the_mount_point_past_the_proxies_is_refused_by_the_cluster()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");

        var refused = await Assert.ThrowsAsync<KeeperException>(() => _us.CreateAsync("/mnt/eu/hidden"));

        Assert.Equal(ErrorCode.NoAuth, refused.Code);
    }

    [Theory]
    [InlineData("xx:/apps", "/m", 404, "the cluster 'xx' is not known to this proxy (known are eu)")]
    [InlineData("us:/apps", "/m", 409, "'us' is the home cluster")]
    [InlineData("eu:/nothing/here", "/m", 404, "the cluster 'eu' has no znode /nothing/here; create it there, or mount with -o create")]
    [InlineData("eu:/apps", "/", 409, "'/' can't be a mount point")]
    [InlineData("eu:/apps", "/zookeeper", 409, "/zookeeper is ZooKeeper's own")]
    [InlineData("eu:/apps", "/zookeeper/quota/x", 409, "/zookeeper is ZooKeeper's own")]
    [InlineData("eu:/apps", "/full", 409, "/full has 1 child that the mount would hide")]
    [InlineData("eu:/", "/mounted", 409, "eu:/apps is on /mounted already, with rw and in state active; unmount it first")]
    [InlineData("eu:/apps", "/mounted/inside", 409, "/mounted/inside lies inside the mount /mounted")]
    [InlineData("eu:/apps", "/over", 409, "/over would hide the mount /over/mount")]
    [InlineData("eu:/apps", "/ephemeral", 409, "/ephemeral is an ephemeral, TTL or container znode")]
    [InlineData("eu:/apps", "relative", 400, "'relative' can't be a mount point: the path must start with '/'")]
    [InlineData("eu:/apps", "/m/../n", 400, "can't be a mount point")]
    [InlineData("eu", "/m", 400, "'eu' is no source; write 'cluster:/path'")]
    [InlineData("eu:apps", "/m", 400, "'apps' is no path to mount: the path must start with '/'")]
    public async Task A_refusal_says_why_and_what_to_do(string source, string path, int expected, string reason)
    {
        await _us.CreateAsync("/full");
        await _us.CreateAsync("/full/child");
        await _us.CreateAsync("/ephemeral", flags: CreateFlags.Ephemeral);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mounted")).Status);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/over/mount")).Status);

        var (status, message) = await _proxy.MountAsync(source, path);

        Assert.Equal(expected, status);
        Assert.Contains(reason, message);
        Assert.Equal(2, (await _proxy.MountsAsync()).Count);
    }

    [Theory]
    [InlineData(null, "auth=none")]
    [InlineData("auth=none", "auth=forward")]
    [InlineData("auth=address", "auth=forward")]
    public async Task Mounts_of_one_cluster_show_credentials_all_or_none(string? first, string second)
    {
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/one", first)).Status);

        var (status, message) = await _proxy.MountAsync("eu:/apps", "/mnt/two", second);

        Assert.Equal((409, true), (status, message.Contains("give all mounts of 'eu' the same", StringComparison.Ordinal)));
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/two", first)).Status);
    }

    [Fact]
    public async Task The_same_mount_again_is_so_already()
    {
        await _proxy.MountAsync("eu:/apps", "/m", "ro");

        var (status, message) = await _proxy.MountAsync("eu:/apps", "/m", "ro");
        var other = await _proxy.MountAsync("eu:/apps", "/m");

        Assert.Equal((200, "eu:/apps is mounted on /m already"), (status, message));
        Assert.Equal((409, true), (other.Status, other.Message.StartsWith("eu:/apps is on /m already, with ro", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("ro,rw", "contradict each other")]
    [InlineData("readonly", "the mount option 'readonly' is not known; allowed are ro, rw")]
    public async Task Options_that_make_no_sense_are_refused(string options, string reason)
    {
        var (status, message) = await _proxy.MountAsync("eu:/apps", "/m", options);

        Assert.Equal(400, status);
        Assert.Contains(reason, message);
    }

    [Fact]
    public async Task A_segment_that_only_begins_like_a_mount_point_is_not_inside_it()
    {
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/eu")).Status);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/eu2")).Status);
    }

    [Fact]
    public async Task Who_changes_an_ACL_through_a_mount_tells_the_cluster_s_own_region_before()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/eu/x");
        var told = (await _eu.ExistsAsync(ZooNetTree.Acls)).Stat!.Value;
        Assert.Equal(0, told.Version);

        await client.SetAclAsync("/mnt/eu/x", [new Acl(Permissions.Read, "world", "anyone")]);

        Assert.Equal([new Acl(Permissions.Read, "world", "anyone")], (await _eu.GetAclAsync("/apps/x")).AccessControl);
        Assert.Equal(1, (await _eu.ExistsAsync(ZooNetTree.Acls)).Stat!.Value.Version);
        await client.SetDataAsync("/mnt/eu", [1]);
        Assert.Equal(1, (await _eu.ExistsAsync(ZooNetTree.Acls)).Stat!.Value.Version);
    }

    [Fact]
    public async Task A_tree_of_a_version_without_notices_is_used_and_gets_the_znode_for_them()
    {
        var admin = await _regions.ConnectAsync(_regions.Eu.Address, Secret);
        var secret = new ProxySecret(Secret);
        await admin.MultiAsync([.. ZooNetTree.Folders.Where(path => path != ZooNetTree.Acls).Select(path => MultiOp.Create(path, [], acl: secret.Acl))]);

        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/eu")).Status);

        Assert.Equal(secret.AclOf(ZooNetTree.Acls), (await admin.GetAclAsync(ZooNetTree.Acls)).AccessControl);
    }

    [Fact]
    public async Task Mounts_are_not_chained()
    {
        // A mount of region eu's own, as a proxy there would have written it.
        var admin = await _regions.ConnectAsync(_regions.Eu.Address, Secret);
        await admin.MultiAsync([.. ZooNetTree.Folders.Select(path => MultiOp.Create(path, [], acl: new ProxySecret(Secret).AclOf(path)))]);
        var record = """{"cluster":"ap","remotePath":"/","state":"active"}"""u8.ToArray();
        await admin.CreateAsync(ZooNetTree.RecordOf("/mnt/ap"), record, acl: Private);
        await _eu.CreateAsync("/mnt");
        await _eu.CreateAsync("/mnt/ap");

        Assert.Contains("eu:/mnt/ap is itself a mount point of the cluster 'eu'", (await _proxy.MountAsync("eu:/mnt/ap", "/m")).Message);
        Assert.Contains("eu:/mnt/ap/x lies in the mount /mnt/ap", (await _proxy.MountAsync("eu:/mnt/ap/x", "/m")).Message);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/mnt", "/m")).Status);
    }

    [Fact]
    public async Task Create_makes_the_remote_path_with_its_parents()
    {
        Assert.Equal(201, (await _proxy.MountAsync("eu:/a/b/c", "/m", "create")).Status);

        Assert.True((await _eu.ExistsAsync("/a/b/c")).Exists);
        Assert.Equal("rw", Assert.Single(await _proxy.MountsAsync()).Options);
    }

    [Fact]
    public async Task Unmounting_what_is_not_mounted_says_what_is()
    {
        Assert.Contains("there are no mounts", (await _proxy.UnmountAsync("/nowhere")).Message);
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");

        Assert.Equal((404, "nothing is mounted on /nowhere; mounted are /mnt/eu"), await _proxy.UnmountAsync("/nowhere"));
        Assert.Equal((404, "nothing is mounted on /mnt/eu/x; it lies in the mount /mnt/eu"), await _proxy.UnmountAsync("/mnt/eu/x"));
    }

    [Fact]
    public async Task Another_proxy_of_the_region_shows_a_change_within_a_second()
    {
        var other = await _regions.StartProxyAsync();
        var version = -1L;
        var took = new List<TimeSpan>();
        for (var round = 0; round < 5; round++)
        {
            await _proxy.MountAsync("eu:/apps", "/mnt/eu");
            var began = Stopwatch.GetTimestamp();
            await TwoRegions.Eventually(() => Task.FromResult(other.Host.Path.Region.Mounts.At("/mnt/eu") is not null));
            took.Add(Stopwatch.GetElapsedTime(began));
            var tables = (_proxy.Host.Path.Region.Mounts.Version, other.Host.Path.Region.Mounts.Version);
            Assert.Equal(tables.Item1, tables.Item2);
            Assert.True(tables.Item1 > version);
            version = tables.Item1;
            await other.UnmountAsync("/mnt/eu");
            began = Stopwatch.GetTimestamp();
            await TwoRegions.Eventually(() => Task.FromResult(_proxy.Host.Path.Region.Mounts.At("/mnt/eu") is null));
            took.Add(Stopwatch.GetElapsedTime(began));
        }
        // Nearly always: what holds one of ten up on a busy machine is not the proxies.
        Assert.True(took.Count(t => t < TimeSpan.FromSeconds(1)) >= 8, string.Join(", ", took));
    }

    [Fact]
    public async Task Two_proxies_that_mount_overlapping_paths_at_once_never_both_succeed()
    {
        var other = await _regions.StartProxyAsync();
        for (var round = 0; round < 10; round++)
        {
            var results = await Task.WhenAll(_proxy.MountAsync("eu:/apps", $"/r{round}"), other.MountAsync("eu:/apps", $"/r{round}/below"));

            Assert.Equal(1, results.Count(r => r.Status == 201));
            Assert.Equal(1, results.Count(r => r.Status == 409));
        }
        Assert.All(await _proxy.MountsAsync(), m => Assert.Null(m.Error));
    }

    [Fact]
    public async Task The_table_is_read_again_after_the_connection_to_home_was_lost()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        _regions.Us.CloseConnections();
        var writer = await _regions.ConnectAsync(_regions.Us.Address, Secret);

        await writer.DeleteAsync(ZooNetTree.RecordOf("/mnt/eu"));

        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()).Count == 0);
    }

    [Fact]
    public async Task A_record_written_by_hand_is_taken_on_by_a_proxy()
    {
        var admin = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        await admin.CreateAsync("/zookeeper/zoonet/mounts/by%2Fhand",
            """{ "cluster": "eu", "remotePath": "/apps", "options": "ro" }"""u8.ToArray(), acl: Private);

        await TwoRegions.Eventually(() => Task.FromResult(_proxy.Host.Path.Region.Mounts.At("/by/hand") is not null));

        Assert.True(_proxy.Host.Path.Region.Mounts.At("/by/hand")!.Options.ReadOnly);
        Assert.True((await _us.ExistsAsync("/by/hand")).Exists);
        Assert.Equal(200, (await _proxy.UnmountAsync("/by/hand")).Status);
        Assert.False((await _us.ExistsAsync("/by/hand")).Exists);
    }

    [Fact]
    public async Task A_record_written_by_hand_that_no_mount_command_would_make_waits_with_its_reason()
    {
        var admin = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        await admin.CreateAsync("/zookeeper/zoonet/mounts/m", """{ "cluster": "eu", "remotePath": "/missing" }"""u8.ToArray(),
            acl: Private);

        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()) is [{ State: "requested", WaitingFor: [var why] }] && why.Contains("has no znode /missing"));
        await _eu.CreateAsync("/missing");

        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()) is [{ State: "active" }]);
    }

    [Theory]
    [InlineData("not json", "is no JSON object of a mount")]
    [InlineData("""{ "remotePath": "/apps" }""", "names no 'cluster'")]
    [InlineData("""{ "cluster": "eu" }""", "names no 'remotePath'")]
    [InlineData("""{ "cluster": "xx", "remotePath": "/apps" }""", "the cluster 'xx' is not known")]
    [InlineData("""{ "cluster": "eu", "remotePath": "apps" }""", "is no path to mount")]
    [InlineData("""{ "cluster": "eu", "remotePath": "/apps", "options": "fast" }""", "'fast' is not known")]
    [InlineData("""{ "cluster": "eu", "remotePath": "/apps", "path": "/other" }""", "differ")]
    [InlineData("""{ "cluster": "eu", "remotePath": "/apps", "state": "sleeping" }""", "is no JSON object of a mount")]
    public async Task A_bad_record_is_shown_with_its_error_costs_nobody_else_and_can_be_unmounted(string json, string error)
    {
        await _proxy.MountAsync("eu:/apps", "/good");
        var admin = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        await admin.CreateAsync("/zookeeper/zoonet/mounts/bad", Encoding.UTF8.GetBytes(json), acl: Private);

        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()).Count == 2);
        var bad = (await _proxy.MountsAsync()).Single(m => m.Path == "/bad");
        Assert.Equal("error", bad.State);
        Assert.Contains(error, bad.Error);
        Assert.Equal(["/good"], _proxy.Host.Path.Region.Mounts.Mounts.Select(m => m.Path));

        Assert.Equal(200, (await _proxy.UnmountAsync("/bad")).Status);
        Assert.Single(await _proxy.MountsAsync());
    }

    [Fact]
    public async Task Of_two_records_that_overlap_the_older_one_stands()
    {
        await _proxy.MountAsync("eu:/apps", "/good");
        var admin = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        await admin.CreateAsync(ZooNetTree.RecordOf("/good/inside"),
            """{ "cluster": "eu", "remotePath": "/apps", "state": "active" }"""u8.ToArray(), acl: Private);

        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()).Any(m => m.Error?.Contains("overlaps the older mount on /good") == true));

        Assert.Equal(["/good"], _proxy.Host.Path.Region.Mounts.Mounts.Select(m => m.Path));
    }

    [Theory]
    [InlineData(ZooNetTree.Root)]
    [InlineData(ZooNetTree.Mounts)]
    [InlineData(ZooNetTree.Proxies)]
    [InlineData(ZooNetTree.Views)]
    [InlineData(ZooNetTree.Sessions)]
    public async Task What_the_proxies_keep_is_writable_with_the_secret_only_and_readable_by_everybody(string folder)
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");

        var refused = await Assert.ThrowsAsync<KeeperException>(() => _us.CreateAsync($"{folder}/x", "{}"u8.ToArray()));

        Assert.Equal(ErrorCode.NoAuth, refused.Code);
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => _us.SetDataAsync(folder, []))).Code);
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => _us.SetAclAsync(folder, Acl.Open))).Code);
        await _us.GetDataAsync(folder);
        await _us.GetChildrenAsync(folder);
    }

    [Fact]
    public async Task A_mount_that_did_not_change_keeps_its_counters_when_another_one_is_made()
    {
        await _proxy.MountAsync("eu:/apps", "/one");
        var before = _proxy.Host.Path.Region.Mounts.At("/one");

        await _proxy.MountAsync("eu:/apps", "/two");

        Assert.Same(before, _proxy.Host.Path.Region.Mounts.At("/one"));
    }

    [Fact]
    public async Task While_the_remote_cluster_is_down_mounting_it_is_refused_and_unmounting_works()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        await _regions.Eu.DisposeAsync();
        await TwoRegions.Eventually(() => Task.FromResult(!_proxy.IsUp(1)));

        var (status, message) = await _proxy.MountAsync("eu:/apps", "/m");
        Assert.Equal(503, status);
        Assert.Contains("the cluster 'eu' can't be reached", message);
        Assert.False((await _proxy.MountsAsync())[0].Up);
        Assert.Equal(200, (await _proxy.UnmountAsync("/mnt/eu")).Status);
    }

    [Fact]
    public async Task While_home_is_down_a_mount_is_refused_and_the_last_table_stays_in_use()
    {
        await _proxy.MountAsync("eu:/apps", "/mnt/eu");
        await _regions.Us.DisposeAsync();
        await TwoRegions.Eventually(() => Task.FromResult(!_proxy.IsUp(0)));

        var (status, message) = await _proxy.MountAsync("eu:/apps", "/m");

        Assert.Equal(503, status);
        Assert.Contains("the cluster 'us' can't be reached", message);
        Assert.NotNull(_proxy.Host.Path.Region.Mounts.At("/mnt/eu"));
    }

    private static readonly IReadOnlyList<Acl> Private = new ProxySecret(Secret).Acl;

    private const string Secret = ZooNet.Proxy.Configuration.ProxyConfig.DefaultSecret;
}
