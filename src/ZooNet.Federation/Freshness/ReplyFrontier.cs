using System.Buffers.Binary;
using ZooNet.Protocol;

namespace ZooNet.Federation.Freshness;

/// <summary>What a reply shows without telling since when it has been so.</summary>
internal enum Undated : byte
{
    /// <summary>Nothing: its zxid is the newest change that it shows.</summary>
    Nothing,
    /// <summary>
    /// That a znode is not there. The last change of its parent's list of children is at or behind the one that took it away.
    /// </summary>
    Absence,
    /// <summary>A list of children that came without its Stat.</summary>
    Children,
    /// <summary>An ACL that has been changed: the Stat counts its changes and does not date them.</summary>
    Acl,
    /// <summary>That an ACL refuses the reader.</summary>
    Refusal,
    /// <summary>Something that can't be dated: a count of descendants, say.</summary>
    Rest,
}

/// <summary>What a reply shows of its cluster's changes.</summary>
/// <param name="Zxid">
/// The newest change that it can show; 0 where it tells nothing of data. Where something is undated, where the server stood.
/// </param>
/// <param name="Watchable">
/// True where all that it shows are changes that fire watches. ACLs change without, so what shows one, or may, is not.
/// </param>
/// <param name="Undated">What it shows without telling since when.</param>
/// <param name="Dated">Where an ACL is undated, the newest change of the rest.</param>
/// <param name="Czxid">Where an ACL is undated, the change that created the znode.</param>
/// <param name="Aversion">Where an ACL is undated, how often it has been changed since.</param>
internal readonly record struct ReplyEvidence(long Zxid, bool Watchable, Undated Undated = Undated.Nothing, long Dated = 0, long Czxid = 0, int Aversion = 0);

/// <summary>
/// Finds the newest change that a reply can have shown. For a read that is the largest zxid in its Stat, never its header
/// zxid where that can be helped: the read may be placed anywhere between the last change of what it saw and the server's
/// position, so writes that it did not see cost nothing.
/// </summary>
internal static class ReplyFrontier
{
    /// <summary>What a reply shows. That of a multiRead which was carried out is <see cref="OfMultiRead"/>.</summary>
    /// <param name="op">What was asked, as it was sent upstream.</param>
    /// <param name="header">The reply's header.</param>
    /// <param name="body">What follows the header.</param>
    /// <remarks>The table of docs/consistency.md, "What a reply teaches", says the same in words; a test holds the two together.</remarks>
    public static ReplyEvidence Of(OpCode op, in ReplyHeader header, ReadOnlySpan<byte> body)
    {
        switch (op)
        {
            case OpCode.Sync or OpCode.Auth or OpCode.Sasl or OpCode.SetWatches or OpCode.SetWatches2 or OpCode.AddWatch
                or OpCode.CheckWatches or OpCode.RemoveWatches or OpCode.WhoAmI or OpCode.CloseSession or OpCode.Ping:
                return default;
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 or OpCode.GetAcl when header.Error == ErrorCode.Ok:
                return OfStat(StatOf(op, body), header.Zxid);
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 or OpCode.GetAcl:
                return OfError(header.Error, header.Zxid);
            default:
                // A write's own zxid; and what can't be dated: getEphemerals, getAllChildrenNumber, …
                return new ReplyEvidence(header.Zxid, IsWatchable(op, header, body), op.IsWrite() ? Undated.Nothing : Undated.Rest);
        }
    }

    /// <summary>
    /// What each part of a multiRead shows, in order; a single <see cref="Undated.Rest"/> where the reply can't be decoded.
    /// </summary>
    public static IReadOnlyList<ReplyEvidence> OfMultiRead(ReadOnlySpan<byte> body, long headerZxid)
    {
        var parts = new List<ReplyEvidence>();
        var reader = new JuteReader(body);
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (header.Done && !reader.Failed)
            {
                return parts;
            }
            switch (header.Type)
            {
                case OpCode.GetData:
                    reader.ReadBytes(out _);
                    parts.Add(OfStat(reader.Rest, headerZxid));
                    reader.Skip(Stat.WireLength);
                    break;
                case OpCode.GetChildren:
                    for (var rest = reader.ReadCount(4); rest > 0 && !reader.Failed; rest--)
                    {
                        reader.ReadBytes(out _);
                    }
                    // That it may be listed is told by no Stat.
                    parts.Add(new ReplyEvidence(headerZxid, false, Undated.Children));
                    break;
                case OpCode.Error:
                    parts.Add(OfError((ErrorCode)reader.ReadInt(), headerZxid));
                    break;
                default:
                    reader.Skip(int.MaxValue);
                    break;
            }
            if (reader.Failed)
            {
                return [new ReplyEvidence(headerZxid, false, Undated.Rest)];
            }
        }
    }

    /// <summary>
    /// That a znode is not there is a change that fires a watch. Every other error tells which checks the request has passed or failed
    /// before it, and the first is always the ACL's.
    /// </summary>
    private static ReplyEvidence OfError(ErrorCode error, long headerZxid) => error switch
    {
        ErrorCode.NoNode => new ReplyEvidence(headerZxid, true, Undated.Absence),
        ErrorCode.NoAuth => new ReplyEvidence(headerZxid, false, Undated.Refusal),
        _ => new ReplyEvidence(headerZxid, false, Undated.Rest),
    };

    /// <summary>
    /// A write that was carried out fires a watch with the very zxid that its reply tells, behind any ACL that let it pass.
    /// </summary>
    private static bool IsWatchable(OpCode op, in ReplyHeader header, ReadOnlySpan<byte> body) => op switch
    {
        _ when header.Error != ErrorCode.Ok => false,
        OpCode.GetEphemerals or OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl or OpCode.Delete or OpCode.SetData => true,
        OpCode.Multi => IsWatchableMulti(body),
        _ => false,
    };

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
                case OpCode.Delete:
                    break;
                default:
                    // A check that passed, or whatever failed, says that an ACL was open or closed.
                    return false;
            }
        }
    }

    private static ReadOnlySpan<byte> StatOf(OpCode op, ReadOnlySpan<byte> body)
    {
        if (op == OpCode.Exists)
        {
            return body;
        }
        // getData, getChildren2 and getACL end in their Stat.
        return body.Length >= Stat.WireLength ? body[^Stat.WireLength..] : default;
    }

    private static ReplyEvidence OfStat(ReadOnlySpan<byte> stat, long headerZxid)
    {
        if (stat.Length < Stat.WireLength)
        {
            return new ReplyEvidence(headerZxid, false, Undated.Rest);
        }
        var czxid = BinaryPrimitives.ReadInt64BigEndian(stat[Stat.CzxidOffset..]);
        var newest = Math.Max(czxid,
            Math.Max(BinaryPrimitives.ReadInt64BigEndian(stat[Stat.MzxidOffset..]), BinaryPrimitives.ReadInt64BigEndian(stat[Stat.PzxidOffset..])));
        var aversion = BinaryPrimitives.ReadInt32BigEndian(stat[Stat.AversionOffset..]);
        return aversion == 0 ? new ReplyEvidence(newest, true) : new ReplyEvidence(headerZxid, false, Undated.Acl, newest, czxid, aversion);
    }
}
