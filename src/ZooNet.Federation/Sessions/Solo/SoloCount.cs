using System.Buffers.Binary;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>How many znodes there are below one that has mount points below it: those of home, and of each mount.</summary>
internal sealed class SoloCount(int xid, ReadOnlySpan<byte> frame, IEnumerable<Mount> below)
    : SoloRequest(xid, OpCode.GetAllChildrenNumber, frame)
{
    private readonly Mount[] _below = [.. below];

    public override void Begin(ISoloSession session)
    {
        base.Begin(session);
        foreach (var mount in _below)
        {
            var writer = new JuteWriter();
            var mark = writer.BeginFrame();
            writer.WriteRaw(Frame.AsSpan(Framing.PrefixLength, RequestHeader.WireLength));
            writer.WriteString(mount.Path);
            writer.EndFrame(mark);
            Steps.Enqueue(writer.Written.ToArray());
        }
    }

    public override bool TryWrite(JuteWriter writer)
    {
        var sum = Replies.Sum(r => ErrorOf(r) == ErrorCode.Ok ? (long)BinaryPrimitives.ReadInt32BigEndian(r.AsSpan(BodyOffset)) : 0);
        writer.WriteInt((int)Math.Clamp(sum, int.MinValue, int.MaxValue));
        return true;
    }

    /// <summary>The number.</summary>
    protected override int LeastBody => sizeof(int);

    /// <summary>A mount whose root has gone has nothing below it.</summary>
    protected override bool IsPartial(int part, ErrorCode error) => part > 0 && error == ErrorCode.NoNode;
}
