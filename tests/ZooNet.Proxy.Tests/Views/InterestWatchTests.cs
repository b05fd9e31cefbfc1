using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;
using ZooNet.Proxy.Views;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>
/// What a proxy knows of the changes at home that others can see. The embedded server tells events of unreadable znodes to the super user
/// only.
/// </summary>
public sealed class InterestWatchTests : IAsyncLifetime
{
    private const string Secret = "super:secret";

    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);
    private EmbeddedServer _home = null!;
    private ZooKeeperClient _client = null!;

    public async Task InitializeAsync() => await StartHomeAsync(new IPEndPoint(IPAddress.Loopback, 0), 1);

    public async Task DisposeAsync()
    {
        await _client.DisposeAsync();
        await _home.DisposeAsync();
    }

    [Fact]
    public async Task Private_changes_are_told_from_those_that_others_can_see()
    {
        await using var watch = Watch(Secret);
        watch.Follow(["/apps"]);
        await WatchedAsync(watch);

        var @private = await SetAsync("/private");
        Assert.True(await RefreshAsync());
        Assert.InRange(_region.HomeInterest!.LastInterestingChange(@private), 1, @private - 1);

        var seen = await SetAsync("/apps/x");
        var after = await SetAsync("/private");
        Assert.True(await RefreshAsync());
        Assert.InRange(_region.HomeInterest!.LastInterestingChange(seen), seen, seen);
        Assert.InRange(_region.HomeInterest!.LastInterestingChange(after), seen, after);

        var later = await SetAsync("/private");
        Assert.True(await RefreshAsync());
        Assert.InRange(_region.HomeInterest!.LastInterestingChange(later), seen, later - 1);
    }

    [Fact]
    public async Task A_server_that_does_not_tell_of_znodes_that_the_proxy_may_not_read_is_not_relied_on()
    {
        await using var watch = Watch("zoonet:zoonet");
        watch.Follow(["/apps"]);
        await TwoRegions.Eventually(() => Task.FromResult(watch.State.Contains("super user", StringComparison.Ordinal)));
        Assert.Null(_region.HomeInterest!.Watcher);
        var zxid = await SetAsync("/private");
        Assert.Equal(zxid, _region.HomeInterest.LastInterestingChange(zxid));
    }

    [Fact]
    public async Task After_home_was_away_all_that_may_have_been_missed_counts_as_seen_by_others()
    {
        await using var watch = Watch(Secret);
        watch.Follow(["/apps"]);
        await WatchedAsync(watch);
        var before = await SetAsync("/private");
        Assert.True(await RefreshAsync());
        var known = _region.HomeInterest!.LastInterestingChange(before);

        var address = _home.Address;
        await _client.DisposeAsync();
        await _home.DisposeAsync();
        await TwoRegions.Eventually(() => Task.FromResult(_region.HomeInterest.Watcher is null));
        await StartHomeAsync(address, 2);
        var missed = await SetAsync("/apps/x");
        await WatchedAsync(watch);
        var after = await SetAsync("/private");
        Assert.True(await RefreshAsync());

        Assert.Equal(known, _region.HomeInterest.LastInterestingChange(before));
        Assert.InRange(_region.HomeInterest.LastInterestingChange(missed), missed, missed);
        Assert.InRange(_region.HomeInterest.LastInterestingChange(after), missed, after - 1);
    }

    [Fact]
    public async Task Other_subtrees_begin_without_knowledge_and_none_or_all_of_home_are_not_watched()
    {
        await using var watch = Watch(Secret);
        watch.Follow(["/apps"]);
        await WatchedAsync(watch);
        var first = _region.HomeInterest;
        watch.Follow(["/apps"]);
        Assert.Same(first, _region.HomeInterest);

        watch.Follow(["/apps", "/other"]);
        Assert.NotSame(first, _region.HomeInterest);
        Assert.Equal(-1, _region.HomeInterest!.SeenUpTo);
        await WatchedAsync(watch);

        watch.Follow(["/"]);
        Assert.Null(_region.HomeInterest);
        Assert.Equal("off: others can see all of home", watch.State);
        watch.Follow([]);
        Assert.Equal("off", watch.State);
    }

    [Fact]
    public async Task What_another_region_writes_before_it_changes_an_ACL_counts_as_seen_by_others()
    {
        await using var watch = Watch(Secret);
        watch.Follow(["/apps"]);
        await WatchedAsync(watch);

        var told = await SetAsync(ZooNetTree.Acls);
        var after = await SetAsync("/private");

        Assert.True(await RefreshAsync());
        Assert.InRange(_region.HomeInterest!.LastInterestingChange(after), told, after);
    }

    [Fact]
    public async Task Without_the_znode_that_tells_of_changed_ACLs_nothing_is_relied_on()
    {
        await using var watch = Watch(Secret);
        watch.Follow(["/apps"]);
        await WatchedAsync(watch);

        await _client.DeleteAsync(ZooNetTree.Acls);

        await TwoRegions.Eventually(() => Task.FromResult(_region.HomeInterest!.Watcher is null));
        await TwoRegions.Eventually(() => Task.FromResult(watch.State.Contains("zoonet repair", StringComparison.Ordinal)));
        var zxid = await SetAsync("/private");
        Assert.Equal(zxid, _region.HomeInterest!.LastInterestingChange(zxid));
    }

    private async Task StartHomeAsync(IPEndPoint address, int epoch)
    {
        _home = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Listen = address, Epoch = epoch, Tick = TimeSpan.FromMilliseconds(500), SuperDigest = ProxySecret.DigestOf(Secret) });
        _client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [new ServerAddress("127.0.0.1", _home.Address.Port)] });
        foreach (var path in new[] { "/apps", "/apps/x", "/private", ZooNetTree.Root, ZooNetTree.Acls })
        {
            await _client.CreateAsync(path);
        }
    }

    private InterestWatch Watch(string secret)
    {
        var config = new ProxyConfig
        {
            Region = "us",
            Listen = [new HostPort("127.0.0.1", 0)],
            Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", _home.Address.Port)]),
            SessionTimeout = TimeSpan.FromSeconds(2),
            Secret = secret,
        };
        return new(config, new ClusterDirectory(new ConfigInForce(config)), new ProxySecret(secret), _region, TimeProvider.System,
            NullLogger<InterestWatch>.Instance);
    }

    private async Task<long> SetAsync(string path) => (await _client.SetDataAsync(path, [1])).Zxid;

    private Task WatchedAsync(InterestWatch watch) =>
        TwoRegions.Eventually(() => Task.FromResult(_region.HomeInterest?.Watcher is not null && watch.State.Contains("watched at", StringComparison.Ordinal)));

    private async Task<bool> RefreshAsync()
    {
        var waiter = new Waiter();
        _region.HomeInterest!.Watcher!.Join(waiter, null, out _);
        return await waiter.Done.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    private sealed class Waiter : IBarrierWaiter
    {
        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) => Done.TrySetResult(succeeded);
    }
}
