using ZooNet.Federation.Interest;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>A region that knows more clusters than fit into a word.</summary>
public sealed class ManyClustersTests : IAsyncLifetime
{
    private const int Last = 200;

    private TwoRegions _regions = null!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync();

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task A_cluster_behind_two_hundred_others_is_mounted_read_and_coupled_like_the_first()
    {
        var us = await _regions.StartProxyAsync(BehindOthers, waitReady: false);
        var eu = await _regions.StartProxyAsync(TwoRegions.InEu);
        await TwoRegions.Eventually(() => Task.FromResult(us.IsUp(Last)));
        var (atUs, atEu) = (await _regions.ConnectAsync(_regions.Us.Address), await _regions.ConnectAsync(_regions.Eu.Address));
        await atUs.CreateAsync("/jobs");
        await atEu.CreateAsync("/apps");

        Assert.Equal(201, (await us.MountAsync("eu:/apps", "/mnt/eu")).Status);
        Assert.Equal(201, (await eu.MountAsync("us:/jobs", "/mnt/us")).Status);

        // A cycle of two runs through the view.
        var region = us.Host.Path.Region;
        await TwoRegions.Eventually(() => Task.FromResult(region.Coupling is Coupling { Kind: CouplingKind.Cycle } coupling
            && coupling.CoupledTo(Last).Contains(0) && coupling.CoupledTo(0).Contains(Last)));
        var client = await _regions.ConnectAsync(us.Host.ClientEndPoints[0]);
        await client.CreateAsync("/jobs/a", [1]);
        await client.CreateAsync("/mnt/eu/a", [2]);
        Assert.Equal([1], (await client.GetDataAsync("/jobs/a")).Data!);
        Assert.Equal([2], (await client.GetDataAsync("/mnt/eu/a")).Data!);
        Assert.Equal([2], (await atEu.GetDataAsync("/apps/a")).Data!);
    }

    /// <summary>The others have no server.</summary>
    private static ProxyConfig BehindOthers(ProxyConfig config) => config with
    {
        Remotes =
        [
            .. Enumerable.Range(1, Last - 1).Select(i => new ClusterConfig($"c{i}", i, [], [new HostPort("127.0.0.1", 1)])),
            config.Remotes[0] with { Ordinal = Last },
        ],
    };
}
