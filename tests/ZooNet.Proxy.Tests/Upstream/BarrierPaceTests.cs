using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>How close together barriers at one server are, and what is told of what they take.</summary>
public sealed class BarrierPaceTests
{
    private readonly BarrierPace _pace = new();

    [Fact]
    public void The_gap_is_a_tenth_of_what_barriers_take()
    {
        Assert.Equal(TimeSpan.FromMilliseconds(10), _pace.Gap);
        _pace.Took(TimeSpan.FromMilliseconds(300));
        Assert.Equal(TimeSpan.FromMilliseconds(30), _pace.Gap);
    }

    [Fact]
    public void One_slow_barrier_changes_the_gap_a_little_and_many_change_it()
    {
        _pace.Took(TimeSpan.FromMilliseconds(100));
        _pace.Took(TimeSpan.FromMilliseconds(900));
        Assert.Equal(TimeSpan.FromMilliseconds(20), _pace.Gap);
        for (var i = 0; i < 100; i++)
        {
            _pace.Took(TimeSpan.FromMilliseconds(900));
        }
        Assert.InRange(_pace.Gap.TotalMilliseconds, 89, 90);
    }

    [Fact]
    public void It_is_never_shorter_than_a_millisecond()
    {
        _pace.Took(TimeSpan.FromMilliseconds(2));
        Assert.Equal(BarrierPace.ShortestGap, _pace.Gap);
    }

    [Fact]
    public void A_gap_that_is_configured_stays()
    {
        var pace = new BarrierPace(TimeSpan.FromMilliseconds(7));
        pace.Took(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromMilliseconds(7), pace.Gap);
    }

    [Fact]
    public void What_barriers_take_is_told_by_the_last_ones_and_by_none_before_the_first()
    {
        Assert.Null(_pace.Cost());
        for (var i = 0; i < 1000; i++)
        {
            _pace.Took(TimeSpan.FromSeconds(1000));
        }
        for (var i = 1; i <= 512; i++)
        {
            _pace.Took(TimeSpan.FromMilliseconds(i));
        }
        Assert.Equal(new BarrierCost(TimeSpan.FromMilliseconds(256), TimeSpan.FromMilliseconds(506)), _pace.Cost());
    }
}
