using System.Buffers.Binary;
using System.Globalization;
using ZooNet.Protocol;
using ZooNet.Tree;

namespace ZooNet.Server.Persistence;

/// <summary>
/// The whole state at one zxid, in a file named <c>snapshot.</c> and that zxid: {long magic; long zxid; sessions; znodes}, in jute's
/// encoding, and a checksum of it all at the end. It is written beside and then renamed: a file of that name is whole.
/// </summary>
internal static class Snapshot
{
    private const long Magic = 0x5a4e_534e_4150_0001; // "ZNSNAP", version 1
    private const string Prefix = "snapshot.";
    private const int ChunkLength = 1 << 20;

    public static string PathOf(string folder, long zxid) => Path.Combine(folder, Prefix + zxid.ToString("x16", CultureInfo.InvariantCulture));

    /// <summary>The snapshots of a folder, oldest first.</summary>
    public static List<(long Zxid, string Path)> List(string folder) => DataFiles.List(folder, Prefix);

    /// <summary>Copies a tree into bytes. Under the gate.</summary>
    public static List<byte[]> Take(DataTree tree)
    {
        var chunks = new List<byte[]>();
        var writer = new JuteWriter(ChunkLength + 4096);
        writer.WriteLong(Magic);
        writer.WriteLong(tree.LastZxid);
        writer.WriteInt(tree.Sessions.Count);
        foreach (var (id, timeout) in tree.Sessions)
        {
            writer.WriteLong(id);
            writer.WriteInt(timeout);
        }
        writer.WriteInt(tree.Count);
        foreach (var node in tree.Nodes)
        {
            Write(writer, node);
            if (writer.Length >= ChunkLength)
            {
                chunks.Add(writer.Written.ToArray());
                writer.Clear();
            }
        }
        chunks.Add(writer.Written.ToArray());
        return chunks;
    }

    /// <summary>Puts a snapshot on disk.</summary>
    public static void Save(string folder, long zxid, List<byte[]> chunks)
    {
        var path = PathOf(folder, zxid);
        var draft = path + ".draft";
        using (var file = new FileStream(draft, FileMode.Create, FileAccess.Write))
        {
            var crc = Checksum.Seed;
            foreach (var chunk in chunks)
            {
                crc = Checksum.Add(crc, chunk);
                file.Write(chunk);
            }
            Span<byte> trailer = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(trailer, Checksum.Finish(crc));
            file.Write(trailer);
            file.Flush(flushToDisk: true);
        }
        File.Move(draft, path, overwrite: true);
        DataFiles.SyncFolder(folder);
    }

    /// <summary>Fills an empty tree from a file.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static void Load(string path, DataTree tree) => Load(File.ReadAllBytes(path), path, tree);

    /// <summary>Fills an empty tree from what is in a file.</summary>
    /// <param name="bytes">All that is in it.</param>
    /// <param name="path">What the file is called.</param>
    /// <param name="tree">The tree.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static void Load(ReadOnlySpan<byte> bytes, string path, DataTree tree)
    {
        // Checksums of chunks whose lengths are no multiples of eight still agree: the checksum is of the bytes, however they are cut.
        if (bytes.Length < 4 || Checksum.Of(bytes[..^4]) != BinaryPrimitives.ReadUInt32BigEndian(bytes[^4..]))
        {
            throw new InvalidDataException($"{path} is damaged: the server does not start. Remove the file to start from the snapshot and the logs before it.");
        }
        var reader = new JuteReader(bytes[..^4]);
        if (reader.ReadLong() != Magic)
        {
            throw new InvalidDataException($"{path} does not begin as a snapshot of this version does.");
        }
        tree.Clear();
        tree.LastZxid = reader.ReadLong();
        for (var i = reader.ReadInt(); i > 0 && !reader.Failed; i--)
        {
            tree.Sessions[reader.ReadLong()] = reader.ReadInt();
        }
        for (var i = reader.ReadInt(); i > 0 && !reader.Failed; i--)
        {
            tree.Restore(Read(ref reader));
        }
        if (reader.Failed)
        {
            throw new InvalidDataException($"{path} ends too early.");
        }
        tree.RelinkChildren();
    }

    /// <summary>Writes a znode as it is on disk.</summary>
    public static void Write(JuteWriter writer, Znode node)
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

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static Znode Read(ref JuteReader reader) => new(reader.ReadString() ?? "/", reader.ReadBuffer(), Acl.ReadList(ref reader) ?? [],
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
