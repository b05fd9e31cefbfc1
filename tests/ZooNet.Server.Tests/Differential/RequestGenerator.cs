using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Differential;

/// <summary>
/// Random requests over few paths, so that they meet: valid ones mostly, and every kind of invalid one that does not bring a
/// real server down. Never made: a check on its own, deleteContainer and createSession (they crash or corrupt 3.8.0), and a
/// createTTL without TTL flag and with a negative time to live (likewise).
/// </summary>
internal sealed class RequestGenerator(Random random)
{
    private static readonly string?[] OddPaths =
    [
        null, "", "/", "bad", "/a/", "//a", "/a//b", "/a/../b", "/a/.", "/a\0b", "/a\u0001b", "/zookeeper", "/zookeeper/config", "/zookeeper/quota",
        "/zookeeper/new", "/ümläut", "/a/\ud7ff", "/\ue000",
    ];

    private static readonly string?[] OddSchemes = [null, "", "sasl", "x509", "super", "nobody"];

    /// <summary>Writes of the last requests of each kind carry data of a few bytes, null or empty.</summary>
    public Request Next(int session, long lastZxid)
    {
        var request = random.Next(100) switch
        {
            < 22 => Create(),
            < 30 => Delete(),
            < 40 => SetData(),
            < 46 => Exists(),
            < 54 => GetData(),
            < 60 => GetChildren(),
            < 64 => SetAcl(),
            < 67 => GetAcl(),
            < 79 => Multi(),
            < 83 => MultiRead(),
            < 85 => SetWatches(lastZxid),
            < 88 => AddWatch(),
            < 91 => RemoveWatches(session),
            < 92 => Named(OpCode.Sync, Path()),
            < 94 => Named(OpCode.GetEphemerals, random.Next(2) == 0 ? "/" : Path()),
            < 96 => Named(OpCode.GetAllChildrenNumber, Path()),
            < 97 => new Request(OpCode.WhoAmI, "whoAmI", static (_, _) => { }),
            < 98 => new Request(OpCode.Ping, "ping", static (_, _) => { }),
            < 99 => Auth(),
            _ => Reconfig(),
        };
        return request.Op != OpCode.Auth && random.Next(150) == 0 ? request with { Cut = random.Next(1, 9) } : request;
    }

    /// <summary>A request after which a server closes the connection.</summary>
    public Request Fatal()
    {
        OpCode[] unknown = [OpCode.Notification, OpCode.Error, (OpCode)10, (OpCode)23, (OpCode)99, (OpCode)108, (OpCode)(-12), (OpCode)12345];
        return random.Next(4) switch
        {
            0 => new Request(OpCode.Auth, "auth of an unknown scheme", (w, _) => new AuthRequest(0, OddSchemes[random.Next(OddSchemes.Length)], [1]).Write(w)),
            1 => new Request(OpCode.Auth, "auth without credentials", (w, _) => new AuthRequest(0, "digest", null).Write(w)),
            _ => unknown[random.Next(unknown.Length)] is var op ? new Request(op, $"unknown operation {(int)op}", static (_, _) => { }) : null!,
        };
    }

    public Request Auth()
    {
        var credentials = new[] { "jo:secret", "al:secret", "nocolon", "", ":x" }[random.Next(5)];
        var scheme = random.Next(8) == 0 ? "ip" : "digest";
        return new Request(OpCode.Auth, $"auth {scheme} {credentials}", (w, _) => new AuthRequest(0, scheme, System.Text.Encoding.UTF8.GetBytes(credentials)).Write(w));
    }

    private string? Path(int oddOneIn = 12)
    {
        if (random.Next(oddOneIn) == 0)
        {
            return OddPaths[random.Next(OddPaths.Length)];
        }
        var path = "";
        for (var depth = random.Next(1, 4); depth > 0; depth--)
        {
            path += "/" + "abc"[random.Next(3)];
        }
        return path;
    }

    /// <summary>A null path makes 3.8.0 use up a zxid that no reply shows.</summary>
    private string PathInMulti() => Path(40) ?? "";

    private byte[]? Data() => random.Next(8) switch
    {
        0 => null,
        1 => [],
        2 => new byte[random.Next(2000)],
        _ => [(byte)random.Next(256), (byte)random.Next(256)],
    };

    private int Version() => random.Next(4) == 0 ? random.Next(-2, 4) : -1;

    private Acl[]? AccessControl()
    {
        switch (random.Next(30))
        {
            case 0:
                return null;
            case 1:
                return [];
            case < 22:
                return [.. Acl.Open];
        }
        var list = new Acl[random.Next(1, 4)];
        for (var i = 0; i < list.Length; i++)
        {
            list[i] = OneAcl();
        }
        return list;
    }

