using System.Text;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Server;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>
/// Two regions that mount each other. What us reads of eu it reads at an observer that learns nothing while it is held back, so that
/// a request which does without the barrier that it needs shows the past, and one that waits for it can be seen to wait.
/// </summary>
public sealed class FreshnessTests : IAsyncLifetime
{
    /// <summary>How long a message takes while the observer is held back; nothing passes before the clock is moved.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(10);

    private readonly FakeTimeProvider _time = new();
    private TwoRegions _regions = null!;
    private EmbeddedCluster _eu = null!;
    private RunningProxy _inUs = null!;

    /// <summary>A client in us, and one in eu.</summary>
    private ZooKeeperClient _a = null!;
    private ZooKeeperClient _b = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _eu = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions
        {
            Leader = new EmbeddedServerOptions { Epoch = 14, Time = _time, Tick = TimeSpan.FromMilliseconds(500) },
            Observers = [new EmbeddedObserverOptions()],
        });
    }

    public async Task DisposeAsync()
    {
        await ReleaseAsync(Task.CompletedTask);
        await _regions.DisposeAsync();
        await _eu.DisposeAsync();
    }

    [Fact]
    public async Task What_the_first_part_of_a_multiRead_shows_the_next_part_does_not_go_back_behind()
    {
        await StartAsync();
        await WarmAsync();
        Hold();
        await _b.SetDataAsync("/apps/w", "new"u8.ToArray());
        await _b.SetDataAsync("/mnt/us/v", "new"u8.ToArray());

        var answer = await WaitingAsync("multiRead", BothAsync);
        await ReleaseAsync(answer);
        Assert.Equal("new,new", await answer);
    }

    [Fact]
    public async Task Whether_a_watch_is_still_set_is_told_as_freshly_as_a_read()
    {
        await StartAsync();
        using var client = await RawClient.ConnectAsync(new ServerAddress("127.0.0.1", _inUs.Host.ClientEndPoints[0].Port));
        await client.CallAsync(OpCode.GetData, w => new PathWatchRequest("/mnt/eu/w", true).Write(w));
        Hold();
        await _b.SetDataAsync("/apps/w", "new"u8.ToArray());
        Assert.NotEqual("new"u8.ToArray(), (await _b.GetDataAsync("/mnt/us/v")).Data);
        await client.CallAsync(OpCode.SetData, w => new SetDataRequest("/apps/v", "new"u8.ToArray(), -1).Write(w));

        var asked = await client.SendAsync(OpCode.CheckWatches, w => new PathKindRequest("/mnt/eu/w", (int)WatcherType.Data).Write(w));
        var first = await WaitingAsync("checkWatches", client.NextAsync);
        await ReleaseAsync(first);
        Assert.Equal((WatchEventType.DataChanged, "/mnt/eu/w"), RawClient.EventOf(await first));
        var header = (await client.NextAsync()).Header;
        Assert.Equal((asked, ErrorCode.NoWatcher), (header.Xid, header.Error));
    }

    /// <summary>A proxy in each region, whose mounts close a cycle, and the znodes and clients that the tests use.</summary>
    private async Task StartAsync()
    {
        var leader = new HostPort("127.0.0.1", _eu.Address.Port);
        var observer = new HostPort("127.0.0.1", _eu.Observers[0].Address.Port);
        var us = await _regions.ConnectAsync(_regions.Us.Address);
        var eu = await _regions.ConnectAsync(_eu.Address);
        foreach (var (client, path) in new[]
        {
            (us, "/apps"), (us, "/apps/v"), (us, "/priv"), (eu, "/apps"), (eu, "/apps/w"),
        })
        {
            await client.CreateAsync(path);
        }
        _inUs = await _regions.StartProxyAsync(c => c with
        {
            Consistency = ConsistencyMode.Ordered,
            Remotes = [c.Remotes[0] with { Observers = [observer], Servers = [leader] }],
        });
        var inEu = await _regions.StartProxyAsync(c => TwoRegions.InEu(c with
        {
            Consistency = ConsistencyMode.Ordered,
            Remotes = [c.Remotes[0] with { Servers = [leader] }],
        }));
        Assert.InRange((await _inUs.MountAsync("eu:/apps", "/mnt/eu")).Status, 201, 202);
        Assert.InRange((await inEu.MountAsync("us:/apps", "/mnt/us")).Status, 201, 202);
        await TwoRegions.Eventually(() => Task.FromResult(_inUs.Host.Path.Region.Mounts.At("/mnt/eu") is { IsSuspended: false }
            && inEu.Host.Path.Region.Mounts.At("/mnt/us") is { IsSuspended: false }));
        _a = await _regions.ConnectAsync(_inUs.Host.ClientEndPoints[0]);
        _b = await _regions.ConnectAsync(inEu.Host.ClientEndPoints[0]);
        await _b.GetDataAsync("/mnt/us/v");
    }

    /// <summary>The observer is as fresh as what the client knows.</summary>
    private async Task WarmAsync()
    {
        await _a.SetDataAsync("/priv", []);
        await _a.GetDataAsync("/mnt/eu/w");
        await _a.GetDataAsync("/mnt/eu/w");
    }

    private async Task<string> BothAsync()
    {
        var read = await _a.MultiReadAsync([MultiOp.GetData("/apps/v"), MultiOp.GetData("/mnt/eu/w")]);
        return string.Join(',', read.Results.Select(r => Encoding.UTF8.GetString(r.Data ?? [])));
    }

    private void Hold() => _eu.Observers[0].Delay = Delay;

    /// <summary>Everything passes again.</summary>
    private async Task ReleaseAsync(Task until)
    {
        _eu.Observers[0].Delay = TimeSpan.Zero;
        do
        {
            _time.Advance(Delay);
            await Task.WhenAny(until, Task.Delay(20));
        }
        while (!until.IsCompleted);
    }

    /// <summary>A request that waits for a barrier at the observer, which is held back.</summary>
    private async Task<Task<T>> WaitingAsync<T>(string name, Func<Task<T>> ask)
    {
        var counters = _inUs.Host.Path.Region.Mounts.At("/mnt/eu")!.Counters;
        var before = counters.BarriersNeeded;
        var answer = ask();
        await TwoRegions.Eventually(() => Task.FromResult(answer.IsCompleted || counters.BarriersNeeded > before));
        Assert.False(answer.IsCompleted, $"{name} was answered without the barrier that it needs");
        return answer;
    }
}
