using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Sessions;
using ZooNet.Federation.Tests.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// What a session has learned from a reply or an event of home, as its next read of the remote finds it: region A on a cycle with B, and
/// a watermark that has seen home up to 20 and no change there that others see.
/// </summary>
public sealed class LearningTests
{
    private readonly InterestWatermark _watermark;
    private readonly SessionLink _home = new(0);
    private readonly UpstreamServer _remote;
    private readonly Frontier _frontier;

    public LearningTests()
    {
        var home = new WatermarkedHome();
        (_watermark, _remote, _frontier) = (home.Watermark, home.Remote, home.Frontier);
        _watermark.Shown(20);
    }

    [Theory]
    [InlineData(OpCode.WhoAmI, ErrorCode.Ok, BarrierVerdict.NothingElsewhere)]
    [InlineData(OpCode.Create, ErrorCode.Ok, BarrierVerdict.NoInterestChange)]
    [InlineData(OpCode.Create, ErrorCode.NodeExists, BarrierVerdict.Needed)]
    [InlineData(OpCode.SetAcl, ErrorCode.Ok, BarrierVerdict.Needed)]
    public void A_reply_is_learned_as_the_table_says(OpCode op, ErrorCode error, BarrierVerdict verdict)
    {
        Learning.From(_frontier, _home, new SentRequest { Op = op }, new ReplyHeader(1, 15, error), [], _watermark);
        Assert.Equal(verdict, _frontier.Judge(_remote).Verdict);
    }

    [Fact]
    public void Of_what_is_private_an_error_teaches_nothing_that_others_see_as_long_as_the_same_watermark_says_so()
    {
        var refused = new SentRequest { Op = OpCode.Create, PrivateBy = _watermark };
        Learning.From(_frontier, _home, refused, new ReplyHeader(1, 15, ErrorCode.NodeExists), [], _watermark);
        Assert.Equal(BarrierVerdict.NoInterestChange, _frontier.Judge(_remote).Verdict);

        // Others may see more by now than when it was sent.
        var later = new InterestWatermark(["/apps", "/more"]);
        Learning.From(_frontier, _home, refused, new ReplyHeader(2, 16, ErrorCode.NodeExists), [], later);
        Assert.Equal(BarrierVerdict.Needed, _frontier.Judge(_remote).Verdict);
    }

    [Fact]
    public void A_multiRead_is_learned_part_by_part()
    {
        var writer = new JuteWriter();
        new MultiHeader(OpCode.GetData, false, 0).Write(writer);
        writer.WriteBytes("old"u8);
        new Stat(3, 4, 0, 0, 0, 0, 0, 0, 3, 0, 3).Write(writer);
        MultiHeader.End.Write(writer);
        var sent = new SentRequest { Op = OpCode.MultiRead };
        Learning.From(_frontier, _home, sent, new ReplyHeader(1, 15, ErrorCode.Ok), writer.Written, _watermark);
        // Only data of a change that is long since covered: where the server stood does not count.
        Assert.Equal(BarrierVerdict.Covered, _frontier.Judge(_remote).Verdict);

        writer.Clear();
        new MultiHeader(OpCode.GetChildren, false, 0).Write(writer);
        writer.WriteStrings(["x"]);
        MultiHeader.End.Write(writer);
        Learning.From(_frontier, _home, sent, new ReplyHeader(2, 25, ErrorCode.Ok), writer.Written, _watermark);
        Assert.Equal(BarrierVerdict.Needed, _frontier.Judge(_remote).Verdict);
    }

    [Theory]
    [InlineData(15, BarrierVerdict.NoInterestChange, false)]
    [InlineData(-1, BarrierVerdict.Needed, true)]
    public void An_event_tells_of_its_change_or_only_that_there_was_one(long zxid, BarrierVerdict verdict, bool unplaced)
    {
        Learning.FromEvent(_frontier, _home, zxid);
        Assert.Equal(verdict, _frontier.Judge(_remote).Verdict);
        Assert.Equal(unplaced, _home.HasUnplacedEvent);
    }

    [Theory]
    [InlineData("/priv/x", true)]
    [InlineData("/apps/x", false)]
    // Whoever mounts /apps does not see the ACL of its parent.
    [InlineData("/", true)]
    public void A_request_is_private_where_all_that_it_names_is(string path, bool isPrivate)
    {
        Assert.Equal(isPrivate, IsPrivate(OpCode.Delete, new PathVersionRequest(path, -1).Write));
        Assert.Equal(isPrivate, IsPrivate(OpCode.Multi, writer =>
        {
            foreach (var each in new[] { "/priv/y", path })
            {
                new MultiHeader(OpCode.Check, false, -1).Write(writer);
                new PathVersionRequest(each, -1).Write(writer);
            }
            MultiHeader.End.Write(writer);
        }));
        Assert.False(IsPrivate(OpCode.WhoAmI, _ => { }));
    }

    private bool IsPrivate(OpCode op, Action<JuteWriter> body) => Learning.IsPrivate(_watermark, new ClientRequest(Frames.Request(op, body)));
}
