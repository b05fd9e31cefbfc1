using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>Clusters of ZooKeeper 3.5, which know less.</summary>
public sealed class OldServerTests
{
    [Fact]
    public async Task A_client_learns_that_an_operation_is_unknown_though_the_answer_overtakes_others()
    {
        await using var regions = await TwoRegions.StartAsync();
        await using var old = new OldServer(regions.Us.Address);
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [new ServerAddress("127.0.0.1", old.Port)] });
        var before = Enumerable.Range(0, 50).Select(i => client.CreateAsync($"/{i}")).ToArray();

        var refused = await Assert.ThrowsAsync<KeeperException>(() => client.AddWatchAsync("/", AddWatchMode.Persistent));

        Assert.Equal(ErrorCode.Unimplemented, refused.Code);
        await Task.WhenAny(Task.WhenAll(before)); // They succeed or fail with the connection, as the server had the time.
        Assert.True((await client.ExistsAsync("/")).Exists);
    }
}
