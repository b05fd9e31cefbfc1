using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;

namespace ZooNet.Proxy.Tests.Roaming;

/// <summary>A roaming tree in front of clients: two regions, a proxy each, the tree "orders" mounted in both.</summary>
public sealed class TreeTests
{
    [Fact]
    public async Task Clients_of_both_regions_share_a_tree_and_its_versions_and_watches_go_on_over_a_move()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await WithTreeAsync(regions);
        var inUs = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        var inEu = await regions.ConnectAsync(eu.Host.ClientEndPoints[0]);
        var events = Channel.CreateUnbounded<WatchNotification>();
        inEu.WatchFired += e => events.Writer.TryWrite(e);

        await inUs.CreateAsync("/shared/a", "1"u8.ToArray());
        Assert.Equal("1", Text(await ReadAsync(inEu, "/shared/a", watch: true)));
        Assert.Equal((200, "the tree 'orders' is owned by eu now"), await MoveAsync(us, "eu"));
        Assert.False(events.Reader.TryRead(out _));
        Assert.Equal(1, (await inUs.SetDataAsync("/shared/a", "2"u8.ToArray(), 0)).Stat.Version);
        Assert.Equal("/shared/a", (await events.Reader.ReadAsync(Limit())).Path);
        Assert.Equal(2, (await inEu.SetDataAsync("/shared/a", "3"u8.ToArray(), 1)).Stat.Version);

