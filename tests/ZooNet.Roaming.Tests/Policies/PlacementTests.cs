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
        Assert.Equal("eu", placement.Wanted("hub")!.Zone);
        placement.Moved(0);
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
        Assert.Equal("hub", placement.Wanted("eu")!.Zone);
        placement.Moved(0);
        Assert.Null(placement.Wanted("hub"));
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    [InlineData(5, 3)]
    public void Rows_that_come_about_by_chance_move_an_object_less_and_less_often(int needed, int seed)
    {
        var moves = Run(new Consecutive(needed, "us"), "us", 24 * Hour, (_, random) => random.Next(2) == 0 ? "us" : "eu", seed);
        // Away from the centre, that is: back to it is always free.
        Assert.InRange(moves.Count(m => m.To == "eu"), 1, 40);
        Assert.InRange(moves.Count(m => m.To == "eu" && m.At > 12 * Hour), 0, 13);
        Assert.Equal("us", moves[^1].To);
    }

    [Fact]
    public void Who_takes_turns_moves_nothing_where_a_row_is_asked_for() =>
        Assert.Empty(Run(new Consecutive(3, "us"), "us", 4 * Hour, (now, _) => now / 100 % 2 == 0 ? "us" : "eu"));

    [Fact]
    public void A_move_by_hand_is_respected_for_the_hold()
    {
        var placement = new Majority(Quick);
        placement.Moved(0);
        Assert.All(Enumerable.Range(1, 598), i => Assert.Null(Count(i * 100)));
        Assert.NotNull(Enumerable.Range(599, 300).Select(i => Count(i * 100)).FirstOrDefault(w => w is not null));

        Wish? Count(long now)
        {
            placement.Count("eu", 1, now);
            return placement.Wanted("us");
        }
    }

    [Theory]
    [InlineData("pinned", typeof(Pinned))]
    [InlineData(null, typeof(Pinned))]
    [InlineData("majority", typeof(Majority))]
    [InlineData("majority, window=5s, windows=2, margin=0.2, hold=1m, longest=1h, writes=3", typeof(Majority))]
    [InlineData("consecutive=3", typeof(Consecutive))]
    [InlineData("consecutive=3,center=eu,hold=30s,longest=2h", typeof(Consecutive))]
    public void A_policy_is_said_in_one_line(string? text, Type placement) =>
        Assert.IsType(placement, Policy.Parse(text, ["eu", "us"], "us").Create());

    [Theory]
    [InlineData("", "there are pinned, majority and consecutive=N")]
    [InlineData("fastest", "there are pinned, majority and consecutive=N")]
    [InlineData("pinned=us", "there are pinned, majority and consecutive=N")]
    [InlineData("pinned,hold=1m", "'hold' in the policy 'pinned,hold=1m' is nothing that pinned knows")]
    [InlineData("consecutive", "there are pinned, majority and consecutive=N")]
    [InlineData("consecutive=1", "2 or more writes in a row")]
    [InlineData("consecutive=many", "'consecutive=many' in the policy 'consecutive=many' is not a number")]
    [InlineData("consecutive=3,center=mars", "the center 'mars' is none of the zones eu, us")]
    [InlineData("consecutive=3,window=5s", "'window' in the policy")]
    [InlineData("majority,window=5", "'window=5' in the policy 'majority,window=5' is not a duration such as 20s, 10m or 24h")]
    [InlineData("majority,window=5s,window=6s", "its name comes twice")]
    [InlineData("majority,fast", "'fast' in the policy 'majority,fast' is no NAME=VALUE")]
    [InlineData("majority,margin=much", "is not a part of one")]
    [InlineData("majority,margin=0.6", "the margin from 0.05 to below 0.5")]
    [InlineData("majority,hold=1s", "the hold at least a window")]
    public void What_is_no_policy_is_refused_and_said_why(string text, string why) =>
        Assert.Contains(why, Assert.Throws<RoamingDataException>(() => Policy.Parse(text, ["eu", "us"], "us")).Message,
            StringComparison.Ordinal);

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
                owner = wanted.Zone;
                placement.Moved(now);
                moves.Add((now, owner));
            }
        }
        return moves;
    }
}
