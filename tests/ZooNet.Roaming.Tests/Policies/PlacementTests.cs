using ZooNet.Roaming.Policies;

namespace ZooNet.Roaming.Tests.Policies;

/// <summary>Loads of hours, in no time: who writes, and how often an object moves.</summary>
public sealed class PlacementTests
{
    private const long Hour = 3_600_000;
    private static readonly MajorityOptions Quick = new(WindowMs: 20_000, Windows: 3, HoldOffMs: 60_000);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_load_that_is_half_and_half_moves_nothing(int seed)
    {
        var moves = Run(new Majority(Quick), "us", 24 * Hour, (_, random) => random.Next(2) == 0 ? "us" : "eu", seed);
        Assert.Empty(moves);
    }

    [Fact]
    public void Who_writes_seven_of_ten_gets_the_object_once_and_keeps_it()
    {
        var moves = Run(new Majority(Quick), "us", 4 * Hour, (_, random) => random.Next(10) < 7 ? "eu" : "us");
        Assert.Equal(["eu"], moves.Select(m => m.To));
        Assert.InRange(moves[0].At, 3 * 20_000, 10 * 60_000);
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(10_000)]
    [InlineData(40_000)]
    public void Bursts_that_alternate_faster_than_the_windows_move_nothing(long period)
    {
        var moves = Run(new Majority(Quick), "us", 4 * Hour, (now, _) => now / period % 2 == 0 ? "us" : "eu");
        Assert.Empty(moves);
    }

    [Fact]
    public void An_object_follows_the_day()
    {
        var moves = Run(new Majority(Quick), "us", 24 * Hour, (now, _) => (string[])["us", "eu", "ap"] is var zones
            ? zones[now / (8 * Hour) % 3] : "");
        Assert.Equal(["eu", "ap"], moves.Select(m => m.To));
    }

    [Fact]
    public void Bursts_just_longer_than_the_windows_move_less_and_less_often()
    {
        var moves = Run(new Majority(Quick), "us", 24 * Hour, (now, _) => now / 100_000 % 2 == 0 ? "us" : "eu");
        var halves = (moves.Count(m => m.At < 12 * Hour), moves.Count(m => m.At >= 12 * Hour));
        Assert.True(halves.Item1 > halves.Item2, $"{halves}");
        Assert.InRange(moves.Count, 1, 40);
    }

    [Fact]
    public void A_window_with_few_writes_says_nothing()
    {
        var placement = new Majority(Quick);
        for (var now = 0L; now < Hour; now += 10_000)
        {
            placement.Count("eu", 1, now);
        }
        Assert.Null(placement.Wanted("us"));
    }

    [Fact]
    public void Pinned_is_pinned() => Assert.Empty(Run(new Pinned(), "us", Hour, (_, _) => "eu"));

    [Fact]
    public void Who_writes_alone_gets_the_object_and_what_is_contested_rests_at_the_centre()
    {
        var placement = new Consecutive(3, "hub");
        foreach (var zone in (string[])["eu", "eu"])
        {
            placement.Count(zone, 1, 0);
        }
        Assert.Null(placement.Wanted("hub"));
        placement.Count("eu", 1, 0);
        Assert.Equal("eu", placement.Wanted("hub"));
        placement.Moved("eu", 0);
        // Two stray writes of another zone take nothing from its holder.
        foreach (var zone in (string[])["us", "us", "eu", "eu", "eu"])
        {
            placement.Count(zone, 1, 0);
            Assert.Null(placement.Wanted("eu"));
        }
        foreach (var zone in (string[])["us", "eu", "us", "eu"])
        {
            placement.Count(zone, 1, 0);
        }
        Assert.Equal("hub", placement.Wanted("eu"));
        placement.Moved("hub", 0);
        Assert.Null(placement.Wanted("hub"));
    }

    [Fact]
    public void Values_out_of_range_are_refused()
    {
        Assert.Throws<RoamingDataException>(() => new Consecutive(1, "hub"));
        Assert.Throws<RoamingDataException>(() => new Majority(new MajorityOptions(Margin: 0)));
        Assert.Throws<RoamingDataException>(() => new Majority(new MajorityOptions(WindowMs: 10)));
    }

    private static List<(long At, string To)> Run(Placement placement, string owner, long until, Func<long, Random, string> writer,
        int seed = 1)
    {
        var random = new Random(seed);
        var moves = new List<(long, string)>();
        for (var now = 0L; now < until; now += 100)
        {
            placement.Count(writer(now, random), 1, now);
            if (placement.Wanted(owner) is { } wanted)
            {
                owner = wanted;
                placement.Moved(owner, now);
                moves.Add((now, owner));
            }
        }
        return moves;
    }
}