        await inUs.SyncAsync("/shared/a");
        var read = await inUs.GetDataAsync("/shared/a");
        Assert.Equal(("3", 2), (Text(read.Data), read.Stat.Version));
        var seen = await inEu.GetDataAsync("/shared/a");
        Assert.Equal((read.Stat.Czxid, read.Stat.Mzxid), (seen.Stat.Czxid, seen.Stat.Mzxid));
        Assert.Equal("eu", (await us.Http.GetFromJsonAsync<TreeInfo>("/api/v1/trees/orders"))!.Owner);
        Assert.Equal("eu", (await us.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/shared/a"))!.Owner);
        Assert.Null((await us.Http.GetFromJsonAsync<ResolveReply>("/api/v1/resolve?path=/a"))!.Owner);
        var metrics = await us.Http.GetStringAsync("/metrics");
        Assert.Contains("""zoonet_tree_owner{tree="orders",zone="eu"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains("""zoonet_tree_epoch{tree="orders"} 2""", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_clients_write_lies_sealed_in_the_zones_and_whoever_walks_them_meets_no_wall()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await WithTreeAsync(regions);
        var client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await client.CreateAsync("/shared/secret", "nobody else's business"u8.ToArray(), acl: [new(Permissions.All, "ip", "10.9.9.9")]);
        Assert.Equal(200, (await MoveAsync(us, "eu")).Status);
        await client.CreateAsync("/shared/more", "nobody else's business"u8.ToArray());

        foreach (var walker in new[] { await regions.ConnectAsync(regions.Us.Address), await regions.ConnectAsync(regions.Eu.Address) })
        {
            // By now the new owner's zone has a snapshot, too.
            await TwoRegions.Eventually(async () =>
            {
                var seen = new List<string>();
                await WalkAsync(walker, "/zookeeper", seen);
                return seen.Any(p => p.Contains("/log/", StringComparison.Ordinal)
                    && p.Contains("/e-", StringComparison.Ordinal)) || seen.Any(p => p.Contains("/p-", StringComparison.Ordinal));
            });
        }

        static async Task WalkAsync(ZooKeeperClient walker, string path, List<string> seen)
        {
            seen.Add(path);
            try
            {
                var data = (await walker.GetDataAsync(path)).Data;
                Assert.DoesNotContain("business", Encoding.UTF8.GetString(data ?? []), StringComparison.Ordinal);
                foreach (var name in (await walker.GetChildrenAsync(path)).Names)
                {
                    await WalkAsync(walker, $"{path}/{name}", seen);
                }
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                // Trimmed, or a session that has ended.
            }
        }
    }

    [Fact]
    public async Task Sequence_numbers_are_given_once_while_the_tree_moves_under_its_writers()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await WithTreeAsync(regions);
        ZooKeeperClient[] clients =
            [await regions.ConnectAsync(us.Host.ClientEndPoints[0]), await regions.ConnectAsync(eu.Host.ClientEndPoints[0])];
        await clients[0].CreateAsync("/shared/q");

        var all = new[] { new List<string>(), new List<string>() };
        for (var i = 0; i < 8; i++)
        {
            // Under way when the move begins; and each move comes when both have got on.
            var writing = Enumerable.Range(0, 2).Select(async c =>
            {
                for (var j = 0; j < 5; j++)
                {
                    all[c].Add((await clients[c].CreateAsync("/shared/q/n-", [], CreateFlags.PersistentSequential)).Path);
                }
            }).ToList();
            Assert.Equal(200, (await MoveAsync(i % 2 == 0 ? eu : us, i % 2 == 0 ? "eu" : "us")).Status);
            await Task.WhenAll(writing);
        }

        Assert.All(all, paths => Assert.Equal(paths.Order(StringComparer.Ordinal), paths));
        Assert.Equal(Enumerable.Range(0, 80).Select(i => $"/shared/q/n-{i:D10}"), all.SelectMany(p => p).Order(StringComparer.Ordinal));
        await clients[1].SyncAsync("/shared/q");
        Assert.Equal(80, (await clients[1].GetChildrenAsync("/shared/q")).Names.Length);
    }

    [Fact]
    public async Task A_lock_goes_with_the_session_that_holds_it_and_shows_its_own_client_as_owner()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await WithTreeAsync(regions);
        var holder = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        var other = await regions.ConnectAsync(eu.Host.ClientEndPoints[0]);
        await holder.CreateAsync("/shared/lock", [], CreateFlags.Ephemeral);

        Assert.Equal(holder.SessionId, (await holder.ExistsAsync("/shared/lock")).Stat!.Value.EphemeralOwner);
        Assert.Equal(ErrorCode.NodeExists,
            (await Assert.ThrowsAsync<KeeperException>(() => other.CreateAsync("/shared/lock", [], CreateFlags.Ephemeral))).Code);
        await holder.CloseAsync();

        await other.CreateAsync("/shared/lock", [], CreateFlags.Ephemeral);
    }

    [Fact]
    public async Task A_session_of_the_tree_that_is_on_nobodys_record_is_ended()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, _) = await WithTreeAsync(regions);
        // Past the proxies' clients: as what a proxy leaves behind that has died, when its client's record is gone.
        var tree = us.Host.Services.GetRequiredService<TreeServers>().Of(2)!;
        await using var stray = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress(tree.EndPoint.Address.ToString(), tree.EndPoint.Port)],
            Dial = _ => tree.Open(),
        });
        await stray.CreateAsync("/left", [], CreateFlags.Ephemeral);
        await stray.DetachAsync();

        var client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await TwoRegions.Eventually(async () => !(await client.ExistsAsync("/shared/left")).Exists);
    }

    [Fact]
    public async Task A_multi_is_all_or_nothing_and_one_over_tree_and_home_is_refused()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, _) = await WithTreeAsync(regions);
        var client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);

        await client.MultiAsync([MultiOp.Create("/shared/x", []), MultiOp.Create("/shared/x/y", [])]);
        await Assert.ThrowsAsync<KeeperException>(() => client.MultiAsync([MultiOp.Delete("/shared/x/y"), MultiOp.Check("/shared/x", 7)]));
        Assert.True((await client.ExistsAsync("/shared/x/y")).Exists);
        await client.MultiAsync([MultiOp.Check("/shared/x", 0)]);
        await Assert.ThrowsAsync<KeeperException>(() => client.MultiAsync([MultiOp.Create("/home", []), MultiOp.Create("/shared/z", [])]));
        Assert.False((await client.ExistsAsync("/shared/z")).Exists);
    }

    [Theory]
    [InlineData("""{"name":"","zones":["us"],"arbiter":"us"}""", 400, "can't be the name of a znode")]
    [InlineData("""{"name":"a/b","zones":["us"],"arbiter":"us"}""", 400, "contains a slash")]
    [InlineData("""{"name":"t"}""", 400, "it has no zones")]
    [InlineData("""{"name":"t","zones":["us","us"],"arbiter":"us"}""", 400, "the zone 'us' is listed twice")]
    [InlineData("""{"name":"t","zones":["us","ap"],"arbiter":"us"}""", 400,
        "the zone 'ap' is no cluster that this proxy knows (it knows us, eu)")]
    [InlineData("""{"name":"t","zones":["us","orders"],"arbiter":"us"}""", 400, "is a roaming tree itself")]
    [InlineData("""{"name":"t","zones":["eu"],"arbiter":"eu"}""", 400, "is none of its zones")]
    [InlineData("""{"name":"t","zones":["us","eu"]}""", 400, "no arbiter is named")]
    [InlineData("""{"name":"t","zones":["us","eu"],"arbiter":"ap"}""", 400, "the arbiter 'ap' is none of the zones")]
    [InlineData("""{"name":"t","zones":["us","eu"],"arbiter":"us","owner":"ap"}""", 400, "the owner 'ap' is none of the zones")]
    [InlineData("""{"name":"eu","zones":["us","eu"],"arbiter":"us"}""", 409, "is the name of a cluster already")]
    [InlineData("""{"name":"orders","zones":["us","eu"],"arbiter":"us"}""", 409, "there is a tree 'orders' already")]
    [InlineData("""{"name":"orders","zones":["us","eu"],"arbiter":"eu"}""", 409, "delete it first, or choose another name")]
    public async Task What_is_no_tree_is_refused_and_said_why(string body, int status, string why)
    {
        await using var regions = await TwoRegions.StartAsync();
        var us = await regions.StartProxyAsync(WithOrders);
        Assert.Equal(200, (await CreateAsync(us)).Status);

        var answer = await SendAsync(us, HttpMethod.Post, "/api/v1/trees", body);

        Assert.Equal(status, answer.Status);
        Assert.Contains(why, answer.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_changes_nothing_and_a_mounted_tree_is_not_deleted()
    {
        await using var regions = await TwoRegions.StartAsync();
        var us = await regions.StartProxyAsync(WithOrders);
        Assert.Equal(200, (await SendAsync(us, HttpMethod.Post, "/api/v1/trees",
            """{"name":"orders","zones":["us","eu"],"arbiter":"us","dryRun":true}""")).Status);
        Assert.Empty((await us.Http.GetFromJsonAsync<TreeList>("/api/v1/trees"))!.Trees);
        Assert.Contains((await us.StatusAsync()).Problems, p => p.Contains("zoonet tree create orders", StringComparison.Ordinal));

        Assert.Equal(200, (await CreateAsync(us)).Status);
        await TwoRegions.Eventually(() => Task.FromResult(us.IsUp(2)));
        Assert.Equal(201, (await us.MountAsync("orders:/", "/shared")).Status);
        Assert.Equal(409, (await SendAsync(us, HttpMethod.Delete, "/api/v1/trees/orders", null)).Status);
        Assert.Equal(200, (await us.UnmountAsync("/shared")).Status);
        Assert.Equal(200, (await SendAsync(us, HttpMethod.Delete, "/api/v1/trees/orders?dryRun=true", null)).Status);
        Assert.Single((await us.Http.GetFromJsonAsync<TreeList>("/api/v1/trees"))!.Trees);
        Assert.Equal((200, "the tree 'orders' is deleted"), await SendAsync(us, HttpMethod.Delete, "/api/v1/trees/orders", null));

        Assert.Empty((await us.Http.GetFromJsonAsync<TreeList>("/api/v1/trees"))!.Trees);
        var eu = await regions.ConnectAsync(regions.Eu.Address);
        Assert.False((await eu.ExistsAsync("/zookeeper/zoonet/roaming/orders")).Exists);
        // The name is free again.
        Assert.Equal(200, (await CreateAsync(us)).Status);
    }

    [Fact]
    public async Task A_tree_goes_to_the_region_whose_clients_alone_write_and_stays_where_they_take_turns()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await WithTreeAsync(regions);
        ZooKeeperClient[] clients =
            [await regions.ConnectAsync(us.Host.ClientEndPoints[0]), await regions.ConnectAsync(eu.Host.ClientEndPoints[0])];
        await clients[0].CreateAsync("/shared/a");
        Assert.Equal((200, "the tree 'orders' has the policy 'consecutive=4,hold=1s' now"), await SetPolicyAsync(eu, "consecutive=4,hold=1s"));
        // Every proxy hears of it by a watch.
        await TwoRegions.Eventually(() => Task.FromResult(new[] { us, eu }.All(p => IsPlaced(p))));

        for (var i = 0; i < 20; i++)
        {
            await clients[i % 2].SetDataAsync("/shared/a", []);
        }
        Assert.Equal(("us", 1L), await OwnerAsync());
        for (var i = 0; i < 4; i++)
        {
            await clients[1].SetDataAsync("/shared/a", []);
        }
        await TwoRegions.Eventually(async () => await OwnerAsync() == ("eu", 2));
        var tree = (await us.Http.GetFromJsonAsync<TreeInfo>("/api/v1/trees/orders"))!;
        Assert.Equal(("consecutive: 4 writes in a row", "consecutive=4,hold=1s"), (tree.Why, tree.Policy));

        // Pinned it stays, whoever writes.
        Assert.Equal(200, (await SetPolicyAsync(us, "pinned")).Status);
        await TwoRegions.Eventually(() => Task.FromResult(new[] { us, eu }.All(p => !IsPlaced(p))));
        Assert.Equal(200, (await MoveAsync(us, "us")).Status);
        for (var i = 0; i < 8; i++)
        {
            await clients[1].SetDataAsync("/shared/a", []);
        }
        Assert.Equal(("us", 3L), await OwnerAsync());
        Assert.Equal("asked for by an operator", (await us.Http.GetFromJsonAsync<TreeInfo>("/api/v1/trees/orders"))!.Why);

        async Task<(string?, long?)> OwnerAsync() =>
            await us.Http.GetFromJsonAsync<TreeInfo>("/api/v1/trees/orders") is { Moving: false } info ? (info.Owner, info.Epoch) : default;

        static bool IsPlaced(RunningProxy proxy) =>
            proxy.Host.Services.GetRequiredService<RoamingTrees>().Hosts.Single().Server!.Object.IsPlaced;
    }

    [Fact]
    public async Task A_policy_that_is_none_is_refused_and_one_that_nobody_here_knows_pins_the_tree_and_is_told()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, _) = await WithTreeAsync(regions);
        var answer = await SetPolicyAsync(us, "fastest");
        Assert.Equal(400, answer.Status);
        Assert.Contains("the policy 'fastest' is unknown", answer.Message, StringComparison.Ordinal);
        Assert.Equal(404, (await SendAsync(us, HttpMethod.Post, "/api/v1/trees/none/policy", """{"policy":"pinned"}""")).Status);
        Assert.Equal(400, (await SendAsync(us, HttpMethod.Post, "/api/v1/trees",
            """{"name":"t","zones":["us","eu"],"arbiter":"us","policy":"majority,window=1"}""")).Status);

        // As a newer version may have written it.
        var operators = await regions.ConnectAsync(regions.Us.Address);
        foreach (var credentials in new ProxySecret(regions.Config()).Credentials)
        {
            await operators.AddAuthAsync(credentials.Scheme, credentials.Secret);
        }
        var record = await operators.GetDataAsync("/zookeeper/zoonet/roaming/orders");
        var text = Text(record.Data);
        await operators.SetDataAsync("/zookeeper/zoonet/roaming/orders", Encoding.UTF8.GetBytes(text[..^1] + ""","policy":"fastest"}"""));
        await TwoRegions.Eventually(async () => (await us.StatusAsync()).Problems.Any(p =>
            p.StartsWith("the tree 'orders' stays where it is: the policy 'fastest' is unknown", StringComparison.Ordinal)));
        var client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await client.CreateAsync("/shared/b");
        Assert.Equal(200, (await SetPolicyAsync(us, "majority")).Status);
        await TwoRegions.Eventually(async () => (await us.StatusAsync()).Problems.Count == 0);
    }

    [Fact]
    public async Task A_tree_that_another_region_has_mounted_is_not_deleted()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await WithTreeAsync(regions);
        Assert.Equal(200, (await us.UnmountAsync("/shared")).Status);

        var answer = await SendAsync(us, HttpMethod.Delete, "/api/v1/trees/orders", null);

        Assert.Equal((409, "the tree 'orders' is mounted on /shared in eu; unmount it first, in all regions"), answer);
        Assert.Equal(200, (await eu.UnmountAsync("/shared")).Status);
        Assert.Equal(200, (await SendAsync(us, HttpMethod.Delete, "/api/v1/trees/orders", null)).Status);
    }

    internal static async Task<(RunningProxy Us, RunningProxy Eu)> WithTreeAsync(TwoRegions regions,
        Func<ProxyConfig, ProxyConfig>? change = null)
    {
        var (us, eu) = await StartBothAsync(regions, change);
        Assert.Equal(200, (await CreateAsync(us)).Status);
        foreach (var (proxy, ordinal) in new[] { (us, 2), (eu, 1) })
        {
            await TwoRegions.Eventually(() => Task.FromResult(proxy.IsUp(ordinal)));
            await TwoRegions.Eventually(async () => (await proxy.MountAsync("orders:/", "/shared")).Status is 200 or 201);
        }
        return (us, eu);
    }

    internal static async Task<(RunningProxy Us, RunningProxy Eu)> StartBothAsync(TwoRegions regions,
        Func<ProxyConfig, ProxyConfig>? change)
    {
        ProxyConfig Changed(ProxyConfig config) => change?.Invoke(config) ?? config;
        return (await regions.StartProxyAsync(config => Changed(WithOrders(config))),
            await regions.StartProxyAsync(config => Changed(WithOrders(TwoRegions.InEu(config))), waitReady: false));
    }

    private static ProxyConfig WithOrders(ProxyConfig config)
    {
        var remotes = config.Remotes.Append(new ClusterConfig("orders", 0, [], []) { IsTree = true }).OrderBy(r => r.Name,
            StringComparer.Ordinal);
        return config with { Remotes = [.. remotes.Select((r, i) => r with { Ordinal = i + 1 })] };
    }

    private static Task<(int Status, string Message)> CreateAsync(RunningProxy proxy) =>
        SendAsync(proxy, HttpMethod.Post, "/api/v1/trees", """{"name":"orders","zones":["us","eu"],"arbiter":"us"}""");

    private static Task<(int Status, string Message)> MoveAsync(RunningProxy proxy, string zone) =>
        SendAsync(proxy, HttpMethod.Post, "/api/v1/trees/orders/owner", $$"""{"zone":"{{zone}}"}""");

    private static Task<(int Status, string Message)> SetPolicyAsync(RunningProxy proxy, string policy) =>
        SendAsync(proxy, HttpMethod.Post, "/api/v1/trees/orders/policy", $$"""{"policy":"{{policy}}"}""");

    private static async Task<(int Status, string Message)> SendAsync(RunningProxy proxy, HttpMethod method, string path, string? body)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
        };
        using var response = await proxy.Http.SendAsync(request);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>();
        return ((int)response.StatusCode, json.GetProperty(response.IsSuccessStatusCode ? "message" : "detail").GetString()!);
    }

    private static async Task<byte[]?> ReadAsync(ZooKeeperClient client, string path, bool watch)
    {
        await client.SyncAsync(path);
        return (await client.GetDataAsync(path, watch)).Data;
    }

    private static string Text(byte[]? data) => Encoding.UTF8.GetString(data ?? []);

    private static CancellationToken Limit() => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;
}
