using System.Buffers.Binary;
using System.Text;

namespace ZooNet.Protocol;

/// <summary>
/// Reads jute values from one span. A read beyond the end, or of an impossible length, sets <see cref="Failed"/> and
/// returns a default from then on: a record is read straight through and checked once at its end. Nothing is thrown and
/// nothing is allocated from a length that the span does not hold.
/// </summary>
public ref struct JuteReader(ReadOnlySpan<byte> source)
{
    private readonly ReadOnlySpan<byte> _source = source;
    private int _position;

    /// <summary>True once something could not be read. Never becomes false again.</summary>
    public bool Failed { get; private set; }

    /// <summary>Bytes read so far.</summary>
    public readonly int Position => _position;

    /// <summary>Bytes not read yet.</summary>
    public readonly int Remaining => _source.Length - _position;

    /// <summary>What has not been read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _source[_position..];

    /// <summary>Reads one byte as a boolean; any value but 0 is true.</summary>
    public bool ReadBool()
    {
        var span = Take(1);
        return span.Length != 0 && span[0] != 0;
    }

    /// <summary>Reads a big-endian int.</summary>
    public int ReadInt()
    {
        var span = Take(4);
        return span.Length == 0 ? 0 : BinaryPrimitives.ReadInt32BigEndian(span);
    }

    /// <summary>Reads a big-endian long.</summary>
    public long ReadLong()
    {
        var span = Take(8);
        return span.Length == 0 ? 0 : BinaryPrimitives.ReadInt64BigEndian(span);
    }

    /// <summary>Reads a buffer or string as bytes, in place.</summary>
    /// <param name="isNull">True for the length -1, which jute keeps apart from empty.</param>
    public ReadOnlySpan<byte> ReadBytes(out bool isNull)
    {
        var length = ReadInt();
        isNull = length == -1;
        if (Failed || isNull)
        {
            return default;
        }
        if (length < 0)
        {
            Failed = true;
            return default;
        }
        return Take(length);
    }

    /// <summary>Reads a buffer into an array of its own; null for the length -1.</summary>
    public byte[]? ReadBuffer()
    {
        var span = ReadBytes(out var isNull);
        return isNull || Failed ? null : span.ToArray();
    }

    /// <summary>Reads a UTF-8 string; null for the length -1.</summary>
    public string? ReadString()
    {
        var span = ReadBytes(out var isNull);
        return isNull || Failed ? null : Encoding.UTF8.GetString(span);
    }

    /// <summary>
    /// Reads the count of a vector.
    /// </summary>
    /// <param name="minItemLength">The fewest bytes that one item takes: a count that the rest can't hold fails here, before anything is
    /// allocated.</param>
    /// <returns>The count; 0 for a null vector (length -1).</returns>
    public int ReadCount(int minItemLength)
    {
        var count = ReadInt();
        if (count == -1 || Failed)
        {
            return 0;
        }
        if (count < 0 || (long)count * minItemLength > Remaining)
        {
            Failed = true;
            return 0;
        }
        return count;
    }

    /// <summary>Reads a vector of strings; a null vector reads as empty, and a null string, too.</summary>
    public string[] ReadStrings()
    {
        var strings = ReadNullableStrings() ?? [];
        for (var i = 0; i < strings.Length; i++)
        {
            strings[i] ??= "";
        }
        return strings!;
    }

    /// <summary>Reads a vector of strings, any of which may be null; null for a null vector, and for one that is cut off.</summary>
    public string?[]? ReadNullableStrings()
    {
        var isNull = Remaining >= 4 && BinaryPrimitives.ReadInt32BigEndian(_source[_position..]) == -1;
        var count = ReadCount(4);
        if (count == 0)
        {
            return isNull || Failed ? null : [];
        }
        var strings = new string?[count];
        for (var i = 0; i < count; i++)
        {
            strings[i] = ReadString();
        }
        return strings;
    }

    /// <summary>Steps over bytes.</summary>
    public void Skip(int count) => Take(count);

    private ReadOnlySpan<byte> Take(int count)
    {
        if (Failed || count > _source.Length - _position)
        {
            Failed = true;
            return default;
        }
        var span = _source.Slice(_position, count);
        _position += count;
        return span;
    }
}
