using System.Buffers;
using System.IO.Pipelines;
using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>A client in the same process, frame by frame.</summary>
internal sealed class PipeClient(LearningServer server) : IDisposable
{
    private readonly IDuplexPipe _pipe = server.Connect();

    /// <summary>Asks for a session.</summary>
    /// <exception cref="EndOfStreamException">It was closed instead.</exception>
    public async Task<long> ConnectAsync(long lastZxidSeen = 0)
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, lastZxidSeen, 30_000, 0, new byte[16], false).WriteFrame(writer);
        await _pipe.Output.WriteAsync(writer.WrittenMemory);
        while (true)
        {
            var read = await _pipe.Input.ReadAsync().AsTask().WaitAsync(ScriptedLeader.Limit);
            if (Framing.TryReadFrame(read.Buffer.ToArray(), Framing.DefaultMaxLength, out var length) == OperationStatus.Done)
            {
                var response = ConnectResponse.TryRead(read.Buffer.Slice(Framing.PrefixLength, length - Framing.PrefixLength).ToArray());
                _pipe.Input.AdvanceTo(read.Buffer.GetPosition(length));
                return response!.SessionId;
            }
            _pipe.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
            {
                throw new EndOfStreamException();
            }
        }
    }

    /// <summary>Sends a request.</summary>
    public async Task SendAsync(int xid, OpCode op, byte[]? body = null)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        writer.WriteRaw(body);
        writer.EndFrame(mark);
        await _pipe.Output.WriteAsync(writer.WrittenMemory);
    }

    /// <summary>Waits for the next reply, without its length.</summary>
    /// <returns>Null where the connection has ended instead.</returns>
    public async Task<byte[]?> ReplyAsync()
    {
        while (true)
        {
            var read = await _pipe.Input.ReadAsync().AsTask().WaitAsync(ScriptedLeader.Limit);
            if (Framing.TryReadFrame(read.Buffer.ToArray(), Framing.DefaultMaxLength, out var length) == OperationStatus.Done)
            {
                var reply = read.Buffer.Slice(Framing.PrefixLength, length - Framing.PrefixLength).ToArray();
                _pipe.Input.AdvanceTo(read.Buffer.GetPosition(length));
                return reply;
            }
            _pipe.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
            {
                return null;
            }
        }
    }

    /// <summary>Sends a ping.</summary>
    /// <returns>Whether it was answered; else the connection has ended.</returns>
    public async Task<bool> PingAsync()
    {
        await SendAsync(-2, OpCode.Ping);
        return await ReplyAsync() is not null;
    }

    /// <summary>Reads a znode's data; null where it is not there.</summary>
    public async Task<byte[]?> GetDataAsync(string path)
    {
        var body = new JuteWriter();
        body.WriteString(path);
        body.WriteBool(false);
        await SendAsync(98, OpCode.GetData, body.Written.ToArray());
        return Parse(await ReplyAsync());

        static byte[]? Parse(byte[]? reply)
        {
            var reader = new JuteReader(reply);
            return ReplyHeader.Read(ref reader).Error == ErrorCode.Ok ? reader.ReadBuffer() : null;
        }
    }

    /// <summary>Waits for the end of the connection.</summary>
    /// <returns>How many bytes came before it.</returns>
    public async Task<long> BytesUntilTheEndAsync()
    {
        while (true)
        {
            var read = await _pipe.Input.ReadAsync().AsTask().WaitAsync(ScriptedLeader.Limit);
            var length = read.Buffer.Length;
            _pipe.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
            {
                return length;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pipe.Output.Complete();
        _pipe.Input.Complete();
    }
}
