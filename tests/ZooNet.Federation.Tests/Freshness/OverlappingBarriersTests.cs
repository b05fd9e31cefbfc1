using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>
/// Barriers at one server, of which several are under way. Cluster 0 is home, where the readers learn; the server is one of cluster 1.
/// </summary>
public sealed class OverlappingBarriersTests : IBarrierTransport
{
    private readonly Region _region = new(["A", "B"], ConsistencyMode.Ordered);
    private readonly List<BarrierTicket> _sent = [];
    private readonly UpstreamServer _server;

    public OverlappingBarriersTests() => _server = new UpstreamServer(_region, 1, "b1", this);

    [Fact]
    public void The_next_begins_when_the_gap_is_over_though_the_one_before_is_not_done()
    {
        Reader(10).Join();
        var second = Reader(11).Join();
        Assert.Single(_sent);
        _server.NextMayBegin(_sent[0]);
        Assert.Equal(2, _sent.Count);
        _server.BarrierDone(_sent[1], succeeded: true);
        Assert.True(second.Told);
        Assert.Equal(11, _server.Covered(0));
    }

    [Fact]
    public void Where_none_is_under_way_or_the_gap_is_over_already_it_begins_at_once()
    {
        Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        Reader(11).Join();
        Assert.Equal(2, _sent.Count);
        _server.BarrierDone(_sent[0], succeeded: true);
        _server.BarrierDone(_sent[1], succeeded: true);
        Reader(12).Join();
        Assert.Equal(3, _sent.Count);
    }

    [Fact]
    public void The_gap_of_one_after_which_another_has_begun_lets_no_further_one_begin()
    {
        Reader(10).Join();
        _server.BarrierDone(_sent[0], succeeded: true);
        Reader(11).Join();
        Reader(12).Join();
        _server.NextMayBegin(_sent[0]);
        Assert.Equal(2, _sent.Count);
    }

    [Fact]
    public void However_many_read_meanwhile_share_the_next()
    {
        Reader(10).Join();
        var readers = Enumerable.Range(11, 100).Select(zxid => Reader(zxid).Join()).ToArray();
        _server.NextMayBegin(_sent[0]);
        Assert.Equal(2, _sent.Count);
        _server.BarrierDone(_sent[1], succeeded: true);
        Assert.All(readers, r => Assert.True(r.Told));
        Assert.Equal(2, _server.BarriersSent);
    }

    [Fact]
    public void No_more_are_under_way_than_the_bound()
    {
        for (var i = 0; i < 2 * UpstreamServer.MaxUnderWay; i++)
        {
            Reader(10 + i).Join();
            _server.NextMayBegin(_sent[^1]);
        }
        Assert.Equal(UpstreamServer.MaxUnderWay, _sent.Count);
        _server.BarrierDone(_sent[7], succeeded: false);
        Assert.Equal(UpstreamServer.MaxUnderWay + 1, _sent.Count);
    }

    [Fact]
    public void A_reader_joins_the_first_under_way_that_began_when_all_it_has_learned_was_known()
    {
        Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        Reader(20).Join();
        _server.NextMayBegin(_sent[1]);
        var both = Reader(10).Join();
        var late = Reader(15).Join();
        Assert.Equal(2, _sent.Count);
        _server.BarrierDone(_sent[0], succeeded: true);
        Assert.True(both.Told);
        Assert.Null(late.Told);
        Assert.True(_server.IsCoveredSince(both.Joined!.Epoch - 1));
        Assert.False(_server.IsCoveredSince(late.Joined!.Epoch - 1));
        _server.BarrierDone(_sent[1], succeeded: true);
        Assert.True(late.Told);
        Assert.True(_server.IsCoveredSince(late.Joined!.Epoch - 1));
    }

