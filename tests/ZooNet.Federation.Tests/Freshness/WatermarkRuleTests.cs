using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>The rule with the watermark: a view on a cycle with one remote, which reads the remote after a change of home.</summary>
public sealed class WatermarkRuleTests
{
    private readonly WatermarkedHome _home = new();
    private readonly Region _region;
    private readonly InterestWatermark _watermark;
    private readonly UpstreamServer _remote;
    private readonly Frontier _frontier;

    public WatermarkRuleTests() => (_region, _watermark, _remote, _frontier) = (_home.Region, _home.Watermark, _home.Remote, _home.Frontier);

    [Fact]
    public void A_private_change_needs_no_barrier()
    {
        _frontier.Learned(0, 15);
        _watermark.Shown(20);
        Assert.Equal(new Judgement(BarrierVerdict.NoInterestChange), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void A_change_that_others_see_needs_one()
    {
        _frontier.Learned(0, 15);
        _watermark.Changed();
        _watermark.Shown(20);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void Beyond_what_the_watermark_has_seen_it_is_asked_first_where_somebody_watches_and_only_once()
    {
        _frontier.Learned(0, 15);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
        _watermark.Watcher = new UpstreamServer(_region, 0, "a1", _home);
        Assert.Equal(new Judgement(BarrierVerdict.Needed, Question.Watermark), _frontier.Judge(_remote, mayAsk: true));
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote));
    }

    [Fact]
    public void Nobody_is_asked_where_a_change_that_others_see_is_known_already()
    {
        _watermark.Watcher = new UpstreamServer(_region, 0, "a1", _home);
        _watermark.Changed();
        _watermark.Shown(20);
        _frontier.Learned(0, 25);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void What_may_show_a_changed_ACL_is_not_reduced_whatever_private_changes_follow()
    {
        _frontier.Learned(0, 15, watchable: false);
        _frontier.Learned(0, 16);
        _watermark.Shown(20);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void What_one_session_learned_of_a_changed_ACL_no_session_may_carry_on_by_private_changes()
    {
        new Frontier(_region).Learned(0, 15, watchable: false);
        _frontier.Learned(0, 16);
        _region.Positions.Learn(0, 16);
        _watermark.Shown(20);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
        // Once a barrier covers it, what follows may be private again.
        _remote.EndWrite(_remote.BeginWrite()!, succeeded: true);
        _frontier.Learned(0, 17);
        Assert.Equal(new Judgement(BarrierVerdict.NoInterestChange), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void While_an_ACL_is_being_changed_nothing_counts_as_private()
    {
        _region.Positions.UnwatchableWrite(begins: true);
        _frontier.Learned(0, 16);
        _watermark.Shown(20);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
        _region.Positions.UnwatchableWrite(begins: false);
        Assert.Equal(new Judgement(BarrierVerdict.NoInterestChange), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void What_is_not_known_to_lie_anywhere_is_not_reduced()
    {
        _frontier.Learned(0, 15);
        _frontier.LearnedUnknown(0);
        _watermark.Shown(20);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
    }

    [Fact]
    public void The_coupling_decides_whether_the_watermark_is_looked_at()
    {
        _frontier.Learned(0, 15);
        _watermark.Shown(20);
        foreach (var coupling in new ICoupling[] { UniformCoupling.All, Coupling.Ordered(["A", "B"]), Coupling.Conservative(["A", "B"], "cut off") })
        {
            _region.Coupling = coupling;
            Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote, mayAsk: true));
        }
    }

    [Fact]
    public void A_coupling_that_allows_it_begins_with_fresh_barriers_and_reads_one_copy_at_a_time()
    {
        var coupling = _region.Coupling;
        _region.Coupling = Coupling.Conservative(["A", "B"], "starting");
        _region.Follow(coupling, fresh: false);
        Assert.True(coupling.NeedsSingleCopy);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), _frontier.Judge(_remote));
    }

    [Fact]
    public void What_a_copy_shows_that_was_left_does_not_count_as_known()
    {
        var other = new UpstreamServer(_region, 1, "b2", _home);
        _region.Copies.ReadThrough(_remote);
        _region.Copies.ReadThrough(other);
        _region.Learn(_remote, 30);
        Assert.Equal(0, _region.Positions.Known(1));
        _region.Learn(other, 20);
        Assert.Equal(20, _region.Positions.Known(1));
    }
}
