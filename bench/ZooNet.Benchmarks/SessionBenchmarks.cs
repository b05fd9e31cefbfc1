using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Benchmarks;

/// <summary>
/// A request at home and its reply through the session state machine, without sockets: routing, bookkeeping, the order of replies.
/// </summary>
[MemoryDiagnoser]
public class SessionBenchmarks : ISessionHost, IBarrierTransport
{
    private const long Home = 0x100000000000001;
    private readonly byte[] _homeReply = Frames.Data(0, 0x100000010, 1024);
    private readonly byte[] _homeRead = Frames.GetData(0, "/services/billing/nodes/n000042");
    private readonly byte[] _homeUpdate = Frames.SetData(0, "/services/billing/nodes/n000042", 1024);
    private Region _region = null!;
    private FederatedSession _session = null!;
    private Link _home = null!;
    private int _xid;
    private long _bytes;

    /// <inheritdoc/>
    public long NowMs => 1;

    /// <summary>Sets up a session whose region has a mount, so that every path is looked up.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _region = new Region(["us", "eu"], ConsistencyMode.Ordered) { Mounts = new MountTable([new Mount("/mnt/eu", 1, "eu", "/apps", MountOptions.Default)]) };
        _session = new FederatedSession(_region, this);
        _session.ClientFrame(Frames.Handshake());
        _session.LinkUp(_home, new UpstreamServer(_region, 0, "us", this));
        _session.LinkFrame(_home, Frames.Welcome(Home));
        if (!_session.IsEstablished)
        {
            throw new InvalidOperationException("the session is not established");
        }
        // What is timed must be the whole way: the request out to home, the reply back to the client.
        foreach (var request in (byte[][])[_homeRead, _homeUpdate])
        {
            var (sent, answered) = (_home.Bytes, _bytes);
            RoundTrip(request, _homeReply);
            if (_home.Bytes - sent != request.Length || _bytes - answered != _homeReply.Length)
            {
                throw new InvalidOperationException($"the home link took {_home.Bytes - sent} bytes of {request.Length}, the client {_bytes - answered} of {_homeReply.Length}");
            }
        }
    }

    /// <summary>A read at home.</summary>
    [Benchmark(Baseline = true)]
    public long Home_read() => RoundTrip(_homeRead, _homeReply);

    /// <summary>An update at home.</summary>
    [Benchmark]
    public long Home_update() => RoundTrip(_homeUpdate, _homeReply);

    void ISessionHost.SendToClient(ReadOnlySpan<byte> frames) => _bytes += frames.Length;

    void ISessionHost.CloseClient(CloseReason reason, string detail) => throw new InvalidOperationException($"{reason}: {detail}");

    ILinkConnection ISessionHost.OpenLink(SessionLink link) => _home = new Link(link);

    void ISessionHost.FindRecords(HomeSession session) => throw new InvalidOperationException("no session is re-attached here");

    void ISessionHost.SaveRecord(HomeSession session, RemoteSessionRecord record) => throw new InvalidOperationException("nothing is written to a mount here");

    void IBarrierWaiter.BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) =>
        _session.BarrierDone(server, ticket, succeeded);

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket) => throw new InvalidOperationException("no barrier is needed here");

    private long RoundTrip(byte[] request, byte[] reply)
    {
        _xid++;
        BinaryPrimitives.WriteInt32BigEndian(request.AsSpan(Framing.PrefixLength), _xid);
        _session.ClientFrame(request);
        BinaryPrimitives.WriteInt32BigEndian(reply.AsSpan(Framing.PrefixLength), _xid);
        _session.LinkFrame(_home, reply);
        return _bytes;
    }

    private sealed class Link(SessionLink link) : ILinkConnection
    {
        public long Bytes { get; private set; }

        SessionLink ILinkConnection.Link => link;

        void ILinkConnection.Send(ReadOnlySpan<byte> frames) => Bytes += frames.Length;

        void ILinkConnection.Close() => throw new InvalidOperationException("the session closed a link");
    }
}
