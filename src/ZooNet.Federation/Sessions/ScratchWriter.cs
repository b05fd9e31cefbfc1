using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// The writer in which a session makes the frame that it sends next. One for each thread: what is written is sent or copied before
/// anything else is written.
/// </summary>
internal static class ScratchWriter
{
    /// <summary>Bytes of the buffer that a thread keeps.</summary>
    private const int MaxBytes = 1024 * 1024;

    [ThreadStatic]
    private static JuteWriter? _writer;

    /// <summary>The thread's writer, empty.</summary>
    /// <param name="expected">Bytes that will be written, if they are known to be many: the writer need not grow up to them.</param>
    public static JuteWriter Empty(int expected = 0)
    {
        if (expected > MaxBytes)
        {
            return new JuteWriter(expected);
        }
        if (_writer is not { Capacity: <= MaxBytes })
        {
            // One large reply must not cost each thread its size for ever.
            _writer = new JuteWriter(1024);
        }
        _writer.Clear();
        return _writer;
    }

    /// <summary>A whole frame: a reply that is its header alone, or the results of a failed multi behind it.</summary>
    public static ReadOnlySpan<byte> Reply(int xid, long zxid, ErrorCode error, FailedMulti? results = null)
    {
        var writer = Empty();
        var mark = writer.BeginFrame();
        new ReplyHeader(xid, zxid, error).Write(writer);
        results?.Write(writer);
        writer.EndFrame(mark);
        return writer.Written;
    }

    /// <summary>A whole frame: an event.</summary>
    public static ReadOnlySpan<byte> Event(WatcherEvent change)
    {
        var writer = Empty();
        change.WriteFrame(writer);
        return writer.Written;
    }

    /// <summary>A whole frame: a request that is its header alone.</summary>
    public static ReadOnlySpan<byte> Request(int xid, OpCode op)
    {
        var writer = Empty();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        writer.EndFrame(mark);
        return writer.Written;
    }
}
