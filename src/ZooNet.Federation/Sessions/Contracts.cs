using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Sessions;

/// <summary>Why a client's connection was closed: the side, and what happened there. The first reason wins.</summary>
public enum CloseReason
{
    /// <summary>The client ended its session.</summary>
    SessionClosed,
    /// <summary>The client closed its connection, or it broke.</summary>
    DownstreamClosed,
    /// <summary>The client sent nothing for longer than its session timeout.</summary>
    DownstreamSilent,
    /// <summary>The client sent a frame whose length is not legal.</summary>
    DownstreamFrameInvalid,
    /// <summary>The client broke the protocol.</summary>
    DownstreamProtocol,
    /// <summary>The client sent an operation that no proxy may forward.</summary>
    DownstreamForbidden,
    /// <summary>The home server refused the session: expired, unknown, or a wrong password.</summary>
    SessionRefused,
    /// <summary>No home server could be reached, or the one in use was lost.</summary>
    HomeLost,
    /// <summary>A remote cluster was lost and the client's requests or ephemeral znodes there are in doubt.</summary>
    RemoteLost,
    /// <summary>The client's session in a remote cluster expired, and with it its ephemeral znodes there.</summary>
    RemoteSessionExpired,
    /// <summary>A barrier failed: the read that needed it can't be served.</summary>
    BarrierFailed,
    /// <summary>An upstream server broke the protocol, or the proxy lost track: better to lose a connection than to reorder it.</summary>
    UpstreamProtocol,
    /// <summary>The proxy is shutting down.</summary>
    Draining,
    /// <summary>The session was attached to again, on another connection to this proxy.</summary>
    SessionMoved,
    /// <summary>The client asked for more than one client may have: watches, credentials.</summary>
    LimitReached,
}

/// <summary>
/// What a session asks of the outside. All calls are made while the host handles an event of this session; none may call
/// back into the session before it returns. Bytes handed over are copied by the host before it returns.
/// </summary>
public interface ISessionHost : IBarrierWaiter
{
    /// <summary>Milliseconds of a clock that never goes back.</summary>
    long NowMs { get; }

    /// <summary>What the client may do where; null if only the clusters' ACLs say so. The same for the life of the session.</summary>
    PathRules? Rules => null;

    /// <summary>True while the client takes its replies so slowly that nothing is read of its servers.</summary>
    bool IsClientSlow => false;

    /// <summary>Queues whole frames for the client; they leave when the event is handled.</summary>
    void SendToClient(ReadOnlySpan<byte> frames);

    /// <summary>Sends what is queued, then closes the client's connection. The session does nothing afterwards.</summary>
    void CloseClient(CloseReason reason, string detail);

    /// <summary>
    /// Begins to connect to a server of the link's cluster. Later <see cref="FederatedSession.LinkUp"/> or
    /// <see cref="FederatedSession.LinkDown"/> is called with the connection returned here.
    /// </summary>
    ILinkConnection OpenLink(SessionLink link);

    /// <summary>
    /// A server took a connection and then refused or ignored it: others go first for a while.
    /// </summary>
    void ServerFailed(UpstreamServer server)
    {
    }

    /// <summary>
    /// Looks up the records of a re-attached session's remote sessions, as fresh as the home cluster is now. Later
    /// <see cref="FederatedSession.RecordsFound"/> is called.
    /// </summary>
    void FindRecords(HomeSession session);

    /// <summary>
    /// Puts a remote session on record, over what is on record already. Later <see cref="FederatedSession.RecordSaved"/> is called.
    /// </summary>
    void SaveRecord(HomeSession session, RemoteSessionRecord record);
}

/// <summary>A client's session in its home cluster, with what lets one speak for it.</summary>
/// <param name="Id">The session's id.</param>
/// <param name="Password">Its password.</param>
/// <param name="TimeoutMs">The timeout that home has granted, in milliseconds.</param>
public sealed record HomeSession(long Id, byte[] Password, int TimeoutMs);

/// <summary>One upstream connection, as the session uses it.</summary>
public interface ILinkConnection
{
    /// <summary>The link this connection was opened for.</summary>
    SessionLink Link { get; }

    /// <summary>Queues whole frames for the server; they leave when the event is handled.</summary>
    void Send(ReadOnlySpan<byte> frames);

    /// <summary>Sends what is queued and closes the connection. No more calls come from it.</summary>
    void Close();
}
