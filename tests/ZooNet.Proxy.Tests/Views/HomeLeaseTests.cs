using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>Until when mounts may be used, at every distance of what happens to them.</summary>
public sealed class HomeLeaseTests : IAsyncLifetime
{
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);
    private static readonly MountTable Mounted = new([new Mount("/mnt/eu", 1, "eu", "/apps", MountOptions.Default)], 1);

    private readonly FakeTimeProvider _time = new();
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);
    private readonly HomeLease _lease;
    private volatile bool _homeAnswers = true;
    private volatile int _writes;

    public HomeLeaseTests() => _lease = Make(WriteAsync);

    private long NowMs => _time.GetTimestamp() / (_time.TimestampFrequency / 1000);

    private bool IsUsable => _region.MountsUsableUntilMs >= NowMs;

    public Task InitializeAsync()
    {
        _time.Advance(TimeSpan.FromHours(1));
        _lease.Start();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync() => await _lease.DisposeAsync();

    public static TheoryData<int> Distances => [0, 1, 250, 500, 999, 1000, 1001, 1500, 2000, 3000, 3999, 4000, 4001, 6000, 60_000];

    [Theory]
    [MemberData(nameof(Distances))]
    public async Task A_mount_that_is_made_again_stays_usable_however_long_there_was_none(int distanceMs)
    {
        Mount();
        await StaysUsableAsync(TimeSpan.FromSeconds(2));

        Unmount();
        for (var left = distanceMs; left > 0; left -= 250)
        {
            await Task.Yield();
            _time.Advance(TimeSpan.FromMilliseconds(Math.Min(left, 250)));
        }
        Mount();

        await StaysUsableAsync(3 * SessionTimeout);
    }

    [Fact]
    public async Task With_nothing_mounted_home_is_left_alone()
    {
        Mount();
        await StaysUsableAsync(TimeSpan.FromSeconds(2));
        Unmount();
        await AdvanceAsync(2 * SessionTimeout);
        var before = _writes;

        await AdvanceAsync(10 * SessionTimeout);

        Assert.InRange(_writes, before, before + 1);
    }

    [Fact]
    public async Task While_it_is_held_back_no_mount_may_be_used_and_when_it_is_released_they_may_at_once()
    {
        Mount();
        await StaysUsableAsync(TimeSpan.FromSeconds(1));

        _lease.Hold("of a test");
        Assert.False(IsUsable);
        Assert.Equal("of a test", _lease.WhyNot);
        await AdvanceAsync(SessionTimeout);
        Assert.False(IsUsable);

        _lease.Release();
        await StaysUsableAsync(SessionTimeout);
    }

    [Fact]
    public async Task What_was_written_before_it_was_held_back_does_not_renew_it()
    {
        var began = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        var writes = 0;
        await using var lease = Make(async token =>
        {
            if (Interlocked.Increment(ref writes) == 1)
            {
                began.SetResult();
                await answer.Task;
                return new HomeWrite(SessionTimeout, 1);
            }
            await Task.Delay(Timeout.Infinite, token);
            return new HomeWrite(SessionTimeout, 1);
        });
        lease.Start();
        _region.Mounts = Mounted;
        lease.Release();
        await began.Task;

        lease.Hold("registered anew");
        lease.Release();
        answer.SetResult();

        await TwoRegions.Eventually(() => Task.FromResult(Volatile.Read(ref writes) == 2));
        Assert.False(IsUsable);
    }

    [Fact]
    public async Task It_runs_out_when_home_does_not_answer_and_comes_back_by_itself_when_it_does()
    {
        Mount();
        await StaysUsableAsync(TimeSpan.FromSeconds(1));

        _homeAnswers = false;
        await AdvanceAsync(SessionTimeout);
        Assert.False(IsUsable);
        Assert.Contains("home has not answered", _lease.WhyNot);

        _homeAnswers = true;
        for (var waited = TimeSpan.Zero; !IsUsable; waited += Step)
        {
            Assert.True(waited < TimeSpan.FromSeconds(30), "not in time");
            await AdvanceAsync(Step);
        }
        await StaysUsableAsync(SessionTimeout);
    }

    private HomeLease Make(Func<CancellationToken, Task<HomeWrite>> write) => new(write, _region, _time, NullLogger.Instance);

    private void Mount()
    {
        _region.Mounts = Mounted;
        _lease.Release();
    }

    private void Unmount()
    {
        _region.Mounts = MountTable.Empty;
        _lease.Release();
    }

    private Task<HomeWrite> WriteAsync(CancellationToken cancellationToken)
    {
        _writes++;
        return _homeAnswers ? Task.FromResult(new HomeWrite(SessionTimeout, 1))
            : Task.FromException<HomeWrite>(new ClusterUnreachableException("gone"));
    }

    /// <summary>Moves the clock; after each step the lease has all the time that it wants.</summary>
    private async Task StaysUsableAsync(TimeSpan span)
    {
        for (var gone = TimeSpan.Zero; gone < span; gone += Step)
        {
            await TwoRegions.Eventually(() => Task.FromResult(IsUsable), seconds: 20);
            _time.Advance(Step);
        }
    }

    private async Task AdvanceAsync(TimeSpan span)
    {
        for (var gone = TimeSpan.Zero; gone < span; gone += Step)
        {
            _time.Advance(Step);
            await Task.Delay(1);
        }
    }
}
