using System.Buffers.Binary;
using ZooNet.Protocol;
using ZooNet.Server.Persistence;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Quorum;

/// <summary>Where a replica on disk stands in its ensemble's history.</summary>
/// <param name="AcceptedEpoch">The newest epoch that the learner has accepted.</param>
/// <param name="Before">The transaction before <paramref name="Last"/>.</param>
/// <param name="Last">
/// The last transaction that the state has. After a restart the learner claims to have only the one before, so that the leader sends this
/// one, and shows by it that both have the same history: two ensembles may well use the same zxids.
/// </param>
internal readonly record struct ReplicaPosition(long AcceptedEpoch, long Before, TxnHeader Last);

/// <summary>
/// A learner's state in a file, from which a restart goes on. {long magic}, then chunks {int length; uint crc32c; bytes}, where each
/// checksum goes on from the one before, so that no chunk is missing, moved, or of another file: the position and the roots; sessions;
/// znodes; and an empty chunk at the end. It is written beside and then renamed.
/// </summary>
internal static class ReplicaFile
{
    private const long Magic = 0x5a4e_5245_504c_0001; // "ZNREPL", version 1
    private const string Name = "replica";
    private const int ChunkLength = 1 << 20;
    private const int MaxRoots = 100_000;

    /// <summary>What is in front of a chunk's bytes.</summary>
    private const int HeaderLength = sizeof(int) + sizeof(uint);

    /// <summary>The file of a folder.</summary>
    public static string PathOf(string folder) => Path.Combine(folder, Name);

    /// <summary>Copies a tree into chunks. Under the gate.</summary>
    public static List<byte[]> Take(DataTree tree, in ReplicaPosition position)
    {
        var chunks = new List<byte[]>();
        var writer = new JuteWriter(ChunkLength + 4096);
        writer.WriteLong(position.AcceptedEpoch);
        writer.WriteLong(position.Before);
        writer.WriteLong(position.Last.SessionId);
        writer.WriteInt(position.Last.Xid);
        writer.WriteLong(position.Last.Zxid);
        writer.WriteLong(position.Last.TimeMs);
        writer.WriteBool(tree.Roots is null);
        writer.WriteStrings(tree.Roots?.Paths ?? []);
        writer.WriteInt(tree.Sessions.Count);
        writer.WriteInt(tree.Count);
        End();
        foreach (var (id, timeout) in tree.Sessions)
        {
            writer.WriteLong(id);
            writer.WriteInt(timeout);
            EndIfFull();
        }
        End();
        foreach (var node in tree.Nodes)
        {
            Snapshot.Write(writer, node);
            EndIfFull();
        }
        End();
        chunks.Add([]);
        return chunks;

        void EndIfFull()
        {
            if (writer.Length >= ChunkLength)
            {
                End();
            }
        }

        void End()
        {
            // An empty one would be the end.
            if (writer.Length > 0)
            {
                chunks.Add(writer.Written.ToArray());
                writer.Clear();
            }
        }
    }

    /// <summary>Puts it on disk.</summary>
    /// <exception cref="IOException">It can't be.</exception>
    public static void Save(string folder, List<byte[]> chunks)
    {
        var path = PathOf(folder);
        var draft = path + ".draft";
        using (var file = new FileStream(draft, FileMode.Create, FileAccess.Write))
        {
            Span<byte> header = stackalloc byte[HeaderLength];
            BinaryPrimitives.WriteInt64BigEndian(header, Magic);
            file.Write(header);
            var crc = Checksum.Add(Checksum.Seed, header);
            foreach (var chunk in chunks)
            {
                crc = Checksum.Add(crc, chunk);
                BinaryPrimitives.WriteInt32BigEndian(header, chunk.Length);
                BinaryPrimitives.WriteUInt32BigEndian(header[4..], Checksum.Finish(crc));
                file.Write(header);
                file.Write(chunk);
            }
            file.Flush(flushToDisk: true);
        }
        File.Move(draft, path, overwrite: true);
        DataFiles.SyncFolder(folder);
    }

    /// <summary>Fills an empty tree; nobody else uses it. Its last zxid is that of <see cref="ReplicaPosition.Last"/>.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or of another version.</exception>
    /// <exception cref="IOException">It can't be read.</exception>
    public static ReplicaPosition Load(string folder, DataTree tree)
    {
        using var chunks = new Chunks(PathOf(folder));
        var reader = new JuteReader(chunks.Next());
        var position = new ReplicaPosition(reader.ReadLong(), reader.ReadLong(),
            new TxnHeader(reader.ReadLong(), reader.ReadInt(), reader.ReadLong(), reader.ReadLong()));
        var isWhole = reader.ReadBool();
        var roots = reader.ReadStrings();
        var (sessions, znodes) = (reader.ReadInt(), reader.ReadInt());
        if (reader.Failed || roots.Length > MaxRoots || sessions < 0 || znodes < 1)
        {
            throw new InvalidDataException("its beginning can't be read");
        }
        tree.Clear();
        tree.Roots = isWhole ? null : new Roots(roots.OfType<string>());
        while (sessions > 0)
        {
            for (reader = new JuteReader(chunks.Next()); reader.Remaining > 0 && sessions > 0; sessions--)
            {
                tree.Sessions[reader.ReadLong()] = reader.ReadInt();
            }
        }
        var lists = new AclLists();
        while (znodes > 0)
        {
            for (reader = new JuteReader(chunks.Next()); reader.Remaining > 0 && znodes > 0; znodes--)
            {
                var node = Snapshot.Read(ref reader);
                node.AccessControl = lists.Shared(node.AccessControl);
                tree.Restore(node);
            }
            if (reader.Failed)
            {
                throw new InvalidDataException("a znode can't be read");
            }
        }
        if (chunks.Next().Length > 0)
        {
            throw new InvalidDataException("there is more in it than it says");
        }
        tree.RelinkChildren();
        tree.LastZxid = position.Last.Zxid;
        return position;
    }

    /// <summary>Reads one chunk after the other, never more than a chunk at a time, and never more than the file has.</summary>
    private sealed class Chunks : IDisposable
    {
        private readonly FileStream _file;
        private uint _crc = Checksum.Seed;

        public Chunks(string path)
        {
            _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);
            var header = new byte[HeaderLength];
            if (_file.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false) < HeaderLength
                || BinaryPrimitives.ReadInt64BigEndian(header) != Magic)
            {
                _file.Dispose();
                throw new InvalidDataException("it does not begin as a state of this version does");
            }
            _crc = Checksum.Add(_crc, header);
        }

        public byte[] Next()
        {
            var header = new byte[HeaderLength];
            if (_file.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false) < HeaderLength)
            {
                throw new InvalidDataException("it ends too early");
            }
            var length = BinaryPrimitives.ReadInt32BigEndian(header);
            if (length < 0 || length > _file.Length - _file.Position)
            {
                throw new InvalidDataException($"it is damaged before byte {_file.Position}");
            }
            var chunk = new byte[length];
            _file.ReadExactly(chunk);
            _crc = Checksum.Add(_crc, chunk);
            return Checksum.Finish(_crc) == BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4)) ? chunk
                : throw new InvalidDataException($"it is damaged before byte {_file.Position}");
        }

        public void Dispose() => _file.Dispose();
    }
}
