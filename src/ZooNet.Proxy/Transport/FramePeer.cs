using System.Net.Sockets;

namespace ZooNet.Proxy.Transport;

/// <summary>
/// One end of the proxy that speaks frames: the client, or a server. It reads bursts into one buffer, hands them on, and gathers what
/// is sent until <see cref="Flush"/>: one system call for a burst each way. Everything but the read loop runs under its owner's lock.
/// </summary>
internal sealed class FramePeer(IFrameOwner owner)
{
    /// <summary>The buffer that an idle peer holds. A burst that fills it is read with a larger, pooled one.</summary>
    private const int IdleBuffer = 512;
    private const int BurstBuffer = 32 * 1024;

    /// <summary>Reads in a row that would have fitted the idle buffer before the larger one is given back.</summary>
    private const int QuietReads = 16;

    /// <summary>Says that the owner stopped before the bytes' end: they are offered again, whatever comes.</summary>
    public const int FramesLeft = -1;

    /// <summary>How long the other end may take for the last bytes once the connection is to end.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);

    private Wire? _wire;
    private byte[] _out = [];
    private int _outLength;
    private bool _sending;
    private bool _closed;

    /// <summary>Bytes gathered or on their way that the other end has not taken.</summary>
    public int Backlog => _outLength;

    /// <summary>True once <see cref="Close"/> was called or the connection was lost.</summary>
    public bool IsClosed => _closed;

    /// <summary>True from the first byte that was gathered to the next <see cref="Flush"/>.</summary>
    public bool IsDirty { get; private set; }

    /// <summary>Gives the peer its connection.</summary>
    /// <returns>False where it was closed meanwhile; the connection is closed then.</returns>
    public bool Attach(Wire wire)
    {
        if (_closed)
        {
            wire.Close();
            return false;
        }
        _wire = wire;
        return true;
    }

    /// <summary>Gathers bytes; copied before it returns. Those for a closed peer go nowhere.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        if (_closed)
        {
            return;
        }
        if (_out.Length - _outLength < bytes.Length)
        {
            // One long frame gets what it takes, many short ones double it.
            var larger = FrameBuffers.Rent(Math.Max(Math.Max(2048, 2 * _outLength), _outLength + bytes.Length));
            _out.AsSpan(0, _outLength).CopyTo(larger);
            ReturnOut();
            _out = larger;
        }
        bytes.CopyTo(_out.AsSpan(_outLength));
        _outLength += bytes.Length;
        if (!IsDirty)
        {
            IsDirty = true;
            owner.OnGathered(this);
        }
    }

    /// <summary>Sends what was gathered, with one call where the other end takes it all.</summary>
    public void Flush()
    {
        IsDirty = false;
        if (_sending || _outLength == 0 || _wire is not { } wire)
        {
            return;
        }
        // A server in this process may answer before the call returns, and that may make the session send more.
        var (batch, length) = (_out, _outLength);
        (_out, _outLength) = ([], 0);
        var sent = wire.TrySend(batch.AsSpan(0, length));
        if (sent == length)
        {
            FrameBuffers.Return(batch);
        }
        else if (sent < 0)
        {
            // The read loop learns of it too, and reports the end.
            _closed = true;
            FrameBuffers.Return(batch);
            wire.Close();
        }
        else
        {
            // It has not been taken, so it was not answered, and nothing was gathered meanwhile.
            batch.AsSpan(sent, length - sent).CopyTo(batch);
            (_out, _outLength) = (batch, length - sent);
            _sending = true;
            _ = SendRestAsync(wire);
        }
    }

    /// <summary>Sends what was gathered and ends the connection.</summary>
    public void Close()
    {
        if (_closed)
        {
            return;
        }
        // Closed before the last bytes leave: nobody waits for the answers to them.
        _closed = true;
        Flush();
        if (!_sending)
        {
            _wire?.Close();
        }
        else
        {
            _ = CloseAfterLingerAsync(_wire!);
        }
    }

    /// <summary>Reads until the connection ends.</summary>
    public async Task ReadAsync()
    {
        var wire = _wire!;
        var idle = new byte[IdleBuffer];
        var buffer = idle;
        var length = 0;
        var quiet = 0;
        string why;
        var lost = false;
        try
        {
            while (true)
            {
                var received = await wire.ReceiveAsync(buffer.AsMemory(length));
                if (received == 0)
                {
                    why = length == 0 ? "closed by the other end" : "closed by the other end in the middle of a frame";
                    break;
                }
                length += received;
                var full = length == buffer.Length;
                if (!owner.OnBytes(buffer.AsSpan(0, length), out var consumed, out var needed))
                {
                    return;
                }
                length -= consumed;
                if (length > 0 && consumed > 0)
                {
                    buffer.AsSpan(consumed, length).CopyTo(buffer);
                }
                while (needed == FramesLeft || owner.MustPause)
                {
                    await owner.WaitAsync();
                    if (!owner.OnBytes(buffer.AsSpan(0, length), out consumed, out needed))
                    {
                        return;
                    }
                    length -= consumed;
                    buffer.AsSpan(consumed, length).CopyTo(buffer);
                }
                if (full || needed > buffer.Length)
                {
                    var want = Math.Max(needed, BurstBuffer);
                    if (buffer.Length < want)
                    {
                        var larger = FrameBuffers.Rent(want);
                        buffer.AsSpan(0, length).CopyTo(larger);
                        Release(buffer, idle);
                        buffer = larger;
                    }
                }
                quiet = received < IdleBuffer && length == 0 ? quiet + 1 : 0;
                if (buffer != idle && (quiet >= QuietReads || (length == 0 && FrameBuffers.IsRare(buffer))))
                {
                    Release(buffer, idle);
                    buffer = idle;
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException or IOException or InvalidOperationException)
        {
            lost = true;
            why = e is SocketException s ? s.SocketErrorCode.ToString() : "the connection broke";
        }
        finally
        {
            Release(buffer, idle);
        }
        owner.OnEnd(why, lost);
    }

    private async Task SendRestAsync(Wire wire)
    {
        try
        {
            while (true)
            {
                byte[] batch;
                int length;
                lock (owner.Gate)
                {
                    if (_outLength == 0)
                    {
                        _sending = false;
                        Sent();
                        if (_closed)
                        {
                            wire.Close();
                        }
                        break;
                    }
                    (batch, length) = (_out, _outLength);
                    _out = [];
                    _outLength = 0;
                }
                try
                {
                    await wire.SendAsync(batch.AsMemory(0, length));
                }
                finally
                {
                    FrameBuffers.Return(batch);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException or InvalidOperationException or OperationCanceledException)
        {
            lock (owner.Gate)
            {
                _sending = false;
                _closed = true;
                Sent();
            }
            wire.Close();
        }
        owner.OnBacklogSent();
    }

    private void Sent()
    {
        _outLength = 0;
        ReturnOut();
        _out = [];
    }

    private void ReturnOut()
    {
        if (_out.Length > 0)
        {
            FrameBuffers.Return(_out);
        }
    }

    private async Task CloseAfterLingerAsync(Wire wire)
    {
        await Task.Delay(Linger, owner.Time);
        wire.Close();
    }

    private static void Release(byte[] buffer, byte[] idle)
    {
        if (buffer != idle)
        {
            FrameBuffers.Return(buffer);
        }
    }
}
