using System.Net;
using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Differential;

/// <summary>
/// One of the two servers, and the sessions that the test holds there. Sessions have numbers that are the same on both sides.
/// </summary>
internal sealed class Side(string name, IPEndPoint address)
{
    private readonly Dictionary<long, string> _names = new() { [0] = "none" };
    private readonly List<RawSession?> _sessions = [];
    private Canonical? _canonical;
    private int _made;

    public string Name => name;

    /// <summary>The zxid that the others are counted from: that before the first session.</summary>
    public long BaseZxid { get; private set; }

    /// <summary>Sends a connect request.</summary>
    /// <param name="slot">The number of the session to replace.</param>
    /// <param name="timeoutMs">The timeout to ask for.</param>
    /// <param name="again">What to attach; null for a new session.</param>
    /// <param name="old">Whether to leave out the readOnly byte.</param>
    /// <returns>The answer in words.</returns>
    public string Connect(int slot, int timeoutMs, Reattachment? again, bool old)
    {
        while (_sessions.Count <= slot)
        {
            _sessions.Add(null);
        }
        var before = _sessions[slot];
        var connection = new RawConnection(address);
        var writer = new JuteWriter();
        var id = again is null ? 0 : again.UnknownSession ? 0x7777 : before!.Id;
        var password = again is null ? [] : again.WrongPassword ? new byte[16] : SessionPassword.Of(id);
        var seen = again is null ? 0 : again.ZxidAhead ? before!.LastZxid + 1000 : before!.LastZxid;
        if (again is { CloseFirst: true })
        {
            // ZooKeeper forgets a closed connection by its session's id: the next one may only come when it has done so.
            before!.Connection.EndSending();
            before.Drain();
            before.Connection.Dispose();
        }
        new ConnectRequest(0, seen, timeoutMs, id, password, old ? null : false).WriteFrame(writer);
        connection.Send(writer.Written);
        var frame = connection.Receive();
        var text = frame is null ? "closed" : Describe(frame, out id);
        if (again is { CloseFirst: false } && !again.UnknownSession && !again.ZxidAhead)
        {
            text += $"; the connection before {(before!.Drain() ? "closed" : "open")}";
        }
        if (frame is null || id == 0)
        {
            text += frame is not null && connection.Receive() is null ? "; then closed" : "";
            connection.Dispose();
            return text;
        }
        _sessions[slot]?.Connection.Dispose();
        _sessions[slot] = new RawSession(connection, id, before?.Id == id ? before.LastZxid : 0);
        return text;
    }

    public RawSession Session(int slot) => _sessions[slot]!;

    public bool Has(int slot) => slot < _sessions.Count;

    /// <summary>Sends requests without waiting in between.</summary>
    public void Send(int slot, IReadOnlyList<Request> requests)
    {
        var session = Session(slot);
        session.FirstXid = session.NextXid;
        session.Connection.Send(requests.SelectMany(r => r.ToFrame(r.Op == OpCode.Ping ? Xids.Ping : session.NextXid++, BaseZxid)).ToArray());
    }

    /// <summary>Receives the replies to requests, and the events among them.</summary>
    public List<string> Receive(int slot, IReadOnlyList<Request> requests)
    {
        var lines = new List<string>();
        foreach (var request in requests)
        {
            while (true)
            {
                if (Session(slot).Connection.Receive() is not { } frame)
                {
                    lines.Add("closed");
                    return lines;
                }
                var header = ReplyHeader.Read(frame);
                if (header.Xid == Xids.Notification)
                {
                    lines.Add(Canonical.Event(frame));
                    continue;
                }
                if (header.Zxid > 0)
                {
                    Session(slot).LastZxid = header.Zxid;
                }
                lines.Add(_canonical!.Reply(request, frame));
                break;
            }
        }
        return lines;
    }

    /// <summary>True where the session's connection is closed after what was asked.</summary>
    public bool IsClosedNow(int slot) => Session(slot).Connection.Receive() is null;

    private string Describe(byte[] frame, out long id)
    {
        var response = ConnectResponse.TryRead(frame)!;
        id = response.SessionId;
        if (id != 0 && _canonical is null)
        {
            _canonical = new Canonical(0, SessionName);
        }
        if (id != 0 && !_names.ContainsKey(id))
        {
            _names[id] = $"session{++_made}";
        }
        var password = id == 0 ? response.Password.All(b => b == 0) : response.Password.AsSpan().SequenceEqual(SessionPassword.Of(id));
        return $"timeout {response.TimeoutMs} {_names[id]} password {password} read-only {response.ReadOnly} protocol {response.ProtocolVersion}";
    }

    /// <summary>Sets the base: called once, when nothing has happened but the first session.</summary>
    public void SetBase(long zxid)
    {
        BaseZxid = zxid;
        _canonical = new Canonical(zxid, SessionName);
    }

    private string SessionName(long id) => _names.TryGetValue(id, out var known) ? known : $"0x{id:x}";
}

/// <summary>How a session is attached again.</summary>
internal sealed record Reattachment(bool CloseFirst, bool WrongPassword = false, bool UnknownSession = false, bool ZxidAhead = false);

/// <summary>One session with its present connection.</summary>
internal sealed class RawSession(RawConnection connection, long id, long lastZxid)
{
    public RawConnection Connection => connection;
    public long Id => id;
    public long LastZxid { get; set; } = lastZxid;
    public int NextXid { get; set; } = 1;
    public int FirstXid { get; set; }

    /// <summary>Reads to the end.</summary>
    public bool Drain()
    {
        while (connection.Receive() is not null)
        {
            // Events that were on their way; what matters is that it ends.
        }
        return true;
    }
}
