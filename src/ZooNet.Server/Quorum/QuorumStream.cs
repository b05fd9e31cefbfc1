using System.Diagnostics.CodeAnalysis;
using ZooNet.Protocol;
using ZooNet.Tree.Requests;

namespace ZooNet.Server.Quorum;

/// <summary>
/// The bytes of one connection to a leader. One reader at a time; <see cref="Send"/> may be called by any thread, and what is sent leaves
/// in that order, many packets to a system call.
/// </summary>
internal sealed class QuorumStream(Stream stream) : IAsyncDisposable
{
    /// <summary>Bytes that may wait for a leader that does not read; beyond, the connection is given up.</summary>
    public const int MaxUnsent = 64 << 20;

    private const int InitialLength = 64 << 10;

    private readonly Lock _lock = new();
    private byte[] _buffer = new byte[InitialLength];
    private int _start;
    private int _end;
    private JuteWriter _unsent = new(4096);
    private JuteWriter _spare = new(4096);
    private bool _isSending;
    private Exception? _failure;

    /// <summary>What has arrived and was not read.</summary>
    public ReadOnlySpan<byte> Arrived => _buffer.AsSpan(_start.._end);

    /// <summary>Steps over bytes of <see cref="Arrived"/>.</summary>
    public void Advance(int count)
    {
        _start += count;
        if (_start == _end)
        {
            _start = _end = 0;
            if (_buffer.Length > 16 * InitialLength)
            {
                _buffer = new byte[InitialLength];
            }
        }
    }

    /// <summary>Waits until more has arrived.</summary>
    /// <exception cref="EndOfStreamException">The leader has closed the connection.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (_end == _buffer.Length)
        {
            MakeRoom();
        }
        var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
        if (count == 0)
        {
            throw new EndOfStreamException("the leader has closed the connection");
        }
        _end += count;
    }

    /// <summary>Takes the next packet if all of it has arrived.</summary>
    /// <exception cref="InvalidDataException">What has arrived can't be a packet.</exception>
    public bool TryTake(out QuorumPacket packet)
    {
        var length = QuorumPacket.TryRead(Arrived, out packet);
        Advance(length);
        return length > 0;
    }

    /// <summary>Waits for the next packet.</summary>
    /// <inheritdoc cref="FillAsync" path="/exception"/>
    /// <inheritdoc cref="TryTake" path="/exception"/>
    public async ValueTask<QuorumPacket> ReadAsync(CancellationToken cancellationToken)
    {
        QuorumPacket packet;
        while (!TryTake(out packet))
        {
            await FillAsync(cancellationToken).ConfigureAwait(false);
        }
        return packet;
    }

    /// <summary>Queues a packet. Where the connection has broken it is lost: the reader hears of that.</summary>
    public void Send(in QuorumPacket packet, IReadOnlyList<Identity>? identities = null)
    {
        lock (_lock)
        {
            if (_failure is not null)
            {
                return;
            }
            packet.Write(_unsent, identities);
            if (_unsent.Length > MaxUnsent)
            {
                _failure = new IOException($"the leader has not read {_unsent.Length} bytes");
                stream.Dispose();
                return;
            }
            if (_isSending)
            {
                return;
            }
            _isSending = true;
        }
        _ = Task.Run(SendAllAsync);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => stream.DisposeAsync();

    [SuppressMessage("Design", "CA1031", Justification = "Whatever broke the connection, the reader hears of it.")]
    private async Task SendAllAsync()
    {
        while (true)
        {
            JuteWriter batch;
            lock (_lock)
            {
                if (_unsent.Length == 0 || _failure is not null)
                {
                    _isSending = false;
                    return;
                }
                (batch, _unsent, _spare) = (_unsent, _spare, _unsent);
            }
            try
            {
                await stream.WriteAsync(batch.WrittenMemory).ConfigureAwait(false);
                await stream.FlushAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                lock (_lock)
                {
                    _failure = e;
                }
                await stream.DisposeAsync().ConfigureAwait(false);
            }
            batch.Clear();
        }
    }

    private void MakeRoom()
    {
        var arrived = _end - _start;
        if (_start > _buffer.Length / 2)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, arrived);
        }
        else
        {
            // Grows as bytes arrive, never by what a length field says.
            var larger = new byte[_buffer.Length * 2];
            Buffer.BlockCopy(_buffer, _start, larger, 0, arrived);
            _buffer = larger;
        }
        (_start, _end) = (0, arrived);
    }
}
