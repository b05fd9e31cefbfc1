namespace ZooNet.Proxy.Admin;

/// <summary>One mount, as <c>GET /api/v1/mounts</c> gives it.</summary>
/// <param name="Path">The mount point.</param>
/// <param name="Cluster">The remote cluster; null where a bad record names none.</param>
/// <param name="RemotePath">The path there; null where a bad record names none.</param>
/// <param name="Options">As after <c>-o</c>.</param>
/// <param name="State"><c>active</c>, <c>joining</c>, <c>leaving</c>, <c>requested</c>, or <c>error</c> for a bad record.</param>
/// <param name="WaitingFor">Who has not acknowledged it.</param>
/// <param name="Error">Why a bad record is ignored; null for a good one.</param>
/// <param name="Up">Whether the cluster can be reached from this proxy.</param>
/// <param name="Traffic">What this proxy has counted since it started; null for a mount that is not in use.</param>
public sealed record MountInfo(
    string Path,
    string? Cluster,
    string? RemotePath,
    string? Options,
    string State,
    IReadOnlyList<string> WaitingFor,
    string? Error,
    bool Up,
    MountTraffic? Traffic);

/// <summary>The counters of one mount, or of home.</summary>
/// <param name="Reads">Requests that read; null for home, whose requests are passed through uncounted.</param>
/// <param name="Writes">Requests that write; null for home.</param>
/// <param name="Refused">Requests that the proxy refused: writes to a read-only mount, deletion of the mount point; null for home.</param>
/// <param name="BarriersNeeded">Reads that needed a barrier.</param>
/// <param name="BarriersShared">Those of them that shared one with another read.</param>
/// <param name="AvoidedNothingNew">Reads without a barrier: nothing new had been seen elsewhere.</param>
/// <param name="AvoidedNotCoupled">Reads without a barrier: the clusters are not coupled.</param>
/// <param name="AvoidedNoInterestChange">Reads without a barrier: nobody else can see what was new.</param>
/// <param name="BarriersFailed">Reads that failed with their barrier.</param>
public sealed record MountTraffic(
    long? Reads,
    long? Writes,
    long? Refused,
    long BarriersNeeded,
    long BarriersShared,
    long AvoidedNothingNew,
    long AvoidedNotCoupled,
    long AvoidedNoInterestChange,
    long BarriersFailed);

/// <summary>The mount table.</summary>
/// <param name="Region">The region that it applies to.</param>
/// <param name="Version">Zxid of its newest change: proxies that show the same number show the same table.</param>
/// <param name="Mounts">By mount point.</param>
public sealed record MountList(string Region, long Version, IReadOnlyList<MountInfo> Mounts);

/// <summary>Body of <c>POST /api/v1/mounts</c>.</summary>
/// <param name="Source"><c>cluster:/path</c>.</param>
/// <param name="Path">The mount point.</param>
/// <param name="Options">As after <c>-o</c>.</param>
/// <param name="Force">True to use it though not everybody has acknowledged it.</param>
public sealed record MountBody(string? Source, string? Path, string? Options, bool Force = false);

/// <summary>What a mount or an unmount came to.</summary>
/// <param name="Message">One sentence.</param>
/// <param name="Mount">The mount, as it is or was.</param>
/// <param name="Complete">False where someone has to be waited for.</param>
public sealed record MountReply(string Message, MountInfo Mount, bool Complete);

/// <summary>Where a path leads.</summary>
/// <param name="Path">The path asked for.</param>
/// <param name="Mount">The mount it lies in; null for home.</param>
/// <param name="Cluster">The cluster that owns it.</param>
/// <param name="RemotePath">Its path there.</param>
/// <param name="Server">The server that this proxy reads it from, as far as known.</param>
/// <param name="NeedsBarrier">Whether a read would need a barrier now.</param>
/// <param name="Why">Why it would, or would not.</param>
public sealed record ResolveReply(string Path, string? Mount, string Cluster, string RemotePath, string? Server, bool NeedsBarrier,
    string Why)
{
    /// <summary>
    /// In a roaming tree: the zone that a write would go to now, as far as this proxy knows; null elsewhere, and where it does not know.
    /// </summary>
    public string? Owner { get; init; }
}

