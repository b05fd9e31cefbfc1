using System.Buffers.Binary;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// Turns a remote cluster's reply into the client's terms: paths, owners, and the header's zxid. Pure; bytes in, bytes out.
/// </summary>
internal ref struct ReplyRewriter(JuteWriter writer, SessionOwners owners, int cluster, long remoteSession, long homeSession)
{
    /// <summary>Writes the reply to a request in a mount, as a whole frame.</summary>
    /// <param name="pending">The request.</param>
    /// <param name="shownZxid">The home zxid that the client is shown.</param>
    /// <param name="error">The outcome.</param>
    /// <param name="body">The remote body.</param>
    public readonly void Write(in SentRequest pending, long shownZxid, ErrorCode error, ReadOnlySpan<byte> body)
    {
        IReadOnlyList<Mount?> mounts = pending.Effect is MultiEffect multi ? multi.Mounts() : [];
        Write(pending.Xid, shownZxid, pending.Op, error, body, pending.Mount, pending.Kind == PendingKind.StripStat, mounts);
    }

    /// <summary>Writes the whole frame.</summary>
    /// <param name="xid">The client's xid.</param>
    /// <param name="shownZxid">The home zxid that the client is shown.</param>
    /// <param name="op">The operation as it was sent upstream.</param>
    /// <param name="error">The outcome.</param>
    /// <param name="body">The remote body.</param>
    /// <param name="mount">Translates paths.</param>
    /// <param name="stripStat">Whether to cut the Stat off the end.</param>
    /// <param name="mounts">
    /// For the operations of a multi, each by its own mount; empty to translate all by <paramref name="mount"/>.
    /// </param>
    public readonly void Write(int xid, long shownZxid, OpCode op, ErrorCode error, ReadOnlySpan<byte> body, Mount? mount, bool stripStat,
        IReadOnlyList<Mount?> mounts)
    {
        var mark = writer.BeginFrame();
        new ReplyHeader(xid, shownZxid, error).Write(writer);
        if (error == ErrorCode.Ok)
        {
            WriteBody(op, body, mount, stripStat, mounts);
        }
        writer.EndFrame(mark);
    }

    /// <summary>Writes a reply of home, if it can't be passed on as it came.</summary>
    /// <param name="writer">Gets the whole frame.</param>
    /// <param name="pending">The request.</param>
    /// <param name="header">The reply's header.</param>
    /// <param name="body">What follows it.</param>
    /// <param name="config">What <c>/zookeeper/config</c> reads as.</param>
    public static void WriteHome(JuteWriter writer, in SentRequest pending, in ReplyHeader header, ReadOnlySpan<byte> body,
        ReadOnlySpan<byte> config)
    {
        var mark = writer.BeginFrame();
        (header with { Xid = pending.Xid }).Write(writer);
        // What a server sends that can't be understood is passed on as it came: its client judges it, as it would without us.
        switch (header.Error == ErrorCode.Ok && body.Length >= Stat.WireLength ? pending.Kind : PendingKind.Forward)
        {
            case PendingKind.StripStat:
                writer.WriteRaw(body[..^Stat.WireLength]);
                break;
            case PendingKind.Config:
                writer.WriteBytes(config);
                writer.WriteRaw(body[^Stat.WireLength..]);
                writer.PatchInt(writer.Length - Stat.WireLength + 52, config.Length);
                break;
            default:
                writer.WriteRaw(body);
                break;
        }
        writer.EndFrame(mark);
    }

    private readonly void WriteBody(OpCode op, ReadOnlySpan<byte> body, Mount? mount, bool stripStat, IReadOnlyList<Mount?> mounts)
    {
        switch (op)
        {
            case OpCode.Create or OpCode.Sync:
                WritePath(body, mount, out _);
                break;
            case OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                WritePath(body, mount, out var rest);
                WriteWithStat(rest);
                break;
            case OpCode.GetChildren2 when stripStat:
                writer.WriteRaw(body.Length >= Stat.WireLength ? body[..^Stat.WireLength] : body);
                break;
            case OpCode.Exists or OpCode.GetData or OpCode.SetData or OpCode.GetAcl or OpCode.SetAcl or OpCode.GetChildren2:
                WriteWithStat(body);
                break;
            case OpCode.Multi or OpCode.MultiRead:
                WriteResults(body, mount, mounts);
                break;
            default:
                writer.WriteRaw(body);
                break;
        }
    }

    private readonly void WritePath(ReadOnlySpan<byte> body, Mount? mount, out ReadOnlySpan<byte> rest)
    {
        var reader = new JuteReader(body);
        var path = reader.ReadBytes(out _);
        rest = reader.Rest;
        if (mount is null || reader.Failed || !ZnodePath.IsAtOrUnder(path, mount.RemoteUtf8))
        {
            writer.WriteBytes(path);
            return;
        }
        var tail = mount.RemoteIsRoot ? path.Length == 1 ? default : path : path[mount.RemoteUtf8.Length..];
        writer.WriteBytes(mount.PathUtf8, tail);
    }

    /// <summary>Copies bytes that end in a Stat, with its owner translated.</summary>
    private readonly void WriteWithStat(ReadOnlySpan<byte> body)
    {
        var at = writer.Length + body.Length - Stat.WireLength;
        writer.WriteRaw(body);
        if (body.Length < Stat.WireLength)
        {
            return;
        }
        var owner = BinaryPrimitives.ReadInt64BigEndian(body[(body.Length - Stat.WireLength + Stat.EphemeralOwnerOffset)..]);
        if (owner != 0)
        {
            writer.PatchLong(at + Stat.EphemeralOwnerOffset, owner == remoteSession ? homeSession : owners.HomeOf(cluster, owner));
        }
    }

    private readonly void WriteResults(ReadOnlySpan<byte> body, Mount? mount, IReadOnlyList<Mount?> mounts)
    {
        var reader = new JuteReader(body);
        for (var index = 0; ; index++)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed)
            {
                return;
            }
            header.Write(writer);
            if (header.Done)
            {
                return;
            }
            var own = index < mounts.Count ? mounts[index] : mount;
            var result = reader.Rest;
            var before = reader.Position;
            switch (header.Type)
            {
                case OpCode.Create:
                    reader.ReadBytes(out _);
                    WritePath(result, own, out _);
                    break;
                case OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                    reader.ReadBytes(out _);
                    reader.Skip(Stat.WireLength);
                    WritePath(result[..(reader.Position - before)], own, out var stat);
                    WriteWithStat(stat);
                    break;
                case OpCode.SetData:
                    reader.Skip(Stat.WireLength);
                    WriteWithStat(result[..(reader.Position - before)]);
                    break;
                case OpCode.GetData:
                    reader.ReadBytes(out _);
                    reader.Skip(Stat.WireLength);
                    WriteWithStat(result[..(reader.Position - before)]);
                    break;
                case OpCode.GetChildren:
                    var count = reader.ReadCount(4);
                    for (var i = 0; i < count; i++)
                    {
                        reader.ReadBytes(out _);
                    }
                    writer.WriteRaw(result[..(reader.Position - before)]);
                    break;
                case OpCode.Error:
                    reader.ReadInt();
                    writer.WriteRaw(result[..(reader.Position - before)]);
                    break;
                default:
                    // delete and check have no body.
                    break;
            }
            if (reader.Failed)
            {
                return;
            }
        }
    }
}
