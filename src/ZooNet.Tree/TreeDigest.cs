using System.Buffers.Binary;
using System.Text;

namespace ZooNet.Tree;

/// <summary>
/// What ZooKeeper 3.6 and later put behind each transaction to find replicas that differ: the sum of a number for each znode, from its
/// path, data and Stat (source: <c>DigestCalculator</c> and <c>AdHash</c>, version 2).
/// </summary>
internal static class TreeDigest
{
    /// <summary>The way of computing that this code knows.</summary>
    public const int Version = 2;

    private const uint Polynomial = 0xedb88320;
    private static readonly uint[] Table = MakeTable();

    /// <summary>One znode's number; 0 below /zookeeper, where each server has what is its own.</summary>
    public static uint Of(Znode node)
    {
        if (node.Path.StartsWith("/zookeeper/", StringComparison.Ordinal))
        {
            return 0;
        }
        var crc = uint.MaxValue;
        if (node.Path.Length > 1)
        {
            Span<byte> small = stackalloc byte[512];
            var length = Encoding.UTF8.GetMaxByteCount(node.Path.Length) <= small.Length ? Encoding.UTF8.GetBytes(node.Path, small) : -1;
            crc = Add(crc, length >= 0 ? small[..length] : Encoding.UTF8.GetBytes(node.Path));
        }
        crc = Add(crc, node.Data);
        Span<byte> stat = stackalloc byte[60];
        BinaryPrimitives.WriteInt64BigEndian(stat, node.Czxid);
        BinaryPrimitives.WriteInt64BigEndian(stat[8..], node.Mzxid);
        BinaryPrimitives.WriteInt64BigEndian(stat[16..], node.Pzxid);
        BinaryPrimitives.WriteInt64BigEndian(stat[24..], node.Ctime);
        BinaryPrimitives.WriteInt64BigEndian(stat[32..], node.Mtime);
        BinaryPrimitives.WriteInt32BigEndian(stat[40..], node.Version);
        BinaryPrimitives.WriteInt32BigEndian(stat[44..], node.Creates);
        BinaryPrimitives.WriteInt32BigEndian(stat[48..], node.Aversion);
        BinaryPrimitives.WriteInt64BigEndian(stat[52..], node.StoredOwner);
        return ~Add(crc, stat);
    }

    /// <summary>CRC-32 as zip has it.</summary>
    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            crc = Table[(byte)(crc ^ b)] ^ (crc >> 8);
        }
        return crc;
    }

    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (var i = 0u; i < table.Length; i++)
        {
            var value = i;
            for (var bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? (value >> 1) ^ Polynomial : value >> 1;
            }
            table[i] = value;
        }
        return table;
    }
}
