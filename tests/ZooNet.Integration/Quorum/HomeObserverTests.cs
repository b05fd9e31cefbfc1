using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Integration.Clients;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Upstream;
using ZooNet.Wan;

namespace ZooNet.Integration.Quorum;

/// <summary>A proxy that is an observer of its own region's ensemble (<c>home.observe</c>).</summary>
public sealed class HomeObserverTests
{
    [SkippableFact]
    public async Task A_client_of_an_observing_proxy_moves_to_a_real_server_and_back_with_session_ephemerals_and_watches()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("home", new() { Jvm = [ClientsFixture.SuperUser] });
        await using var direct = await home.ConnectAsync();
        await direct.CreateAsync("/closed", [9], acl: [new Acl(Permissions.All, "digest", "nobody:-")]);
        await using var proxy = await ObserveAsync(home, QuorumOf(home));
        List<ServerAddress> servers = [proxy.Address()];
        await using var client = await ConnectAsync(servers, TimeSpan.FromSeconds(10));
        var fired = new ConcurrentQueue<string>();
        client.WatchFired += e => fired.Enqueue($"{e.Type} {e.Path}");
        var session = client.SessionId;

        Assert.Equal("/seq-0000000001", (await client.CreateAsync("/seq-", flags: CreateFlags.PersistentSequential)).Path);
        await client.CreateAsync("/mine", [1], CreateFlags.Ephemeral);
        await client.MultiAsync([MultiOp.Create("/a", [1]), MultiOp.SetData("/a", [2])]);
        Assert.Equal([2], (await client.GetDataAsync("/a")).Data!);
        await direct.SetDataAsync("/a", [3]);
        await client.SyncAsync();
        Assert.Equal([3], (await client.GetDataAsync("/a")).Data!);
        await client.ExistsAsync("/first", watch: true);
        await client.ExistsAsync("/second", watch: true);
        Assert.Equal($"observer@{proxy.Config.ProxyId}", Assert.Single(proxy.Path.Pools[0].Servers, s => s == proxy.Path.Pools[0].Current).Address);

        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => client.GetDataAsync("/closed"))).Code);
        await client.AddAuthAsync("digest", "super:test"u8.ToArray());
        Assert.Equal([9], (await client.GetDataAsync("/closed")).Data!);
        await client.SetDataAsync("/closed", [8]);

        servers[0] = home.Addresses[0];
        await client.ReconnectAsync();
        Assert.Equal(session, (await client.SetDataAsync("/mine", [2])).Stat.EphemeralOwner);
        await direct.CreateAsync("/first");
        await Eventually.Async(() => fired.Contains("Created /first"), "the watch, at a real server");

        servers[0] = proxy.Address();
        await client.ReconnectAsync();
        Assert.Equal(session, (await client.SetDataAsync("/mine", [3])).Stat.EphemeralOwner);
        Assert.Equal([3], (await client.GetDataAsync("/mine")).Data!);
        await direct.CreateAsync("/second");
        await Eventually.Async(() => fired.Contains("Created /second"), "the watch, back at the proxy");
        Assert.Equal(session, client.SessionId);

        var words = proxy.Services.GetRequiredService<FourLetterWords>();
        var srvr = await words.AnswerAsync("srvr");
        Assert.Contains("\nMode: observer\n", srvr, StringComparison.Ordinal);
        Assert.StartsWith("Zookeeper version: 3.", srvr, StringComparison.Ordinal);
        Assert.Contains("zk_server_state\tobserver\n", await words.AnswerAsync("mntr"), StringComparison.Ordinal);
        await client.CloseAsync();
        await direct.SyncAsync();
        Assert.False((await direct.ExistsAsync("/mine")).Exists);
    }

    [SkippableFact]
    public async Task A_session_outlives_the_leaders_reads_its_own_writes_lives_by_pings_alone_and_ends_when_its_client_vanishes()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("home", new() { Voters = 3 });
        await using var direct = await home.ConnectAsync();
        await using var proxy = await ObserveAsync(home, QuorumOf(home));
        await using var client = await proxy.ConnectAsync(TimeSpan.FromSeconds(10));
        await using var idle = await proxy.ConnectAsync(TimeSpan.FromSeconds(2));
        var session = client.SessionId;
        await client.CreateAsync("/mine", [0], CreateFlags.Ephemeral);
        await idle.CreateAsync("/idle", flags: CreateFlags.Ephemeral);

        // The one that does nothing but ping has lived longer than the others' timeouts when they have ended.
        for (var i = 0; i < 2; i++)
        {
            var vanishing = await proxy.ConnectAsync(TimeSpan.FromSeconds(2));
            await vanishing.CreateAsync("/vanishing", flags: CreateFlags.Ephemeral);
            await vanishing.DetachAsync();
            await Eventually.Async(async () => !(await direct.ExistsAsync("/vanishing")).Exists, "its client is gone");
        }
        Assert.True((await direct.ExistsAsync("/idle")).Exists);

        for (byte i = 1; i <= 2; i++)
        {
            var leader = (await home.LeaderAsync())!;
            await leader.KillAsync();
            Assert.Equal(session, (await Eventually.AgainAsync(() => client.SetDataAsync("/mine", [i]))).Stat.EphemeralOwner);
            await leader.RestartAsync();
        }

        Assert.Equal(session, client.SessionId);
        for (byte i = 0; i < 100; i++)
        {
            var written = client.SetDataAsync("/mine", [i]);
            var read = await client.GetDataAsync("/mine");
            Assert.Equal([i], read.Data!);
            await written;
        }
    }

    [SkippableFact]
    public async Task Without_a_quorum_port_the_servers_serve_the_same_sessions_and_status_says_so_until_it_is_back()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("home");
        await using var relay = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), home.QuorumPorts[0]);
        relay.Cut();
        await using var proxy = await ObserveAsync(home, [new HostPort("127.0.0.1", relay.LocalEndPoint.Port)], isFollowing: false);
        await using var client = await ConnectAsync([proxy.Address()], TimeSpan.FromSeconds(10));
        var own = proxy.Services.GetRequiredService<EmbeddedObservers>().Of(0)!;
        var status = proxy.Services.GetRequiredService<StatusReporter>();
        await client.CreateAsync("/mine", flags: CreateFlags.Ephemeral);
        var session = client.SessionId;
        await Eventually.Async(() => status.Status().Problems.Any(p => p.Contains("observer of 'home'", StringComparison.Ordinal)), "it says so");

        relay.Heal();
        await Eventually.Async(() => own.IsReady, "it follows");
        Assert.DoesNotContain(status.Status().Problems, p => p.Contains("observer", StringComparison.Ordinal));
        await client.ReconnectAsync();
        Assert.Equal(own.Name, proxy.Path.Pools[0].Current!.Address);
        Assert.Equal(session, (await client.SetDataAsync("/mine", [1])).Stat.EphemeralOwner);

        relay.Cut();
        Assert.Equal(session, (await Eventually.AgainAsync(() => client.SetDataAsync("/mine", [2]))).Stat.EphemeralOwner);
        Assert.NotEqual(own.Name, proxy.Path.Pools[0].Current!.Address);
    }

    private static HostPort[] QuorumOf(RealEnsemble home) => [.. home.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))];

    private static async Task<ProxyHost> ObserveAsync(RealEnsemble home, IReadOnlyList<HostPort> quorum, bool isFollowing = true)
    {
        var proxy = await Proxies.StartAsync(home, [], config => config with
        {
            Home = config.Home with { Quorum = quorum, Observer = config.Home.Observer with { SuperDigest = ClientsFixture.SuperDigest } },
            FourLetterWords = ProxyConfigLoader.KnownWords,
        });
        if (isFollowing)
        {
            var observers = proxy.Services.GetRequiredService<EmbeddedObservers>();
            await Eventually.Async(() => observers.Of(0)?.IsReady == true, "it follows");
        }
        await Eventually.Async(() => proxy.Services.GetRequiredService<StatusReporter>().IsReady, "it is ready");
        return proxy;
    }

    private static Task<ZooKeeperClient> ConnectAsync(IReadOnlyList<ServerAddress> servers, TimeSpan timeout) =>
        ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = servers, SessionTimeout = timeout });
}
