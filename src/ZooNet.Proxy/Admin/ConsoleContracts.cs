using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Admin;

/// <summary>Client sessions of one proxy, as <c>GET /api/v1/sessions</c> gives them.</summary>
/// <param name="Region">The proxy's region.</param>
/// <param name="ProxyId">Its id.</param>
/// <param name="Total">How many there are; <paramref name="Sessions"/> may hold fewer.</param>
/// <param name="Waiting">How many of all wait for an answer.</param>
/// <param name="Sessions">Those that wait first, then by address.</param>
public sealed record SessionList(string Region, string ProxyId, int Total, int Waiting, IReadOnlyList<SessionInfo> Sessions);

/// <summary>One client session.</summary>
/// <param name="Client">The client's address.</param>
/// <param name="Session">Its session id, hexadecimal as ZooKeeper's tools write it; null before it has one.</param>
/// <param name="TimeoutMs">The session timeout in milliseconds.</param>
/// <param name="Established">When it connected.</param>
/// <param name="Received">Frames from it.</param>
/// <param name="Sent">Frames to it.</param>
/// <param name="Outstanding">Requests that wait for their reply.</param>
/// <param name="WaitsFor">What the oldest of them waits for; null where nothing waits.</param>
/// <param name="Links">Its links to clusters, home first.</param>
public sealed record SessionInfo(
    string Client,
    string? Session,
    int TimeoutMs,
    DateTimeOffset Established,
    long Received,
    long Sent,
    int Outstanding,
    string? WaitsFor,
    IReadOnlyList<LinkInfo> Links);

/// <summary>One link of a client session.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Phase"><c>closed</c>, <c>connecting</c>, <c>handshaking</c> or <c>ready</c>.</param>
/// <param name="Server">The server in use; null while there is none.</param>
/// <param name="Session">The session in that cluster, hexadecimal; null until there is one.</param>
/// <param name="Outstanding">Requests that the server has not answered.</param>
/// <param name="Watches">Watches that the proxy keeps for the client; null at home, where the server alone keeps them.</param>
/// <param name="Ephemerals">Ephemeral znodes that it is known to own; null at home, likewise.</param>
/// <param name="LastZxid">The largest zxid that this cluster has shown this client, hexadecimal.</param>
public sealed record LinkInfo(
    string Cluster,
    string Phase,
    string? Server,
    string? Session,
    int Outstanding,
    int? Watches,
    int? Ephemerals,
    string LastZxid);

/// <summary>Body of <c>POST /api/v1/dry-run</c>.</summary>
/// <param name="Source"><c>cluster:/path</c>; null to ask about an unmount.</param>
/// <param name="Path">The mount point.</param>
/// <param name="Options">As after <c>-o</c>.</param>
public sealed record DryRunBody(string? Source, string? Path, string? Options = null);

/// <summary>What a mount or an unmount would come to, if it were asked for now. Nothing is changed by asking.</summary>
/// <param name="Allowed">False where it would be refused.</param>
/// <param name="Message">One sentence.</param>
/// <param name="Refusals">Every reason to refuse it, each with what to do.</param>
/// <param name="WouldCreate">Znodes that would be made, each as <c>cluster:/path</c>, parents left out.</param>
/// <param name="Cycle">
/// The cycle of views and clusters that runs through the region afterwards, as <c>view us</c>, <c>cluster eu</c> …; empty where none does.
/// </param>
/// <param name="NewCycle">True where the cycle would be closed, or opened, by this change.</param>
/// <param name="Barriers">What becomes of barriers, one sentence.</param>
/// <param name="AlsoConcerned">Other regions whose reads would begin, or cease, to wait for barriers.</param>
/// <param name="MustAcknowledge">Who has to acknowledge it first, each as <c>proxy X of region Y</c>.</param>
public sealed record DryRunReply(
    bool Allowed,
    string Message,
    IReadOnlyList<string> Refusals,
    IReadOnlyList<string> WouldCreate,
    IReadOnlyList<string> Cycle,
    bool NewCycle,
    string Barriers,
    IReadOnlyList<string> AlsoConcerned,
    IReadOnlyList<string> MustAcknowledge);

/// <summary>The changes of a region's mounts that one proxy has seen, as <c>GET /api/v1/history</c> gives them.</summary>
/// <param name="Since">When the proxy started: older changes it does not know.</param>
/// <param name="Changes">Oldest first.</param>
public sealed record MountHistory(DateTimeOffset Since, IReadOnlyList<ProxyEvent> Changes);

/// <summary>One request of a session on its way through the proxy.</summary>
/// <param name="Session">The session.</param>
/// <param name="Steps">What happened, in order; the last says how it ended.</param>
public sealed record TraceReply(string Session, IReadOnlyList<TraceStep> Steps);
