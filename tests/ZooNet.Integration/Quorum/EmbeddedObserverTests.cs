using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Integration.Quorum;

/// <summary>A proxy that is an observer of the cluster it mounts: nothing is configured of that cluster but its quorum ports.</summary>
public sealed class EmbeddedObserverTests
{
    [SkippableFact]
    public async Task A_mount_is_served_with_the_quorum_ports_alone_and_outlives_its_leaders()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("home");
        await using var remote = await RealEnsemble.StartAsync("far", new() { Voters = 3 });
        await using var far = await remote.ConnectAsync();
        await far.CreateAsync("/apps", [1]);
        await using var proxy = await Proxies.StartAsync(home, remote, config => QuorumOnly(config, remote));
        await proxy.MountAsync("far:/apps", "/mnt");
        await using var client = await proxy.ConnectAsync(TimeSpan.FromSeconds(20));
        var fired = new ConcurrentQueue<string>();
        client.WatchFired += e => fired.Enqueue($"{e.Type} {e.Path}");
        Assert.Equal([1], (await client.GetDataAsync("/mnt")).Data!);
        await client.CreateAsync("/mnt/mine", flags: CreateFlags.Ephemeral);
        await client.ExistsAsync("/mnt/awaited", watch: true);
        Assert.True((await far.ExistsAsync("/apps/mine")).Exists);
        Assert.Equal("observer@" + proxy.Config.ProxyId, Assert.Single(proxy.Path.Pools[1].Servers).Address);

        for (byte i = 0; i < 2; i++)
        {
            var leader = (await remote.LeaderAsync())!;
            await leader.KillAsync();
            var session = client.SessionId;
            Assert.Equal(session, (await Eventually.AgainAsync(() => client.SetDataAsync("/mnt/mine", [i]))).Stat.EphemeralOwner);
            Assert.Equal([i], (await Eventually.AgainAsync(() => client.GetDataAsync("/mnt/mine"))).Data!);
            await leader.RestartAsync();
        }

        await Eventually.AgainAsync(() => far.CreateAsync("/apps/awaited"));
        await Eventually.Async(() => fired.Contains("Created /mnt/awaited"), "the watch that was set before the first leader died");
        await client.CloseAsync();
        // Whichever server is asked: it may learn of the end later than the observer, so it is asked to sync.
        await Eventually.AgainAsync(() => far.SyncAsync());
        Assert.False((await far.ExistsAsync("/apps/mine")).Exists);
    }

    [SkippableFact]
    public async Task It_keeps_what_is_mounted_takes_on_what_is_mounted_later_and_ends_with_the_last_mount()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("home");
        await using var remote = await RealEnsemble.StartAsync("far");
        await using var far = await remote.ConnectAsync();
        foreach (var path in (string[])["/a", "/a/x", "/b", "/b/x", "/c", "/c/x"])
        {
            await far.CreateAsync(path, new byte[1000]);
        }
        await using var proxy = await Proxies.StartAsync(home, remote, config => config with
        {
            Remotes = [config.Remotes[0] with { Quorum = [.. remote.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))] }],
        });
        var observers = proxy.Services.GetRequiredService<EmbeddedObservers>();
        Assert.Null(observers.Of(1));
        await proxy.MountAsync("far:/a", "/mnt/a");
        await Eventually.Async(() => observers.Of(1) is { IsReady: true }, "it follows with the first mount");
        await using var client = await proxy.ConnectAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(1000, (await client.GetDataAsync("/mnt/a/x")).Data!.Length);
        Assert.InRange(observers.Of(1)!.Znodes.Bytes, 2000, 2999);

        await proxy.MountAsync("far:/b", "/mnt/b");
        Assert.Equal(1000, (await client.GetDataAsync("/mnt/b/x")).Data!.Length);
        Assert.Equal(1000, (await client.GetDataAsync("/mnt/a/x")).Data!.Length);
        await client.SetDataAsync("/mnt/b/x", [1]);
        await Eventually.Async(() => observers.Of(1) is { IsReady: true } own && own.Keeps("/b"), "it has taken on the second mount");
        Assert.False(observers.Of(1)!.Keeps("/c"));

        await proxy.UnmountAsync("/mnt/a");
        await proxy.UnmountAsync("/mnt/b");
        await Eventually.Async(() => observers.Of(1) is null, "it ended with the last mount");
        await proxy.MountAsync("far:/c", "/mnt/c");
        Assert.Equal(1000, (await client.GetDataAsync("/mnt/c/x")).Data!.Length);
    }

    [SkippableFact]
    public async Task The_quorum_ports_are_found_where_the_cluster_tells_them_and_a_restart_goes_on_from_the_state_on_disk()
    {
        Jars.Require();
        var folder = OwnedFolder.Create("observer-data");
        try
        {
            await using var home = await RealEnsemble.StartAsync("home");
            await using var remote = await RealEnsemble.StartAsync("far", new() { Voters = 3 });
            await using var far = await remote.ConnectAsync();
            await far.CreateAsync("/apps", [1]);
            for (var start = 0; start < 2; start++)
            {
                await using var proxy = await Proxies.StartAsync(home, remote, config => config with
                {
                    Remotes = [config.Remotes[0] with { FindsQuorum = true, Observer = new(folder, null, null) }],
                });
                if (start == 0)
                {
                    await proxy.MountAsync("far:/apps", "/mnt");
                }
                var observers = proxy.Services.GetRequiredService<EmbeddedObservers>();
                await Eventually.Async(() => observers.Of(1)?.IsReady == true, "it follows");
                await using var client = await proxy.ConnectAsync();
                Assert.Equal([1], (await client.GetDataAsync("/mnt")).Data!);
                Assert.Equal(start == 0 ? 1 : 0, observers.Of(1)!.Snapshots);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SkippableFact]
    public async Task While_the_observer_has_no_leader_the_configured_servers_serve_and_status_says_so()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("home");
        await using var remote = await RealEnsemble.StartAsync("far");
        await using var far = await remote.ConnectAsync();
        await far.CreateAsync("/apps", [1]);
        // A client port in place of the quorum port: it can't follow there.
        var wrong = new HostPort("127.0.0.1", FreePorts.Take());
        await using var proxy = await Proxies.StartAsync(home, remote, config =>
            config with { Remotes = [config.Remotes[0] with { Quorum = [wrong] }] });
        await proxy.MountAsync("far:/apps", "/mnt");
        await using var client = await proxy.ConnectAsync();

        Assert.Equal([1], (await client.GetDataAsync("/mnt")).Data!);

        await Eventually.Async(() => proxy.Services.GetRequiredService<EmbeddedObservers>().Of(1)?.Problem is not null, "it has tried");
        var problem = Assert.Single(proxy.Services.GetRequiredService<StatusReporter>().Status().Problems, p => p.Contains("observer"));
        Assert.Contains(wrong.ToString(), problem, StringComparison.Ordinal);
    }

    private static ProxyConfig QuorumOnly(ProxyConfig config, RealEnsemble remote) => config with
    {
        Remotes = [config.Remotes[0] with { Observers = [], Servers = [], Quorum = [.. remote.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))] }],
    };
}
