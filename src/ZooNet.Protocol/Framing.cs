using System.Buffers;
using System.Buffers.Binary;

namespace ZooNet.Protocol;

/// <summary>
/// Frames of the client port: a big-endian int length, then that many bytes. The codec finds the whole frame
/// first and decodes it from one span afterwards; it never waits inside a record.
/// </summary>
public static class Framing
{
    /// <summary>Bytes of the length prefix.</summary>
    public const int PrefixLength = 4;

    /// <summary>ZooKeeper's default <c>jute.maxbuffer</c>: the largest request payload it takes, in bytes.</summary>
    public const int DefaultMaxLength = 0xfffff;

    /// <summary>
    /// Looks for one whole frame at the start of <paramref name="buffer"/>.
    /// </summary>
    /// <param name="buffer">What has been received and not yet consumed.</param>
    /// <param name="maxLength">The largest payload accepted, in bytes.</param>
    /// <param name="frameLength">
    /// On <see cref="OperationStatus.Done"/> the frame's length with its prefix; on
    /// <see cref="OperationStatus.InvalidData"/> the offending length as it came; otherwise the bytes needed as far as known.
    /// </param>
    /// <returns><c>Done</c>, <c>NeedMoreData</c>, or <c>InvalidData</c> for a length that is zero, negative or beyond the limit.</returns>
    public static OperationStatus TryReadFrame(ReadOnlySpan<byte> buffer, int maxLength, out int frameLength)
    {
        if (buffer.Length < PrefixLength)
        {
            frameLength = PrefixLength;
            return OperationStatus.NeedMoreData;
        }
        var length = BinaryPrimitives.ReadInt32BigEndian(buffer);
        if (length <= 0 || length > maxLength)
        {
            frameLength = length;
            return OperationStatus.InvalidData;
        }
        frameLength = PrefixLength + length;
        return buffer.Length >= frameLength ? OperationStatus.Done : OperationStatus.NeedMoreData;
    }
}
