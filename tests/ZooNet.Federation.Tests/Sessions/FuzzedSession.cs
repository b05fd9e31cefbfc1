using System.Buffers.Binary;
using System.Globalization;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Tests;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>One client and its servers, of whom either the client or the servers send damaged frames.</summary>
internal sealed class FuzzedSession
{
    private const int StatLength = 68;

    private static readonly string[] Paths = ["/", "/a", "/mnt", "/mnt/x", "/mnt/x/y"];

    private static readonly OpCode[] Operations =
    [
        OpCode.Exists, OpCode.GetData, OpCode.GetChildren, OpCode.GetChildren2, OpCode.GetAcl, OpCode.SetData, OpCode.Create,
        OpCode.Create2, OpCode.Delete, OpCode.Sync, OpCode.Multi, OpCode.MultiRead, OpCode.GetEphemerals, OpCode.GetAllChildrenNumber, OpCode.AddWatch,
        OpCode.SetWatches, OpCode.Auth,
    ];

    /// <summary>What the client may do in those plays that have rules.</summary>
    private static readonly PathRules Rules = new([("/a", PathAccess.Read), ("/mnt/x/y", PathAccess.None), ("/mnt/x", PathAccess.Read)]);

    private readonly Random _random;
    private readonly bool _mutatesRequests;
    private readonly bool _isReadOnly;
    private readonly bool _hasRules;
    private readonly ScriptedHost _host;
    private readonly List<(int Xid, OpCode Op)> _asked = [];
    private int _answered;
    private int _seen;
    private int _mutated;

    /// <param name="random">Says all that happens.</param>
    /// <param name="mutatesRequests">Whether the client's frames are damaged; else those of the servers.</param>
    private FuzzedSession(Random random, bool mutatesRequests)
    {
        (_random, _mutatesRequests) = (random, mutatesRequests);
        _isReadOnly = mutatesRequests && random.Next(2) == 0;
        _hasRules = mutatesRequests && random.Next(2) == 0;
        _host = new ScriptedHost(new MountOptions(ReadOnly: _isReadOnly), rules: _hasRules ? Rules : null);
    }

