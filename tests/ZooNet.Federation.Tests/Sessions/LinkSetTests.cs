using System.Buffers.Binary;
using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What concerns all links of a session.</summary>
public sealed class LinkSetTests
{
    private readonly SessionLink _home = new(0) { Phase = LinkPhase.Ready };
    private readonly LinkSet _links;
    private ReplyOrder _order;

    public LinkSetTests() => _links = new LinkSet(_home);

    [Fact]
    public void A_cluster_has_one_link_made_when_it_is_first_asked_for()
    {
        Assert.Single(_links);
        var made = Enumerable.Range(1, 9).Select(_links.To).ToList();
        Assert.Equal(made, Enumerable.Range(1, 9).Select(_links.To));
        Assert.Equal([_home, .. made], _links);
        Assert.Equal([_home, .. made], _links.All.ToArray());
        Assert.Same(_home, _links.To(0));
        Assert.Same(made[4], _links[5]);
    }

    [Theory]
    [InlineData(0, false, true, true)]
    [InlineData(1, false, true, false)]
    [InlineData(1, true, false, false)]
    public void What_is_strict_overtakes_nothing_and_is_overtaken_by_nothing(int outstanding, bool isStrict, bool mayRelaxed, bool mayStrict)
    {
        var remote = _links.To(1);
        remote.Outstanding = outstanding;
        remote.StrictOutstanding = isStrict ? outstanding : 0;
        Assert.Equal(mayRelaxed, _links.MaySend(_home, strict: false));
        Assert.Equal(mayStrict, _links.MaySend(_home, strict: true));
        Assert.True(_links.MaySend(remote, strict: true));
    }

    [Fact]
    public void A_client_is_let_in_when_every_strict_session_has_its_link()
    {
        _links.To(1).Record.Found(strict: false);
        Assert.True(_links.HasTakenOver());
        _links.To(2).Record.Found(strict: true);
        Assert.False(_links.HasTakenOver());
        _links.To(2).Phase = LinkPhase.Ready;
        Assert.True(_links.HasTakenOver());
    }

    [Fact]
    public void What_is_queued_leaves_in_its_turn_and_the_events_of_a_link_right_behind_its_reply()
    {
        var remote = _links.To(1);
        for (var i = 0; i < 4; i++)
        {
            _order.Take();
        }
        _order.Offer(ref remote.Queued, 1, Frame(1));
        _order.Offer(ref remote.Queued, ReplyOrder.Unasked, Frame(10));
        _order.Offer(ref _order.Local, 2, Frame(2));
        _order.Offer(ref _links.To(2).Queued, 3, Frame(3));
        Assert.Empty(Release());
        Assert.True(_order.Offer(ref _home.Queued, 0, Frame(0)));
        Assert.Equal([1, 10, 2, 3], Release());
        Assert.False(_order.IsQueueing || _order.HasOutstanding);
    }

    private List<int> Release()
    {
        var left = new List<int>();
        var lane = 0;
        while (_links.TryRelease(ref _order, ref lane, out var frame))
        {
            left.Add(BinaryPrimitives.ReadInt32BigEndian(frame[4..]));
        }
        return left;
    }

    private static byte[] Frame(int number)
    {
        var frame = new byte[8];
        frame[3] = 4;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), number);
        return frame;
    }
}
