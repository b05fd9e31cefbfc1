using System.Net;
using ZooNet.Client;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>The proxy's own rules for paths, through the front door.</summary>
public sealed class ClientRulesTests
{
    [Fact]
    public async Task What_a_rule_forbids_is_NOAUTH_in_its_turn_at_home_in_mounts_and_in_multis()
    {
        await using var regions = await TwoRegions.StartAsync();
        var eu = await regions.ConnectAsync(regions.Eu.Address);
        await eu.CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(c => c with
        {
            Rules = [Rule("/mnt/eu", PathAccess.Read), Rule("/closed", PathAccess.None)],
        });
        Assert.Equal(201, (await proxy.MountAsync("eu:/apps", "/mnt/eu")).Status);
        var us = await regions.ConnectAsync(regions.Us.Address);
        await us.CreateAsync("/closed");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        var before = client.ExistsAsync("/");
        var refused = client.CreateAsync("/mnt/eu/x");
        var after = client.ExistsAsync("/mnt/eu");
        Assert.True((await before).Exists);
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => refused)).Code);
        Assert.True((await after).Exists);

        await AssertRefusedAsync(() => client.GetDataAsync("/closed"));
        await AssertRefusedAsync(() => client.ExistsAsync("/closed/x", watch: true));
        await AssertRefusedAsync(() => client.AddWatchAsync("/", AddWatchMode.PersistentRecursive));
        await AssertRefusedAsync(() => client.MultiAsync([MultiOp.Create("/fine", null), MultiOp.Create("/closed/x", null)]));
        Assert.False((await client.ExistsAsync("/fine")).Exists);
        await AssertRefusedAsync(() => client.MultiAsync([MultiOp.SetData("/mnt/eu", [])]));
        Assert.Equal(2, (await client.MultiAsync([MultiOp.Create("/fine", null), MultiOp.Check("/")])).Results.Count);

        static async Task AssertRefusedAsync(Func<Task> call) =>
            Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(call)).Code);
    }

    [Fact]
    public void A_rule_that_names_the_client_goes_before_one_for_everybody_and_the_stricter_before_the_other()
    {
        ClientRule[] rules =
        [
            Rule("/", PathAccess.None),
            new ClientRule("/", PathAccess.Write, [IPNetwork.Parse("10.1.0.0/16")], []),
            new ClientRule("/", PathAccess.Read, [], ["batch"]),
        ];

        Assert.Equal(PathAccess.None, Of("192.0.2.1", null));
        Assert.Equal(PathAccess.Write, Of("10.1.2.3", null));
        Assert.Equal(PathAccess.Write, Of("10.1.2.3", "other"));
        Assert.Equal(PathAccess.Read, Of("192.0.2.1", "batch"));
        Assert.Equal(PathAccess.Read, Of("10.1.2.3", "batch"));
        Assert.Equal(PathAccess.None, Of(null, null));
        Assert.Null(ClientRule.Of([rules[1]], IPAddress.Parse("192.0.2.1"), null));

        PathAccess Of(string? address, string? name) =>
            ClientRule.Of(rules, address is null ? null : IPAddress.Parse(address), name)!.At("/x"u8);
    }

    [Fact]
    public void Rules_and_balancers_are_read_from_the_configuration_and_what_is_wrong_is_told()
    {
        var good = Load(("rules:batch:path", "/apps"), ("rules:batch:allow", "read"), ("rules:batch:clients", "10.1.0.0/16,cn:batch,10.2.0.1"),
            ("proxyProtocol", "10.9.0.1,10.8.0.0/24"));
        var rule = Assert.Single(good.Config!.Rules);
        Assert.Equal(("/apps", PathAccess.Read, "batch", 2), (rule.Path, rule.Access, Assert.Single(rule.Names), rule.Networks.Count));
        Assert.Equal(2, good.Config.ProxyProtocol.Count);

        Assert.Contains("is no path", Told(("rules:r:path", "apps"), ("rules:r:allow", "read")), StringComparison.Ordinal);
        Assert.Contains("rules.r.allow: is missing", Told(("rules:r:path", "/apps")), StringComparison.Ordinal);
        Assert.Contains("allowed are none, read, write", Told(("rules:r:path", "/apps"), ("rules:r:allow", "all")), StringComparison.Ordinal);
        Assert.Contains("is no address and no network",
            Told(("rules:r:path", "/apps"), ("rules:r:allow", "read"), ("rules:r:clients", "somebody")), StringComparison.Ordinal);
        Assert.Contains("is no address and no network", Told(("proxyProtocol", "10.9.0.0/99")), StringComparison.Ordinal);

        static string Told(params (string, string)[] keys) => string.Join('\n', Load(keys).Errors);

        static ConfigResult Load(params (string Key, string Value)[] keys)
        {
            var all = new Dictionary<string, string>
            {
                ["region"] = "us",
                ["listen"] = "127.0.0.1:0",
                ["home:cluster"] = "us",
                ["home:servers"] = "h:1",
            };
            foreach (var (key, value) in keys)
            {
                all[key] = value;
            }
            return ProxyConfigLoader.Load(null, all, new Dictionary<string, string>());
        }
    }

    private static ClientRule Rule(string path, PathAccess access) => new(path, access, [], []);
}
