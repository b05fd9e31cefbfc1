using FsCheck;
using FsCheck.Fluent;
using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

public sealed class InterestWatermarkTests
{
    private readonly InterestWatermark _watermark = new(["/apps"]);

    [Theory]
    [InlineData("/apps", false)]
    [InlineData("/apps/x", false)]
    [InlineData("/apps/", false)]
    [InlineData("/app", true)]
    [InlineData("/apps2", true)]
    [InlineData("/", true)]
    [InlineData("", false)]
    public void A_path_is_private_where_it_lies_in_nothing_that_others_see(string path, bool isPrivate)
    {
        Assert.Equal(isPrivate, _watermark.IsPrivate(System.Text.Encoding.UTF8.GetBytes(path)));
        Assert.False(new InterestWatermark(["/"]).IsPrivate(System.Text.Encoding.UTF8.GetBytes(path)));
    }

    [Fact]
    public void Nothing_is_known_before_the_first_position()
    {
        _watermark.Changed();
        Assert.Equal(-1, _watermark.SeenUpTo);
        Assert.Equal(7, _watermark.LastInterestingChange(7));
    }

    [Fact]
    public void What_came_before_the_first_position_may_all_have_been_seen_by_others()
    {
        _watermark.Shown(10);
        Assert.Equal(9, _watermark.LastInterestingChange(9));
        Assert.Equal(10, _watermark.LastInterestingChange(10));
    }

    [Fact]
    public void Private_changes_are_reduced_to_the_last_position_at_which_something_was_known_to_have_changed()
    {
        _watermark.Shown(10);
        _watermark.Shown(20);
        Assert.Equal(10, _watermark.LastInterestingChange(15));
        Assert.Equal(10, _watermark.LastInterestingChange(20));
        Assert.Equal(21, _watermark.LastInterestingChange(21));
    }

    [Fact]
    public void A_change_lies_anywhere_between_the_positions_around_its_event()
    {
        _watermark.Shown(10);
        _watermark.Shown(20);
        _watermark.Changed();
        _watermark.Shown(30);
        _watermark.Shown(40);
        Assert.Equal(10, _watermark.LastInterestingChange(20));
        Assert.Equal(25, _watermark.LastInterestingChange(25));
        Assert.Equal(30, _watermark.LastInterestingChange(30));
        Assert.Equal(30, _watermark.LastInterestingChange(40));
    }

    [Fact]
    public void A_server_that_is_behind_tells_nothing_new_and_what_it_told_of_stays_open()
    {
        _watermark.Shown(20);
        _watermark.Changed();
        _watermark.Shown(15);
        Assert.Equal(20, _watermark.SeenUpTo);
        _watermark.Shown(25);
        Assert.Equal(22, _watermark.LastInterestingChange(22));
        Assert.Equal(25, _watermark.LastInterestingChange(25));
    }

    [Fact]
    public void Of_many_changes_the_oldest_are_forgotten_and_nothing_is_known_below_them()
    {
        for (var i = 1; i <= InterestWatermark.MaxRanges + 10; i++)
        {
            _watermark.Changed();
            _watermark.Shown(i * 10);
            _watermark.Shown(i * 10 + 5);
        }
        Assert.Equal(105, _watermark.LastInterestingChange(105));
        Assert.Equal(110, _watermark.LastInterestingChange(115));
        Assert.Equal(120, _watermark.LastInterestingChange(124));
    }

    /// <summary>Random logs, told with any lag, with losses in which events go missing: the answer is never below the true one.</summary>
    [Fact]
    public void The_answer_never_misses_a_change_that_others_can_see() =>
        Prop.ForAll(Gen.Choose(0, 9).ArrayOf().ToArbitrary(), steps =>
        {
            var watermark = new InterestWatermark(["/apps"]);
            var interesting = new List<long>();
            var head = 1L;
            var told = 0L;
            var armed = true;
            foreach (var step in steps)
            {
                switch (step)
                {
                    case 0 or 1 or 2:
                        head++;
                        break;
                    case 3 or 4:
                        interesting.Add(++head);
                        break;
                    case 5 or 6 when armed:
                        // The link catches up by one change, or with all.
                        var position = step == 5 ? Math.Min(head, told + 1) : head;
                        if (interesting.Exists(z => z > told && z <= position))
                        {
                            watermark.Changed();
                        }
                        told = position;
                        break;
                    case 7 when armed:
                        watermark.Shown(told);
                        break;
                    case 8:
                        armed = false;
                        watermark.Changed();
                        break;
                    case 9 when !armed:
                        armed = true;
                        told = head;
                        break;
                }
                for (var z = 1L; z <= head; z++)
                {
                    var answer = watermark.LastInterestingChange(z);
                    if (answer > z || answer < interesting.LastOrDefault(i => i <= z))
                    {
                        return false;
                    }
                }
            }
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
}
