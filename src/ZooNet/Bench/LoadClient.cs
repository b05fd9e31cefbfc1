using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Bench;

/// <summary>
/// One connection of the load generator: a session, a ring of outstanding requests, an input and an output buffer. Everything but
/// <see cref="Open"/> runs on the generator's thread. Replies come in order, so the oldest outstanding request is always the one answered.
/// </summary>
internal sealed class LoadClient(Workload workload, LoadStatistics statistics, ServerAddress server, int seed, TimeProvider time) : IDisposable
{
    private const int SessionTimeoutMs = 30_000;

    private readonly record struct Outstanding(long Began, RequestKind Kind);

    private readonly Random _random = new(seed);
    private readonly Queue<Outstanding> _outstanding = new(workload.Options.Window);
    private byte[] _in = new byte[64 * 1024];
    private int _inCount;
    private byte[] _out = new byte[64 * 1024];
    private int _outStart;
    private int _outEnd;
    private int _xid;
    private Target _target = workload.Local;
    private int _leftOfBurst;
    private bool _begun;

    public LoadStatistics Statistics => statistics;

    public ServerAddress Server => server;

    public BenchOptions Options => workload.Options;

    /// <summary>The socket; null while there is no connection.</summary>
    public Socket? Socket { get; private set; }

    public int OutstandingCount => _outstanding.Count;

    /// <summary>Whether the last send took less than everything.</summary>
    public bool HasUnsent => _outEnd > _outStart;

    /// <summary>When anything was sent last; for the keep-alive.</summary>
    public long LastSent { get; private set; }

    /// <summary>In the open loop, when the next request is due; in the closed one, when this client begins.</summary>
    public long NextDue { get; set; }

    /// <summary>A connection attempt going on; the generator takes its result.</summary>
    public Task<Socket>? Opening { get; set; }

