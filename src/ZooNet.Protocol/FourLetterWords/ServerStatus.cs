using System.Net;

namespace ZooNet.Protocol.FourLetterWords;

/// <summary>Latencies in milliseconds.</summary>
/// <param name="Min">The shortest.</param>
/// <param name="Average">The mean.</param>
/// <param name="Max">The longest.</param>
public readonly record struct LatencyStatus(long Min, double Average, long Max);

/// <summary>What a server (or a proxy in its place) says of itself. A snapshot; whoever answers fills in what it has.</summary>
public sealed record ServerStatus
{
    /// <summary>For example <c>3.8.0-zoonet</c>: clients read the numbers at its start.</summary>
    public required string Version { get; init; }

    /// <summary>When it was built. Printed as <c>MM/dd/yyyy HH:mm GMT</c>, which is the form that clients' patterns know.</summary>
    public required DateTimeOffset BuiltOn { get; init; }

    /// <summary>standalone, leader, follower, observer or read-only.</summary>
    public required string Mode { get; init; }

    /// <summary>False while clients are turned away.</summary>
    public bool IsServing { get; init; } = true;

    /// <summary>Whether only reads are served.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>The last zxid applied.</summary>
    public long Zxid { get; init; }

    /// <summary>From a request's arrival to its reply.</summary>
    public LatencyStatus Latency { get; init; }

    /// <summary>Packets received.</summary>
    public long Received { get; init; }

    /// <summary>Packets sent.</summary>
    public long Sent { get; init; }

    /// <summary>Requests that wait for an answer.</summary>
    public int Outstanding { get; init; }

    /// <summary>How long it has been up.</summary>
    public TimeSpan Uptime { get; init; }

    /// <summary>Number of znodes.</summary>
    public int NodeCount { get; init; }

    /// <summary>Bytes of paths and data.</summary>
    public long DataSize { get; init; }

    /// <summary>Number of watches.</summary>
    public int WatchCount { get; init; }

    /// <summary>A leader's learners and how many of them are in sync; null for others.</summary>
    public (int Learners, int Synced)? Learners { get; init; }

    /// <summary>Open connections.</summary>
    public IReadOnlyList<ConnectionStatus> Connections { get; init; } = [];

    /// <summary>Sessions with the moment they expire at; null where only the leader knows it.</summary>
    public IReadOnlyList<(DateTimeOffset? ExpiresAt, long SessionId)> Sessions { get; init; } = [];

    /// <summary>Sessions with their ephemeral znodes.</summary>
    public IReadOnlyList<(long SessionId, IReadOnlyList<string> Paths)> Ephemerals { get; init; } = [];

    /// <summary>Watched paths with the sessions that watch them.</summary>
    public IReadOnlyList<(string Path, IReadOnlyList<long> SessionIds)> Watches { get; init; } = [];

    /// <summary>What conf prints, in this order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Configuration { get; init; } = [];

    /// <summary>What envi prints after the version, in this order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];
}

/// <summary>One connection, for stat and cons.</summary>
public sealed record ConnectionStatus
{
    /// <summary>The client.</summary>
    public required IPEndPoint Client { get; init; }

    /// <summary>Requests that wait.</summary>
    public int Queued { get; init; }

    /// <summary>Packets received.</summary>
    public long Received { get; init; }

    /// <summary>Packets sent.</summary>
    public long Sent { get; init; }

    /// <summary>The session; 0 before there is one, and the rest is not printed then.</summary>
    public long SessionId { get; init; }

    /// <summary>The last operation.</summary>
    public OpCode LastOperation { get; init; }

    /// <summary>When the connection was made.</summary>
    public DateTimeOffset Established { get; init; }

    /// <summary>The session timeout in milliseconds.</summary>
    public int TimeoutMs { get; init; }

    /// <summary>The xid of the last request.</summary>
    public int LastXid { get; init; }

    /// <summary>The zxid of the last reply.</summary>
    public long LastZxid { get; init; }

    /// <summary>Latencies of its requests.</summary>
    public LatencyStatus Latency { get; init; }
}
