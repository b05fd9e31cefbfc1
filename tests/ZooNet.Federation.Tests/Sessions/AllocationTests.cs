using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>A request and its reply make no garbage in the session, at home and in a mount. Cluster 1, eu, is mounted on /mnt.</summary>
public sealed class AllocationTests : ISessionHost, IBarrierTransport
{
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential) { Coupling = UniformCoupling.None };
    private readonly List<Link> _links = [];
    private readonly FederatedSession _session;
    private long _toClient;

    public AllocationTests() => _session = new FederatedSession(_region, this);

    long ISessionHost.NowMs => 1000;

    [Theory]
    [InlineData("/x", false, OpCode.GetData)]
    [InlineData("/x", true, OpCode.GetData)]
    [InlineData("/x", true, OpCode.SetData)]
    [InlineData("/mnt/x", true, OpCode.GetData)]
    [InlineData("/mnt/x", true, OpCode.SetData)]
    public void A_request_and_its_reply_make_no_garbage(string path, bool mounted, OpCode op)
    {
        _region.Mounts = mounted ? new MountTable([new Mount("/mnt", 1, "eu", "/apps", MountOptions.Default)]) : MountTable.Empty;
        Attach();
        var request = Frame(new RequestHeader(1, op).Write, w => WriteBody(w, path, op));
        var reply = Frame(new ReplyHeader(1, 9, ErrorCode.Ok).Write, w => WriteReply(w, op));
        var cluster = path.StartsWith("/mnt", StringComparison.Ordinal) ? 1 : 0;
        Use(request, reply, cluster);
        for (var i = 0; i < 200; i++)
        {
            RoundTrip(request, reply, cluster);
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            RoundTrip(request, reply, cluster);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    void ISessionHost.SendToClient(ReadOnlySpan<byte> frames) => _toClient += frames.Length;

    void ISessionHost.CloseClient(CloseReason reason, string detail) => Assert.Fail($"{reason}: {detail}");

    ILinkConnection ISessionHost.OpenLink(SessionLink link)
    {
        _links.Add(new Link(link));
        return _links[^1];
    }

    void ISessionHost.FindRecords(HomeSession session) => Assert.Fail("no session returns here");

    void ISessionHost.SaveRecord(HomeSession session, RemoteSessionRecord record)
    {
        // The test says when it is written.
    }

    void IBarrierWaiter.BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) =>
        _session.BarrierDone(server, ticket, succeeded);

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => Assert.Fail("no barrier is needed here");

    private void Attach()
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, 5, 10_000, 0, new byte[16], false).WriteFrame(writer);
        _session.ClientFrame(writer.Written);
        LetIn(_links[0], 7);
    }

    private void LetIn(Link link, long session)
    {
        _session.LinkUp(link, new UpstreamServer(_region, ((ILinkConnection)link).Link.Cluster, "server", this));
        var writer = new JuteWriter();
        new ConnectResponse(0, 10_000, session, new byte[16], false).WriteFrame(writer);
        _session.LinkFrame(link, writer.Written);
    }

    /// <summary>The first request: in a mount it opens a link, and a write there goes on record.</summary>
    private void Use(byte[] request, byte[] reply, int cluster)
    {
        _session.ClientFrame(request);
        if (cluster > 0)
        {
            LetIn(_links[1], 8);
            _session.RecordSaved(1, saved: true);
        }
        _session.LinkFrame(_links[cluster], reply);
    }

    private void RoundTrip(byte[] request, byte[] reply, int cluster)
    {
        var (sent, answered) = (_links[cluster].Bytes, _toClient);
        _session.ClientFrame(request);
        _session.LinkFrame(_links[cluster], reply);
        if (_links[cluster].Bytes == sent || _toClient == answered)
        {
            throw new InvalidOperationException("the request did not go the whole way");
        }
    }

    private static void WriteBody(JuteWriter writer, string path, OpCode op)
    {
        writer.WriteString(path);
        if (op == OpCode.GetData)
        {
            writer.WriteBool(false);
            return;
        }
        writer.WriteBytes("x"u8);
        writer.WriteInt(-1);
    }

    private static void WriteReply(JuteWriter writer, OpCode op)
    {
        if (op == OpCode.GetData)
        {
            writer.WriteBytes("x"u8);
        }
        new Stat(4, 9, 0, 0, 0, 0, 0, 0, 1, 0, 4).Write(writer);
    }

    private static byte[] Frame(Action<JuteWriter> header, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        header(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }

    private sealed class Link(SessionLink link) : ILinkConnection
    {
        public long Bytes { get; private set; }

        SessionLink ILinkConnection.Link => link;

        public void Send(ReadOnlySpan<byte> frames) => Bytes += frames.Length;

        public void Close()
        {
            // Nobody is at the other end.
        }
    }
}