    /// <summary>Connects and makes a session; blocks. May run on any thread.</summary>
    /// <exception cref="SocketException">Not reachable.</exception>
    /// <exception cref="IOException">It did not answer as a ZooKeeper server.</exception>
    public Socket Open()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000, SendTimeout = 10_000 };
        try
        {
            socket.Connect(server.Host, server.Port);
            var writer = new JuteWriter(64);
            new ConnectRequest(0, 0, SessionTimeoutMs, 0, new byte[SessionPassword.Length], false).WriteFrame(writer);
            socket.Send(writer.Written);
            var frame = new byte[256];
            for (var count = 0; ;)
            {
                var read = socket.Receive(frame.AsSpan(count));
                count += read > 0 ? read : throw new IOException($"{server} closed the connection during the handshake");
                if (Framing.TryReadFrame(frame.AsSpan(0, count), frame.Length - Framing.PrefixLength, out var length) == OperationStatus.Done)
                {
                    if (ConnectResponse.TryRead(frame.AsSpan(Framing.PrefixLength, length - Framing.PrefixLength)) is not { TimeoutMs: > 0 })
                    {
                        throw new IOException($"{server} refused a session");
                    }
                    socket.Blocking = false;
                    return socket;
                }
            }
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Takes a fresh connection.</summary>
    public void Attach(Socket socket)
    {
        Socket = socket;
        (_inCount, _outStart, _outEnd, _xid) = (0, 0, 0, 0);
        LastSent = time.GetTimestamp();
    }

    /// <summary>Goes on with a session of an earlier run.</summary>
    public void Attach(IdleSession session)
    {
        Attach(session.Socket);
        _xid = session.Xid;
    }

    /// <summary>Hands over the session; nothing may be outstanding or unsent.</summary>
    public IdleSession Detach()
    {
        var session = new IdleSession(Socket!, _xid, LastSent);
        Socket = null;
        return session;
    }

    /// <summary>Gives up a connection that broke; what was outstanding has failed.</summary>
    public void Lose()
    {
        Socket?.Dispose();
        Socket = null;
        statistics.Disconnects++;
        if (_outstanding.Count > 0)
        {
            statistics.Failed(ErrorCode.ConnectionLoss, _outstanding.Count);
            _outstanding.Clear();
        }
    }

    /// <summary>Draws a request and puts it into the output buffer.</summary>
    /// <param name="began">When it was due: now in the closed loop, its own time in the open one, so that waiting for the window
    /// counts.</param>
    public void Draw(long began)
    {
        if (_leftOfBurst == 0)
        {
            // The first one is cut short, as if one had looked in at any time.
            _leftOfBurst = _begun ? Options.Burst : 1 + _random.Next(Options.Burst);
            _begun = true;
            _target = workload.Remotes.Count == 0 || _random.NextDouble() < Options.LocalShare
                ? workload.Local
                : workload.Remotes[_random.Next(workload.Remotes.Count)];
        }
        _leftOfBurst--;
        var read = _random.NextDouble() < Options.ReadShare;
        var frames = read ? _target.Reads : _target.Updates;
        var frame = frames[_random.Next(frames.Length)];
        _xid++;
        var at = Append(frame);
        BinaryPrimitives.WriteInt32BigEndian(_out.AsSpan(at + Framing.PrefixLength), _xid);
        _outstanding.Enqueue(new Outstanding(began, (_target.IsLocal, read) switch
        {
            (true, true) => RequestKind.LocalRead,
            (true, false) => RequestKind.LocalUpdate,
            (false, true) => RequestKind.RemoteRead,
            (false, false) => RequestKind.RemoteUpdate,
        }));
    }

    public void Ping() => Header(Xids.Ping, OpCode.Ping);

    public void CloseSession() => Header(++_xid, OpCode.CloseSession);

    /// <summary>Sends what has been gathered, in one call where the kernel takes it.</summary>
    /// <exception cref="SocketException">The connection broke.</exception>
    public void Flush()
    {
        if (Socket is null || !HasUnsent)
        {
            return;
        }
        var sent = Socket.Send(_out.AsSpan(_outStart, _outEnd - _outStart), SocketFlags.None, out var error);
        if (error is not (SocketError.Success or SocketError.WouldBlock))
        {
            throw new SocketException((int)error);
        }
        _outStart += error == SocketError.Success ? sent : 0;
        if (_outStart == _outEnd)
        {
            (_outStart, _outEnd) = (0, 0);
        }
        LastSent = time.GetTimestamp();
    }

    /// <summary>Reads once and accounts every whole reply.</summary>
    /// <param name="measureFrom">Replies from here on count.</param>
    /// <param name="measureTo">Replies up to here count towards the throughput; those of earlier requests still towards latency.</param>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="IOException">It ended, or a reply was out of order.</exception>
    public void Receive(long measureFrom, long measureTo)
    {
        var read = Socket!.Receive(_in.AsSpan(_inCount), SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock)
        {
            return;
        }
        if (error != SocketError.Success)
        {
            throw new SocketException((int)error);
        }
        if (read == 0)
        {
            throw new IOException("the server closed the connection");
        }
        _inCount += read;
        var now = time.GetTimestamp();
        var start = 0;
        while (true)
        {
            var status = Framing.TryReadFrame(_in.AsSpan(start, _inCount - start), int.MaxValue / 2, out var length);
            if (status == OperationStatus.NeedMoreData)
            {
                if (length > _in.Length)
                {
                    Array.Resize(ref _in, length);
                }
                break;
            }
            if (status == OperationStatus.InvalidData || length < Framing.PrefixLength + ReplyHeader.WireLength)
            {
                throw new IOException($"the server sent a frame of {length} bytes");
            }
            Account(ReplyHeader.Read(_in.AsSpan(start + Framing.PrefixLength)), now, measureFrom, measureTo);
            start += length;
        }
        if (start > 0)
        {
            _in.AsSpan(start, _inCount - start).CopyTo(_in);
            _inCount -= start;
        }
    }

    public void Dispose() => Socket?.Dispose();

    private void Account(ReplyHeader header, long now, long measureFrom, long measureTo)
    {
        // The replies to ping and to closeSession are nobody's; a watch event can't come, nothing is watched.
        if (header.Xid < 0 || !_outstanding.TryPeek(out var request))
        {
            return;
        }
        var due = _xid - _outstanding.Count + 1;
        if (header.Xid != due)
        {
            throw new IOException($"the server answered out of order: xid {header.Xid} where {due} was due");
        }
        _outstanding.Dequeue();
        if (now < measureFrom)
        {
            return;
        }
        if (header.Error != ErrorCode.Ok)
        {
            statistics.Failed(header.Error);
            return;
        }
        statistics.Took(request.Kind, time.GetElapsedTime(request.Began, now));
        if (now < measureTo)
        {
            statistics.Reply(request.Kind, time.GetElapsedTime(measureFrom, now));
        }
    }

    private void Header(int xid, OpCode op)
    {
        Span<byte> frame = stackalloc byte[Framing.PrefixLength + RequestHeader.WireLength];
        BinaryPrimitives.WriteInt32BigEndian(frame, RequestHeader.WireLength);
        BinaryPrimitives.WriteInt32BigEndian(frame[4..], xid);
        BinaryPrimitives.WriteInt32BigEndian(frame[8..], (int)op);
        Append(frame);
    }

    private int Append(ReadOnlySpan<byte> bytes)
    {
        if (_out.Length - _outEnd < bytes.Length)
        {
            _out.AsSpan(_outStart, _outEnd - _outStart).CopyTo(_out);
            (_outStart, _outEnd) = (0, _outEnd - _outStart);
            if (_out.Length - _outEnd < bytes.Length)
            {
                Array.Resize(ref _out, Math.Max(_out.Length * 2, _outEnd + bytes.Length));
            }
        }
        var at = _outEnd;
        bytes.CopyTo(_out.AsSpan(at));
        _outEnd += bytes.Length;
        return at;
    }
}
