using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Whole frames, as a client sends them.</summary>
internal static class Frames
{
    /// <summary>A request under xid 1.</summary>
    public static byte[] Request(OpCode op, Action<JuteWriter> body) => Request(1, op, body);

    /// <summary>A request.</summary>
    public static byte[] Request(int xid, OpCode op, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }
}
