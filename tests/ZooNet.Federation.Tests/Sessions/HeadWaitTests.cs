using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Federation.Tests.Interest;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What the first request waits for, without a session around it. Cluster 0 is home; the request reads in cluster 1.</summary>
public sealed class HeadWaitTests : IBarrierTransport, IBarrierWaiter
{
    private readonly List<(UpstreamServer Server, BarrierTicket Ticket)> _barriers = [];
    private readonly List<(UpstreamServer Server, BarrierTicket Ticket, bool Succeeded)> _told = [];
    private readonly MountCounters _counters = new();
    private readonly Region _region = new(["A", "B"], ConsistencyMode.Ordered);
    private readonly Frontier _frontier;
    private readonly List<SessionLink> _links;
    private HeadWait _head;

    public HeadWaitTests()
    {
        _frontier = new Frontier(_region);
        _head = new HeadWait(_region, this);
        _links = [Ready(0, "a1"), Ready(1, "b1")];
    }

    private SessionLink Home => _links[0];

    private SessionLink Remote => _links[1];

    [Fact]
    public void A_read_goes_if_nothing_was_learned_elsewhere_and_waits_for_a_barrier_if_something_was()
    {
        Assert.Equal(HeadStep.Go, Decide());
        Learn(15);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Equal("a barrier at b1 (B)", _head.Describe());
        // Tried again meanwhile, it joins no second one.
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Same(Remote.Server, Assert.Single(_barriers).Server);
        Finish(succeeded: true);
        Assert.Equal((true, false), BarrierDone());
        Assert.Equal(HeadStep.Go, Decide());
        Assert.Equal(1, _counters.BarriersNeeded);
    }

    [Fact]
    public void A_barrier_that_fails_fails_the_request()
    {
        Learn(15);
        Decide();
        Finish(succeeded: false);
        Assert.Equal((true, true), BarrierDone());
        Assert.Null(_head.Describe());
    }

    [Fact]
    public void A_barrier_of_an_earlier_request_lets_no_later_one_go()
    {
        Learn(15);
        Decide();
        _head.Next();
        Finish(succeeded: true);
        Assert.Equal((false, false), BarrierDone());
        Learn(16);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Equal(2, _barriers.Count);
    }

    [Fact]
    public void A_barrier_that_was_given_up_with_its_link_does_not_stand_for_the_one_that_was_joined_later()
    {
        Learn(15);
        Decide();
        _head.LinkChanged(Remote);
        Assert.Null(_head.Describe());
        Assert.Equal(HeadStep.Wait, Decide());
        // The first is done only now: it began before the second was asked for.
        Finish(succeeded: true);
        Assert.Equal((false, false), BarrierDone());
        Finish(succeeded: true);
        Assert.Equal((true, false), BarrierDone());
    }

    [Fact]
    public void The_failure_of_a_barrier_that_was_given_up_does_not_fail_the_request_that_waits_for_a_later_one()
    {
        Learn(15);
        Decide();
        _head.LinkChanged(Remote);
        Assert.Equal(HeadStep.Wait, Decide());
        Finish(succeeded: false);
        Assert.Equal((false, false), BarrierDone());
        Assert.NotNull(_head.Describe());
        Finish(succeeded: false);
        Assert.Equal((true, true), BarrierDone());
    }

    [Fact]
    public void If_the_server_is_forgotten_once_the_barrier_was_done_the_request_is_told_nevertheless()
    {
        Learn(15);
        Decide();
        Finish(succeeded: true);
        Remote.Server!.Forget();
        Assert.Equal((true, false), BarrierDone());
        Assert.Equal(HeadStep.Go, Decide());
    }

    [Fact]
    public void If_the_server_is_forgotten_while_the_barrier_is_under_way_the_request_waits_for_the_next_one()
    {
        Learn(15);
        Decide();
        Remote.Server!.Forget();
        _barriers[0].Server.BarrierDone(_barriers[0].Ticket, succeeded: true);
        Assert.Empty(_told);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Equal(2, _barriers.Count);
        _barriers[1].Server.BarrierDone(_barriers[1].Ticket, succeeded: true);
        Assert.Equal((true, false), BarrierDone());
    }

    [Fact]
    public void If_the_next_one_fails_after_that_the_request_fails()
    {
        Learn(15);
        Decide();
        Remote.Server!.Forget();
        _barriers[0].Server.BarrierDone(_barriers[0].Ticket, succeeded: true);
        _barriers[1].Server.BarrierDone(_barriers[1].Ticket, succeeded: false);
        Assert.Equal((true, true), BarrierDone());
    }

    [Fact]
    public void A_link_that_the_request_does_not_wait_for_changes_nothing()
    {
        Learn(15);
        Decide();
        _head.LinkChanged(Home);
        Assert.NotNull(_head.Describe());
    }

    [Fact]
    public void On_another_server_the_read_is_judged_anew()
    {
        Learn(15);
        Decide();
        Remote.Server = new UpstreamServer(_region, 1, "b2", this);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Equal(["b1", "b2"], _barriers.Select(b => b.Server.Address));
        Finish(succeeded: true);
        Assert.Equal((false, false), BarrierDone());
    }

