using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace ZooNet.Proxy.Transport;

/// <summary>The bytes of one connection, either side. One reader, one sender; closing may come from anywhere.</summary>
internal abstract class Wire
{
    /// <summary>Receives what is there, or waits for it.</summary>
    /// <returns>0 where the other end has closed.</returns>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends as much as goes without waiting.</summary>
    /// <returns>The bytes taken; fewer than given, 0 too, where the rest has to wait for <see cref="SendAsync"/>; -1 where the connection
    /// is lost.</returns>
    public abstract int TrySend(ReadOnlySpan<byte> bytes);

    /// <summary>Sends all of it.</summary>
    public abstract Task SendAsync(ReadOnlyMemory<byte> bytes);

    /// <summary>Ends the connection: what was sent arrives before the end does.</summary>
    public abstract void Close();
}

/// <summary>A plain socket: a burst is read with one system call and sent with one.</summary>
internal sealed class SocketWire(Socket socket) : Wire
{
    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => socket.ReceiveAsync(buffer, SocketFlags.None);

    public override int TrySend(ReadOnlySpan<byte> bytes)
    {
        var sent = socket.Send(bytes, SocketFlags.None, out var error);
        return error switch
        {
            SocketError.Success => sent,
            SocketError.WouldBlock => Math.Max(0, sent),
            _ => -1,
        };
    }

    public override async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None)..];
        }
    }

    public override void Close()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was lost already: there is nothing left to shut down.
        }
        socket.Dispose();
    }
}

/// <summary>A socket under TLS.</summary>
internal sealed class TlsWire(SslStream stream) : Wire
{
    /// <summary>How long the other end may take for the goodbye.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => stream.ReadAsync(buffer);

    public override int TrySend(ReadOnlySpan<byte> bytes) => 0;

    public override async Task SendAsync(ReadOnlyMemory<byte> bytes) => await stream.WriteAsync(bytes);

    public override void Close() => _ = CloseAsync();

    private async Task CloseAsync()
    {
        try
        {
            await stream.ShutdownAsync().WaitAsync(Linger);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException
            or TimeoutException)
        {
            // It was lost already, or nobody listens: there is no goodbye to say.
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }
}

/// <summary>
/// The way to a server in this process. What is sent is executed before <see cref="TrySend"/> returns, and answered too if nothing has to
/// be waited for:
/// the answer is then received on the sender's stack.
/// </summary>
internal sealed class PipeWire(IDuplexPipe pipe) : Wire
{
    private const int Idle = 0;
    private const int Receiving = 1;
    private const int Closed = 2;

    private Task<FlushResult>? _waiting;
    private int _reader;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        if (Interlocked.CompareExchange(ref _reader, Receiving, Idle) == Closed)
        {
            return 0;
        }
        var read = await pipe.Input.ReadAsync();
        var length = (int)Math.Min(buffer.Length, read.Buffer.Length);
        var taken = read.Buffer.Slice(0, length);
        taken.CopyTo(buffer.Span);
        pipe.Input.AdvanceTo(taken.End);
        if (Interlocked.CompareExchange(ref _reader, Idle, Receiving) == Closed)
        {
            await pipe.Input.CompleteAsync();
            return 0;
        }
        return length;
    }

    [SuppressMessage("Usage", "VSTHRD002", Justification = "It is complete.")]
    public override int TrySend(ReadOnlySpan<byte> bytes)
    {
        if (_waiting is { IsCompleted: false })
        {
            return 0;
        }
        pipe.Output.Write(bytes);
        var flush = pipe.Output.FlushAsync();
        if (!flush.IsCompleted)
        {
            _waiting = flush.AsTask();
            return bytes.Length;
        }
        return flush.Result.IsCompleted ? -1 : bytes.Length;
    }

    public override async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (_waiting is { } before)
        {
            await before;
        }
        await pipe.Output.WriteAsync(bytes);
    }

    public override void Close()
    {
        // Not on this stack: the other end answers by ending its own direction, and whoever closes may be in the middle of something.
        ThreadPool.UnsafeQueueUserWorkItem(static wire => wire.End(), this, preferLocal: false);
    }

    private void End()
    {
        pipe.Output.Complete();
        switch (Interlocked.Exchange(ref _reader, Closed))
        {
            case Idle:
                pipe.Input.Complete();
                break;
            case Receiving:
                // The receiver ends its direction itself.
                pipe.Input.CancelPendingRead();
                break;
        }
    }
}
