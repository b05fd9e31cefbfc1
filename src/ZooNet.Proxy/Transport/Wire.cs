using System.Net.Security;
using System.Net.Sockets;

namespace ZooNet.Proxy.Transport;

/// <summary>The bytes of one connection, either side. One reader, one sender; closing may come from anywhere.</summary>
internal abstract class Wire
{
    /// <summary>Receives what is there, or waits for it.</summary>
    /// <returns>0 where the other end has closed.</returns>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends as much as goes without waiting.</summary>
    /// <returns>The bytes taken; fewer than given, 0 too, where the rest has to wait for <see cref="SendAsync"/>; -1 where the connection is lost.</returns>
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
