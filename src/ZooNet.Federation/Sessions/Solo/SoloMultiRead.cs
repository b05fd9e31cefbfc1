using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>A multiRead that spans clusters: runs of reads of one cluster each, in order.</summary>
internal sealed class SoloMultiRead(int xid, ReadOnlySpan<byte> frame, List<byte[]> parts) : SoloRequest(xid, OpCode.MultiRead, frame)
{
    public override void Begin(ISoloSession session)
    {
        foreach (var part in parts)
        {
            Steps.Enqueue(part);
        }
    }

    public override bool TryWrite(JuteWriter writer)
    {
        for (var i = 0; i < Replies.Count; i++)
        {
            var reply = Replies[i];
            if (ErrorOf(reply) == ErrorCode.Ok)
            {
                writer.WriteRaw(reply.AsSpan(BodyOffset, reply.Length - BodyOffset - MultiHeader.WireLength));
                continue;
            }
            for (var rest = MultiOperations.Count(parts[i]); rest > 0; rest--)
            {
                MultiHeader.WriteErrorResult(writer, ErrorOf(reply));
            }
        }
        MultiHeader.End.Write(writer);
        return true;
    }

    /// <summary>The header that ends the results.</summary>
    protected override int LeastBody => MultiHeader.WireLength;

    /// <summary>Reads of a relaxed mount that can't be reached fail alone.</summary>
    protected override bool IsPartial(int part, ErrorCode error) => error == ErrorCode.ConnectionLoss;
}
