using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>Barriers as they are made at a server: this process's, which stands for one of home.</summary>
public sealed class BarrierChannelsTests : IAsyncLifetime
{
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);
    private readonly List<BarrierChannels> _owned = [];
    private OneHome _home = null!;

    public async Task InitializeAsync() => _home = await OneHome.StartAsync();

    public async Task DisposeAsync()
    {
        foreach (var channels in _owned)
        {
            await channels.DisposeAsync();
        }
        await _home.DisposeAsync();
    }

    [Fact]
    public async Task A_barrier_covers_what_was_known_when_it_began_and_shows_where_the_server_stands()
    {
        var server = Server(_home.Config);
        _region.Positions.Learn(1, 7);

        Assert.True(await BarrierAsync(server));

        Assert.Equal(7, server.Covered(1));
        Assert.Equal(_home.Server.LastZxid, server.Seen);
        Assert.Equal(server.Seen, _region.Positions.Known(0));
    }

    [Theory]
    [InlineData(BarrierMode.Auto, true)]
    [InlineData(BarrierMode.Sync, false)]
    public async Task A_barrier_takes_a_vote_unless_it_is_to_be_a_sync(BarrierMode mode, bool votes)
    {
        var server = Server(_home.Config with { Barrier = mode });
        Assert.True(await BarrierAsync(server));
        var before = _home.Server.LastZxid;

        Assert.True(await BarrierAsync(server));

        Assert.Equal(votes, _home.Server.LastZxid > before);
    }

    [Fact]
    public async Task A_connection_that_is_lost_does_not_fail_the_barriers_that_come_after()
    {
        var server = Server(_home.Config);
        Assert.True(await BarrierAsync(server));
        _home.Server.CloseConnections();
        Assert.True(await BarrierAsync(server));
        Assert.Equal(2, server.BarriersSent);
    }

    [Fact]
    public async Task A_server_that_can_not_be_reached_fails_the_barrier_and_covers_nothing()
    {
        var channels = Channels(_home.Config with { SessionTimeout = TimeSpan.FromSeconds(1) });
        var told = new TaskCompletionSource<bool>();
        channels.Completed += (_, _, succeeded) => told.TrySetResult(succeeded);
        var server = new UpstreamServer(_region, 0, "127.0.0.1:9", channels);
        _region.Positions.Learn(1, 7);

        Assert.False(await BarrierAsync(server));

        Assert.Equal(0, server.Covered(1));
        Assert.Equal(1, server.BarriersFailed);
        Assert.False(await told.Task);
    }

    [Fact]
    public async Task Whatever_goes_wrong_with_a_barrier_those_who_wait_for_it_are_told()
    {
        // No pool has met it, and its name is no address.
        var server = new UpstreamServer(_region, 0, "observer@nowhere", Channels(_home.Config));

        Assert.False(await BarrierAsync(server));
        Assert.False(await BarrierAsync(server));
    }

    [Fact]
    public async Task Nothing_is_kept_of_a_server_that_nobody_reads_through_any_more()
    {
        var channels = Channels(_home.Config);
        var server = new UpstreamServer(_region, 0, _home.Server.Address.ToString(), channels);
        Assert.True(await BarrierAsync(server));
        Assert.Equal(1, channels.Count);

        channels.Leave(server);
        Assert.Equal(0, channels.Count);
        Assert.True(await BarrierAsync(server));
    }

    private UpstreamServer Server(ProxyConfig config) => new(_region, 0, _home.Server.Address.ToString(), Channels(config));

    private BarrierChannels Channels(ProxyConfig config)
    {
        var channels = new BarrierChannels(
            config, _region, new ServerDirectory(), _home.Secret, TimeProvider.System, NullLogger<BarrierChannels>.Instance);
        _owned.Add(channels);
        return channels;
    }

    private static async Task<bool> BarrierAsync(UpstreamServer server)
    {
        var waiter = new Waiter();
        server.Join(waiter, null, out _);
        return await waiter.Done.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    private sealed class Waiter : IBarrierWaiter
    {
        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) => Done.TrySetResult(succeeded);
    }
}
