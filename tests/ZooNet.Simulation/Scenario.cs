namespace ZooNet.Simulation;

/// <summary>Which reads wait for a barrier.</summary>
internal enum Policy
{
    None,
    SymmetricPairs,
    Sequential,
    Ordered,
    EverySwitch,
}

/// <summary>One ingredient of the rule taken out: each must be missed.</summary>
internal enum Mutation
{
    Nothing,
    /// <summary>What an observer covered is taken to be covered by the one that stands in for it.</summary>
    CoveredSurvivesFailover,
    /// <summary>Home is read through several servers and no LAN barrier brings them together.</summary>
    NoLanBarrier,
    /// <summary>Replies that say that a znode is not there are taken to show nothing.</summary>
    UntoldRepliesIgnored,
    /// <summary>Listings are taken to show nothing.</summary>
    ListingsIgnored,
    /// <summary>A session that comes from another proxy is taken to have learned nothing there.</summary>
    MovedSessionsTrusted,
    /// <summary>The barrier goes to another server than the read.</summary>
    BarrierElsewhere,
    /// <summary>A read joins the last barrier that is under way, though it began before the reader's news was known.</summary>
    EarlierBarrierJoined,
    /// <summary>The watermark is taken to have seen whatever is known of home, not what its own link has shown.</summary>
    WatermarkIgnoresLag,
    /// <summary>The watermark is used though the region reads the remote now through one observer, now through another.</summary>
    WatermarkOnManyCopies,
    /// <summary>Clusters are coupled where two regions mount each other, and nowhere else.</summary>
    PairsCoupled,
    /// <summary>A mount is used as soon as it is published.</summary>
    NoAcknowledgements,
    /// <summary>The proxies of a region count as one copy though they read through servers of their own.</summary>
    CopiesNotAgreed,
    /// <summary>A proxy leaves the server that it has agreed on with the others before they know.</summary>
    CopiesChangedAtOnce,
    /// <summary>Errors, checks and counts are taken to teach nothing.</summary>
    ErrorsTeachNothing,
    /// <summary>Whatever a reply implies of an ACL is taken to have been told by an event.</summary>
    AclsTakenForWatched,
    /// <summary>ACLs are changed through mounts without a notice to the cluster's own region.</summary>
    AclsUnannounced,
    /// <summary>Ephemeral znodes are listed without asking whether the server is fresh.</summary>
    EphemeralsListedAtOnce,
    /// <summary>What is not there is taken never to have been there since its parent was made.</summary>
    AbsenceDatedByCreation,
}

/// <summary>What can fail.</summary>
internal enum Fault
{
    LinkLost,
    ClientLost,
    ObserverLeft,
}

/// <summary>Everything about a run but its seed.</summary>
internal sealed record Scenario
{
    public required Topology Topology { get; init; }
    public required Policy Policy { get; init; }
    public Mutation Mutation { get; init; }
    public int HomeServers { get; init; } = 1;
    public int ProxiesPerRegion { get; init; } = 1;
    public int ObserversPerRemote { get; init; } = 1;
    public int ClientsPerRegion { get; init; } = 3;
    public int Keys { get; init; } = 2;
    public int Steps { get; init; } = 1600;
    public double Writes { get; init; } = 0.4;
    public bool Faults { get; init; }

    /// <summary>
    /// Znodes of each home that no other region mounts; only then are there private changes, and the interest watermark watches the
    /// others.
    /// </summary>
    public int PrivateKeys { get; init; }

    /// <summary>How much of what clients do at home they do to those.</summary>
    public double PrivateShare { get; init; } = 0.6;

    /// <summary>How many of the znodes that clients read never come to be.</summary>
    public double AbsentShare { get; init; }

    /// <summary>Whether clients write private znodes only.</summary>
    public bool WritesPrivateOnly { get; init; }

    /// <summary>How often something fails, per step.</summary>
    public double FaultRate { get; init; } = 0.004;

    /// <summary>Where set, nothing else fails.</summary>
    public Fault? OnlyFault { get; init; }

    /// <summary>
    /// Whether mounts come and go under the control plane, and proxies start, die and are cut off. Else the topology stands.
    /// </summary>
    public bool Changes { get; init; }

    /// <summary>
    /// Whether znodes come and go and are listed and watched; else all are there from the start and only their data changes.
    /// </summary>
    public bool AllOperations { get; init; } = true;

    /// <summary>
    /// Whether ACLs open and close, and clients draw conclusions: from an error, a check that passed, a count that was given or refused.
    /// Needs znodes that are there from the start.
    /// </summary>
    public bool Acls { get; init; }

    /// <summary>
    /// Whether clients make ephemeral znodes in what they mount, delete each other's, and ask for a list of their own. No session ends.
    /// </summary>
    public bool Ephemerals { get; init; }

    /// <summary>Whether barriers at a server come one after the other, and none is joined that is under way. Else they overlap.</summary>
    public bool OneBarrierAtATime { get; init; }

    /// <summary>How readily home servers and observers apply what is committed, from 0 to 1.</summary>
    public double HomePace { get; init; } = 0.5;
    public double ObserverPace { get; init; } = 0.25;
    public int Pipeline { get; init; } = 1;
}
