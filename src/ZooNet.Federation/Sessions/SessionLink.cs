using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Sessions;

/// <summary>Where a link stands.</summary>
public enum LinkPhase
{
    /// <summary>Not connected, and not trying to.</summary>
    Closed,
    /// <summary>The host is connecting.</summary>
    Connecting,
    /// <summary>Connected; the server has not answered the connect request yet.</summary>
    Handshaking,
    /// <summary>Requests can be sent.</summary>
    Ready,
}

/// <summary>
/// One client session's connection to one cluster, across the connections that carry it one after the other. Owned by its
/// <see cref="ClientSession"/>, which alone changes it.
/// </summary>
public sealed class SessionLink
{
    internal SessionLink(int cluster) => Cluster = cluster;

    /// <summary>Ordinal of the cluster; 0 is home.</summary>
    public int Cluster { get; }

    /// <summary>Where it stands.</summary>
    public LinkPhase Phase { get; internal set; }

    /// <summary>The server in use; null until one is connected.</summary>
    public UpstreamServer? Server { get; internal set; }

    /// <summary>The session in that cluster; 0 until there is one. At home it is the client's own.</summary>
    public long SessionId { get; internal set; }

    /// <summary>The largest zxid that this cluster has shown this client: a server that is behind it must not serve the client.</summary>
    public long LastZxid { get; internal set; }

    /// <summary>The connection that carries the link now; null while there is none.</summary>
    public ILinkConnection? Transport => Connection;

    internal byte[] Password { get; set; } = [];
    internal ILinkConnection? Connection { get; set; }
    internal Ring<PendingRequest> Pending { get; } = new();

    /// <summary>
    /// What reads under way ask for, in order: the path of each, or a whole multiRead. Where a reply does not tell since when, it is
    /// what can be asked about.
    /// </summary>
    internal FrameQueue? Asked { get; set; }

    /// <summary>Requests of the client that this link has not answered.</summary>
    internal int Outstanding { get; set; }

    /// <summary>Of those, the ones that went through a strict mount.</summary>
    internal int StrictOutstanding { get; set; }

    /// <summary>Replies and events that must wait for what was asked elsewhere before.</summary>
    internal ReplyLane? Held;

    /// <summary>What the client has in the cluster.</summary>
    internal LinkBook Book;

    /// <summary>Whether its session there is on record at home.</summary>
    internal RemoteRecord Record;
    internal long LastSentMs { get; set; }
    internal long LastHeardMs { get; set; }
    internal long PingSentMs { get; set; }

    /// <summary>Since when an answer has been due; 0 where none is.</summary>
    internal long WaitingSinceMs { get; set; }
    internal long RetryAtMs { get; set; }
    internal int Failures { get; set; }
    internal int TimeoutMs { get; set; }

    /// <summary>True after an event that did not tell its zxid, until a reply of the same server does.</summary>
    internal bool HasUnplacedEvent { get; set; }
}

/// <summary>A client's session in a remote cluster, as it is put on record: another proxy can go on with it.</summary>
/// <param name="Cluster">Ordinal of the cluster.</param>
/// <param name="SessionId">The session there.</param>
/// <param name="Password">Its password.</param>
/// <param name="Strict">Whether the client must not be connected without it.</param>
public sealed record RemoteSessionRecord(int Cluster, long SessionId, byte[] Password, bool Strict);
