using System.Collections.Concurrent;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>Clusters of ZooKeeper 3.5, which know less.</summary>
public sealed class OldServerTests
{
    [Fact]
    public async Task A_proxy_of_old_clusters_is_ready_mounts_and_keeps_its_control_sessions()
    {
        await using var regions = await TwoRegions.StartAsync();
        await using var us = new OldServer(regions.Us.Address);
        await using var eu = new OldServer(regions.Eu.Address);
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(config => config with
        {
            Home = config.Home with { Servers = [new HostPort("127.0.0.1", us.Port)] },
            Remotes = [config.Remotes[0] with { Servers = [new HostPort("127.0.0.1", eu.Port)] }],
        });

        await TwoRegions.Eventually(async () => (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        // The first time that the watch is asked for, the control session's connection ends, and a mount may be refused meanwhile.
        await TwoRegions.Eventually(async () => (await proxy.MountAsync("eu:/apps", "/mnt")).Status is 200 or 201);
        await TwoRegions.Eventually(async () => (await proxy.MountsAsync()).Single().State == "active");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/mnt/a", flags: CreateFlags.Ephemeral);
        await client.CreateAsync("/a");

        Assert.Equal(["a"], (await client.GetChildrenAsync("/mnt")).Names);
        Assert.Equal(client.SessionId, (await client.ExistsAsync("/mnt/a")).Stat!.Value.EphemeralOwner);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_with_an_ephemeral_in_an_old_cluster_comes_back_whatever_it_watches_at_home(bool watches)
    {
        await using var regions = await TwoRegions.StartAsync();
        await using var eu = new OldServer(regions.Eu.Address);
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(config => config with
        {
            Remotes = [config.Remotes[0] with { Servers = [new HostPort("127.0.0.1", eu.Port)] }],
        });
        await TwoRegions.Eventually(async () => (await proxy.MountAsync("eu:/apps", "/mnt")).Status is 200 or 201);
        await TwoRegions.Eventually(async () => (await proxy.MountsAsync()).Single().State == "active");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        if (watches)
        {
            // Home knows it; what is mounted below does not.
            await client.AddWatchAsync("/", AddWatchMode.PersistentRecursive);
        }
        await Again(() => client.CreateAsync("/mnt/a", flags: CreateFlags.Ephemeral), ErrorCode.NodeExists);
        var session = client.SessionId;

        for (var i = 0; i < 3; i++)
        {
            await client.ReconnectAsync();
            await Again(() => client.ExistsAsync("/mnt/a"));
        }

        Assert.Equal(session, client.SessionId);
        Assert.Equal(session, (await client.ExistsAsync("/mnt/a")).Stat!.Value.EphemeralOwner);
        await client.CreateAsync("/mnt/b");
    }

    [Fact]
    public async Task A_server_without_TTL_znodes_is_not_taken_for_an_old_one_and_lasting_watches_stay()
    {
        await using var regions = await TwoRegions.StartAsync();
        await using var eu = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { ExtendedTypes = false });
        var direct = await regions.ConnectAsync(eu.Address);
        await direct.CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(config => config with
        {
            Remotes = [config.Remotes[0] with { Servers = [new HostPort("127.0.0.1", eu.Address.Port)] }],
        });
        await TwoRegions.Eventually(async () => (await proxy.MountAsync("eu:/apps", "/mnt")).Status is 200 or 201);
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        var seen = new ConcurrentQueue<string>();
        client.WatchFired += e => seen.Enqueue(e.Path);
        await client.AddWatchAsync("/mnt", AddWatchMode.PersistentRecursive);

        var refused = await Assert.ThrowsAsync<KeeperException>(
            () => client.CreateAsync("/mnt/ttl", flags: CreateFlags.PersistentWithTtl, ttl: TimeSpan.FromMinutes(1)));
        Assert.Equal(ErrorCode.Unimplemented, refused.Code);

        for (var i = 0; i < 2; i++)
        {
            await client.ReconnectAsync();
            await Again(() => client.ExistsAsync("/mnt"));
            await direct.CreateAsync($"/apps/{i}");
            await TwoRegions.Eventually(() => Task.FromResult(seen.Contains($"/mnt/{i}")));
        }
    }

    /// <summary>The first time that an old server is asked for what it does not know, it closes the connection.</summary>
    private static Task Again(Func<Task> operation, ErrorCode done = ErrorCode.Ok) => TwoRegions.Eventually(async () =>
    {
        try
        {
            await operation().WaitAsync(TimeSpan.FromSeconds(10));
            return true;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss || e.Code == done)
        {
            return e.Code == done;
        }
    });

    [Fact]
    public async Task A_client_learns_that_an_operation_is_unknown_though_the_answer_overtakes_others()
    {
        await using var regions = await TwoRegions.StartAsync();
        await using var old = new OldServer(regions.Us.Address);
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [new ServerAddress("127.0.0.1", old.Port)] });
        var before = Enumerable.Range(0, 50).Select(i => client.CreateAsync($"/{i}")).ToArray();

        var refused = await Assert.ThrowsAsync<KeeperException>(() => client.AddWatchAsync("/", AddWatchMode.Persistent));

        Assert.Equal(ErrorCode.Unimplemented, refused.Code);
        await Task.WhenAny(Task.WhenAll(before)); // They succeed or fail with the connection, as the server had the time.
        Assert.True((await client.ExistsAsync("/")).Exists);
    }
}
