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

    /// <summary>Sends a request without a body.</summary>
    public async Task SendAsync(int xid, OpCode op)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        writer.EndFrame(mark);
        await _pipe.Output.WriteAsync(writer.WrittenMemory);
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