    /// <summary>Plays sessions until as many frames were damaged as ZOONET_FUZZ says.</summary>
    public static void PlayAll(bool mutatesRequests)
    {
        var all = Number("ZOONET_FUZZ", 20_000);
        var left = all;
        var seed = Number("ZOONET_FUZZ_SEED", 1896007972);
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var growth = new Growth(all);
        for (var round = 0; left > 0; round++)
        {
            growth.At(all - left);
            try
            {
                left -= new FuzzedSession(new Random(unchecked(seed + round)), mutatesRequests).Play();
            }
            catch (Exception e)
            {
                // Once for each place.
                var place = e.StackTrace?.Split('\n')[0].Trim() ?? "";
                found.TryAdd(place, $"round {round}: {e.Message} {e.StackTrace}");
                left--;
            }
        }
        Assert.True(found.Count == 0, $"seed {seed}:\n{string.Join('\n', found.Values)}");
        growth.AssertNone();
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : otherwise;

    /// <summary>Plays it to its end.</summary>
    /// <returns>How many frames were damaged.</returns>
    private int Play()
    {
        if (_random.Next(10) == 0)
        {
            BeginBadly();
            return 1;
        }
        _host.Attach(_random.Next(2) == 0 ? 0 : ScriptedHost.HomeSession);
        _seen = _host.ToClient.Count;
        for (var step = 0; step < 30 && _host.Closed is null; step++)
        {
            if (_random.Next(3) > 0)
            {
                Ask();
            }
            AnswerSome();
            _host.NowMs += _random.Next(200);
            _host.Session.Tick();
            Check();
        }
        if (_mutatesRequests)
        {
            AnswerAll();
        }
        return Math.Max(1, _mutated);
    }

    /// <summary>Servers answer whatever is asked: in the end nothing is left unanswered.</summary>
    private void AnswerAll()
    {
        for (var step = 0; step < 50 && _host.Closed is null && _host.Session.HasOutstanding; step++)
        {
            AnswerSome();
            _host.NowMs += 30;
            _host.Session.Tick();
            Check();
        }
        if (_host.Closed is null && (_host.Session.HasOutstanding || _answered < _asked.Count))
        {
            throw new InvalidOperationException($"{_asked.Count - _answered} requests were never answered, the first of them "
                + $"{_asked.ElementAtOrDefault(_answered)}");
        }
    }

    private void BeginBadly()
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 10_000, 0, new byte[16], false).WriteFrame(writer);
        if (_mutatesRequests)
        {
            _host.Session.ClientFrame(Mutate(writer.Written.ToArray()));
            return;
        }
        _host.Session.ClientFrame(writer.Written);
        _host.Session.LinkUp(_host.Links[0], new UpstreamServer(_host.Region, 0, "home", _host));
        writer.Clear();
        new ConnectResponse(0, 10_000, ScriptedHost.HomeSession, new byte[16], false).WriteFrame(writer);
        _host.Session.LinkFrame(_host.Links[0], Mutate(writer.Written.ToArray()));
    }

    private void Ask()
    {
        var op = Operations[_random.Next(Operations.Length)];
        var xid = op == OpCode.Auth ? Xids.Auth : _asked.Count + 1;
        var frame = Frames.Request(xid, op, w => WriteRequest(w, op, Paths[_random.Next(Paths.Length)]));
        if (_mutatesRequests && _random.Next(3) > 0)
        {
            frame = Mutate(frame);
        }
        if (frame.Length >= Framing.PrefixLength + RequestHeader.WireLength && !IsUnasked(XidOf(frame)) && OpOf(frame) != OpCode.Ping)
        {
            _asked.Add((XidOf(frame), OpOf(frame)));
        }
        _host.Session.ClientFrame(frame);
    }

    /// <summary>What is answered out of the order, or not at all.</summary>
    private static bool IsUnasked(int xid) => xid is Xids.Notification or Xids.Ping;

    private static int XidOf(byte[] frame) => BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4));

    private static OpCode OpOf(byte[] frame) => (OpCode)BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(8));

    private void AnswerSome()
    {
        var barriers = _host.Barriers.ToArray();
        // What one of them lets go may ask for the next.
        _host.Barriers.Clear();
        foreach (var (server, ticket) in barriers)
        {
            server.BarrierDone(ticket, _random.Next(20) > 0);
        }
        _host.Session.RecordSaved(1, _random.Next(20) > 0);
        foreach (var link in _host.Links.ToArray())
        {
            if (link.Link.Phase == LinkPhase.Connecting && link.Link.Transport == link)
            {
                _host.Answer(link, ScriptedHost.RemoteSession);
                continue;
            }
            for (var i = 0; i < link.Sent.Count && _host.Closed is null; i++)
            {
                var request = link.Sent[i];
                if (link.Link.Transport == link && request.Length >= 12 && link.Link.Phase == LinkPhase.Ready)
                {
                    CheckWhere(link.Link.IsHome, request);
                    Answer(link, request);
                }
            }
            link.Sent.Clear();
            if (_random.Next(6) == 0 && link.Link.Transport == link && _host.Closed is null)
            {
                var writer = new JuteWriter();
                var path = Paths[_random.Next(Paths.Length)];
                new WatcherEvent(WatchEventType.DataChanged, WatcherEvent.SyncConnected, path).WriteFrame(writer);
                _host.Session.LinkFrame(link, _mutatesRequests ? writer.Written : Mutate(writer.Written.ToArray()));
            }
        }
    }

    /// <summary>A server was asked of no path but those that it is asked for.</summary>
    private void CheckWhere(bool atHome, byte[] request)
    {
        var reader = new JuteReader(request.AsSpan(Framing.PrefixLength + RequestHeader.WireLength));
        var op = OpOf(request);
        if (op.StartsWithPath())
        {
            CheckWhere(atHome, op, reader.ReadString());
        }
        else if (op is OpCode.Multi or OpCode.MultiRead)
        {
            // As servers read it: until what is not there.
            while (true)
            {
                var header = MultiHeader.Read(ref reader);
                if (header.Done || reader.Failed)
                {
                    break;
                }
                CheckWhere(atHome, header.Type, reader.ReadString());
                if (header.Type is OpCode.Check or OpCode.Delete)
                {
                    reader.ReadInt();
                }
                else if (header.Type is OpCode.GetData or OpCode.GetChildren)
                {
                    reader.ReadBool();
                }
                else
                {
                    break;
                }
            }
        }
    }

    private void CheckWhere(bool atHome, OpCode op, string? path)
    {
        if (path is null || (!atHome && (path == "/zookeeper/zoonet/acls" || (op == OpCode.Exists && path == "/"))))
        {
            // What the proxy itself asks.
            return;
        }
        // Where the client would name it.
        var local = atHome ? path : IsAtOrUnder(path, "/apps") ? "/mnt" + path["/apps".Length..] : null;
        if (local is null || IsAtOrUnder(local, "/mnt") == atHome || (!atHome && op.IsWrite() && _isReadOnly) || !MayAsk(op, local))
        {
            throw new InvalidOperationException($"{op} {path} went to {(atHome ? "home" : "the other cluster")}");
        }
    }

    /// <summary>By the rules, written once more in another way.</summary>
    private bool MayAsk(OpCode op, string path) =>
        !_hasRules || op.IsCreate() || op is OpCode.Sync or OpCode.RemoveWatches or OpCode.CheckWatches
        || (!IsAtOrUnder(path, "/mnt/x/y") && !(op.IsWrite() && (IsAtOrUnder(path, "/mnt/x") || IsAtOrUnder(path, "/a"))));

    private static bool IsAtOrUnder(string path, string root) =>
        path == root || path.StartsWith(root + "/", StringComparison.Ordinal);

    private void Answer(ScriptedLink link, byte[] request)
    {
        var xid = BinaryPrimitives.ReadInt32BigEndian(request.AsSpan(4));
        var op = (OpCode)BinaryPrimitives.ReadInt32BigEndian(request.AsSpan(8));
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        var error = _random.Next(4) == 0 ? ErrorCode.NoNode : ErrorCode.Ok;
        new ReplyHeader(xid, _random.Next(1, 1000), error).Write(writer);
        if (error == ErrorCode.Ok)
        {
            WriteReply(writer, op);
        }
        writer.EndFrame(mark);
        var frame = writer.Written.ToArray();
        _host.Session.LinkFrame(link, !_mutatesRequests && _random.Next(3) == 0 ? Mutate(frame) : frame);
    }

    /// <summary>Every reply is to the oldest request that has none.</summary>
    private void Check()
    {
        for (; _seen < _host.ToClient.Count; _seen++)
        {
            var frame = _host.ToClient[_seen];
            if (frame.Length < Framing.PrefixLength + ReplyHeader.WireLength)
            {
                throw new InvalidOperationException($"the client got a frame of {frame.Length} bytes");
            }
            var xid = BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4));
            if (xid is Xids.Notification or Xids.Ping)
            {
                continue;
            }
            if (_answered >= _asked.Count || _asked[_answered].Xid != xid)
            {
                throw new InvalidOperationException($"a reply to {xid} came where {_asked.ElementAtOrDefault(_answered)} was due");
            }
            _answered++;
        }
    }

    private byte[] Mutate(byte[] frame)
    {
        _mutated++;
        var bytes = Mutation.Of(frame.AsSpan(4), _random);
        var mutated = new byte[4 + bytes.Length];
        BinaryPrimitives.WriteInt32BigEndian(mutated, bytes.Length);
        bytes.CopyTo(mutated, 4);
        return mutated;
    }

    private void WriteRequest(JuteWriter writer, OpCode op, string path)
    {
        switch (op)
        {
            case OpCode.Exists or OpCode.GetData or OpCode.GetChildren or OpCode.GetChildren2:
                new PathWatchRequest(path, _random.Next(2) == 0).Write(writer);
                break;
            case OpCode.SetData:
                new SetDataRequest(path, [1], -1).Write(writer);
                break;
            case OpCode.Create or OpCode.Create2:
                new CreateRequest($"{path.TrimEnd('/')}/n", [1], [.. Acl.Open], _random.Next(4)).Write(writer, op);
                break;
            case OpCode.Delete:
                new PathVersionRequest($"{path.TrimEnd('/')}/n", -1).Write(writer);
                break;
            case OpCode.Multi or OpCode.MultiRead:
                foreach (var one in new[] { path, op == OpCode.Multi ? path : Paths[_random.Next(Paths.Length)] })
                {
                    writer.WriteInt((int)(op == OpCode.Multi ? OpCode.Check : OpCode.GetData));
                    writer.WriteBool(false);
                    writer.WriteInt(-1);
                    writer.WriteString(one);
                    if (op == OpCode.Multi)
                    {
                        writer.WriteInt(-1);
                    }
                    else
                    {
                        writer.WriteBool(false);
                    }
                }
                MultiHeader.End.Write(writer);
                break;
            case OpCode.AddWatch:
                new PathKindRequest(path, _random.Next(2)).Write(writer);
                break;
            case OpCode.SetWatches:
                new SetWatchesRequest(0, [path], [], [path], [], []).Write(writer, op);
                break;
            case OpCode.Auth:
                new AuthRequest(0, "digest", "a:b"u8.ToArray()).Write(writer);
                break;
            default:
                writer.WriteString(path);
                break;
        }
    }

    private void WriteReply(JuteWriter writer, OpCode op)
    {
        switch (op)
        {
            case OpCode.Exists or OpCode.SetData or OpCode.SetAcl:
                WriteStat(writer);
                break;
            case OpCode.GetData:
                writer.WriteBuffer([1, 2, 3]);
                WriteStat(writer);
                break;
            case OpCode.GetChildren or OpCode.GetEphemerals:
                writer.WriteStrings(["/apps/x", "n"]);
                break;
            case OpCode.GetChildren2:
                writer.WriteStrings(["n", "m"]);
                WriteStat(writer);
                break;
            case OpCode.GetAcl:
                writer.WriteInt(0);
                WriteStat(writer);
                break;
            case OpCode.Create or OpCode.Sync:
                writer.WriteString("/apps/x/n0000000001");
                break;
            case OpCode.Create2:
                writer.WriteString("/apps/x/n0000000001");
                WriteStat(writer);
                break;
            case OpCode.GetAllChildrenNumber:
                writer.WriteInt(3);
                break;
            case OpCode.Multi:
                for (var i = 0; i < 2; i++)
                {
                    writer.WriteInt((int)OpCode.Check);
                    writer.WriteBool(false);
                    writer.WriteInt(0);
                }
                MultiHeader.End.Write(writer);
                break;
            case OpCode.MultiRead:
                writer.WriteInt((int)OpCode.GetData);
                writer.WriteBool(false);
                writer.WriteInt(0);
                writer.WriteBuffer([1]);
                WriteStat(writer);
                MultiHeader.End.Write(writer);
                break;
        }
    }

    private void WriteStat(JuteWriter writer)
    {
        var stat = new byte[StatLength];
        _random.NextBytes(stat);
        writer.WriteRaw(stat);
    }
}
