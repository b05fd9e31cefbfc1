using Microsoft.Extensions.Time.Testing;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>The loop that everything runs in that waits.</summary>
public sealed class LoopTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly SemaphoreSlim _turns = new(0);
    private readonly List<string> _failures = [];
    private volatile int _count;

    public void Dispose() => _turns.Dispose();

    [Fact]
    public async Task It_takes_a_turn_at_the_start_and_then_only_when_the_bell_rings()
    {
        await using var loop = Make(_ => Loop.UntilRung);
        await TurnAsync();

        _time.Advance(TimeSpan.FromDays(1));
        Assert.False(await _turns.WaitAsync(50));
        loop.Ring();

        await TurnAsync();
    }

    [Fact]
    public async Task It_takes_a_turn_when_the_pause_is_over_that_the_last_one_asked_for()
    {
        await using var loop = Make(_ => TimeSpan.FromSeconds(10));
        await TurnAsync();

        await AdvanceUntilTurnAsync(TimeSpan.FromSeconds(1), least: 10);
        loop.Ring();
        await TurnAsync();

        await AdvanceUntilTurnAsync(TimeSpan.FromSeconds(1), least: 10);
    }

    [Fact]
    public async Task A_ring_during_a_turn_starts_another_one_after_it()
    {
        Loop? loop = null;
        await using var made = loop = Make(turn =>
        {
            if (turn == 1)
            {
                loop!.Ring();
                loop.Ring();
            }
            return Loop.UntilRung;
        }, start: false);
        made.Start();

        await TurnAsync();
        await TurnAsync();
        Assert.False(await _turns.WaitAsync(50));
    }

    [Fact]
    public async Task What_a_turn_throws_is_told_once_and_tried_again_after_the_pause_or_when_the_bell_rings()
    {
        await using var loop = Make(turn => turn is 1 or 2 or 3 ? throw new InvalidOperationException("no") : turn == 5 ? throw new InvalidOperationException("no") : Loop.UntilRung);
        await TurnAsync();
        await AdvanceUntilTurnAsync(TimeSpan.FromMilliseconds(250), least: 4);
        loop.Ring();
        await TurnAsync();
        loop.Ring();
        await TurnAsync();
        Assert.Equal(["no"], _failures);

        loop.Ring();
        await TurnAsync();
        await AdvanceUntilTurnAsync(TimeSpan.FromMilliseconds(250), least: 4);
        Assert.Equal(["no", "no"], _failures);
    }

    [Fact]
    public async Task The_pause_doubles_with_each_failure_up_to_the_longest_and_begins_anew_after_a_success()
    {
        await using var loop = Make(turn => turn is 6 ? TimeSpan.FromSeconds(1) : throw new InvalidOperationException("no"));
        await TurnAsync();
        foreach (var seconds in new[] { 1, 2, 4, 4 })
        {
            await AdvanceUntilTurnAsync(TimeSpan.FromMilliseconds(500), least: 2 * seconds);
        }
        loop.Ring();
        await TurnAsync();

        await AdvanceUntilTurnAsync(TimeSpan.FromMilliseconds(500), least: 2);
        var steps = await AdvanceUntilTurnAsync(TimeSpan.FromMilliseconds(500), least: 2);
        Assert.True(steps < 8, $"{steps} steps: the pause did not begin anew");
    }

    [Fact]
    public async Task It_stops_while_it_waits_and_while_it_takes_a_turn()
    {
        var waits = Make(_ => Loop.UntilRung);
        await TurnAsync();
        await waits.DisposeAsync();

        var began = new TaskCompletionSource();
        var works = new Loop(async token =>
        {
            began.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            return Loop.UntilRung;
        }, _ => { }, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4), _time);
        works.Start();
        await began.Task;
        await works.DisposeAsync();
    }

    private Loop Make(Func<int, TimeSpan> turn, bool start = true)
    {
        var loop = new Loop(_ =>
        {
            var number = ++_count;
            _turns.Release();
            return Task.FromResult(turn(number));
        }, e => _failures.Add(e.Message), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4), _time);
        if (start)
        {
            loop.Start();
        }
        return loop;
    }

    private async Task TurnAsync() => Assert.True(await _turns.WaitAsync(TimeSpan.FromSeconds(30)));

    /// <summary>
    /// Moves the clock by steps until a turn is taken. The loop may begin to wait between two steps, so it can be more of them, and never
    /// fewer.
    /// </summary>
    private async Task<int> AdvanceUntilTurnAsync(TimeSpan step, int least)
    {
        for (var steps = 0; ; steps++)
        {
            if (await _turns.WaitAsync(20))
            {
                Assert.True(steps >= least, $"{steps} steps of {step}");
                return steps;
            }
            Assert.True(steps < 100);
            _time.Advance(step);
        }
    }
}
