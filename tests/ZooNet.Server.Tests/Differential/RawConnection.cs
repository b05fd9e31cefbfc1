using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace ZooNet.Server.Tests.Differential;

/// <summary>A connection that sends whatever it is told to, and hands out whole frames. It waits at most ten seconds for one.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000 };
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;

    public RawConnection(IPEndPoint address) => _socket.Connect(address);

    public void Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                bytes = bytes[_socket.Send(bytes)..];
            }
        }
        catch (SocketException)
        {
            // The server has closed: the next read tells.
        }
    }

    /// <summary>The next frame's payload; null where the connection was closed instead.</summary>
    /// <exception cref="TimeoutException">Neither came.</exception>
    public byte[]? Receive()
    {
        if (!Fill(4))
        {
            return null;
        }
        var length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start));
        _start += 4;
        if (length > _buffer.Length)
        {
            throw new InvalidDataException($"a frame of {length} bytes");
        }
        if (!Fill(length))
        {
            return null;
        }
        var frame = _buffer.AsSpan(_start, length).ToArray();
        _start += length;
        return frame;
    }

    /// <summary>Tells the server that nothing more comes: it closes then.</summary>
    public void EndSending()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The server has closed first.
        }
    }

    public void Dispose() => _socket.Dispose();

    private bool Fill(int count)
    {
        while (_end - _start < count)
        {
            if (_start > 0)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                (_start, _end) = (0, _end - _start);
            }
            try
            {
                var received = _socket.Receive(_buffer.AsSpan(_end));
                if (received == 0)
                {
                    return false;
                }
                _end += received;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted)
            {
                return false;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                throw new TimeoutException("no answer within ten seconds", e);
            }
        }
        return true;
    }
}
