using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Differential;

/// <summary>One request as both servers get it. Only zxids in it differ: they are relative to each server's base.</summary>
/// <param name="Op">The operation.</param>
/// <param name="Text">What it asks, for people.</param>
/// <param name="Write">Writes the body, given the server's base zxid.</param>
/// <param name="Cut">How many bytes are missing at the end of the body.</param>
internal sealed record Request(OpCode Op, string Text, Action<JuteWriter, long> Write, int Cut = 0)
{
    /// <summary>The request as a frame.</summary>
    public byte[] ToFrame(int xid, long baseZxid)
    {
        var body = new JuteWriter();
        Write(body, baseZxid);
        var frame = new JuteWriter();
        var mark = frame.BeginFrame();
        new RequestHeader(xid, Op).Write(frame);
        frame.WriteRaw(body.Written[..Math.Max(0, body.Length - Cut)]);
        frame.EndFrame(mark);
        return frame.Written.ToArray();
    }

    public override string ToString() => Cut == 0 ? Text : $"{Text} cut by {Cut}";
}
