using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Xunit.Abstractions;
using ZooNet.Client;
using ZooNet.Integration.Clients;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Integration;

/// <summary>
/// All servers of an ensemble are exchanged by ZooKeeper's own reconfiguration, under load, and nothing is done at the proxy.
/// </summary>
public sealed class ReconfigTests(ITestOutputHelper report)
{
    private const int Voters = 3;

    private static readonly ClientProgram Kazoo = new("kazoo/rolling_restart.py", ("/usr/bin/python3", "python3"),
        ("/usr/lib/python3/dist-packages/kazoo/client.py", "python3-kazoo"));

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

    /// <summary>
    /// Both ensembles in one run, under unmodified clients with locks, ephemerals and watches at home and in the mount. One proxy process
    /// sees all of it.
    /// </summary>
    [SkippableFact]
    public async Task Twenty_clients_lose_nothing_while_all_servers_of_eu_and_then_of_us_are_replaced()
    {
        Kazoo.Require();
        Skip.If(Environment.GetEnvironmentVariable("ZOONET_LONG") is null,
            "takes a minute, and the test above has each half: ZOONET_LONG=1");
        var folder = OwnedFolder.Create("reconfig");
        RealEnsembleOptions changing = new() { Voters = Voters, Reconfigurable = true };
        await using var us = await RealEnsemble.StartAsync("us", changing);
        await using var eu = await RealEnsemble.StartAsync("eu", changing);
        JsonObject Followed(RealEnsemble ensemble) => new() { ["servers"] = ensemble.ConnectString, ["follow"] = true };
        var home = Followed(us);
        home["cluster"] = "us";
        await using var proxy = await ProxyProcess.StartAsync(us, [eu], new()
        {
            ["home"] = home,
            ["remotes"] = new JsonObject { ["eu"] = Followed(eu) },
        });
        var process = proxy.ProcessId;
        await proxy.WaitClustersAsync();
        await proxy.MountAsync("eu:/apps", "/mnt/eu", "create");
        var (ready, until) = (Path.Combine(folder, "ready"), Path.Combine(folder, "until"));
        var clients = Kazoo.RunAsync("--hosts", proxy.Address.ToString(), "--places", "/,/mnt/eu", "--clients", "20", "--ready", ready,
            "--until", until);
        await Eventually.Async(() => File.Exists(ready) || clients.IsCompleted, "all clients at work", TimeSpan.FromMinutes(2));

        foreach (var ensemble in (RealEnsemble[])[eu, us])
        {
            foreach (var old in ensemble.Voters.ToList())
            {
                await ensemble.JoinAsync();
                await ensemble.LeaveAsync(old);
            }
            await Eventually.Async(async () => (await ServersAsync(proxy, ensemble.Name)).SequenceEqual(
                ensemble.Addresses.Select(a => a.ToString()).Order()), $"the proxy knows the new servers of {ensemble.Name}",
                TimeSpan.FromSeconds(90));
        }
        await File.WriteAllTextAsync(until, "");

        var output = await clients;
        Assert.Contains("PASS no session is lost", output, StringComparison.Ordinal);
        Assert.DoesNotContain("FAIL ", output, StringComparison.Ordinal);
        Assert.Equal(process, proxy.ProcessId);
        report.WriteLine(output);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The servers that a proxy knows of a cluster, as <c>zoonet clusters</c> shows them.</summary>
    private static async Task<IEnumerable<string>> ServersAsync(ProxyProcess proxy, string cluster)
    {
        using var http = new HttpClient { BaseAddress = proxy.Admin };
        var clusters = await http.GetFromJsonAsync<JsonElement>("api/v1/clusters");
        return clusters.EnumerateArray().Single(c => c.GetProperty("name").GetString() == cluster).GetProperty("servers").EnumerateArray()
            .Select(s => s.GetProperty("address").GetString()!).Order();
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
