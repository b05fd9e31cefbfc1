using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>What 0.1 leaves behind in a home cluster, byte by byte, and the way from there (docs/operations.md, "From 0.1").</summary>
public sealed class UpgradeTests : IAsyncLifetime
{
    /// <summary>The secret of a 0.1 that was given none.</summary>
    private const string Known = "zoonet:zoonet";

    private const string Own = "pw:one";
    private const string Session = ZooNetTree.Sessions + "/01a22129e8060002@eu";

    private TwoRegions _regions = null!;
    private ZooKeeperClient _eu = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _eu = await _regions.ConnectAsync(_regions.Eu.Address);
        await _eu.CreateAsync("/apps");
        await _eu.CreateAsync("/apps/x", "by 0.1"u8.ToArray());
        await _eu.CreateAsync("/other");
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Theory]
    [InlineData(Own)]
    [InlineData(Known)]
    public async Task The_mounts_of_0_1_are_in_use_again_after_a_repair_that_knows_its_secret(string secret)
    {
        await LeaveBehindAsync(secret);
        ProxyConfig Knowing(ProxyConfig config) => config with { Secret = Own, AcceptedSecret = secret == Own ? null : secret };
        var first = await _regions.StartProxyAsync(Knowing, waitReady: false);
        await TwoRegions.Eventually(async () => (await first.StatusAsync()).Problems.Any(p =>
            p.Contains($"{ZooNetTree.Sessions} in the cluster 'us' can be changed by others") && p.Contains("zoonet repair")));

        var steps = await _regions.RepairAsync(Knowing(_regions.Config()));

        Assert.DoesNotContain(steps, s => s.Error is not null);
        Assert.Equal([Session], Deleted(steps));
        await IsMountedAsync(first);
        await first.Host.StopAsync();
        // Nothing needs the old secret any more.
        await IsMountedAsync(await _regions.StartProxyAsync(c => c with { Secret = Own }));
    }

    [Fact]
    public async Task Without_the_secret_of_0_1_a_repair_takes_its_mounts_away_and_says_which()
    {
        await LeaveBehindAsync(Known);

        var steps = await _regions.RepairAsync(_regions.Config() with { Secret = Own }, auth: Known);

        Assert.DoesNotContain(steps, s => s.Error is not null);
        Assert.Equal([ZooNetTree.RecordOf("/mnt/eu"), ZooNetTree.RecordOf("/mnt/other"), Session], Deleted(steps));
        var proxy = await _regions.StartProxyAsync(c => c with { Secret = Own });
        Assert.Empty(await proxy.MountsAsync());
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await proxy.MountAsync("eu:/other", "/mnt/other", "ro,relaxed");
        await IsMountedAsync(proxy);
    }

    /// <summary>Two mounts, and a client that had a session in eu: as the first version wrote them.</summary>
    private async Task LeaveBehindAsync(string secret)
    {
        var us = await _regions.ConnectAsync(_regions.Us.Address, secret);
        var owner = new Acl(Permissions.All, "digest", ProxySecret.DigestOf(secret));
        IReadOnlyList<Acl> folder = [owner, new Acl(Permissions.Read, "world", "anyone")];
        await us.CreateAsync(ZooNetTree.Root, acl: folder);
        await us.CreateAsync(ZooNetTree.Mounts, acl: folder);
        await us.CreateAsync(ZooNetTree.Sessions, acl: [owner, new Acl(Permissions.Create, "world", "anyone")]);
        await us.CreateAsync(ZooNetTree.RecordOf("/mnt/eu"),
            """{"path":"/mnt/eu","cluster":"eu","remotePath":"/apps","options":"rw","state":"active","placeholder":true}"""u8.ToArray(),
            acl: folder);
        await us.CreateAsync(ZooNetTree.RecordOf("/mnt/other"),
            """{"path":"/mnt/other","cluster":"eu","remotePath":"/other","options":"ro,relaxed","state":"active","placeholder":true}"""u8
                .ToArray(), acl: folder);
        await us.CreateAsync(Session, Convert.FromHexString("01a22129e96a000300000010f13b315fa1186e3a8d9e8b021f906a2f00"), acl: [owner]);
        await us.CreateAsync("/mnt");
        await us.CreateAsync("/mnt/eu", acl: folder);
        await us.CreateAsync("/mnt/other", acl: folder);
    }

    private static IEnumerable<string> Deleted(IEnumerable<RepairStep> steps) => steps.Select(s => s.What)
        .Where(w => w.StartsWith("delete ", StringComparison.Ordinal)).Select(w => w.Split(' ', ':')[1]).Order(StringComparer.Ordinal);

    private async Task IsMountedAsync(RunningProxy proxy)
    {
        await TwoRegions.Eventually(async () => (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        await TwoRegions.Eventually(async () => await proxy.MountsAsync() is [{ State: "active" }, { State: "active" }]);
        Assert.Equal([("/mnt/eu", "rw"), ("/mnt/other", "ro,relaxed")], (await proxy.MountsAsync()).Select(m => (m.Path, m.Options)));
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        Assert.Equal("by 0.1"u8.ToArray(), (await client.GetDataAsync("/mnt/eu/x")).Data);
        await client.CreateAsync("/mnt/eu/written");
        await client.DeleteAsync("/mnt/eu/written");
        var refused = await Assert.ThrowsAsync<KeeperException>(() => client.CreateAsync("/mnt/other/written"));
        Assert.Equal(ErrorCode.NoAuth, refused.Code);
    }
}
