using System.Text;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>What one client may cost; whoever asks for more is told, and nobody else notices.</summary>
public sealed class ClientLimitsTests : IAsyncLifetime
{
    private const int MaxReply = 64 * 1024;

    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _proxy = await _regions.StartProxyAsync(c => c with
        {
            MaxWatches = 10,
            MaxCredentials = 3,
            MaxCredentialBytes = 1000,
            MaxFrame = MaxReply / 4,
            MaxReply = MaxReply,
            MaxReplyParts = 3 * MaxReply,
        });
        var eu = await _regions.ConnectAsync(_regions.Eu.Address);
        await eu.CreateAsync("/apps");
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/eu")).Status);
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task A_client_that_adds_too_many_credentials_is_closed_and_the_same_one_again_costs_nothing()
    {
        var client = await ConnectAsync();
        for (var i = 0; i < 20; i++)
        {
            await client.AddAuthAsync("digest", "anna:same"u8.ToArray());
        }
        await client.AddAuthAsync("digest", "bert:1"u8.ToArray());
        await client.AddAuthAsync("digest", "cleo:2"u8.ToArray());

        await Assert.ThrowsAsync<KeeperException>(() => client.AddAuthAsync("digest", "dora:3"u8.ToArray()));

        Assert.Equal(1, await ReachedAsync("credentials"));
        await AssertNobodyElseNoticesAsync();
    }

    [Fact]
    public async Task A_client_whose_credentials_are_too_long_is_closed()
    {
        var client = await ConnectAsync();

        await Assert.ThrowsAsync<KeeperException>(() => client.AddAuthAsync("digest", Encoding.UTF8.GetBytes("anna:" + new string('x', 2000))));

        Assert.Equal(1, await ReachedAsync("credentials"));
    }

    [Theory]
    [InlineData("exists")]
    [InlineData("addWatch")]
    [InlineData("addWatch of home above mounts")]
    public async Task A_client_that_sets_too_many_watches_in_mounts_is_closed(string how)
    {
        var client = await ConnectAsync();
        for (var i = 0; i < 10; i++)
        {
            await WatchAsync(i);
        }

        // The reply may still come before the end does.
        try
        {
            await WatchAsync(10);
        }
        catch (KeeperException e)
        {
            Assert.Equal(ErrorCode.ConnectionLoss, e.Code);
        }
        await TwoRegions.Eventually(async () => await ReachedAsync("watches") > 0);
        await AssertNobodyElseNoticesAsync();

        Task WatchAsync(int i) => how switch
        {
            "exists" => client.ExistsAsync($"/mnt/eu/{i}", watch: true),
            "addWatch" => client.AddWatchAsync($"/mnt/eu/{i}", AddWatchMode.Persistent),
            _ => client.AddWatchAsync($"/h{i}", AddWatchMode.PersistentRecursive),
        };
    }

    [Fact]
    public async Task Watches_at_home_alone_and_watches_that_fired_do_not_count()
    {
        var client = await ConnectAsync();
        for (var i = 0; i < 50; i++)
        {
            await client.ExistsAsync($"/h{i}", watch: true);
            await client.ExistsAsync($"/mnt/eu/{i}", watch: true);
            await client.CreateAsync($"/mnt/eu/{i}");
            await client.SyncAsync("/mnt/eu");
        }

        Assert.Equal(0, await ReachedAsync("watches"));
    }

    [Theory]
    [InlineData("/big")]
    [InlineData("/mnt/eu/big")]
    public async Task A_reply_that_is_too_long_is_an_error_in_its_turn_and_the_connection_stays(string folder)
    {
        var client = await ConnectAsync();
        await client.CreateAsync(folder);
        for (var i = 0; i < 8; i++)
        {
            await client.CreateAsync($"{folder}/{i}{new string('x', 10_000)}");
        }
        var session = client.SessionId;

        var before = client.ExistsAsync(folder);
        var tooLong = client.GetChildrenAsync(folder);
        var after = client.ExistsAsync(folder);

        Assert.Equal(8, (await before).Stat!.Value.NumChildren);
        Assert.Equal(ErrorCode.MarshallingError, (await Assert.ThrowsAsync<KeeperException>(() => tooLong)).Code);
        Assert.Equal(8, (await after).Stat!.Value.NumChildren);
        Assert.Equal(session, client.SessionId);
        Assert.Equal(1, await ReachedAsync("reply"));
    }

    [Fact]
    public async Task A_read_that_spans_clusters_is_an_error_if_its_parts_are_too_long_together()
    {
        var client = await ConnectAsync();
        await client.CreateAsync("/data", new byte[10_000]);
        await client.CreateAsync("/mnt/eu/data", new byte[10]);
        // Each part is short; only together they are too long.
        var ops = Enumerable.Range(0, 10).SelectMany(_ => new[] { MultiOp.GetData("/data"), MultiOp.GetData("/mnt/eu/data") }).ToArray();

        Assert.Equal(ErrorCode.MarshallingError, (await Assert.ThrowsAsync<KeeperException>(() => client.MultiReadAsync(ops))).Code);
        Assert.Equal(6, (await client.MultiReadAsync(ops[..6])).Results.Count);

        Assert.Equal(1, await ReachedAsync("reply"));
        Assert.Contains("zoonet_reply_parts_bytes 0\n", await _proxy.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    private Task<ZooKeeperClient> ConnectAsync() => _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);

    private async Task AssertNobodyElseNoticesAsync()
    {
        var other = await ConnectAsync();
        Assert.NotNull((await other.ExistsAsync("/mnt/eu")).Stat);
    }

    private async Task<int> ReachedAsync(string limit)
    {
        var start = $"zoonet_limits_reached_total{{limit=\"{limit}\"}} ";
        var text = await _proxy.Http.GetStringAsync("/metrics");
        return int.Parse(text.Split('\n').Single(l => l.StartsWith(start, StringComparison.Ordinal))[start.Length..]);
    }
}
