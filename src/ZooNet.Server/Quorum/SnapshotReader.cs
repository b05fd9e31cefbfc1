using System.Buffers.Binary;
using ZooNet.Protocol;
using ZooNet.Tree;

namespace ZooNet.Server.Quorum;

/// <summary>
/// Reads the snapshot that a leader sends: sessions, lists of ACLs, znodes with their parents first, the path "/" behind the last one,
/// and the signature (source: <c>SerializeUtils#serializeSnapshot</c>, <c>DataTree#serialize</c>). It is read record by record as it
/// arrives, never held as a whole.
/// </summary>
internal sealed class SnapshotReader(QuorumStream stream, DataTree tree)
{
    private const string Signature = "BenWasHere";

    /// <summary>The longest path, and the longest data of one znode, that are taken.</summary>
    private const int MaxPathLength = 4 << 20;
    private const int MaxDataLength = QuorumPacket.MaxDataLength;
    private const int MaxAclLists = 10_000_000;
    private const int MaxAclEntries = 100_000;
    private const int MaxSessions = 50_000_000;

    /// <summary>The owner that says that a znode is a container (source: <c>EphemeralType.CONTAINER_EPHEMERAL_OWNER</c>).</summary>
    private const long ContainerOwner = long.MinValue;

    /// <summary>Bytes of a znode behind its data: the number of its ACL list, and its Stat as it is stored.</summary>
    private const int FixedLength = sizeof(long) + 60;

    private readonly Dictionary<long, IReadOnlyList<Acl>> _lists = [];

    /// <summary>Znodes read so far.</summary>
    public long Znodes { get; private set; }

