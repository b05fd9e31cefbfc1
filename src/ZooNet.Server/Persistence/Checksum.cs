using System.Buffers.Binary;
using System.Numerics;

namespace ZooNet.Server.Persistence;

/// <summary>CRC-32C (Castagnoli), as iSCSI and ext4 use it: the processor computes it.</summary>
internal static class Checksum
{
    /// <summary>
    /// Continues a checksum; the first part starts from <see cref="Seed"/>, and the last one's result goes through <see cref="Finish"/>.
    /// </summary>
    public static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }
        foreach (var b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }
        return crc;
    }

    public const uint Seed = uint.MaxValue;

    public static uint Finish(uint crc) => ~crc;

    /// <summary>The checksum of one span.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => Finish(Add(Seed, bytes));
}
