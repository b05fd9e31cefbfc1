using Microsoft.Extensions.Time.Testing;
using ZooNet.Proxy.Roaming;
using ZooNet.Roaming.Moves;

namespace ZooNet.Proxy.Tests.Roaming;

/// <summary>An object of a roaming tree on two ensembles, in this process.</summary>
public sealed class RoamingObjectTests
{
    [Fact]
    public async Task What_one_proxy_appends_every_proxy_reads_before_and_after_a_move()
    {
        await using var zones = await Zones.StartAsync();
        var us = await (await zones.ProxyAsync("us")).StartAsync();
        var eu = await (await zones.ProxyAsync("eu")).StartAsync();

        Assert.Equal("/q-0000000000", await us.AppendAsync("/q-", "a"));
        Assert.Equal("/q-0000000001", await eu.AppendAsync("/q-", "b"));
        Assert.Equal((End.Done, ""), await eu.Object.MoveAsync("eu", CancellationToken.None));
        Assert.Equal("/q-0000000002", await us.AppendAsync("/q-", "c"));
        Assert.Equal("/q-0000000003", await eu.AppendAsync("/q-", "d"));

        Assert.Equal(["a", "b", "c", "d"], await us.ReadFreshAsync());
        Assert.Equal(["a", "b", "c", "d"], await eu.ReadFreshAsync());
        Assert.Equal("eu", us.Object.State.At!.Zone);
        Assert.Equal(us.Object.State.Digest, eu.Object.State.Digest);
    }

    [Fact]
    public async Task A_fresh_read_has_what_was_written_elsewhere_a_moment_ago_also_right_after_a_move()
    {
        await using var zones = await Zones.StartAsync();
        var us = await (await zones.ProxyAsync("us")).StartAsync();
        var eu = await (await zones.ProxyAsync("eu")).StartAsync();
        for (var i = 0; i < 10; i++)
        {
            var writer = i % 2 == 0 ? us : eu;
            await writer.AppendAsync("/q-", $"{i}");
            Assert.Equal(i + 1, (await (i % 2 == 0 ? eu : us).ReadFreshAsync()).Length);
            Assert.Equal(End.Done, (await writer.Object.MoveAsync(i % 2 == 0 ? "eu" : "us", CancellationToken.None)).End);
        }
    }

    [Fact]
    public async Task An_entry_whose_reply_was_lost_takes_effect_once()
    {
        await using var zones = await Zones.StartAsync();
        LossyZones? lossy = null;
        var us = await (await zones.ProxyAsync("us", inner => lossy = new LossyZones(inner))).StartAsync();
        lossy!.Loses = ask => ask.Writes.Any(w => w.Kind == WriteKind.CreateSequential) && lossy.Lost < 3;

        var paths = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            paths.AddRange(await Task.WhenAll(Enumerable.Range(0, 3).Select(j => us.AppendAsync("/q-", $"{i} {j}"))));
        }