    /// <summary>Fills the tree, which has been cleared. Nobody else uses it meanwhile.</summary>
    /// <exception cref="InvalidDataException">It can't be a snapshot.</exception>
    /// <exception cref="EndOfStreamException">It was cut off.</exception>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        var sessions = await CountAsync(MaxSessions, "sessions", cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < sessions; i++)
        {
            await NeedAsync(12, cancellationToken).ConfigureAwait(false);
            tree.Sessions[BinaryPrimitives.ReadInt64BigEndian(stream.Arrived)] = BinaryPrimitives.ReadInt32BigEndian(stream.Arrived[8..]);
            stream.Advance(12);
        }
        var lists = await CountAsync(MaxAclLists, "lists of ACLs", cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < lists; i++)
        {
            while (!TryReadList())
            {
                await stream.FillAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        while (true)
        {
            bool last;
            while (!TryReadZnode(out last))
            {
                await stream.FillAsync(cancellationToken).ConfigureAwait(false);
            }
            if (last)
            {
                break;
            }
        }
        while (!TryReadSignature())
        {
            await stream.FillAsync(cancellationToken).ConfigureAwait(false);
        }
        tree.RelinkChildren();
    }

    private async ValueTask<int> CountAsync(int limit, string what, CancellationToken cancellationToken)
    {
        await NeedAsync(4, cancellationToken).ConfigureAwait(false);
        var count = BinaryPrimitives.ReadInt32BigEndian(stream.Arrived);
        stream.Advance(4);
        return count >= 0 && count <= limit ? count : throw new InvalidDataException($"a snapshot with {count} {what}");
    }

    private async ValueTask NeedAsync(int count, CancellationToken cancellationToken)
    {
        while (stream.Arrived.Length < count)
        {
            await stream.FillAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private bool TryReadList()
    {
        var arrived = stream.Arrived;
        if (arrived.Length < 12)
        {
            return false;
        }
        var count = BinaryPrimitives.ReadInt32BigEndian(arrived[8..]);
        if (count is < -1 or > MaxAclEntries)
        {
            throw new InvalidDataException($"a snapshot with a list of {count} ACLs");
        }
        var at = 12;
        for (var i = 0; i < count; i++)
        {
            at += 4;
            if (!TrySkip(arrived, ref at, MaxPathLength) || !TrySkip(arrived, ref at, MaxPathLength))
            {
                return false;
            }
        }
        var reader = new JuteReader(arrived[8..at]);
        _lists[BinaryPrimitives.ReadInt64BigEndian(arrived)] = Acl.ReadList(ref reader) ?? [];
        stream.Advance(at);
        return true;
    }

    private bool TryReadZnode(out bool last)
    {
        last = false;
        var arrived = stream.Arrived;
        var at = 0;
        if (!TrySkip(arrived, ref at, MaxPathLength))
        {
            return false;
        }
        var path = arrived[4..at];
        if (path is [(byte)'/'])
        {
            last = true;
            stream.Advance(at);
            return true;
        }
        var data = at;
        if (!TrySkip(arrived, ref at, MaxDataLength) || arrived.Length < at + FixedLength)
        {
            return false;
        }
        // A partial replica forgets nearly all of a large cluster here: that makes no garbage.
        if (!tree.IsForeign(path))
        {
            var reader = new JuteReader(arrived[data..(at + FixedLength)]);
            tree.Restore(Read(System.Text.Encoding.UTF8.GetString(path), reader.ReadBuffer(), ref reader));
        }
        Znodes++;
        stream.Advance(at + FixedLength);
        return true;
    }

    private Znode Read(string path, byte[]? data, ref JuteReader reader)
    {
        var key = reader.ReadLong();
        var acl = key == -1 ? Acl.Open : _lists.GetValueOrDefault(key)
            ?? throw new InvalidDataException($"a snapshot in which {path} has the ACL {key}, which is not in it");
        var (czxid, mzxid, ctime, mtime) = (reader.ReadLong(), reader.ReadLong(), reader.ReadLong(), reader.ReadLong());
        var (version, creates, aversion) = (reader.ReadInt(), reader.ReadInt(), reader.ReadInt());
        var owner = reader.ReadLong();
        var kind = KindOf(owner);
        return new Znode(path.Length == 0 ? "/" : path, data, acl, kind, kind == ZnodeKind.Ephemeral ? owner : 0, kind == ZnodeKind.Ttl ? owner & 0xff_ffff_ffff : 0)
        {
            Czxid = czxid,
            Mzxid = mzxid,
            Ctime = ctime,
            Mtime = mtime,
            Version = version,
            Creates = creates,
            Aversion = aversion,
            Pzxid = reader.ReadLong(),
        };
    }

    /// <summary>
    /// What an owner says of its znode (source: <c>EphemeralType</c>). A TTL znode has 0xff in the highest byte and two bytes of zeros
    /// behind it, which the time in a session's id never is.
    /// </summary>
    public static ZnodeKind KindOf(long owner) => owner switch
    {
        0 => ZnodeKind.Persistent,
        ContainerOwner => ZnodeKind.Container,
        _ when (ulong)owner >> 40 == 0xff0000 => ZnodeKind.Ttl,
        _ => ZnodeKind.Ephemeral,
    };

    private bool TryReadSignature()
    {
        var at = 0;
        var arrived = stream.Arrived;
        if (!TrySkip(arrived, ref at, 64))
        {
            return false;
        }
        if (!arrived[4..at].SequenceEqual("BenWasHere"u8))
        {
            throw new InvalidDataException($"a snapshot that does not end in {Signature}");
        }
        stream.Advance(at);
        return true;
    }

    /// <summary>Steps over a buffer or string.</summary>
    private static bool TrySkip(ReadOnlySpan<byte> arrived, ref int at, int limit)
    {
        if (arrived.Length < at + 4)
        {
            return false;
        }
        var length = BinaryPrimitives.ReadInt32BigEndian(arrived[at..]);
        if (length < -1 || length > limit)
        {
            throw new InvalidDataException($"a snapshot with a field of {length} bytes; at most {limit} are taken");
        }
        at += 4 + Math.Max(0, length);
        return arrived.Length >= at;
    }
}
