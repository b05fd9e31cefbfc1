using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

/// <summary>Where no barriers are made, consistency rests on each remote being read through one server at a time.</summary>
public sealed class SingleCopyTests
{
    private readonly Region _region = new(["A", "B"], ConsistencyMode.Sequential);
    private readonly Transport _transport = new();
    private readonly UpstreamServer _first;
    private readonly UpstreamServer _standby;

    public SingleCopyTests()
    {
        _first = new UpstreamServer(_region, 1, "b1", _transport);
        _standby = new UpstreamServer(_region, 1, "b2", _transport);
        _region.Coupling = Views.Sequential(Views.OneWay, "RA");
    }

    [Fact]
    public void A_standby_is_refreshed_before_its_first_read_whatever_the_session_learned()
    {
        _region.Copies.ReadThrough(_first);
        Assert.Equal(new Judgement(BarrierVerdict.NothingElsewhere), new Frontier(_region).Judge(_first));
        _region.Copies.ReadThrough(_standby);
        Assert.Equal(new Judgement(BarrierVerdict.Needed), new Frontier(_region).Judge(_standby));
        _standby.Join(new Waiter(), null, out _);
        Assert.True(_standby.IsRefreshDemanded);
        _standby.BarrierDone(_transport.Sent!, succeeded: true);
        Assert.Equal(new Judgement(BarrierVerdict.NothingElsewhere), new Frontier(_region).Judge(_standby));
    }

    [Fact]
    public void The_server_that_was_left_is_superseded_and_must_be_refreshed_when_it_is_taken_again()
    {
        _region.Copies.ReadThrough(_first);
        _region.Copies.ReadThrough(_standby);
        Assert.True(_region.Copies.IsSuperseded(_first));
        Assert.False(_region.Copies.IsSuperseded(_standby));
        _region.Copies.ReadThrough(_first);
        Assert.False(_region.Copies.IsSuperseded(_first));
        Assert.True(_first.IsRefreshDemanded);
    }

    [Fact]
    public void A_barrier_that_began_before_the_switch_does_not_count()
    {
        _region.Copies.ReadThrough(_first);
        _standby.Join(new Waiter(), null, out _);
        _region.Copies.ReadThrough(_standby);
        _standby.BarrierDone(_transport.Sent!, succeeded: true);
        Assert.True(_standby.IsRefreshDemanded);
    }

    [Fact]
    public void Where_everything_is_coupled_each_session_stands_for_itself()
    {
        _region.Coupling = Coupling.Ordered(["A", "B"]);
        _region.Copies.ReadThrough(_first);
        _region.Copies.ReadThrough(_standby);
        Assert.False(_region.Copies.IsSuperseded(_first));
        Assert.False(_standby.IsRefreshDemanded);
    }

    [Fact]
    public void After_a_change_of_the_rules_every_server_is_refreshed_once()
    {
        var home = new UpstreamServer(_region, 0, "a1", _transport);
        _region.Positions.DemandRefresh();
        foreach (var server in new[] { home, _first })
        {
            Assert.True(server.IsRefreshDemanded);
            server.Join(new Waiter(), null, out _);
            server.BarrierDone(_transport.Sent!, succeeded: true);
            Assert.False(server.IsRefreshDemanded);
        }
    }

    [Fact]
    public void A_barrier_that_began_before_the_rules_changed_does_not_count()
    {
        _first.Join(new Waiter(), null, out _);
        _region.Follow(Coupling.Ordered(["A", "B"]), fresh: true);
        _first.BarrierDone(_transport.Sent!, succeeded: true);
        Assert.True(_first.IsRefreshDemanded);
        _first.Join(new Waiter(), null, out _);
        _first.BarrierDone(_transport.Sent!, succeeded: true);
        Assert.False(_first.IsRefreshDemanded);
    }

    private sealed class Transport : IBarrierTransport
    {
        public BarrierTicket? Sent { get; private set; }

        public void Send(UpstreamServer server, BarrierTicket ticket) => Sent = ticket;
    }

    private sealed class Waiter : IBarrierWaiter
    {
        public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
        {
        }
    }
}
