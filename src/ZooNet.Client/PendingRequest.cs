using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>Decodes the body of a successful reply, or turns an error into a value.</summary>
internal delegate T ReplyReader<T>(ref JuteReader reader, ReplyHeader header);

/// <summary>A request between the caller and its reply. Written and completed by the connection's loops, awaited by the caller.</summary>
internal abstract class PendingRequest(OpCode op, string? path, Action<JuteWriter>? body)
{
    public OpCode Op { get; } = op;

    public string? Path { get; } = path;

    /// <summary>When it was queued, as a timestamp of the client's TimeProvider.</summary>
    public long QueuedAt { get; set; }

    public int Xid { get; private set; }

    /// <summary>Called on the read loop before completion, so that a watch is known before any later event.</summary>
    public Action<ErrorCode>? Replied { get; init; }

    public void WriteFrame(JuteWriter writer, int xid)
    {
        Xid = xid;
        var mark = writer.BeginFrame();
        new RequestHeader(xid, Op).Write(writer);
        body?.Invoke(writer);
        writer.EndFrame(mark);
    }

    public abstract void Complete(ReplyHeader header, ReadOnlySpan<byte> body);

    public abstract void Fail(ErrorCode code, Exception? cause);
}

/// <summary>A request whose reply is a <typeparamref name="T"/>.</summary>
internal sealed class PendingRequest<T>(OpCode op, string? path, Action<JuteWriter>? body, ReplyReader<T> read, bool readErrors = false)
    : PendingRequest(op, path, body)
{
    // Callers must not run on the read loop: they would hold up every other reply.
    private readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Task => _completion.Task;

    public override void Complete(ReplyHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Error != ErrorCode.Ok && !readErrors)
        {
            _completion.TrySetException(new KeeperException(header.Error, Op, Path, header.Zxid));
            return;
        }
        var reader = new JuteReader(body);
        try
        {
            var value = read(ref reader, header);
            if (reader.Failed)
            {
                _completion.TrySetException(new KeeperException(ErrorCode.MarshallingError, Op, Path, header.Zxid));
                return;
            }
            _completion.TrySetResult(value);
        }
        catch (KeeperException e)
        {
            _completion.TrySetException(e);
        }
    }

    public override void Fail(ErrorCode code, Exception? cause) => _completion.TrySetException(new KeeperException(code, Op, Path, inner: cause));
}
