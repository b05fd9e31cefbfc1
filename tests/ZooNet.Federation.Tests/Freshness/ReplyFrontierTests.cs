using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>Which replies show only changes that fire watches. Each is a reply of a server at zxid 40 with data changed at 30.</summary>
public sealed class ReplyFrontierTests
{
    private static readonly Stat Plain = new(20, 30, 0, 0, 1, 0, 0, 0, 1, 0, 20);
    private static readonly Stat AclChanged = Plain with { Aversion = 1 };

    [Fact]
    public void A_Stat_tells_which_change_it_shows_until_the_ACL_has_changed()
    {
        Assert.Equal((30, true), Of(OpCode.GetData, ErrorCode.Ok, w => Write(w, Plain, data: true)));
        Assert.Equal((40, false), Of(OpCode.GetData, ErrorCode.Ok, w => Write(w, AclChanged, data: true)));
        Assert.Equal((30, true), Of(OpCode.Exists, ErrorCode.Ok, w => Write(w, Plain, data: false)));
        Assert.Equal((40, false), Of(OpCode.Exists, ErrorCode.Ok, w => Write(w, AclChanged, data: false)));
    }

    [Theory]
    [InlineData(OpCode.GetData, ErrorCode.NoNode, true)]
    [InlineData(OpCode.GetData, ErrorCode.NoAuth, false)]
    [InlineData(OpCode.Create, ErrorCode.NodeExists, false)]
    [InlineData(OpCode.Create, ErrorCode.NoAuth, false)]
    [InlineData(OpCode.SetData, ErrorCode.BadVersion, false)]
    [InlineData(OpCode.Delete, ErrorCode.NotEmpty, false)]
    [InlineData(OpCode.Delete, ErrorCode.NoNode, false)]
    [InlineData(OpCode.GetAllChildrenNumber, ErrorCode.Ok, false)]
    [InlineData(OpCode.GetEphemerals, ErrorCode.Ok, true)]
    [InlineData(OpCode.SetAcl, ErrorCode.BadVersion, false)]
    [InlineData(OpCode.SetAcl, ErrorCode.Ok, false)]
    [InlineData(OpCode.GetAcl, ErrorCode.Ok, false)]
    [InlineData(OpCode.GetAcl, ErrorCode.NoNode, true)]
    [InlineData(OpCode.Delete, ErrorCode.Ok, true)]
    public void What_shows_an_ACL_or_was_refused_by_one_is_not_watchable(OpCode op, ErrorCode error, bool watchable) =>
        Assert.Equal((40, watchable), Of(op, error, _ => { }));

    [Theory]
    [InlineData(OpCode.SetData, true)]
    [InlineData(OpCode.SetAcl, false)]
    [InlineData(OpCode.Check, false)]
    public void A_multi_is_watchable_unless_it_changed_an_ACL_or_tells_that_one_is_open(OpCode second, bool watchable) =>
        Assert.Equal((40, watchable), Of(OpCode.Multi, ErrorCode.Ok, w =>
        {
            new MultiHeader(OpCode.Create, false, 0).Write(w);
            w.WriteString("/a");
            new MultiHeader(OpCode.Create2, false, 0).Write(w);
            w.WriteString("/b");
            Plain.Write(w);
            new MultiHeader(OpCode.Delete, false, 0).Write(w);
            new MultiHeader(second, false, 0).Write(w);
            if (second != OpCode.Check)
            {
                Plain.Write(w);
            }
            MultiHeader.End.Write(w);
        }));

    [Theory]
    [InlineData(ErrorCode.NoNode)]
    [InlineData(ErrorCode.BadVersion)]
    [InlineData(ErrorCode.NoAuth)]
    public void A_multi_that_failed_is_not_watchable(ErrorCode error) =>
        Assert.Equal((40, false), Of(OpCode.Multi, ErrorCode.Ok, w =>
        {
            MultiHeader.WriteErrorResult(w, ErrorCode.Ok);
            MultiHeader.WriteErrorResult(w, error);
            MultiHeader.WriteErrorResult(w, ErrorCode.RuntimeInconsistency);
            MultiHeader.End.Write(w);
        }));

    [Theory]
    [InlineData(OpCode.GetData, ErrorCode.NoNode, nameof(Undated.Absence))]
    [InlineData(OpCode.Exists, ErrorCode.NoNode, nameof(Undated.Absence))]
    [InlineData(OpCode.GetChildren2, ErrorCode.NoAuth, nameof(Undated.Refusal))]
    [InlineData(OpCode.GetAllChildrenNumber, ErrorCode.Ok, nameof(Undated.Rest))]
    [InlineData(OpCode.SetData, ErrorCode.NoNode, nameof(Undated.Nothing))]
    [InlineData(OpCode.Delete, ErrorCode.Ok, nameof(Undated.Nothing))]
    public void A_reply_says_what_it_does_not_tell(OpCode op, ErrorCode error, string undated) =>
        Assert.Equal(undated, Show(op, error, _ => { }).Undated.ToString());

    [Fact]
    public void A_changed_ACL_is_told_by_its_count_alone()
    {
        var shown = Show(OpCode.GetAcl, ErrorCode.Ok, w =>
        {
            Acl.WriteList(w, Acl.Open);
            AclChanged.Write(w);
        });
        Assert.Equal(new ReplyEvidence(40, false, Undated.Acl, Dated: 30, Czxid: 20, Aversion: 1), shown);
    }

    [Fact]
    public void Each_part_of_several_reads_says_what_it_shows()
    {
        var writer = new JuteWriter();
        new MultiHeader(OpCode.GetData, false, 0).Write(writer);
        Write(writer, Plain, data: true);
        new MultiHeader(OpCode.GetData, false, 0).Write(writer);
        Write(writer, AclChanged, data: true);
        new MultiHeader(OpCode.GetChildren, false, 0).Write(writer);
        writer.WriteStrings(["a", "b"]);
        MultiHeader.WriteErrorResult(writer, ErrorCode.NoNode);
        MultiHeader.WriteErrorResult(writer, ErrorCode.NoAuth);
        MultiHeader.End.Write(writer);

        Assert.Equal(
        [
            new ReplyEvidence(30, true),
            new ReplyEvidence(40, false, Undated.Acl, 30, 20, 1),
            new ReplyEvidence(40, false, Undated.Children),
            new ReplyEvidence(40, true, Undated.Absence),
            new ReplyEvidence(40, false, Undated.Refusal),
        ], ReplyFrontier.OfMultiRead(writer.Written, 40));
        Assert.Equal([new ReplyEvidence(40, false, Undated.Rest)], ReplyFrontier.OfMultiRead(writer.Written[..^4], 40));
    }

    [Fact]
    public void A_body_that_ends_early_is_not_watchable()
    {
        Assert.Equal((40, false), Of(OpCode.Multi, ErrorCode.Ok, w => new MultiHeader(OpCode.SetData, false, 0).Write(w)));
        Assert.Equal((40, false), Of(OpCode.GetData, ErrorCode.Ok, _ => { }));
    }

    private static (long Zxid, bool Watchable) Of(OpCode op, ErrorCode error, Action<JuteWriter> body)
    {
        var evidence = Show(op, error, body);
        return (evidence.Zxid, evidence.Watchable);
    }

    private static ReplyEvidence Show(OpCode op, ErrorCode error, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        body(writer);
        return ReplyFrontier.Of(op, new ReplyHeader(1, 40, error), writer.Written);
    }

    private static void Write(JuteWriter writer, Stat stat, bool data)
    {
        if (data)
        {
            writer.WriteBytes("x"u8);
        }
        stat.Write(writer);
    }
}
