using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;

namespace ZooNet.Proxy.Tests.Roaming;

/// <summary>Roaming trees and those who are no proxies of theirs: what others could write is not used, and secrets are changed.</summary>
public sealed class TreeProtectionTests
{
    private const string Secret = ProxyConfig.DefaultSecret;
    private const string Tree = $"{ZooNetTree.Roaming}/orders";
    private const string Next = "zoonet:the-next-one";

    [Theory]
    [InlineData(Tree)]
    [InlineData($"{Tree}/records/root")]
    [InlineData($"{Tree}/objects/root")]
    [InlineData($"{Tree}/log/root")]
    public async Task A_tree_that_others_can_write_is_served_no_more_until_its_operator_has_it_repaired(string path)
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, _) = await TreeTests.WithTreeAsync(regions);
        var owner = await regions.ConnectAsync(regions.Us.Address, Secret);
        await owner.SetAclAsync(path, Acl.Open);

        // A connection that is made anew is a reason to look at once; else it is half a minute.
        regions.Us.CloseConnections();

        await TwoRegions.Eventually(async () => (await us.StatusAsync()).Problems.Any(p =>
            p.Contains($"{path} in the cluster 'us' can be changed by others", StringComparison.Ordinal)));
        Assert.False((await ShowAsync(us)).Serving);
        var refused = Assert.Single(await RepairAsync(regions));
        Assert.Contains("--trust-trees", refused.Error, StringComparison.Ordinal);
        var step = Assert.Single(await RepairAsync(regions, trustTrees: true));
        Assert.Equal(($"give {path} the proxies' ACL: it can be changed by others", null), (step.What, step.Error));
        await TwoRegions.Eventually(async () => (await ShowAsync(us)).Serving);
        Assert.Empty(await RepairAsync(regions));
    }

    [Fact]
    public async Task Of_trees_in_a_folder_that_others_could_write_the_proxies_own_stay_and_a_strangers_goes()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await TreeTests.WithTreeAsync(regions);
        var client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await client.CreateAsync("/shared/a", "1"u8.ToArray());
        var owner = await regions.ConnectAsync(regions.Us.Address, Secret);
        await owner.SetAclAsync(ZooNetTree.Roaming, Acl.Open);
        var stranger = await regions.ConnectAsync(regions.Us.Address);
        var theirs = (await stranger.GetDataAsync(Tree)).Data;
        await stranger.CreateAsync($"{ZooNetTree.Roaming}/forged", theirs);
        await stranger.CreateAsync($"{ZooNetTree.Roaming}/forged/records", []);
        await stranger.CreateAsync($"{ZooNetTree.Roaming}/squat", theirs, acl: new ProxySecret(Secret).Acl);

        var planned = await RepairAsync(regions, dryRun: true);
        var steps = await RepairAsync(regions);

        Assert.Equal(planned.Select(s => s.What),
            steps.Select(s => s.What).Where(w => !w.StartsWith("sign ", StringComparison.Ordinal)));
        Assert.All(steps, s => Assert.Null(s.Error));
        Assert.Equal(["orders"], (await owner.GetChildrenAsync(ZooNetTree.Roaming)).Names);
        Assert.Empty(await RepairAsync(regions));
        Assert.Equal("1", Encoding.UTF8.GetString((await client.GetDataAsync("/shared/a")).Data!));
        Assert.True((await eu.Http.PostAsJsonAsync("/api/v1/trees/orders/owner", new { zone = "eu" })).IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_tree_outlives_a_change_of_the_secret_in_three_steps()
    {
        await using var regions = await TwoRegions.StartAsync();
        var (us, eu) = await TreeTests.WithTreeAsync(regions, c => c with { AcceptedSecret = Next });
        var client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await client.CreateAsync("/shared/a", "1"u8.ToArray());
        await StopAsync(us, eu);

        static ProxyConfig Both(ProxyConfig c) => c with { Secret = Next, AcceptedSecret = Secret };
        (us, eu) = await TreeTests.StartBothAsync(regions, Both);
        await TwoRegions.Eventually(async () => (await ShowAsync(us)).Serving && (await ShowAsync(eu)).Serving);
        var steps = await RepairAsync(regions, change: Both);
        Assert.All(steps, s => Assert.Null(s.Error));
        Assert.Contains(steps, s => s.What.Contains($"znodes of {Tree} anew", StringComparison.Ordinal));
        Assert.Empty(await RepairAsync(regions, change: Both));
        Assert.StartsWith("would give ", await RepairInsideAsync(us, "?dryRun=true"), StringComparison.Ordinal);
        Assert.StartsWith("give ", await RepairInsideAsync(us), StringComparison.Ordinal);
        Assert.Equal("the tree 'orders' is in order", await RepairInsideAsync(eu));
        await StopAsync(us, eu);

        (us, eu) = await TreeTests.StartBothAsync(regions, c => c with { Secret = Next });
        client = await regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await TwoRegions.Eventually(async () => (await ShowAsync(us)).Serving && (await ShowAsync(eu)).Serving);
        await TwoRegions.Eventually(() => Task.FromResult(us.Host.Path.Region.Mounts.At("/shared") is { IsSuspended: false }));
        Assert.Equal("1", Encoding.UTF8.GetString((await client.GetDataAsync("/shared/a")).Data!));
        Assert.Equal(1, (await client.SetDataAsync("/shared/a", "2"u8.ToArray(), 0)).Stat.Version);
        await TwoRegions.Eventually(async () => (await us.StatusAsync()).Problems.Count == 0);
        Assert.True((await us.Http.PostAsJsonAsync("/api/v1/trees/orders/owner", new { zone = "eu" })).IsSuccessStatusCode);
        Assert.Equal(2, (await client.SetDataAsync("/shared/a", "3"u8.ToArray(), 1)).Stat.Version);
    }

    private static async Task StopAsync(params RunningProxy[] proxies)
    {
        foreach (var proxy in proxies)
        {
            await proxy.Host.StopAsync();
        }
    }

    private static async Task<TreeInfo> ShowAsync(RunningProxy proxy) =>
        (await proxy.Http.GetFromJsonAsync<TreeInfo>("/api/v1/trees/orders"))!;

    private static async Task<string> RepairInsideAsync(RunningProxy proxy, string query = "")
    {
        using var response = await proxy.Http.PostAsync($"/api/v1/trees/orders/repair{query}", null);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>();
        return json.GetProperty(response.IsSuccessStatusCode ? "message" : "detail").GetString()!;
    }

    private static Task<IReadOnlyList<RepairStep>> RepairAsync(TwoRegions regions, bool dryRun = false, bool trustTrees = false,
        Func<ProxyConfig, ProxyConfig>? change = null) =>
        regions.RepairAsync(change?.Invoke(regions.Config()) ?? regions.Config(), dryRun, trustTrees);
}
