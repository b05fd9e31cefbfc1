using System.Buffers;
using System.Net.Sockets;
using System.Threading.Channels;

namespace ZooNet.Wan;

/// <summary>
/// One direction of one connection: a loop that reads and stamps, a queue, and a loop that waits for each piece's time and writes.
/// Reading goes on while earlier pieces are still under way, so the delay costs no throughput; it stops when the queue holds
/// <see cref="WanOptions.BufferBytes"/>, so memory is bounded and TCP pushes back.
/// </summary>
internal sealed class DelayLine(Socket from, Socket to, WanDirection direction, WanGate gate, WanOptions options, long notBefore)
{
    // Timers count in whole milliseconds. A piece due within half of one goes now: early or late by about as much.
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(0.5);

    private readonly record struct Piece(byte[]? Bytes, int Length, long Due);

    private readonly Channel<Piece> _queue = Channel.CreateUnbounded<Piece>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly Channel<bool> _room = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private long _buffered;

    /// <summary>Runs until the end of the stream has been passed on.</summary>
    /// <exception cref="SocketException">A side was reset.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var reading = ReadAsync(cancellationToken);
        try
        {
            await WriteAsync(cancellationToken);
        }
        finally
        {
            // Where writing failed, closing the sockets ends the reading.
            if (!reading.IsCompleted)
            {
                from.Dispose();
            }
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (_queue.Reader.TryRead(out var piece))
            {
                Release(piece, delivered: false);
            }
        }
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        var last = notBefore;
        try
        {
            while (true)
            {
                var read = await from.ReceiveAsync(buffer.AsMemory(), SocketFlags.None, cancellationToken);
                // The end of the stream travels like a byte. Jitter must not let a piece overtake the one before it.
                last = Math.Max(last, direction.Enter(read));
                byte[]? bytes = null;
                if (read > 0)
                {
                    bytes = ArrayPool<byte>.Shared.Rent(read);
                    buffer.AsSpan(0, read).CopyTo(bytes);
                    Interlocked.Add(ref _buffered, read);
                }
                _queue.Writer.TryWrite(new Piece(bytes, read, last));
                if (read == 0)
                {
                    _queue.Writer.TryComplete();
                    return;
                }
                while (Interlocked.Read(ref _buffered) >= options.BufferBytes)
                {
                    await _room.Reader.ReadAsync(cancellationToken);
                }
            }
        }
        catch (Exception e)
        {
            _queue.Writer.TryComplete(e);
            throw;
        }
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        var time = options.TimeProvider;
        while (await _queue.Reader.WaitToReadAsync(cancellationToken))
        {
            while (_queue.Reader.TryPeek(out var next))
            {
                for (var left = time.GetElapsedTime(time.GetTimestamp(), next.Due); left > Slack; left = time.GetElapsedTime(time.GetTimestamp(), next.Due))
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(1, Math.Floor(left.TotalMilliseconds))), time, cancellationToken);
                }
                await gate.PassAsync(cancellationToken);
                _queue.Reader.TryRead(out var piece);
                if (piece.Bytes is null)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }
                var delivered = false;
                try
                {
                    for (var sent = 0; sent < piece.Length;)
                    {
                        sent += await to.SendAsync(piece.Bytes.AsMemory(sent, piece.Length - sent), SocketFlags.None, cancellationToken);
                    }
                    delivered = true;
                }
                finally
                {
                    Release(piece, delivered);
                }
            }
        }
    }

    private void Release(Piece piece, bool delivered)
    {
        if (piece.Bytes is { } bytes)
        {
            ArrayPool<byte>.Shared.Return(bytes);
            direction.Leave(piece.Length, delivered);
            Interlocked.Add(ref _buffered, -piece.Length);
            _room.Writer.TryWrite(true);
        }
    }
}
