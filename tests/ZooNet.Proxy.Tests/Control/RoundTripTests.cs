using System.Net.Http.Json;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>How far away a cluster is shown to be. The limits are lower ones: no message comes before its delay is over.</summary>
public sealed class RoundTripTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private EmbeddedCluster _far = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _far = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions
        {
            Leader = new EmbeddedServerOptions { Epoch = 14 },
            Observers = [new EmbeddedObserverOptions { Delay = TimeSpan.FromMilliseconds(80) }],
        });
    }

    public async Task DisposeAsync()
    {
        await _regions.DisposeAsync();
        await _far.DisposeAsync();
    }

    [Fact]
    public async Task A_cluster_behind_a_near_observer_is_as_far_away_as_its_ensemble()
    {
        var observer = _far.Observers[0];
        var proxy = await _regions.StartProxyAsync(c => c with
        {
            Remotes = [c.Remotes[0] with { Observers = [new HostPort("127.0.0.1", observer.Address.Port)], Servers = [] }],
        });

        var first = await ShownAsync();
        Assert.True(first.Observer);
        Assert.InRange(first.RttMs!.Value, 160, double.MaxValue);

        observer.Delay = TimeSpan.FromMilliseconds(150);
        await TwoRegions.Eventually(async () => (await ShownAsync()).RttMs >= 300);

        async Task<ClusterInfo> ShownAsync() => (await proxy.Http.GetFromJsonAsync<StatusReply>("/api/v1/status"))!.Clusters[1];
    }
}
