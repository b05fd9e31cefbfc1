using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Integration;

/// <summary>
/// A home ensemble of three servers that loses one of them, and its quorum. What is mounted is a test's own as well: a region that is gone
/// for good is waited for by every other region that it shares a cluster with.
/// </summary>
[Collection(RegionsCollection.Name)]
public sealed class HomeServerTests
{
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(10);

    [SkippableFact]
    public async Task Whichever_home_server_dies_a_client_keeps_its_session_its_ephemerals_and_its_watches()
    {
        Jars.Require();
        await using var home = await RealEnsemble.StartAsync("three", new() { Voters = 3 });
        await using var remote = await RealEnsemble.StartAsync("far");
        await using var far = await remote.ConnectAsync();
        await far.CreateAsync("/h-fail");
        await using var proxy = await Proxies.StartAsync(home, remote);
        await proxy.MountAsync("far:/h-fail", "/mnt");
        await using var client = await proxy.ConnectAsync(SessionTimeout);
        var fired = new HashSet<string>();
        client.WatchFired += e => { lock (fired) { fired.Add($"{e.Type} {e.Path}"); } };
        string[] mine = ["/mine", "/mnt/mine"];
        foreach (var path in mine)
        {
            await client.CreateAsync(path, flags: CreateFlags.Ephemeral);
        }
        await client.ExistsAsync("/awaited", watch: true);
        await client.ExistsAsync("/mnt/awaited", watch: true);
        var session = client.SessionId;

        // One after the other, so that the leader is among them and the server of the client's own link.
        foreach (var server in home.Voters.ToList())
        {
            await server.KillAsync();
            Assert.Equal(mine, (await Eventually.AgainAsync(() => client.GetEphemeralsAsync("/"))).Value.Order());
            foreach (var path in mine)
            {
                Assert.Equal(session, (await Eventually.AgainAsync(() => client.SetDataAsync(path, null))).Stat.EphemeralOwner);
            }
            await server.RestartAsync();
        }

        Assert.Equal(session, client.SessionId);
        await using (var direct = await home.ConnectAsync())
        {
            await direct.CreateAsync("/awaited");
        }
        await far.CreateAsync("/h-fail/awaited");
        await Eventually.Async(() => { lock (fired) { return fired.IsSupersetOf(["Created /awaited", "Created /mnt/awaited"]); } }, "the watches that were set before the first server died");
        await client.CloseAsync();
        Assert.False((await far.ExistsAsync("/h-fail/mine")).Exists);
    }

    [SkippableFact]
    public async Task A_client_that_takes_a_read_only_server_reads_while_home_has_no_quorum_and_others_are_turned_away()
    {
        Jars.Require();
        // Without a quorum there are no sessions but a server's own.
        await using var home = await RealEnsemble.StartAsync("readonly", new()
        {
            Voters = 3,
            Config = ["localSessionsEnabled=true", "localSessionsUpgradingEnabled=true"],
            Jvm = ["-Dreadonlymode.enabled=true"],
        });
        await using var proxy = await Proxies.StartAsync(home, []);
        await using (var direct = await home.ConnectAsync(home.Servers[0]))
        {
            await direct.CreateAsync("/x", [1]);
        }
        // Before it has read the mount table, a proxy lets nobody in.
        await using (await proxy.ConnectAsync(SessionTimeout))
        {
        }
        await home.Servers[1].KillAsync();
        await home.Servers[2].KillAsync();
        // A leader finds out at its next tick that nobody follows it any more, and lets clients in until then.
        await Eventually.Async(async () => await home.Servers[0].ModeAsync() == "read-only", "the server that is left serves readers only");

        await using var client = await UntilLetInAsync(proxy);
        Assert.True(client.IsReadOnly);
        Assert.Equal([1], (await client.GetDataAsync("/x")).Data!);
        Assert.Equal(ErrorCode.NotReadOnly, (await Assert.ThrowsAsync<KeeperException>(() => client.SetDataAsync("/x", [2]))).Code);
        await Assert.ThrowsAsync<IOException>(() => RawClient.ConnectAsync(proxy.Address(), readOnly: false));

        await Task.WhenAll(home.Servers[1].RestartAsync(), home.Servers[2].RestartAsync());
        await Eventually.Async(async () => await home.Servers[0].ModeAsync() is "leader" or "follower", "there is a quorum again");
        await using var writer = await proxy.ConnectAsync(SessionTimeout);
        Assert.Equal(1, (await Eventually.AgainAsync(() => writer.SetDataAsync("/x", [2]))).Stat.Version);
    }

    /// <summary>A server without a quorum serves readers only after it has looked for the others for two seconds.</summary>
    private static async Task<ZooKeeperClient> UntilLetInAsync(ProxyHost proxy)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        return await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [proxy.Address()], SessionTimeout = SessionTimeout, ReadOnly = true }, limit.Token);
    }
}