    private Acl OneAcl()
    {
        var perms = random.Next(4) == 0 ? random.Next(64) : Permissions.All;
        return random.Next(14) switch
        {
            < 4 => new Acl(perms, "world", "anyone"),
            4 => new Acl(perms, "world", "someone"),
            5 or 6 => new Acl(perms, "auth", ""),
            7 or 8 => new Acl(perms, "digest", new[] { "jo:hash", "jo:MRnY1HvH8TRy+Kc/wZL4fZmq1J4=", "nohash", ":x", "a:b:c", "a:" }[random.Next(6)]),
            9 or 10 => new Acl(perms, "ip", new[] { "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0", "1.2.3", "::1", "127.0.0.1/33", "127.0.0.1/x", "+127.0.0.1" }[random.Next(9)]),
            11 => new Acl(perms, new[] { "world", "digest", "ip" }[random.Next(3)], null),
            12 => new Acl(perms, OddSchemes[random.Next(OddSchemes.Length)], "x"),
            _ => Acl.Open[0],
        };
    }

    private CreateRequest CreateBody(out OpCode op)
    {
        op = new[] { OpCode.Create, OpCode.Create, OpCode.Create2, OpCode.Create2, OpCode.CreateContainer, OpCode.CreateTtl }[random.Next(6)];
        var flags = random.Next(25) == 0 ? random.Next(-2, 10) : op switch
        {
            OpCode.CreateContainer => CreateFlags.Container,
            OpCode.CreateTtl => random.Next(CreateFlags.PersistentWithTtl, CreateFlags.PersistentSequentialWithTtl + 1),
            _ => random.Next(6) == 0 ? CreateFlags.Container : random.Next(4),
        };
        var ttl = random.Next(10) switch { 0 => 0L, 1 => 0xff_ffff_ffffL, 2 => 0x100_0000_0000L, 3 => long.MaxValue, _ => 3_600_000L };
        return new CreateRequest(Path(), Data(), AccessControl(), flags, ttl);
    }

    private Request Create()
    {
        var body = CreateBody(out var op);
        return new Request(op, $"{op} {body.Path} flags {body.Flags} ttl {body.TtlMs} acl {Show(body.AccessControl)}", (w, _) => body.Write(w, op));
    }

    private Request Delete()
    {
        var body = new PathVersionRequest(Path(), Version());
        return new Request(OpCode.Delete, $"delete {body.Path} v{body.Version}", (w, _) => body.Write(w));
    }

    private Request SetData()
    {
        var body = new SetDataRequest(Path(), Data(), Version());
        return new Request(OpCode.SetData, $"setData {body.Path} v{body.Version}", (w, _) => body.Write(w));
    }

    private Request SetAcl()
    {
        // Lasting harm would make most of the rest NOAUTH: the root and the first level stay open.
        var path = Path();
        var acl = path?.LastIndexOf('/') == 0 ? [.. Acl.Open] : AccessControl();
        var body = new SetAclRequest(path, acl, Version());
        return new Request(OpCode.SetAcl, $"setACL {body.Path} v{body.Version} {Show(body.AccessControl)}", (w, _) => body.Write(w));
    }

    private Request Exists() => Read(OpCode.Exists);

    private Request GetData() => Read(OpCode.GetData);

    private Request GetChildren() => Read(random.Next(2) == 0 ? OpCode.GetChildren : OpCode.GetChildren2);

    private Request GetAcl() => Named(OpCode.GetAcl, Path());

    private Request Read(OpCode op)
    {
        var body = new PathWatchRequest(Path(), random.Next(2) == 0);
        return new Request(op, $"{op} {body.Path} watch {body.Watch}", (w, _) => body.Write(w));
    }

    private static Request Named(OpCode op, string? path) => new(op, $"{op} {path}", (w, _) => w.WriteString(path));

    private Request Multi()
    {
        var count = random.Next(5);
        var text = "multi";
        var parts = new List<Action<JuteWriter>>();
        for (var i = 0; i < count; i++)
        {
            switch (random.Next(random.Next(12) == 0 ? 7 : 6))
            {
                case < 2:
                    var create = CreateBody(out var op) with { Path = PathInMulti() };
                    text += $"; {op} {create.Path} flags {create.Flags} ttl {create.TtlMs} acl {Show(create.AccessControl)}";
                    parts.Add(w => WritePart(w, op, create));
                    break;
                case 2:
                    var delete = new PathVersionRequest(PathInMulti(), Version());
                    text += $"; delete {delete.Path} v{delete.Version}";
                    parts.Add(w => WritePart(w, OpCode.Delete, delete));
                    break;
                case 3 or 4:
                    var set = new SetDataRequest(PathInMulti(), Data(), Version());
                    text += $"; setData {set.Path} v{set.Version}";
                    parts.Add(w => WritePart(w, OpCode.SetData, set));
                    break;
                case 5:
                    var check = new PathVersionRequest(PathInMulti(), Version());
                    text += $"; check {check.Path} v{check.Version}";
                    parts.Add(w => WritePart(w, OpCode.Check, check));
                    break;
                default:
                    var strange = new[] { OpCode.GetData, OpCode.GetChildren, OpCode.Exists, OpCode.SetAcl, OpCode.Multi }[random.Next(5)];
                    text += $"; {strange}";
                    parts.Add(w => WritePart(w, strange, new PathWatchRequest("/a", false)));
                    break;
            }
        }
        return Compose(OpCode.Multi, text, parts);
    }

