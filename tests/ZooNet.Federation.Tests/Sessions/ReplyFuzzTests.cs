using System.Buffers.Binary;
using System.Globalization;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Tests;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// Servers whose frames have bytes changed, cut out, doubled or cut off: replies, events, handshakes, of home and of a mount. A session may
/// close its client's connection, or pass on what it can't judge, and nothing else: no exception, no reply out of order, nothing after the
/// end. ZOONET_FUZZ is the number of mutated frames (20,000 without it), ZOONET_FUZZ_SEED makes it others.
/// </summary>
public sealed class ReplyFuzzTests
{
    private const int StatLength = 68;

    private static readonly string[] Paths = ["/", "/a", "/mnt", "/mnt/x", "/mnt/x/y"];

    private static readonly OpCode[] Operations =
    [
        OpCode.Exists, OpCode.GetData, OpCode.GetChildren, OpCode.GetChildren2, OpCode.GetAcl, OpCode.SetData, OpCode.Create, OpCode.Create2,
        OpCode.Delete, OpCode.Sync, OpCode.Multi, OpCode.MultiRead, OpCode.GetEphemerals, OpCode.GetAllChildrenNumber, OpCode.AddWatch,
        OpCode.SetWatches, OpCode.Auth,
    ];

    [Fact]
    public void A_mutated_frame_of_a_server_costs_a_connection_at_most_and_never_the_order()
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
                left -= new Run(new Random(unchecked(seed + round))).Play();
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

    /// <summary>One client, and what its servers answer.</summary>
    private sealed class Run(Random random)
    {
        private readonly ScriptedHost _host = new();
        private readonly List<int> _asked = [];
        private int _answered;
        private int _seen;
        private int _mutated;

        public int Play()
        {
            if (random.Next(10) == 0)
            {
                BeginBadly();
                return 1;
            }
            _host.Attach(random.Next(2) == 0 ? 0 : ScriptedHost.HomeSession);
            _seen = _host.ToClient.Count;
            for (var step = 0; step < 30 && _host.Closed is null; step++)
            {
                if (random.Next(3) > 0)
                {
                    Ask();
                }
                AnswerSome();
                _host.NowMs += random.Next(200);
                _host.Session.Tick();
                Check();
            }
            return Math.Max(1, _mutated);
        }

        private void BeginBadly()
        {
            var writer = new JuteWriter();
            new ConnectRequest(0, 0, 10_000, 0, new byte[16], false).WriteFrame(writer);
            _host.Session.ClientFrame(writer.Written);
            _host.Session.LinkUp(_host.Links[0], new UpstreamServer(_host.Region, 0, "home", _host));
            writer.Clear();
            new ConnectResponse(0, 10_000, ScriptedHost.HomeSession, new byte[16], false).WriteFrame(writer);
            _host.Session.LinkFrame(_host.Links[0], Mutate(writer.Written.ToArray()));
        }

        private void Ask()
        {
            var op = Operations[random.Next(Operations.Length)];
            var xid = op == OpCode.Auth ? Xids.Auth : _asked.Count + 1;
            _asked.Add(xid);
            _host.Request(xid, op, w => WriteRequest(w, op, Paths[random.Next(Paths.Length)]));
        }

        private void AnswerSome()
        {
            foreach (var (server, ticket) in _host.Barriers.ToArray())
            {
                server.BarrierDone(ticket, random.Next(20) > 0);
            }
            _host.Barriers.Clear();
            _host.Session.RecordSaved(1, random.Next(20) > 0);
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
                        Answer(link, request);
                    }
                }
                link.Sent.Clear();
                if (random.Next(6) == 0 && link.Link.Transport == link && _host.Closed is null)
                {
                    var writer = new JuteWriter();
                    new WatcherEvent(WatchEventType.DataChanged, WatcherEvent.SyncConnected, Paths[random.Next(Paths.Length)]).WriteFrame(writer);
                    _host.Session.LinkFrame(link, Mutate(writer.Written.ToArray()));
                }
            }
        }

        private void Answer(ScriptedLink link, byte[] request)
        {
            var xid = BinaryPrimitives.ReadInt32BigEndian(request.AsSpan(4));
            var op = (OpCode)BinaryPrimitives.ReadInt32BigEndian(request.AsSpan(8));
            var writer = new JuteWriter();
            var mark = writer.BeginFrame();
            var error = random.Next(4) == 0 ? ErrorCode.NoNode : ErrorCode.Ok;
            new ReplyHeader(xid, random.Next(1, 1000), error).Write(writer);
            if (error == ErrorCode.Ok)
            {
                WriteReply(writer, op);
            }
            writer.EndFrame(mark);
            var frame = writer.Written.ToArray();
            _host.Session.LinkFrame(link, random.Next(3) == 0 ? Mutate(frame) : frame);
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
                if (_answered >= _asked.Count || _asked[_answered] != xid)
                {
                    throw new InvalidOperationException($"a reply to {xid} came where {_asked.ElementAtOrDefault(_answered)} was due");
                }
                _answered++;
            }
        }

        private byte[] Mutate(byte[] frame)
        {
            _mutated++;
            var bytes = Mutation.Of(frame.AsSpan(4), random);
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
                    new PathWatchRequest(path, random.Next(2) == 0).Write(writer);
                    break;
                case OpCode.SetData:
                    new SetDataRequest(path, [1], -1).Write(writer);
                    break;
                case OpCode.Create or OpCode.Create2:
                    new CreateRequest($"{path.TrimEnd('/')}/n", [1], [.. Acl.Open], random.Next(4)).Write(writer, op);
                    break;
                case OpCode.Delete:
                    new PathVersionRequest($"{path.TrimEnd('/')}/n", -1).Write(writer);
                    break;
                case OpCode.Multi or OpCode.MultiRead:
                    foreach (var one in new[] { path, op == OpCode.Multi ? path : Paths[random.Next(Paths.Length)] })
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
                    new PathKindRequest(path, random.Next(2)).Write(writer);
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
            random.NextBytes(stat);
            writer.WriteRaw(stat);
        }
    }
}
