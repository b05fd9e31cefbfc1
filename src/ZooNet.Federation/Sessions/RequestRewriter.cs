using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>Turns a client's request for a mounted path into the remote cluster's terms. Pure; bytes in, bytes out.</summary>
internal static class RequestRewriter
{
    private const int BodyOffset = Framing.PrefixLength + RequestHeader.WireLength;

    /// <summary>The path that a request begins with; false where the frame is too short to hold it, or it is null.</summary>
    public static bool TryGetPath(ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> path)
    {
        var reader = new JuteReader(frame[BodyOffset..]);
        path = reader.ReadBytes(out var isNull);
        return !reader.Failed && !isNull;
    }

    /// <summary>Writes a request whose body begins with a path, with the path translated and the rest as it is.</summary>
    public static void WritePathRequest(JuteWriter writer, ReadOnlySpan<byte> frame, OpCode op, ReadOnlySpan<byte> path, Mount mount)
    {
        var mark = writer.BeginFrame();
        writer.WriteRaw(frame.Slice(Framing.PrefixLength, 4));
        writer.WriteInt((int)op);
        WriteRemotePath(writer, path, mount);
        writer.WriteRaw(frame[(BodyOffset + 4 + path.Length)..]);
        writer.EndFrame(mark);
    }

    /// <summary>Writes the remote form of a local path.</summary>
    public static void WriteRemotePath(JuteWriter writer, ReadOnlySpan<byte> path, Mount mount)
    {
        var rest = path[mount.PathUtf8.Length..];
        if (mount.RemoteIsRoot && rest.Length > 0)
        {
            writer.WriteBytes(rest);
        }
        else
        {
            writer.WriteBytes(mount.RemoteUtf8, rest);
        }
    }

    /// <summary>The flags of a create request's body; 0 where it can't be read.</summary>
    public static int CreateFlagsOf(ReadOnlySpan<byte> frame)
    {
        var reader = new JuteReader(frame[BodyOffset..]);
        return SkipCreate(ref reader, OpCode.Create);
    }

    /// <summary>What a multi or multiRead touches.</summary>
    /// <param name="Valid">False where it can't be decoded: the server will say so.</param>
    /// <param name="Mount">The mount of the first operation that is for one.</param>
    /// <param name="Clusters">The clusters touched.</param>
    /// <param name="Count">Operations.</param>
    /// <param name="FirstForeign">Index of the first operation in another cluster than the first operation's.</param>
    /// <param name="MakesEphemerals">Whether it creates ephemeral znodes.</param>
    public readonly record struct MultiScan(bool Valid, Mount? Mount, ClusterSet Clusters, int Count, int FirstForeign,
        bool MakesEphemerals);