    private Request MultiRead()
    {
        var text = "multiRead";
        var parts = new List<Action<JuteWriter>>();
        for (var i = random.Next(5); i > 0; i--)
        {
            var op = random.Next(20) == 0 ? OpCode.Check : random.Next(2) == 0 ? OpCode.GetData : OpCode.GetChildren;
            var path = Path(40);
            text += $"; {op} {path}";
            parts.Add(w => WritePart(w, op, op == OpCode.Check ? new PathVersionRequest(path, -1) : new PathWatchRequest(path, true)));
        }
        return Compose(OpCode.MultiRead, text, parts);
    }

    private static Request Compose(OpCode op, string text, List<Action<JuteWriter>> parts) => new(op, text, (w, _) =>
    {
        foreach (var part in parts)
        {
            part(w);
        }
        MultiHeader.End.Write(w);
    });

    private static void WritePart(JuteWriter writer, OpCode op, object body)
    {
        new MultiHeader(op, false, -1).Write(writer);
        switch (body)
        {
            case CreateRequest create:
                create.Write(writer, op);
                break;
            case PathVersionRequest named:
                named.Write(writer);
                break;
            case SetDataRequest set:
                set.Write(writer);
                break;
            case PathWatchRequest read:
                read.Write(writer);
                break;
        }
    }

    private Request SetWatches(long lastZxid)
    {
        var op = random.Next(2) == 0 ? OpCode.SetWatches : OpCode.SetWatches2;
        var relative = Math.Max(0, lastZxid - random.Next(30));
        // A persistent watch on a null path stops 3.8.0 when its connection ends.
        var lists = Enumerable.Range(0, op == OpCode.SetWatches2 ? 5 : 3).Select(kind => random.Next(20) == 0 ? null
            : Enumerable.Range(0, random.Next(3)).Select(_ => kind < 3 && random.Next(20) == 0 ? null : Path(20) ?? "/a").ToArray()).ToArray();
        return new Request(op, $"{op} since +{relative} {string.Join(" | ", lists.Select(l => l is null ? "null" : string.Join(' ', l)))}", (w, start) =>
        {
            w.WriteLong(start + relative);
            foreach (var list in lists)
            {
                w.WriteInt(list?.Length ?? -1);
                Array.ForEach(list ?? [], w.WriteString);
            }
        });
    }

    private Request AddWatch()
    {
        var body = new PathKindRequest(Path(20) ?? "/a", random.Next(20) == 0 ? random.Next(-1, 4) : random.Next(2));
        return new Request(OpCode.AddWatch, $"addWatch {body.Path} mode {body.Kind}", (w, _) => body.Write(w));
    }

    private Request RemoveWatches(int session)
    {
        var kind = random.Next(12) == 0 ? random.Next(-1, 7) : random.Next(1, 4);
        if (random.Next(3) > 0)
        {
            var body = new PathKindRequest(Path(20) ?? "/a", kind);
            return new Request(OpCode.RemoveWatches, $"removeWatches {body.Path} {body.Kind}", (w, _) => body.Write(w));
        }
        // 3.8.0 answers checkWatches for anybody's watch: only where no other session watches do both agree.
        var own = new PathKindRequest($"/own/{session}", kind);
        return random.Next(2) == 0
            ? new Request(OpCode.CheckWatches, $"checkWatches {own.Path} {own.Kind}", (w, _) => own.Write(w))
            : new Request(OpCode.Exists, $"exists {own.Path} watch", (w, _) => new PathWatchRequest(own.Path, true).Write(w));
    }

    private static Request Reconfig() => new(OpCode.Reconfig, "reconfig", (w, _) => new ReconfigRequest("server.1=x", null, null, -1).Write(w));

    private static string Show(Acl[]? list) => list is null ? "null" : string.Join(',', list.Select(a => $"{a.Perms}:{a.Scheme}:{a.Id}"));
}
