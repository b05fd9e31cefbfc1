using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>Where a session stands.</summary>
internal enum SessionPhase : byte
{
    /// <summary>The client has not sent its first frame.</summary>
    AwaitingConnect,
    /// <summary>Home has not let the client in.</summary>
    ConnectingHome,
    /// <summary>Sessions of the client in other clusters are taken over from another proxy.</summary>
    TakingOver,
    /// <summary>The client has been let in.</summary>
    Established,
    /// <summary>It is over, by whichever side.</summary>
    Closed,
}

/// <summary>
/// A client on its way in: what it asked for with its first frame, and what home has answered. Made with that frame, and given up when the
/// client is let in, so that nobody pays for it afterwards. Single owner: its session.
/// </summary>
internal sealed class Attaching
{
    /// <summary>How many servers of home are tried if they close without an answer.</summary>
    public const int MaxServers = 3;

    private readonly ConnectRequest _request;
    private byte[] _response = [];
    private int _closed;

    private Attaching(ConnectRequest request) => _request = request;

    /// <summary>The session timeout that the client asks for, brought into the range that every cluster grants, in milliseconds.</summary>
    public int TimeoutMs => _request.TimeoutMs;

    /// <summary>The newest change of home that the client has seen.</summary>
    public long SeenZxid => Math.Max(0, _request.LastZxidSeen);

    /// <summary>Whether the client comes with a session, from another connection or another proxy.</summary>
    public bool Returns => _request.SessionId != 0;

    /// <summary>Home's answer, as it will be passed on; empty until there is one.</summary>
    public ReadOnlySpan<byte> Response => _response;

    /// <summary>Reads a client's first frame; null if it is no connect request.</summary>
    /// <param name="frame">The whole frame.</param>
    /// <param name="timeouts">The range of session timeouts that every cluster grants, in milliseconds.</param>
    public static Attaching? TryRead(ReadOnlySpan<byte> frame, (int MinMs, int MaxMs) timeouts)
    {
        if (ConnectRequest.TryRead(frame[Framing.PrefixLength..]) is not { } request)
        {
            return null;
        }
        var timeout = Math.Clamp(request.TimeoutMs, timeouts.MinMs, Math.Max(timeouts.MinMs, timeouts.MaxMs));
        return new Attaching(request with { TimeoutMs = timeout });
    }

    /// <summary>What a server of home is asked.</summary>
    /// <param name="seen">What the proxy has seen of that server: if it has fallen behind, it refuses by itself.</param>
    public ConnectRequest RequestTo(long seen) => _request with { LastZxidSeen = Math.Max(_request.LastZxidSeen, seen) };

    /// <summary>
    /// A server of home has closed without an answer: it may be behind what this client has seen, or have no quorum.
    /// </summary>
    /// <returns>Whether another one is tried.</returns>
    public bool MayTryAnother() => ++_closed < MaxServers;

    /// <summary>Home has let the client in.</summary>
    public void Granted(ReadOnlySpan<byte> response) => _response = response.ToArray();

    /// <summary>Writes, in place of home's answer, that the session has ended.</summary>
    public void WriteRefusal(JuteWriter writer)
    {
        var readOnly = ConnectResponse.TryRead(Response[Framing.PrefixLength..])!.ReadOnly;
        ConnectResponse.Refused(readOnly).WriteFrame(writer);
    }
}
