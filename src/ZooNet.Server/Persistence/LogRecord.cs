using System.Buffers.Binary;

namespace ZooNet.Server.Persistence;

/// <summary>
/// The frame of one transaction in a log file: {int length; uint crc32c; long durable; transaction}, big-endian, where the length
/// counts what follows the checksum, and the checksum covers the same.
/// </summary>
/// <param name="Offset">Where the record begins in its file.</param>
/// <param name="Length">Its bytes in all.</param>
/// <param name="Durable">How much of the file was on disk for certain when the record was written: damage before that is no torn
/// write.</param>
internal readonly record struct LogRecord(int Offset, int Length, long Durable)
{
    /// <summary>Bytes before the transaction.</summary>
    public const int HeaderLength = 16;

    /// <summary>Looks for a whole, undamaged record.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="offset">Where to look.</param>
    public static LogRecord? TryRead(ReadOnlySpan<byte> file, int offset)
    {
        var rest = file[offset..];
        if (rest.Length < HeaderLength)
        {
            return null;
        }
        var length = BinaryPrimitives.ReadInt32BigEndian(rest);
        if (length < 8 || length > rest.Length - 8 || Checksum.Of(rest.Slice(8, length)) != BinaryPrimitives.ReadUInt32BigEndian(rest[4..]))
        {
            return null;
        }
        return new LogRecord(offset, 8 + length, BinaryPrimitives.ReadInt64BigEndian(rest[8..]));
    }

    /// <summary>The transaction's bytes.</summary>
    public ReadOnlySpan<byte> Txn(ReadOnlySpan<byte> file) => file.Slice(Offset + HeaderLength, Length - HeaderLength);
}