        Assert.Equal(3, lossy.Lost);
        Assert.Equal(Enumerable.Range(0, 30).Select(i => $"/q-{i:D10}"), paths);
        Assert.Equal(30, (await us.ReadFreshAsync()).Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task A_move_whose_proxy_died_after_any_step_is_finished_by_another_and_no_command_is_lost(int steps)
    {
        await using var zones = await Zones.StartAsync();
        var us = await (await zones.ProxyAsync("us")).StartAsync();
        await us.AppendAsync("/q-", "before");
        var dying = await zones.ProxyAsync("eu");
        var move = await dying.DoAsync(new Mover(Zones.Layout, "us", ZoneProxy.Name, "eu"), steps);
        Assert.Equal(End.None, move.End);

        // Whether the object is us' still or will be eu's: somebody takes the command, and there is one order.
        Assert.Equal("/q-0000000001", await us.AppendAsync("/q-", "after"));

        var late = await (await zones.ProxyAsync("eu")).StartAsync();
        Assert.Equal(["before", "after"], await late.ReadFreshAsync());
        await TwoRegions.Eventually(() => Task.FromResult(us.Object.State.At!.Zone == (steps < 2 ? "us" : "eu")));
    }

    [Fact]
    public async Task An_entry_of_a_proxy_that_was_paused_during_two_moves_takes_effect_once_and_at_the_new_owner()
    {
        await using var zones = await Zones.StartAsync();
        LossyZones? paused = null;
        var us = await (await zones.ProxyAsync("us", inner => paused = new LossyZones(inner))).StartAsync();
        var eu = await (await zones.ProxyAsync("eu")).StartAsync();
        var wake = new TaskCompletionSource();
        paused!.Pause = wake.Task;
        var written = us.AppendAsync("/q-", "late");
        Assert.Equal(End.Done, (await eu.Object.MoveAsync("eu", CancellationToken.None)).End);
        await eu.AppendAsync("/q-", "first");
        Assert.Equal(End.Done, (await eu.Object.MoveAsync("us", CancellationToken.None)).End);
        Assert.Equal(End.Done, (await eu.Object.MoveAsync("eu", CancellationToken.None)).End);

        wake.SetResult();

        Assert.Equal("/q-0000000001", await written);
        Assert.Equal(["first", "late"], await eu.ReadFreshAsync());
    }

    [Fact]
    public async Task A_write_that_waits_for_a_move_goes_on_when_the_move_is_done_and_not_when_a_clock_says_so()
    {
        await using var zones = await Zones.StartAsync();
        // Its clock stands still: whatever it does it was told to do by the ensembles.
        var us = await (await zones.ProxyAsync("us", time: new FakeTimeProvider())).StartAsync();
        var mover = await zones.ProxyAsync("eu");
        for (var i = 0; i < 20; i++)
        {
            var target = i % 2 == 0 ? "eu" : "us";
            // The record, the ballot that is sealed, the promise.
            await mover.DoAsync(new Mover(Zones.Layout, "us", ZoneProxy.Name, target), asks: 4);
            var written = us.AppendAsync("/q-", "a");
            Assert.Equal(End.Done, (await mover.DoAsync(new Mover(Zones.Layout, "us", ZoneProxy.Name, target))).End);
            Assert.Equal($"/q-{i:D10}", await written);
        }
    }

    [Fact]
    public async Task An_entry_that_comes_before_its_reader_hears_that_its_watch_is_set_is_read_also_right_after_a_move()
    {
        await using var zones = await Zones.StartAsync();
        LossyZones? late = null;
        // Its clock stands still, and nobody asks it for anything: it is the watch that tells of the entry.
        var us = await (await zones.ProxyAsync("us", inner => late = new LossyZones(inner), new FakeTimeProvider())).StartAsync();
        var eu = await (await zones.ProxyAsync("eu")).StartAsync();
        await eu.AppendAsync("/q-", "first");
        await TwoRegions.Eventually(() => Task.FromResult(us.Object.State.Index == 1));
        var armed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hears = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        late!.Hears = async zone =>
        {
            if (zone == "eu")
            {
                armed.TrySetResult();
                await hears.Task;
            }
        };
        late.Stirred += (zone, path) =>
        {
            if (zone == "eu" && path?.Contains("/e-", StringComparison.Ordinal) == true)
            {
                fired.TrySetResult();
            }
        };
        Assert.Equal(End.Done, (await eu.Object.MoveAsync("eu", CancellationToken.None)).End);
        await armed.Task.WaitAsync(TimeSpan.FromSeconds(30));

        await eu.AppendAsync("/q-", "last");

        await fired.Task.WaitAsync(TimeSpan.FromSeconds(30));
        // What the watch told is on the reader's loop now, and behind it comes that the watch is set.
        hears.SetResult();
        await TwoRegions.Eventually(() => Task.FromResult(us.Object.State.Index == eu.Object.State.Index));
    }

    [Fact]
    public async Task A_reader_keeps_up_by_its_watches_alone_however_late_it_hears_each_answer()
    {
        await using var zones = await Zones.StartAsync();
        var random = new Random(11);
        // Its clock stands still, and nobody asks it for anything.
        var us = await (await zones.ProxyAsync("us", inner => new LossyZones(inner)
        {
            Delay = () =>
            {
                lock (random)
                {
                    return Task.Delay(random.Next(20));
                }
            },
        }, new FakeTimeProvider())).StartAsync();
        var eu = await (await zones.ProxyAsync("eu")).StartAsync();

        for (var i = 0; i < 100; i++)
        {
            if (i % 3 == 2)
            {
                Assert.Equal(End.Done, (await eu.Object.MoveAsync(i % 2 == 0 ? "eu" : "us", CancellationToken.None)).End);
            }
            else
            {
                await eu.AppendAsync("/q-", $"{i}");
            }
            if (i % 10 == 9)
            {
                await TwoRegions.Eventually(() => Task.FromResult(us.Object.State.Index == eu.Object.State.Index));
            }
        }

        await TwoRegions.Eventually(() => Task.FromResult(us.Object.State.Index == eu.Object.State.Index));
    }

    [Fact]
    public async Task A_proxy_that_comes_when_the_log_was_trimmed_begins_with_a_snapshot()
    {
        await using var zones = await Zones.StartAsync();
        var us = await (await zones.ProxyAsync("us")).StartAsync();
        for (var i = 0; i < 30; i++)
        {
            await us.AppendAsync("/q-", $"{i}");
        }
        // More moves than a ballot takes without a snapshot: so there were some.
        for (var i = 0; i < 80; i++)
        {
            var (end, reason) = await us.Object.MoveAsync(i % 2 == 0 ? "eu" : "us", CancellationToken.None);
            Assert.True(end == End.Done, reason);
            if (i % 2 == 1)
            {
                await us.AppendAsync("/q-", "x");
            }
        }
        await TwoRegions.Eventually(async () => us.Object.State.At is { IsOpen: true } at
            && await PeekAsync(us, Zones.Layout.Entry(ZoneProxy.Name, 1, 0)) is null && at.Zone == "us");

        var late = await (await zones.ProxyAsync("eu")).StartAsync();

        Assert.Equal(70, (await late.ReadFreshAsync()).Length);
        Assert.Equal(us.Object.State.Digest, late.Object.State.Digest);
    }

    [Fact]
    public async Task Who_reads_the_log_from_afar_is_told_what_became_of_each_write_however_much_the_owner_writes()
    {
        await using var zones = await Zones.StartAsync();
        // An ensemble that votes, and one across a WAN.
        var us = await (await zones.ProxyAsync("us", inner => new LossyZones(inner) { Delay = () => Task.Delay(2) })).StartAsync();
        var eu = await (await zones.ProxyAsync("eu", inner => new LossyZones(inner) { Delay = () => Task.Delay(50) })).StartAsync();
        var far = 0;

        // Enough for some snapshots, each of which has entries trimmed that eu may not have read yet.
        var near = Enumerable.Range(0, 4).Select(async w =>
        {
            var i = 0;
            for (; us.Object.State.Index < 5 * RoamingObject.SnapshotEvery || far < 10; i++)
            {
                await us.AppendAsync($"/us-{w}-", "");
            }
            return i;
        }).ToList();
        for (; far < 10 || near.Exists(n => !n.IsCompleted); far++)
        {
            // Never: lost, or not in a minute.
            Assert.StartsWith("/eu-", await eu.AppendAsync("/eu-", ""), StringComparison.Ordinal);
        }

        var all = (await Task.WhenAll(near)).Sum() + far;
        Assert.Equal(all, (await eu.ReadFreshAsync()).Length);
        Assert.Equal(us.Object.State.Digest, eu.Object.State.Digest);
    }

    [Fact]
    public async Task Soon_after_a_move_the_new_owner_needs_nothing_of_the_zone_that_was_the_owner_before()
    {
        await using var zones = await Zones.StartAsync(arbiter: "eu");
        var us = await (await zones.ProxyAsync("us")).StartAsync();
        var eu = await (await zones.ProxyAsync("eu")).StartAsync();
        await us.AppendAsync("/q-", "before");
        Assert.Equal(End.Done, (await us.Object.MoveAsync("eu", CancellationToken.None)).End);
        await us.AppendAsync("/q-", "after");
        await TwoRegions.Eventually(async () =>
            await PeekAsync(eu, Zones.Layout.Base(ZoneProxy.Name)) is not null);

        await zones.EndAsync("us");
        var late = await (await zones.ProxyAsync("eu", reaches: "eu")).StartAsync();

        Assert.Equal("/q-0000000002", await eu.AppendAsync("/q-", "without us"));
        Assert.Equal(["before", "after", "without us"], await late.ReadFreshAsync());
        Assert.Equal(eu.Object.State.Digest, late.Object.State.Digest);
    }

    [Fact]
    public async Task A_proxy_that_begins_while_the_zone_of_the_first_entries_is_away_takes_a_snapshot_of_another_zone()
    {
        await using var zones = await Zones.StartAsync(arbiter: "eu");
        var us = await (await zones.ProxyAsync("us")).StartAsync();
        // Nothing is trimmed: what the entries say would do, if they could be read.
        var eu = await (await zones.ProxyAsync("eu", inner => new LossyZones(inner)
        {
            Drops = ask => ask.Writes.Any(w => w.Kind == WriteKind.Delete),
        })).StartAsync();
        await us.AppendAsync("/q-", "before");
        Assert.Equal(End.Done, (await eu.Object.MoveAsync("eu", CancellationToken.None)).End);
        await TwoRegions.Eventually(async () => (await eu.Controls.Home.CallAsync(c => c.ExistsAsync(Zones.Layout.Base(ZoneProxy.Name)),
            CancellationToken.None)).Exists);

        await zones.EndAsync("us");
        var late = await (await zones.ProxyAsync("eu", reaches: "eu")).StartAsync();

        Assert.Equal(["before"], await late.ReadFreshAsync());
    }

    private static Task<byte[]?> PeekAsync(ZoneProxy proxy, string path) => proxy.Controls.Home.CallAsync(async c =>
        (await c.ExistsAsync(path)).Exists ? [] : (byte[]?)null, CancellationToken.None);
}
