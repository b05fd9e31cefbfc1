using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Which zxid replies show, and how much is held back for an earlier one. Home is link 0, eu link 1.</summary>
public sealed class ClientRepliesTests
{
    private readonly LinkSet _links = new(new SessionLink(0));
    private readonly SessionLink _eu;
    private readonly ClientLimits _limits = new();
    private ClientReplies _replies;

    public ClientRepliesTests()
    {
        _eu = _links.To(1);
        _replies = new ClientReplies(_links, _limits);
    }

    [Fact]
    public void Replies_from_elsewhere_show_the_last_zxid_of_home_that_the_client_may_know_and_it_never_goes_back()
    {
        _replies.Begin(7);
        Assert.Equal(7, _replies.Zxid);
        var home = _replies.Order.Take();
        Assert.True(_replies.Offer(_links[0], home, Frame(home, 9)));
        Assert.Equal(9, _replies.Zxid);

        var first = _replies.Order.Take();
        var second = _replies.Order.Take();
        var third = _replies.Order.Take();
        // Home's answer to the second is held back, so that its zxid has not been told.
        Assert.False(_replies.Offer(_links[0], second, Frame(second, 20)));
        Assert.Equal(9, _replies.Zxid);
        Assert.False(_replies.Offer(_eu, third, Frame(third, _replies.Zxid)));
        Assert.Equal(9, ReplyHeader.Read(_replies.Ping(Frame(Xids.Ping, 21))[4..]).Zxid);
        Assert.True(_replies.Offer(null, first, Frame(first, _replies.Zxid)));

        Assert.Equal((second, 20L), Release());
        // It was made before home had told of 20 and leaves after: it must not show less.
        Assert.Equal((third, 20L), Release());
        Assert.False(_replies.TryRelease(out _));
    }

    [Fact]
    public void What_is_held_back_is_counted_and_let_go_and_too_much_is_told()
    {
        var first = _replies.Order.Take();
        var size = (ClientReplies.MuchBytes / 4) - 100;
        for (var i = 0; i < 5; i++)
        {
            Assert.False(_replies.HoldMuch);
            Assert.False(_replies.Offer(_eu, _replies.Order.Take(), Frame(i + 1, 1, size)));
        }
        Assert.True(_replies.HoldMuch);
        Assert.Null(_replies.Excess);
        Assert.True(_replies.Offer(null, first, Frame(0, 1)));
        while (_replies.TryRelease(out _))
        {
        }
        Assert.False(_replies.HoldMuch);

        // Another client holds all that may be held.
        _replies.Order.Take();
        var taken = 0L;
        while (_limits.TryCollect(0, size))
        {
            taken += size;
        }
        Assert.False(_replies.Offer(_eu, _replies.Order.Take(), Frame(9, 1, size)));
        Assert.Contains("limits.replyParts", _replies.Excess);
        _limits.Release(taken);
        _replies.Close();
        Assert.True(_limits.TryCollect(0, size));
    }

    private (long Xid, long Zxid) Release()
    {
        Assert.True(_replies.TryRelease(out var frame));
        var header = ReplyHeader.Read(frame[4..]);
        return (header.Xid, header.Zxid);
    }

    /// <summary>A reply whose xid is its place.</summary>
    private static byte[] Frame(long place, long zxid, int body = 0)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new ReplyHeader((int)place, zxid, ErrorCode.Ok).Write(writer);
        writer.WriteRaw(new byte[body]);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }
}
