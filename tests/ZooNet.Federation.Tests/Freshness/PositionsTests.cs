using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>What a region knows of each cluster, and of changes that fire no watch.</summary>
public sealed class PositionsTests
{
    private readonly Positions _positions = new(2);

    [Fact]
    public void A_position_is_the_largest_that_any_thread_has_seen()
    {
        Parallel.For(0, 10_000, zxid => _positions.Learn(1, zxid * 7 % 10_000));
        Assert.Equal((0, 9999), (_positions.Known(0), _positions.Known(1)));
        var copy = new long[2];
        _positions.CopyKnown(copy);
        Assert.Equal([0, 9999], copy);
    }

    [Fact]
    public void Of_a_cluster_that_was_made_anew_nothing_is_known_and_of_the_others_all()
    {
        _positions.Learn(0, 8);
        _positions.Learn(1, 9);
        _positions.LearnUnwatchable(8);
        _positions.Forget(1);
        Assert.Equal((8, 0), (_positions.Known(0), _positions.Known(1)));
        Assert.True(_positions.IsUnwatchableAbove(7));
        _positions.Forget(0);
        Assert.False(_positions.IsUnwatchableAbove(0));
    }

    [Fact]
    public void A_changed_ACL_counts_until_it_is_covered_and_a_change_under_way_counts_whatever_is_covered()
    {
        _positions.LearnUnwatchable(5);
        _positions.LearnUnwatchable(3);
        Assert.True(_positions.IsUnwatchableAbove(4));
        Assert.False(_positions.IsUnwatchableAbove(5));
        _positions.UnwatchableWrite(begins: true);
        Assert.True(_positions.IsUnwatchableAbove(long.MaxValue));
        _positions.UnwatchableWrite(begins: false);
        Assert.False(_positions.IsUnwatchableAbove(5));
    }

    [Fact]
    public void A_change_whose_reply_was_lost_counts_as_under_way_until_a_write_that_began_when_its_session_was_over()
    {
        _positions.UnwatchableWrite(begins: true);
        _positions.UnwatchableLost(untilMs: 1000);
        _positions.SettleLost(beganMs: 1000, zxid: 40);
        Assert.True(_positions.IsUnwatchableAbove(long.MaxValue));
        _positions.SettleLost(beganMs: 1001, zxid: 41);
        Assert.True(_positions.IsUnwatchableAbove(40));
        Assert.False(_positions.IsUnwatchableAbove(41));
        // Nothing is settled twice.
        _positions.UnwatchableWrite(begins: true);
        _positions.SettleLost(beganMs: 2000, zxid: 50);
        Assert.True(_positions.IsUnwatchableAbove(long.MaxValue));
    }

    [Fact]
    public void A_demand_is_met_by_barriers_that_begin_after_it_and_by_none_while_all_are_refused()
    {
        Assert.False(_positions.IsRefreshDemanded(-1));
        var before = _positions.NextEpoch();
        _positions.RefuseUntilDemanded();
        Assert.True(_positions.IsRefreshDemanded(_positions.NextEpoch()));
        _positions.DemandRefresh();
        Assert.True(_positions.IsRefreshDemanded(-1));
        Assert.True(_positions.IsRefreshDemanded(before));
        Assert.True(_positions.IsRefreshDemanded(_positions.Epoch));
        Assert.False(_positions.IsRefreshDemanded(_positions.NextEpoch()));
    }
}