    [Fact]
    public void A_mount_without_barriers_waits_for_none_unless_it_might_go_back()
    {
        Learn(15);
        Assert.Equal(HeadStep.Go, Decide(barriers: false));
        _frontier.MovedIn(1);
        Assert.Equal(HeadStep.Wait, Decide(barriers: false));
    }

    [Fact]
    public void The_watermark_is_asked_once_and_a_barrier_is_joined_if_it_does_not_help()
    {
        _region.Coupling = Views.Sequential(Views.Mutual, "RA");
        var watcher = new UpstreamServer(_region, 0, "a2", this);
        _region.HomeInterest = new InterestWatermark(["/apps"]) { Watcher = watcher };
        Learn(15);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Equal("what a2 (A) knows of the newest changes at home", _head.Describe());
        // Whether it was answered or not: the rule is asked again.
        Finish(succeeded: false);
        Assert.Equal((true, false), BarrierDone());
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Equal([watcher, Remote.Server!], _barriers.Select(b => b.Server));
        Assert.Equal(1, _counters.BarriersNeeded);
    }

    [Fact]
    public void Dates_are_asked_once_near_by_and_let_the_read_go_if_they_are_old()
    {
        _region.Positions.Learn(0, 10);
        Remote.Server!.EndWrite(Remote.Server.BeginWrite()!, succeeded: true);
        See("/gone", 20);
        Assert.Equal(HeadStep.Ask, Decide());
        var dates = _head.Dates!;
        var (link, observation) = Assert.Single(dates.Observations);
        Assert.Equal((Home, "/"), (link, observation.Path));
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Null(dates.Answered(observation, "/", new ReplyHeader(0, 21, ErrorCode.Ok), StatWith(pzxid: 5)));
        Assert.Equal(0, dates.Due);
        _head.DatesKnown(dates);
        Assert.Equal(HeadStep.Go, Decide());
        Assert.Empty(_barriers);
    }

    [Fact]
    public void Dates_that_are_late_are_not_waited_for_and_do_not_end_the_wait_for_the_barrier()
    {
        See("/folder/gone", 20);
        Assert.Equal(HeadStep.Ask, Decide());
        var dates = _head.Dates!;
        dates.AskedMs = 5000;
        _head.Tick(5000 + HeadWait.DatesDueMs, timeoutMs: 60_000);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Empty(_barriers);
        _head.Tick(5001 + HeadWait.DatesDueMs, timeoutMs: 60_000);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Single(_barriers);
        _head.DatesKnown(dates);
        Assert.Equal(HeadStep.Wait, Decide());
    }

    [Fact]
    public void If_the_folder_is_not_there_either_the_one_above_is_asked()
    {
        See("/no/gone", 20);
        Decide();
        var (_, observation) = _head.Dates!.Observations[0];
        Assert.Equal("/", _head.Dates.Answered(observation, "/no", new ReplyHeader(0, 20, ErrorCode.NoNode), default));
        Assert.Equal(1, _head.Dates.Due);
    }

    [Fact]
    public void A_server_far_away_is_not_asked_for_dates()
    {
        Home.Server = new UpstreamServer(_region, 0, "a9", this) { IsFar = true };
        See("/gone", 20);
        Assert.Equal(HeadStep.Wait, Decide());
        Assert.Single(_barriers);
    }

    [Fact]
    public void A_request_is_overdue_only_while_it_waits_for_a_link()
    {
        _head.Stays(1000);
        _head.Stays(5000);
        Assert.False(_head.IsOverdue(9000, 2000));
        _head.WaitFor(Remote);
        Assert.False(_head.IsOverdue(3000, 2000));
        Assert.True(_head.IsOverdue(3001, 2000));
        _head.Next();
        Assert.Null(_head.On);
        Assert.False(_head.IsOverdue(9000, 2000));
    }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => _barriers.Add((server, ticket));

    void IBarrierWaiter.BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) => _told.Add((server, ticket, succeeded));

    private HeadStep Decide(bool barriers = true) => _head.Decide(_frontier, _links, new HeadRead(Remote, _counters, barriers, -1));

    private void Learn(long zxid)
    {
        _region.Positions.Learn(0, zxid);
        _frontier.Learned(0, zxid);
    }

    private void See(string path, long zxid) =>
        _frontier.Observe(0, new ReplyEvidence(zxid, true, Undated.Absence), System.Text.Encoding.UTF8.GetBytes(path));

    /// <summary>The first barrier that is under way is done.</summary>
    private void Finish(bool succeeded)
    {
        var (server, ticket) = _barriers[_told.Count];
        server.BarrierDone(ticket, succeeded);
    }

    private (bool IsAwaited, bool Failed) BarrierDone()
    {
        var (server, ticket, succeeded) = _told[^1];
        return (_head.BarrierDone(server, ticket, succeeded, out var failed), failed);
    }

    private static byte[] StatWith(long pzxid)
    {
        var writer = new JuteWriter();
        new Stat(1, 1, 0, 0, 0, 0, 0, 0, 0, 0, pzxid).Write(writer);
        return writer.Written.ToArray();
    }

    private SessionLink Ready(int cluster, string server) =>
        new(cluster) { Phase = LinkPhase.Ready, Server = new UpstreamServer(_region, cluster, server, this) };
}