/// <summary>One cluster, as this proxy sees it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Home">True for the region's own.</param>
/// <param name="Up">Whether it can be reached.</param>
/// <param name="Since">Since when.</param>
/// <param name="Server">The server of the proxy's own session there.</param>
/// <param name="Observer">True where that is an observer in this region.</param>
/// <param name="RttMs">Round trip to the ensemble, also through an observer, in milliseconds; null for a tree.</param>
/// <param name="Circuit"><c>closed</c>, <c>open</c> or <c>half-open</c>.</param>
/// <param name="LastError">The last failure; null where it is up.</param>
/// <param name="Sessions">Clients with a session there.</param>
/// <param name="Servers">The servers that clients' links go to.</param>
public sealed record ClusterInfo(
    string Name,
    bool Home,
    bool Up,
    DateTimeOffset Since,
    string? Server,
    bool Observer,
    double? RttMs,
    string Circuit,
    string? LastError,
    int Sessions,
    IReadOnlyList<ServerInUse> Servers)
{
    /// <summary>How long it has left the proxy's question without an answer, in milliseconds, where that is too long; else null.</summary>
    public double? SilentMs { get; init; }
}

/// <summary>The whole proxy.</summary>
/// <param name="Version">Of ZooNet.</param>
/// <param name="Region">Its region.</param>
/// <param name="ProxyId">Its id.</param>
/// <param name="Started">When it was started.</param>
/// <param name="Ready">Whether it serves clients.</param>
/// <param name="Draining">Whether it is about to stop.</param>
/// <param name="Consistency">The mode.</param>
/// <param name="Barrier">What barriers are made of.</param>
/// <param name="Listen">Where clients connect.</param>
/// <param name="Sessions">Client sessions with a connection.</param>
/// <param name="Connections">Client connections.</param>
/// <param name="ResidentBytes">Memory of the process.</param>
/// <param name="Clusters">Home first.</param>
/// <param name="TableVersion">As in <see cref="MountList"/>.</param>
/// <param name="Mounts">The mounts.</param>
/// <param name="HomeTraffic">The counters of the home cluster.</param>
/// <param name="Graph">The interest graph; null where the consistency mode needs none.</param>
/// <param name="Problems">What an operator has to see to, each in a sentence that says what to do; empty when all is well.</param>
/// <param name="Latencies">How long clients waited lately, where they did; null where a proxy does not say.</param>
public sealed record StatusReply(
    string Version,
    string Region,
    string ProxyId,
    DateTimeOffset Started,
    bool Ready,
    bool Draining,
    string Consistency,
    string Barrier,
    IReadOnlyList<string> Listen,
    int Sessions,
    long Connections,
    long ResidentBytes,
    IReadOnlyList<ClusterInfo> Clusters,
    long TableVersion,
    IReadOnlyList<MountInfo> Mounts,
    MountTraffic HomeTraffic,
    GraphInfo? Graph,
    IReadOnlyList<string> Problems,
    IReadOnlyList<LatencyInfo>? Latencies = null);

/// <summary>How long something took at one cluster, in the last half minute to minute.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Kind"><c>read</c> or <c>write</c>, from a request's arrival to its answer, or <c>barrier</c>.</param>
/// <param name="Count">How many were timed: of each client one request at a time.</param>
/// <param name="P50Ms">Half of them took no longer, in milliseconds; off by a fifth at most.</param>
/// <param name="P99Ms">Of a hundred 99 took no longer.</param>
public sealed record LatencyInfo(string Cluster, string Kind, long Count, double P50Ms, double P99Ms);

/// <summary>Answer of <c>/ready</c> and <c>/live</c>.</summary>
/// <param name="Status"><c>ok</c> or <c>not ready</c>.</param>
/// <param name="Details">What is checked, each with how it is.</param>
public sealed record HealthReply(string Status, IReadOnlyDictionary<string, string> Details);

/// <summary>A cluster's servers, as this proxy knows them.</summary>
/// <param name="Name">The cluster.</param>
/// <param name="Home">True for the region's own.</param>
/// <param name="Source">Where they were learned: <c>configuration</c>, <c>/zookeeper/config</c>, or <c>SRV</c> and a name.</param>
/// <param name="Servers">Observers of this region first.</param>
public sealed record ClusterServersInfo(string Name, bool Home, string Source, IReadOnlyList<ServerInfo> Servers);

/// <summary>One server.</summary>
/// <param name="Name">As it was written or learned.</param>
/// <param name="Address">What that stands for; null if the name can't be resolved.</param>
/// <param name="Mode"><c>leader</c>, <c>follower</c>, <c>observer</c> or <c>standalone</c>, as it says; null if it does not.</param>
/// <param name="Version">Its version, as it says; null if it does not.</param>
/// <param name="RttMs">How long it took to take a connection, in milliseconds; null if it took none.</param>
/// <param name="Links">Clients' links that go there.</param>
/// <param name="Error">What is wrong with it; null for nothing.</param>
public sealed record ServerInfo(string Name, string? Address, string? Mode, string? Version, double? RttMs, int Links, string? Error);
