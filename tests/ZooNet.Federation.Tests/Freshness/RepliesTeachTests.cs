using System.Runtime.CompilerServices;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>The tables of docs/consistency.md, "What a reply teaches", have a row for everything, and the code keeps to it.</summary>
public sealed class RepliesTeachTests
{
    private static readonly Stat Plain = new(20, 30, 0, 0, 1, 0, 0, 0, 1, 0, 20);
    private static readonly Dictionary<string, string> Operations = Rows("| operation,");
    private static readonly Dictionary<string, string> Errors = Rows("| error of a read");

    public static TheoryData<OpCode> AllOperations => [.. Enum.GetValues<OpCode>()];

    public static TheoryData<ErrorCode> AllErrors => [.. Enum.GetValues<ErrorCode>()];

    [Theory]
    [MemberData(nameof(AllOperations))]
    public void Every_operation_has_a_row_that_the_code_keeps_to(OpCode op)
    {
        Assert.True(Operations.TryGetValue(op.ToString(), out var verdict), $"docs/consistency.md has no row for {op}: what does its asker know now?");
        if (verdict == "never")
        {
            return;
        }
        var writer = new JuteWriter();
        switch (op)
        {
            case OpCode.Multi:
                new MultiHeader(OpCode.Delete, false, 0).Write(writer);
                MultiHeader.End.Write(writer);
                break;
            case OpCode.GetData:
                writer.WriteBytes([]);
                break;
        }
        Plain.Write(writer);
        Assert.Equal(verdict, VerdictOf(ReplyFrontier.Of(op, new ReplyHeader(1, 40, ErrorCode.Ok), writer.Written)));
    }

    [Theory]
    [MemberData(nameof(AllErrors))]
    public void Every_error_has_a_row_that_the_code_keeps_to(ErrorCode error)
    {
        Assert.True(Errors.TryGetValue(error.ToString(), out var verdict), $"docs/consistency.md has no row for {error}: what does its asker know now?");
        if (error == ErrorCode.Ok)
        {
            return;
        }
        foreach (var op in new[] { OpCode.GetData, OpCode.Exists, OpCode.GetChildren2, OpCode.GetAcl })
        {
            Assert.Equal(verdict, VerdictOf(ReplyFrontier.Of(op, new ReplyHeader(1, 40, error), [])));
        }
        // One part of a multiRead, and of a multi.
        var writer = new JuteWriter();
        MultiHeader.WriteErrorResult(writer, error);
        MultiHeader.End.Write(writer);
        Assert.Equal(verdict, VerdictOf(ReplyFrontier.OfMultiRead(writer.Written, 40)[0]));
        Assert.Equal("learned", VerdictOf(ReplyFrontier.Of(OpCode.Multi, new ReplyHeader(1, 40, ErrorCode.Ok), writer.Written)));
    }

    [Theory]
    [MemberData(nameof(AllErrors))]
    public void Every_error_of_a_write_is_learned(ErrorCode error)
    {
        foreach (var op in Enum.GetValues<OpCode>().Where(op => op.IsWrite() && error != ErrorCode.Ok))
        {
            Assert.Equal("learned", VerdictOf(ReplyFrontier.Of(op, new ReplyHeader(1, 40, error), [])));
        }
    }

    private static string VerdictOf(in ReplyEvidence evidence) => evidence.Zxid == 0 ? "nothing" : evidence.Watchable ? "waived" : "learned";

    private static Dictionary<string, string> Rows(string head, [CallerFilePath] string self = "")
    {
        var page = Path.Combine(Path.GetDirectoryName(self)!, "..", "..", "..", "docs", "consistency.md");
        var rows = new Dictionary<string, string>();
        foreach (var line in File.ReadLines(page).SkipWhile(l => !l.StartsWith(head, StringComparison.Ordinal)).Skip(2).TakeWhile(l => l.StartsWith('|')))
        {
            var cells = line.Trim('|', ' ').Split('|', StringSplitOptions.TrimEntries);
            foreach (var name in cells[0].Split(','))
            {
                rows.Add(name.Trim(' ', '`'), cells[^1]);
            }
        }
        return rows;
    }
}
