using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server.Tests.Differential;
using static ZooNet.Server.Tests.EmbeddedServerTests;

namespace ZooNet.Server.Tests;

/// <summary>An observer's clients see what a real observer's do: the past, until they ask for more.</summary>
public sealed class EmbeddedClusterTests : IAsyncLifetime
{
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(50);

    private readonly ManualTime _time = new();
    private EmbeddedCluster _cluster = null!;
    private ZooKeeperClient _near = null!;
    private ZooKeeperClient _far = null!;

    public async Task InitializeAsync()
    {
        _cluster = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions
        {
            Leader = new EmbeddedServerOptions { Time = _time, Epoch = 5 },
            Observers = [new EmbeddedObserverOptions { Delay = Delay }],
        });
        _near = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [At(_cluster.Address)] });
        _far = await AfterRoundTripAsync(ConnectFarAsync());
    }

    public async Task DisposeAsync()
    {
        await _near.DetachAsync();
        await _far.DetachAsync();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_read_is_stale_until_the_delay_has_passed()
    {
        var created = await _near.CreateAsync("/a");
        Assert.Equal(5L << 32, created.Zxid & ~0xffffffffL);
        Assert.False((await _far.ExistsAsync("/a")).Exists);
        _time.Advance(Delay);
        Assert.True((await _far.ExistsAsync("/a")).Exists);
        Assert.Equal(created.Zxid, _cluster.Observers[0].LastZxid);
    }

    [Fact]
    public async Task A_sync_brings_the_observer_up_to_what_was_committed_when_it_reached_the_leader()
    {
        var sync = _far.SyncAsync();
        var read = _far.ExistsAsync("/a");
        await WaitUntilWaitingAsync(2);
        await _near.CreateAsync("/a");
        Assert.False(sync.IsCompleted);
        await AfterRoundTripAsync(sync);
        Assert.True((await read).Exists);
    }

    [Fact]
    public async Task A_check_only_multi_brings_it_up_to_date_and_takes_a_zxid()
    {
        var created = await _near.CreateAsync("/a");
        var barrier = await AfterRoundTripAsync(_far.MultiAsync([MultiOp.Check("/", -1)]));
        Assert.Equal(created.Zxid + 1, barrier.Zxid);
        Assert.True((await _far.ExistsAsync("/a")).Exists);
    }

    [Fact]
    public async Task Requests_behind_an_own_write_wait_for_it_and_those_of_others_do_not()
    {
        await using var other = await AfterRoundTripAsync(ConnectFarAsync());
        var write = _far.CreateAsync("/a");
        var behind = _far.ExistsAsync("/a");
        await WaitUntilWaitingAsync(2);
        Assert.False((await other.ExistsAsync("/a")).Exists);
        Assert.False(behind.IsCompleted);
        await AfterRoundTripAsync(write);
        Assert.True((await behind).Exists);
        await AfterRoundTripAsync(other.CloseAsync().ContinueWith(_ => true, TaskScheduler.Default));
    }

    [Fact]
    public async Task A_watch_at_the_observer_fires_when_the_change_arrives_there()
    {
        var fired = new TaskCompletionSource<WatchNotification>(TaskCreationOptions.RunContinuationsAsynchronously);
        _far.WatchFired += e => fired.TrySetResult(e);
        await _far.ExistsAsync("/a", watch: true);
        await _near.CreateAsync("/a");
        await _far.ExistsAsync("/b");
        Assert.False(fired.Task.IsCompleted);
        _time.Advance(Delay);
        Assert.Equal(WatchEventType.Created, (await fired.Task).Type);
    }

    [Fact]
    public async Task Ephemerals_of_an_observers_client_go_with_its_session()
    {
        await AfterRoundTripAsync(_far.CreateAsync("/e", flags: CreateFlags.Ephemeral));
        Assert.Equal(_far.SessionId, (await _near.ExistsAsync("/e")).Stat!.Value.EphemeralOwner);
        await AfterRoundTripAsync(_far.CloseAsync().ContinueWith(_ => true, TaskScheduler.Default));
        Assert.False((await _near.ExistsAsync("/e")).Exists);
    }

    [Fact]
    public async Task A_write_of_a_session_that_has_moved_closes_the_connection()
    {
        await _near.CreateAsync("/a");
        await using var moved = await AfterRoundTripAsync(ConnectFarAsync(_near));
        Assert.Equal(_near.SessionId, moved.SessionId);
        var error = await Assert.ThrowsAsync<KeeperException>(() => _near.CreateAsync("/b"));
        Assert.Equal(ErrorCode.ConnectionLoss, error.Code);
        await _near.DetachAsync();
        await AfterRoundTripAsync(moved.CreateAsync("/c"));
        await AfterRoundTripAsync(moved.CloseAsync().ContinueWith(_ => true, TaskScheduler.Default));
    }

    [Fact]
    public async Task An_observer_that_is_cut_off_turns_clients_away_and_catches_up_afterwards()
    {
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _far.StateChanged += s => _ = s != SessionState.Connected && lost.TrySetResult();
        _cluster.Observers[0].Disconnect();
        await lost.Task;
        await _far.DetachAsync();
        await _near.CreateAsync("/a");
        _cluster.Observers[0].Reconnect();
        _far = await AfterRoundTripAsync(ConnectFarAsync());
        Assert.True((await _far.ExistsAsync("/a")).Exists);
    }

    private Task<ZooKeeperClient> ConnectFarAsync(ZooKeeperClient? session = null) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = [At(_cluster.Observers[0].Address)],
        SessionId = session?.SessionId ?? 0,
        SessionPassword = session?.SessionPassword,
    });

    /// <summary>Lets time pass until something that takes a round trip is done.</summary>
    private async Task<T> AfterRoundTripAsync<T>(Task<T> task)
    {
        for (var i = 0; i < 1000 && !task.IsCompleted; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(1));
            await Task.WhenAny(task, Task.Delay(1));
        }
        Assert.True(task.IsCompleted, "it takes longer than a second of the cluster's time");
        return await task;
    }

    /// <summary>Waits until requests that were sent over the socket wait at the observer, and so are on their way to the leader.</summary>
    private async Task WaitUntilWaitingAsync(int requests)
    {
        while (!(await RealStandalone.AskAsync(_cluster.Observers[0].Address, "srvr")).Contains($"Outstanding: {requests}\n", StringComparison.Ordinal))
        {
            await Task.Yield();
        }
        _time.Advance(Delay / 2);
    }
}
