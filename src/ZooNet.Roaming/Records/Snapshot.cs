using System.Buffers.Binary;
using ZooNet.Protocol;
using ZooNet.Roaming.Objects;
using ZooNet.Tree;

namespace ZooNet.Roaming.Records;

/// <summary>
/// A whole copy of an object in bytes: {int magic; where it stands; what it remembers of proxies and owners; znodes in the order of their
/// paths;
/// int checksum}. Copies at one index make the same bytes.
/// </summary>
internal static class Snapshot
{
    /// <summary>The most bytes of a piece, which is one znode.</summary>
    public const int MaxPieceLength = 512 * 1024;

    /// <summary>The most bytes of a snapshot.</summary>
    public const int MaxLength = 512 * 1024 * 1024;

    private const int Magic = 0x5a4e_5301; // "ZNS", version 1

    /// <summary>Writes a copy.</summary>
    /// <exception cref="RoamingDataException">The object has become too large.</exception>
    public static byte[] Write(ObjectCopy copy)
    {
        var writer = new JuteWriter(64 * 1024);
        writer.WriteInt(Magic);
        writer.WriteLong(copy.Index);
        writer.WriteLong(copy.Next.Epoch);
        writer.WriteInt(copy.Next.Number);
        writer.WriteLong((long)copy.Digest);
        writer.WriteLong(copy.TimeMs);
        writer.WriteLong(copy.Horizon);
        writer.WriteLong(copy.Tree.LastZxid);
        writer.WriteLong(copy.NextOwner);
        writer.WriteInt(copy.Proxies.Count);
        foreach (var (proxy, last) in copy.Proxies.OrderBy(p => p.Key))
        {
            writer.WriteLong(proxy);
            writer.WriteLong(last.Number);
            writer.WriteLong(last.Index);
        }
        writer.WriteInt(copy.Owners.Count);
        foreach (var (session, owner) in copy.Owners.OrderBy(o => o.Value))
        {
            writer.WriteString(session.Zone);
            writer.WriteLong(session.Id);
            writer.WriteLong(owner);
        }
        writer.WriteInt(copy.Tree.Count);
        foreach (var node in copy.Tree.Nodes.OrderBy(n => n.Path, StringComparer.Ordinal))
        {
            WriteNode(writer, node);
        }
        writer.WriteInt((int)Entry.Checksum(writer.Written));
        return writer.Length <= MaxLength
            ? writer.Written.ToArray()
            : throw new RoamingDataException($"an object of {writer.Length} bytes is too large, {MaxLength} are the most: "
                + "cut it into several");
    }

    /// <summary>Reads a copy.</summary>
    /// <exception cref="RoamingDataException">It is no snapshot, or was damaged.</exception>
    public static ObjectCopy Read(string path, ReadOnlySpan<byte> data)
    {
        if (data.Length is < 8 or > MaxLength || (uint)BinaryPrimitives.ReadInt32BigEndian(data[^4..]) != Entry.Checksum(data[..^4]))
        {
            throw RecordJson.Damaged(path, "its checksum does not fit");
        }
        var reader = new JuteReader(data[..^4]);
        if (reader.ReadInt() != Magic)
        {
            throw RecordJson.Damaged(path, "it does not begin as a snapshot of this version does");
        }
        var copy = new ObjectCopy { Index = reader.ReadLong() };
        copy.StandAt(new Place(reader.ReadLong(), reader.ReadInt()));
        (copy.Digest, copy.TimeMs, copy.Horizon) = ((ulong)reader.ReadLong(), reader.ReadLong(), reader.ReadLong());
        (copy.Tree.LastZxid, copy.NextOwner) = (reader.ReadLong(), reader.ReadLong());
        for (var i = reader.ReadCount(24); i > 0; i--)
        {
            copy.Proxies[reader.ReadLong()] = (reader.ReadLong(), reader.ReadLong());
        }
        for (var i = reader.ReadCount(20); i > 0; i--)
        {
            copy.Owners[new SessionName(reader.ReadString() ?? "", reader.ReadLong())] = reader.ReadLong();
        }
        for (var i = reader.ReadCount(80); i > 0; i--)
        {
            copy.Tree.Restore(ReadNode(ref reader));
        }
        if (reader.Failed || reader.Remaining != 0)
        {
            throw RecordJson.Damaged(path, "it ends too early, or too late");
        }
        copy.Tree.RelinkChildren();
        return copy;
    }

    private static void WriteNode(JuteWriter writer, Znode node)
    {
        writer.WriteString(node.Path);
        writer.WriteBuffer(node.Data);
        Acl.WriteList(writer, node.AccessControl);
        writer.WriteInt((int)node.Kind);
        writer.WriteLong(node.Owner);
        writer.WriteLong(node.TtlMs);
        writer.WriteLong(node.Czxid);
        writer.WriteLong(node.Mzxid);
        writer.WriteLong(node.Pzxid);
        writer.WriteLong(node.Ctime);
        writer.WriteLong(node.Mtime);
        writer.WriteInt(node.Version);
        writer.WriteInt(node.Aversion);
        writer.WriteInt(node.Creates);
    }

    private static Znode ReadNode(ref JuteReader reader) => new(reader.ReadString() ?? "/", reader.ReadBuffer(),
        Acl.ReadList(ref reader) ?? [],
        (ZnodeKind)reader.ReadInt(), reader.ReadLong(), reader.ReadLong())
    {
        Czxid = reader.ReadLong(),
        Mzxid = reader.ReadLong(),
        Pzxid = reader.ReadLong(),
        Ctime = reader.ReadLong(),
        Mtime = reader.ReadLong(),
        Version = reader.ReadInt(),
        Aversion = reader.ReadInt(),
        Creates = reader.ReadInt(),
    };
}
