using ZooNet.Protocol;

namespace ZooNet.Benchmarks;

/// <summary>Frames as clients and servers send them.</summary>
internal static class Frames
{
    public static byte[] GetData(int xid, string path) => Request(xid, OpCode.GetData, new PathWatchRequest(path, false).Write);

    public static byte[] SetData(int xid, string path, int size) => Request(xid, OpCode.SetData, new SetDataRequest(path, new byte[size], -1).Write);

    public static byte[] Multi(int xid, string path, int operations) => Request(xid, OpCode.Multi, writer =>
    {
        for (var i = 0; i < operations; i++)
        {
            new MultiHeader(OpCode.SetData, false, -1).Write(writer);
            new SetDataRequest($"{path}/{i}", new byte[100], -1).Write(writer);
        }
        MultiHeader.End.Write(writer);
    });

    public static byte[] Data(int xid, long zxid, int size) => Reply(new ReplyHeader(xid, zxid, ErrorCode.Ok), writer =>
    {
        writer.WriteBytes(new byte[size]);
        new Stat(zxid, zxid, 1, 1, 0, 0, 0, 0, size, 0, zxid).Write(writer);
    });

    public static byte[] Handshake()
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 10_000, 0, new byte[SessionPassword.Length], false).WriteFrame(writer);
        return writer.Written.ToArray();
    }

    public static byte[] Welcome(long session)
    {
        var writer = new JuteWriter();
        new ConnectResponse(0, 10_000, session, new byte[SessionPassword.Length], false).WriteFrame(writer);
        return writer.Written.ToArray();
    }

    private static byte[] Request(int xid, OpCode op, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }

    private static byte[] Reply(ReplyHeader header, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        header.Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }
}
