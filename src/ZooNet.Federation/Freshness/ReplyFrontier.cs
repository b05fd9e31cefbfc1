using System.Buffers.Binary;
using ZooNet.Protocol;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// Finds the newest change that a reply can have shown. For a read that is the largest zxid in its Stat, never its header
/// zxid where that can be helped: the read may be placed anywhere between the last change of what it saw and the server's
/// position, so writes that it did not see cost nothing.
/// </summary>
internal static class ReplyFrontier
{
    /// <summary>
    /// The newest change shown by a reply.
    /// </summary>
    /// <param name="op">What was asked, as it was sent upstream.</param>
    /// <param name="header">The reply's header.</param>
    /// <param name="body">What follows the header.</param>
    /// <param name="watchable">
    /// True where everything that the reply shows is a change that fires watches. ACLs change without, so what shows one, or may, is not.
    /// </param>
    /// <returns>A zxid of the replying cluster; 0 where the reply tells nothing of data.</returns>
    public static long Of(OpCode op, in ReplyHeader header, ReadOnlySpan<byte> body, out bool watchable)
    {
        watchable = IsWatchable(op, header, body);
        switch (op)
        {
            case OpCode.Sync or OpCode.Auth or OpCode.Sasl or OpCode.SetWatches or OpCode.SetWatches2 or OpCode.AddWatch
                or OpCode.CheckWatches or OpCode.RemoveWatches or OpCode.WhoAmI or OpCode.CloseSession:
                return 0;
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 when header.Error == ErrorCode.Ok:
                return OfStat(StatOf(op, body), header.Zxid);
            case OpCode.MultiRead when header.Error == ErrorCode.Ok:
                return OfMultiRead(body, header.Zxid);
            default:
                // A write's own zxid; and every reply that does not tell: NoNode, getACL, getEphemerals, …
                return header.Zxid;
        }
    }

    private static bool IsWatchable(OpCode op, in ReplyHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Error == ErrorCode.NoAuth)
        {
            return false;
        }
        switch (op)
        {
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 when header.Error == ErrorCode.Ok:
                var stat = StatOf(op, body);
                return stat.Length >= Stat.WireLength && !HasChangedAcl(stat);
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren or OpCode.GetChildren2 or OpCode.GetEphemerals or OpCode.GetAllChildrenNumber
                or OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl or OpCode.Delete or OpCode.SetData:
                return true;
            case OpCode.Multi when header.Error == ErrorCode.Ok:
                return IsWatchableMulti(body);
            case OpCode.MultiRead when header.Error == ErrorCode.Ok:
                return IsWatchableMultiRead(body);
            default:
                return false;
        }
    }

    private static bool IsWatchableMulti(ReadOnlySpan<byte> body)
    {
        var reader = new JuteReader(body);
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed)
            {
                return false;
            }
            if (header.Done)
            {
                return true;
            }
            switch (header.Type)
            {
                case OpCode.Create:
                    reader.ReadBytes(out _);
                    break;
                case OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                    reader.ReadBytes(out _);
                    reader.Skip(Stat.WireLength);
                    break;
                case OpCode.SetData:
                    reader.Skip(Stat.WireLength);
                    break;
                case OpCode.Delete or OpCode.Check:
                    break;
                case OpCode.Error when (ErrorCode)reader.ReadInt() != ErrorCode.NoAuth:
                    break;
                default:
                    return false;
            }
        }
    }

    private static bool IsWatchableMultiRead(ReadOnlySpan<byte> body)
    {
        var reader = new JuteReader(body);
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed || (!header.Done && header.Type != OpCode.GetData))
            {
                return false;
            }
            if (header.Done)
            {
                return true;
            }
            reader.ReadBytes(out _);
            var stat = reader.Rest;
            reader.Skip(Stat.WireLength);
            if (reader.Failed || HasChangedAcl(stat))
            {
                return false;
            }
        }
    }

    private static bool HasChangedAcl(ReadOnlySpan<byte> stat) => BinaryPrimitives.ReadInt32BigEndian(stat[Stat.AversionOffset..]) != 0;

    private static ReadOnlySpan<byte> StatOf(OpCode op, ReadOnlySpan<byte> body)
    {
        if (op == OpCode.Exists)
        {
            return body;
        }
        // getData and getChildren2 end in their Stat.
        return body.Length >= Stat.WireLength ? body[^Stat.WireLength..] : default;
    }

    private static long OfStat(ReadOnlySpan<byte> stat, long headerZxid)
    {
        if (stat.Length < Stat.WireLength || HasChangedAcl(stat))
        {
            // setACL leaves no zxid in the Stat: once the ACL has changed, the Stat does not tell.
            return headerZxid;
        }
        return Math.Max(BinaryPrimitives.ReadInt64BigEndian(stat[Stat.CzxidOffset..]),
            Math.Max(BinaryPrimitives.ReadInt64BigEndian(stat[Stat.MzxidOffset..]), BinaryPrimitives.ReadInt64BigEndian(stat[Stat.PzxidOffset..])));
    }

    private static long OfMultiRead(ReadOnlySpan<byte> body, long headerZxid)
    {
        var reader = new JuteReader(body);
        var newest = 0L;
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed)
            {
                return headerZxid;
            }
            if (header.Done)
            {
                return newest;
            }
            if (header.Type != OpCode.GetData)
            {
                // getChildren without a Stat, or an error: the result does not tell.
                return headerZxid;
            }
            reader.ReadBytes(out _);
            var stat = reader.Rest;
            reader.Skip(Stat.WireLength);
            if (reader.Failed)
            {
                return headerZxid;
            }
            newest = Math.Max(newest, OfStat(stat[..Stat.WireLength], headerZxid));
        }
    }
}
