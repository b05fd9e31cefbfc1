using System.Buffers.Binary;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// Whole frames that wait, in order, in one growing buffer that is given up when it is empty again. What is put in is copied.
/// </summary>
internal sealed class FrameQueue
{
    private byte[] _buffer = [];
    private int _start;
    private int _end;

    /// <summary>Bytes waiting.</summary>
    public int Length => _end - _start;

    /// <summary>How many frames there are.</summary>
    public int Count { get; private set; }

    public bool IsEmpty => _end == _start;

    /// <summary>The first frame, with its prefix; valid until the next change.</summary>
    public Span<byte> First => _buffer.AsSpan(_start, 4 + BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start)));

    public void Enqueue(ReadOnlySpan<byte> frame)
    {
        if (_buffer.Length - _end < frame.Length)
        {
            var room = Math.Max(1024, Math.Max(_buffer.Length, (Length + frame.Length) * 2));
            var target = Length + frame.Length <= _buffer.Length / 2 ? _buffer : new byte[room];
            _buffer.AsSpan(_start, Length).CopyTo(target);
            _end -= _start;
            _start = 0;
            _buffer = target;
        }
        frame.CopyTo(_buffer.AsSpan(_end));
        _end += frame.Length;
        Count++;
    }

    public void Dequeue()
    {
        _start += First.Length;
        Count--;
        if (_start == _end)
        {
            _start = _end = 0;
            if (_buffer.Length > 4096)
            {
                _buffer = [];
            }
        }
    }
}