    [Fact]
    public void None_that_began_before_the_reader_learned_something_that_has_no_zxid_or_before_the_rules_changed_is_joined()
    {
        var reader = Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        reader.Frontier.LearnedUnknown(0);
        reader.Join();
        Assert.Equal(2, _sent.Count);
        _server.NextMayBegin(_sent[1]);
        reader.Frontier.MovedIn(1);
        reader.Join();
        Assert.Equal(3, _sent.Count);
        _server.NextMayBegin(_sent[2]);
        _region.Positions.DemandRefresh();
        reader.Join();
        Assert.Equal(4, _sent.Count);
        _server.NextMayBegin(_sent[3]);
        _server.DemandRefresh();
        reader.Join();
        Assert.Equal(5, _sent.Count);
        reader.Join();
        Assert.Equal(5, _sent.Count);
    }

    [Fact]
    public void Who_asks_for_one_that_begins_from_now_on_joins_none_under_way()
    {
        Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        _server.Join(new Waiter(this), null, out _);
        Assert.Equal(2, _sent.Count);
    }

    [Fact]
    public void Done_out_of_order_they_cover_no_less_than_before()
    {
        Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        Reader(20).Join();
        _server.BarrierDone(_sent[1], succeeded: true);
        _server.BarrierDone(_sent[0], succeeded: true);
        Assert.Equal(20, _server.Covered(0));
        Assert.True(_server.IsCoveredSince(_region.Positions.Epoch - 1));
    }

    [Fact]
    public void A_later_one_serves_who_waits_for_an_earlier_one_that_is_lost()
    {
        var first = Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        Reader(20).Join();
        _server.BarrierDone(_sent[1], succeeded: true);
        Assert.True(first.Told);
        Assert.True(_server.IsCoveredSince(first.Joined!.Epoch - 1));
        // It is told once.
        _server.BarrierDone(_sent[0], succeeded: false);
        Assert.Equal(1, first.Times);
    }

    [Fact]
    public void An_earlier_one_and_one_that_failed_serve_nobody_else()
    {
        Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        var second = Reader(20).Join();
        _server.NextMayBegin(_sent[1]);
        var third = Reader(30).Join();
        _server.BarrierDone(_sent[0], succeeded: true);
        _server.BarrierDone(_sent[2], succeeded: false);
        Assert.False(third.Told);
        Assert.Null(second.Told);
        Assert.Equal(10, _server.Covered(0));
    }

    [Fact]
    public void One_that_began_before_the_server_was_forgotten_is_not_joined_and_counts_for_nothing()
    {
        var first = Reader(10).Join();
        _server.NextMayBegin(_sent[0]);
        _server.Forget();
        var second = Reader(10).Join();
        Assert.Equal(2, _sent.Count);
        _server.BarrierDone(_sent[0], succeeded: true);
        Assert.Null(first.Told);
        Assert.Null(second.Told);
        Assert.Equal(0, _server.Covered(0));
        _server.BarrierDone(_sent[1], succeeded: true);
        Assert.True(second.Told);
        // It was nobody's failure: the next one is for who waited for that which counts for nothing.
        Assert.Null(first.Told);
        Assert.Same(_sent[2], first.Joined!.Last);
        _server.BarrierDone(_sent[2], succeeded: true);
        Assert.True(first.Told);
    }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => _sent.Add(ticket);

    private Waiter Reader(long learned)
    {
        _region.Positions.Learn(0, learned);
        var reader = new Waiter(this);
        reader.Frontier.Learned(0, learned);
        return reader;
    }

    private sealed class Waiter(OverlappingBarriersTests test) : IBarrierWaiter
    {
        public Frontier Frontier { get; } = new(test._region);

        /// <summary>Whether the barrier succeeded; null before it is done.</summary>
        public bool? Told { get; private set; }

        public int Times { get; private set; }

        public BarrierTicket? Joined { get; private set; }

        public Waiter Join()
        {
            Joined = test._server.Join(this, Frontier, out _);
            return this;
        }

        public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
        {
            Told = succeeded;
            Times++;
        }
    }
}
