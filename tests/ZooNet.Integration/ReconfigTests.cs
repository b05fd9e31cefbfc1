using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Integration;

/// <summary>
/// All servers of an ensemble are exchanged by ZooKeeper's own reconfiguration, under load, and nothing is done at the proxy.
/// </summary>
public sealed class ReconfigTests
{
    private const int Voters = 3;

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_servers_are_replaced_and_a_client_keeps_its_session_and_its_ephemeral(bool atHome)
    {
        Jars.Require();
        RealEnsembleOptions changing = new() { Voters = Voters, Reconfigurable = true };
        await using var us = await RealEnsemble.StartAsync("us", atHome ? changing : null);
        await using var eu = await RealEnsemble.StartAsync("eu", atHome ? null : changing);
        var ensemble = atHome ? us : eu;
        await using (var direct = await eu.ConnectAsync())
        {
            await direct.CreateAsync("/shared", "0"u8.ToArray());
        }
        await using var proxy = await Proxies.StartAsync(us, eu, c => c with
        {
            Home = c.Home with { Follow = atHome },
            Remotes = [c.Remotes[0] with { Follow = !atHome }],
        });
        await proxy.MountAsync("eu:/shared", "/mnt");
        await using var client = await proxy.ConnectAsync(TimeSpan.FromSeconds(30));
        var session = client.SessionId;
        var parent = atHome ? "" : "/mnt";
        await client.CreateAsync($"{parent}/ephemeral", flags: CreateFlags.Ephemeral);
        var made = (await client.ExistsAsync($"{parent}/ephemeral")).Stat!.Value.Czxid;
        await client.CreateAsync($"{parent}/count");
        using var stop = new CancellationTokenSource();
        var load = CountAsync(client, $"{parent}/count", stop.Token);

        foreach (var old in ensemble.Voters.ToList())
        {
            await ensemble.JoinAsync();
            await ensemble.LeaveAsync(old);
        }
        var addresses = proxy.Services.GetRequiredService<ClusterControls>()[atHome ? 0 : 1].Addresses;
        await Eventually.Async(() => addresses.Servers.Select(s => s.Port).Order()
            .SequenceEqual(ensemble.Voters.Select(v => v.ClientPort).Order()),
            "the proxy knows the new servers", TimeSpan.FromSeconds(90));
        await stop.CancelAsync();
        var counted = await load.WaitAsync(TimeSpan.FromMinutes(2));

        Assert.Equal("/zookeeper/config", addresses.Source);
        Assert.Equal(session, client.SessionId);
        Assert.True(counted > 0);
        var fresh = await Eventually.AgainAsync(async () => await client.GetDataAsync($"{parent}/count"));
        Assert.Equal(counted, fresh.Stat.Version);
        var stat = (await Eventually.AgainAsync(async () => await client.ExistsAsync($"{parent}/ephemeral"))).Stat!.Value;
        Assert.Equal((session, made), (stat.EphemeralOwner, stat.Czxid));
        await using var other = await ensemble.ConnectAsync();
        Assert.Equal(made, (await other.ExistsAsync(atHome ? "/ephemeral" : "/shared/ephemeral")).Stat!.Value.Czxid);
    }

    /// <summary>Writes one znode again and again, each write once.</summary>
    /// <returns>How many writes were done.</returns>
    private static async Task<int> CountAsync(ZooKeeperClient client, string path, CancellationToken stop)
    {
        var version = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                version = (await client.SetDataAsync(path, [], version, CancellationToken.None)).Stat.Version;
            }
            catch (KeeperException e) when (e.Code is ErrorCode.ConnectionLoss or ErrorCode.BadVersion)
            {
                // Done or not: the next look says it, and nobody else writes.
                version = (await Eventually.AgainAsync(async () => await client.GetDataAsync(path))).Stat.Version;
            }
        }
        return version;
    }
}
