using System.Buffers.Binary;
using System.Text;

namespace ZooNet.Protocol;

/// <summary>
/// Writes jute values and frames into one growing buffer that is used again and again: after warm-up it allocates
/// nothing. Not thread-safe; spans handed out are valid until the next write or <see cref="Clear"/>.
/// </summary>
public sealed class JuteWriter
{
    private byte[] _buffer;
    private int _length;

    /// <summary>Makes an empty writer.</summary>
    /// <param name="capacity">Initial capacity in bytes; it grows as needed.</param>
    public JuteWriter(int capacity = 256) => _buffer = new byte[capacity];

    /// <summary>Everything written since the last <see cref="Clear"/>.</summary>
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    /// <summary>Everything written, as memory over the writer's own buffer.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => _buffer.AsMemory(0, _length);

    /// <summary>Bytes written since the last <see cref="Clear"/>.</summary>
    public int Length => _length;

    /// <summary>Bytes that the buffer has room for.</summary>
    public int Capacity => _buffer.Length;

    /// <summary>Forgets what was written and keeps the buffer (a very large one is given up).</summary>
    public void Clear()
    {
        _length = 0;
        if (_buffer.Length > 64 * 1024)
        {
            _buffer = new byte[1024];
        }
    }

    /// <summary>Opens a frame: reserves its length prefix.</summary>
    /// <returns>A mark for <see cref="EndFrame"/>.</returns>
    public int BeginFrame()
    {
        var mark = _length;
        Reserve(4);
        return mark;
    }

    /// <summary>Closes the frame opened at <paramref name="mark"/>: fills in its length prefix.</summary>
    public void EndFrame(int mark) => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(mark), _length - mark - 4);

    /// <summary>Writes a boolean as one byte.</summary>
    public void WriteBool(bool value) => Reserve(1)[0] = value ? (byte)1 : (byte)0;

    /// <summary>Writes a big-endian int.</summary>
    public void WriteInt(int value) => BinaryPrimitives.WriteInt32BigEndian(Reserve(4), value);

    /// <summary>Writes a big-endian long.</summary>
    public void WriteLong(long value) => BinaryPrimitives.WriteInt64BigEndian(Reserve(8), value);

    /// <summary>Overwrites an int written before, at an offset into <see cref="Written"/>.</summary>
    public void PatchInt(int offset, int value) => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(offset, 4), value);

    /// <summary>Overwrites a long written before, at an offset into <see cref="Written"/>.</summary>
    public void PatchLong(int offset, long value) => BinaryPrimitives.WriteInt64BigEndian(_buffer.AsSpan(offset, 8), value);

    /// <summary>Writes a buffer or string that is already encoded: its length, then the bytes.</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteInt(value.Length);
        WriteRaw(value);
    }

    /// <summary>Writes a string made of two encoded parts, as a path made of mount prefix and rest is.</summary>
    public void WriteBytes(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        WriteInt(first.Length + second.Length);
        WriteRaw(first);
        WriteRaw(second);
    }

    /// <summary>Writes a buffer; null becomes the length -1.</summary>
    public void WriteBuffer(byte[]? value)
    {
        if (value is null)
        {
            WriteInt(-1);
        }
        else
        {
            WriteBytes(value);
        }
    }

    /// <summary>Writes a string as UTF-8; null becomes the length -1.</summary>
    public void WriteString(string? value)
    {
        if (value is null)
        {
            WriteInt(-1);
            return;
        }
        var mark = _length;
        var span = Reserve(4 + Encoding.UTF8.GetMaxByteCount(value.Length));
        var count = Encoding.UTF8.GetBytes(value, span[4..]);
        BinaryPrimitives.WriteInt32BigEndian(span, count);
        _length = mark + 4 + count;
    }

    /// <summary>Writes a vector of strings.</summary>
    public void WriteStrings(IReadOnlyList<string> values)
    {
        WriteInt(values.Count);
        for (var i = 0; i < values.Count; i++)
        {
            WriteString(values[i]);
        }
    }

    /// <summary>Copies bytes as they are.</summary>
    public void WriteRaw(ReadOnlySpan<byte> value) => value.CopyTo(Reserve(value.Length));

    private Span<byte> Reserve(int count)
    {
        if (_buffer.Length - _length < count)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, checked(_length + count)));
        }
        var span = _buffer.AsSpan(_length, count);
        _length += count;
        return span;
    }
}
