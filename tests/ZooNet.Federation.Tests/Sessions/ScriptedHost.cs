using System.Buffers.Binary;
using System.Text;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// A session whose client and servers are the test: it says what each of them sends and when, and looks at what the session made of it.
/// Cluster 1, eu, is mounted on /mnt.
/// </summary>
internal sealed class ScriptedHost : ISessionHost, IBarrierTransport
{
    public const long HomeSession = 0x51;
    public const long RemoteSession = 0x52;

    /// <param name="options">The mount's; null for the defaults.</param>
    /// <param name="limits">What one client may cost; null for the defaults.</param>
    /// <param name="rules">What the client may do where; null for everything.</param>
    public ScriptedHost(MountOptions? options = null, ClientLimits? limits = null, PathRules? rules = null)
    {
        Rules = rules;
        var mount = new Mount("/mnt", 1, "eu", "/apps", options ?? MountOptions.Default);
        Region = new Region(["us", "eu"], ConsistencyMode.Ordered) { Mounts = new MountTable([mount]), Limits = limits ?? new() };
        Session = new FederatedSession(Region, this);
    }

    public Region Region { get; }

    /// <inheritdoc/>
    public PathRules? Rules { get; }

    public FederatedSession Session { get; }

    /// <summary>What the session sent to the client, frame by frame.</summary>
    public List<byte[]> ToClient { get; } = [];

    /// <summary>Why the session closed the client's connection; null while it has not.</summary>
    public string? Closed { get; private set; }

    /// <summary>The servers that the session found wanting.</summary>
    public List<UpstreamServer> Failed { get; } = [];

    /// <summary>The connections that the session asked for, in order.</summary>
    public List<ScriptedLink> Links { get; } = [];

    public long NowMs { get; set; } = 1000;

    /// <summary>The records that the home cluster holds of this session.</summary>
    public List<RemoteSessionRecord> Records { get; } = [];

    /// <summary>The records that home was asked to hold; the test says when one is written.</summary>
    public List<RemoteSessionRecord> ToRecord { get; } = [];

    /// <summary>The barriers that were asked for; the test says when one is done.</summary>
    public List<(UpstreamServer Server, BarrierTicket Ticket)> Barriers { get; } = [];

    /// <summary>The client attaches its session, home lets it in, and the records are found.</summary>
    /// <param name="session">The session that the client comes with; 0 for a new one.</param>
    public void Attach(long session = HomeSession)
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 10_000, session, new byte[16], false).WriteFrame(writer);
        Session.ClientFrame(writer.Written);
        Answer(Links[0], HomeSession);
        Session.RecordsFound(Records);
    }

    /// <summary>A server takes a connection and lets the session in.</summary>
    public void Answer(ScriptedLink link, long session, bool far = false)
    {
        Session.LinkUp(link, new UpstreamServer(Region, link.Link.Cluster, $"server of {link.Link.Cluster}", this) { IsFar = far });
        link.Sent.Clear();
        var writer = new JuteWriter();
        new ConnectResponse(0, 10_000, session, new byte[16], false).WriteFrame(writer);
        Session.LinkFrame(link, writer.Written);
    }

    /// <summary>The client sends a request.</summary>
    public void Request(int xid, OpCode op, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        Session.ClientFrame(writer.Written);
    }

    /// <summary>A server answers a request.</summary>
    public void Reply(ScriptedLink link, int xid, Action<JuteWriter>? body = null, long zxid = 7, ErrorCode error = ErrorCode.Ok)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new ReplyHeader(xid, zxid, error).Write(writer);
        body?.Invoke(writer);
        writer.EndFrame(mark);
        Session.LinkFrame(link, writer.Written);
    }

    /// <summary>The barrier that was asked for last is done.</summary>
    public void FinishBarrier()
    {
        var (server, ticket) = Barriers[^1];
        server.BarrierDone(ticket, succeeded: true);
    }

    void ISessionHost.SendToClient(ReadOnlySpan<byte> frames) => ScriptedLink.Split(frames, ToClient);

    void ISessionHost.CloseClient(CloseReason reason, string detail) => Closed = $"{reason}: {detail}";

    ILinkConnection ISessionHost.OpenLink(SessionLink link)
    {
        Links.Add(new ScriptedLink(link));
        return Links[^1];
    }

    void ISessionHost.ServerFailed(UpstreamServer server) => Failed.Add(server);

    void ISessionHost.FindRecords(HomeSession session)
    {
        // The test says when they are found.
    }

    void ISessionHost.SaveRecord(HomeSession session, RemoteSessionRecord record) => ToRecord.Add(record);

    void IBarrierWaiter.BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) =>
        Session.BarrierDone(server, ticket, succeeded);

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => Barriers.Add((server, ticket));
}

/// <summary>One upstream connection; the test is the server.</summary>
internal sealed class ScriptedLink(SessionLink link) : ILinkConnection
{
    public SessionLink Link => link;

    /// <summary>What the session sent to the server, frame by frame.</summary>
    public List<byte[]> Sent { get; } = [];

    /// <summary>The operations of what was sent, in order.</summary>
    public IEnumerable<OpCode> Operations => Sent.Select(f => (OpCode)BinaryPrimitives.ReadInt32BigEndian(f.AsSpan(8)));

    public void Send(ReadOnlySpan<byte> frames) => Split(frames, Sent);

    public void Close()
    {
        // The server sees nothing more.
    }

    /// <summary>The path of the request that was sent last.</summary>
    public string LastPath => RequestRewriter.TryGetPath(Sent[^1], out var path) ? Encoding.UTF8.GetString(path) : "";

    internal static void Split(ReadOnlySpan<byte> frames, List<byte[]> into)
    {
        while (!frames.IsEmpty)
        {
            var length = 4 + BinaryPrimitives.ReadInt32BigEndian(frames);
            into.Add(frames[..length].ToArray());
            frames = frames[length..];
        }
    }
}