    /// <summary>
    /// Walks a multi or multiRead and tells what it touches. A multiRead that holds a write is not valid, as for servers: it would be
    /// taken for a read.
    /// </summary>
    public static MultiScan ScanMulti(ReadOnlySpan<byte> frame, MountTable mounts)
    {
        var reads = new ClientRequest(frame).Op == OpCode.MultiRead;
        var reader = new JuteReader(frame[BodyOffset..]);
        var scan = new MultiScan(true, null, default, 0, -1, false);
        var first = -1;
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed)
            {
                return scan with { Valid = false };
            }
            if (header.Done)
            {
                return scan;
            }
            if (reads && (header.Type.IsWrite() || header.Type == OpCode.Check))
            {
                return scan with { Valid = false };
            }
            var start = reader.Rest;
            var path = PeekPath(start);
            var flags = SkipOperation(ref reader, header.Type);
            if (reader.Failed)
            {
                return scan with { Valid = false };
            }
            var mount = Routing.MountOf(mounts, header.Type, path, flags);
            var cluster = mount?.Cluster ?? 0;
            if (first < 0)
            {
                first = cluster;
            }
            scan = scan with
            {
                Mount = scan.Mount ?? mount,
                Clusters = scan.Clusters.With(cluster),
                Count = scan.Count + 1,
                FirstForeign = scan.FirstForeign < 0 && cluster != first ? scan.Count : scan.FirstForeign,
                MakesEphemerals = scan.MakesEphemerals || (header.Type.IsCreate() && CreateFlags.IsEphemeral(flags)),
            };
        }
    }

    /// <summary>Writes a multi or multiRead with every path translated by its own mount. All must lie in one cluster.</summary>
    public static void WriteMulti(JuteWriter writer, ReadOnlySpan<byte> frame, MountTable mounts)
    {
        var mark = writer.BeginFrame();
        writer.WriteRaw(frame.Slice(Framing.PrefixLength, RequestHeader.WireLength));
        var reader = new JuteReader(frame[BodyOffset..]);
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            header.Write(writer);
            if (header.Done || reader.Failed)
            {
                break;
            }
            var operation = reader.Rest;
            var path = PeekPath(operation);
            var before = reader.Position;
            var flags = SkipOperation(ref reader, header.Type);
            var body = operation[..(reader.Position - before)];
            if (Routing.MountOf(mounts, header.Type, path, flags) is { } mount)
            {
                WriteRemotePath(writer, path, mount);
                writer.WriteRaw(body[(4 + path.Length)..]);
            }
            else
            {
                writer.WriteRaw(body);
            }
        }
        writer.EndFrame(mark);
    }

    /// <summary>Whether every path that a multi or multiRead names is private by a watermark.</summary>
    public static bool IsPrivateMulti(ReadOnlySpan<byte> frame, IInterestWatermark interest)
    {
        var reader = new JuteReader(frame[BodyOffset..]);
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (header.Done || reader.Failed)
            {
                return !reader.Failed;
            }
            if (!interest.IsPrivate(PeekPath(reader.Rest)))
            {
                return false;
            }
            SkipOperation(ref reader, header.Type);
        }
    }

    /// <summary>Splits a multiRead into runs of operations of one cluster, each a whole multiRead of its own.</summary>
    public static List<byte[]> SplitMultiRead(ReadOnlySpan<byte> frame, MountTable mounts)
    {
        var parts = new List<byte[]>();
        var writer = new JuteWriter();
        var reader = new JuteReader(frame[BodyOffset..]);
        var current = -1;
        var mark = 0;
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (header.Done || reader.Failed)
            {
                break;
            }
            var operation = reader.Rest;
            var before = reader.Position;
            var flags = SkipOperation(ref reader, header.Type);
            var cluster = Routing.MountOf(mounts, header.Type, PeekPath(operation), flags)?.Cluster ?? 0;
            if (cluster != current)
            {
                Finish();
                mark = writer.BeginFrame();
                writer.WriteRaw(frame.Slice(Framing.PrefixLength, RequestHeader.WireLength));
                current = cluster;
            }
            header.Write(writer);
            writer.WriteRaw(operation[..(reader.Position - before)]);
        }
        Finish();
        return parts;

        void Finish()
        {
            if (current < 0)
            {
                return;
            }
            MultiHeader.End.Write(writer);
            writer.EndFrame(mark);
            parts.Add(writer.Written.ToArray());
            writer.Clear();
        }
    }

    /// <summary>The path that an operation of a multi begins with.</summary>
    internal static ReadOnlySpan<byte> PeekPath(ReadOnlySpan<byte> operation)
    {
        var reader = new JuteReader(operation);
        return reader.ReadBytes(out _);
    }

    /// <summary>Steps over one operation of a multi; returns the flags of a create.</summary>
    internal static int SkipOperation(ref JuteReader reader, OpCode op)
    {
        switch (op)
        {
            case OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                return SkipCreate(ref reader, op);
            case OpCode.Delete or OpCode.Check:
                reader.ReadBytes(out _);
                reader.ReadInt();
                return 0;
            case OpCode.SetData:
                reader.ReadBytes(out _);
                reader.ReadBytes(out _);
                reader.ReadInt();
                return 0;
            case OpCode.GetData or OpCode.GetChildren or OpCode.Exists or OpCode.GetChildren2:
                reader.ReadBytes(out _);
                reader.ReadBool();
                return 0;
            default:
                reader.Skip(int.MaxValue);
                return 0;
        }
    }

    private static int SkipCreate(ref JuteReader reader, OpCode op)
    {
        reader.ReadBytes(out _);
        reader.ReadBytes(out _);
        var count = reader.ReadCount(12);
        for (var i = 0; i < count && !reader.Failed; i++)
        {
            reader.ReadInt();
            reader.ReadBytes(out _);
            reader.ReadBytes(out _);
        }
        var flags = reader.ReadInt();
        if (op == OpCode.CreateTtl)
        {
            reader.ReadLong();
        }
        return flags;
    }
}
