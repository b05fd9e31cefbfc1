using ZooNet.Protocol;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// Ingredients of the rules that can be left out, so that the simulation shows of each that it is needed. A proxy leaves out none.
/// Immutable.
/// </summary>
internal sealed record Omissions
{
    /// <summary>Nothing is left out.</summary>
    public static Omissions None { get; } = new();

    /// <summary>Replies from which nothing is learned.</summary>
    public Func<OpCode, ErrorCode, bool>? IgnoredReplies { get; init; }

    /// <summary>Left out: that a znode which is not there may have been there since its parent was made.</summary>
    public bool DatesAbsenceByCreation { get; init; }

    /// <summary>Left out: what a session from another proxy has learned there.</summary>
    public bool TrustsMovedSessions { get; init; }

    /// <summary>Left out: that ephemeral znodes are listed where a read would be let through, and not before.</summary>
    public bool ListsEphemeralsAtOnce { get; init; }

    /// <summary>Left out: that a server must not be behind what it showed when it covered something.</summary>
    public bool TrustsEveryServer { get; init; }

    /// <summary>Left out: the agreement of a region's proxies on the servers that they read through.</summary>
    public bool TrustsCopies { get; init; }

    /// <summary>Left out: that a server is left for another only when the other proxies know.</summary>
    public bool ReadsAtOnce { get; init; }

    /// <summary>Left out: that who is about to leave a server couples everything before the record says so.</summary>
    public bool PublishesAtOnce { get; init; }

    /// <summary>Whether an ACL is changed through a mount without a notice.</summary>
    public bool ChangesAclsUnannounced { get; init; }
}
