using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Differential;

/// <summary>
/// A reply in words that are the same for both servers if the replies mean the same: zxids from the base on, sessions by number, no
/// times, and lists that have no order sorted.
/// </summary>
internal sealed class Canonical(long baseZxid, Func<long, string> sessionName)
{
    public static string Event(byte[] frame)
    {
        var reader = new JuteReader(frame);
        var header = ReplyHeader.Read(ref reader);
        var e = WatcherEvent.Read(ref reader);
        return $"event {e.Type} {e.Path} state {e.State} zxid {header.Zxid} err {header.Error}{End(reader)}";
    }

    public string Reply(Request request, byte[] frame)
    {
        var reader = new JuteReader(frame);
        var header = ReplyHeader.Read(ref reader);
        var text = new StringBuilder($"xid {header.Xid} zxid {Zxid(header.Zxid)} {header.Error}");
        if (header.Error != ErrorCode.Ok)
        {
            // No client looks at the rest: 3.8.0 leaves half a multiRead's results there.
            return text.ToString();
        }
        Body(request.Op, ref reader, text);
        return text + End(reader);
    }

    public string Zxid(long zxid) => zxid <= 0 ? zxid.ToString() : $"+{zxid - baseZxid}";

    private static string End(in JuteReader reader) => reader.Failed ? " TOO SHORT" : reader.Remaining > 0 ? $" and {reader.Remaining} bytes" : "";

    private void Body(OpCode op, ref JuteReader reader, StringBuilder text)
    {
        switch (op)
        {
            case OpCode.Create or OpCode.Sync:
                text.Append($" path {reader.ReadString() ?? "null"}");
                break;
            case OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                text.Append($" path {reader.ReadString()} {Stat(ref reader)}");
                break;
            case OpCode.Exists or OpCode.SetData or OpCode.SetAcl:
                text.Append($" {Stat(ref reader)}");
                break;
            case OpCode.GetData:
                text.Append($" data {Data(ref reader)} {Stat(ref reader)}");
                break;
            case OpCode.GetChildren:
                text.Append($" children {Names(ref reader)}");
                break;
            case OpCode.GetChildren2:
                text.Append($" children {Names(ref reader)} {Stat(ref reader)}");
                break;
            case OpCode.GetEphemerals:
                text.Append($" paths {Names(ref reader)}");
                break;
            case OpCode.GetAcl:
                text.Append($" acl {AccessControl(ref reader)} {Stat(ref reader)}");
                break;
            case OpCode.GetAllChildrenNumber or OpCode.AddWatch:
                text.Append($" {reader.ReadInt()}");
                break;
            case OpCode.Multi or OpCode.MultiRead:
                Results(ref reader, text);
                break;
            case OpCode.WhoAmI:
                var ids = new List<string>();
                for (var i = reader.ReadInt(); i > 0; i--)
                {
                    ids.Add($"{reader.ReadString()}:{reader.ReadString()}");
                }
                ids.Sort(StringComparer.Ordinal);
                text.Append($" {string.Join(',', ids)}");
                break;
        }
    }

    private void Results(ref JuteReader reader, StringBuilder text)
    {
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            text.Append($" [{(int)header.Type} {header.Done} {header.Error}");
            if (header.Done || reader.Failed)
            {
                text.Append(']');
                return;
            }
            if (header.Type == OpCode.Error)
            {
                text.Append($" {reader.ReadInt()}");
            }
            else
            {
                Body(header.Type, ref reader, text);
            }
            text.Append(']');
        }
    }

    private static string Data(ref JuteReader reader) => reader.ReadBuffer() is { } data ? Convert.ToHexString(data) + $"({data.Length})" : "null";

    private static string Names(ref JuteReader reader)
    {
        var names = reader.ReadStrings();
        Array.Sort(names, StringComparer.Ordinal);
        return $"{{{string.Join(' ', names)}}}";
    }

    /// <summary>
    /// Neighbouring digests of the same permissions are sorted: an "auth" entry becomes several of them, in 3.8.0 in the order of a hash
    /// table.
    /// </summary>
    private static string AccessControl(ref JuteReader reader)
    {
        var list = Acl.ReadList(ref reader) ?? [];
        for (var start = 0; start < list.Length;)
        {
            var end = start + 1;
            while (end < list.Length && list[start].Scheme == "digest" && list[end].Scheme == "digest" && list[end].Perms == list[start].Perms)
            {
                end++;
            }
            list.AsSpan(start..end).Sort(static (a, b) => string.CompareOrdinal(a.Id, b.Id));
            start = end;
        }
        return string.Join(',', list.Select(a => $"{a.Perms}:{a.Scheme}:{a.Id}"));
    }

    private string Stat(ref JuteReader reader)
    {
        var s = Protocol.Stat.Read(ref reader);
        return $"stat(c{Zxid(s.Czxid)} m{Zxid(s.Mzxid)} p{Zxid(s.Pzxid)} v{s.Version} cv{s.Cversion} av{s.Aversion} owner {sessionName(s.EphemeralOwner)}"
            + $" len {s.DataLength} children {s.NumChildren} same-time {s.Ctime == s.Mtime || s.Mzxid != s.Czxid})";
    }
}
