using System.Globalization;
using System.Runtime.InteropServices;
using ZooNet.Protocol.FourLetterWords;
using ZooNet.Server.Connections;

namespace ZooNet.Server;

/// <summary>What a replica says of itself in answer to a four-letter word.</summary>
internal static class StatusReport
{
    /// <summary>The ZooKeeper version whose behaviour this is, and whose it really is.</summary>
    private static readonly string Version = $"3.8.0-zoonet-{typeof(StatusReport).Assembly.GetName().Version!.ToString(3)}";

    // Published as a single file there is no assembly of its own beside the program.
    private static readonly DateTimeOffset BuiltOn = File.GetLastWriteTimeUtc(
        Path.Combine(AppContext.BaseDirectory, "ZooNet.Server.dll") is var own && File.Exists(own) ? own : Environment.ProcessPath ?? AppContext.BaseDirectory);

    /// <summary>A snapshot. Under the gate.</summary>
    public static ServerStatus Of(Replica replica) => new()
    {
        Version = Version,
        BuiltOn = BuiltOn,
        Mode = replica.Options.ReadOnly ? "read-only" : replica.Mode,
        IsServing = replica.IsServing,
        IsReadOnly = replica.Options.ReadOnly,
        Zxid = replica.Tree.LastZxid,
        Latency = replica.Traffic.Latency,
        Received = replica.Traffic.Received,
        Sent = replica.Traffic.Sent,
        Outstanding = replica.Connections.Sum(c => c.Waiting.Count),
        Uptime = replica.Options.Time.GetElapsedTime(replica.StartedAt),
        NodeCount = replica.Tree.Count,
        DataSize = replica.Tree.ApproximateDataSize,
        WatchCount = replica.Tree.DataWatches.Count + replica.Tree.ChildWatches.Count,
        Learners = replica is Leader { ObserverCount: > 0 and var count } ? (count, count) : null,
        Connections = [.. replica.Connections.Select(c => Of(replica, c))],
        Sessions = replica.SessionDeadlines(),
        Ephemerals = [.. replica.Tree.Ephemerals.Select(e => (e.Key, (IReadOnlyList<string>)[.. e.Value]))],
        // Of the data watches only, as in ZooKeeper.
        Watches = [.. replica.Tree.DataWatches.ByPath.Select(w => (w.Path, (IReadOnlyList<long>)[.. w.Watchers.Select(c => ((ServerConnection)c).SessionId)]))],
        Configuration = ConfigurationOf(replica.Options),
        Environment =
        [
            new("host.name", Environment.MachineName),
            new("os.name", RuntimeInformation.OSDescription),
            new("os.arch", RuntimeInformation.OSArchitecture.ToString()),
            new("dotnet.version", Environment.Version.ToString()),
            new("user.name", Environment.UserName),
            new("user.dir", Environment.CurrentDirectory),
        ],
    };

    private static ConnectionStatus Of(Replica replica, ServerConnection connection) => new()
    {
        Client = connection.RemoteEndPoint,
        Queued = connection.Waiting.Count,
        Received = connection.Traffic.Received,
        Sent = connection.Traffic.Sent,
        SessionId = connection.SessionId,
        LastOperation = connection.Traffic.Last.Op,
        Established = replica.Options.Time.GetUtcNow() - replica.Options.Time.GetElapsedTime(connection.CreatedAt),
        TimeoutMs = connection.TimeoutMs,
        LastXid = connection.Traffic.Last.Xid,
        LastZxid = connection.Traffic.LastZxid,
        Latency = connection.Traffic.Latency,
    };

    private static KeyValuePair<string, string>[] ConfigurationOf(EmbeddedServerOptions options) =>
    [
        new("clientPort", Text(options.Listen.Port)),
        new("tickTime", Text((int)options.Tick.TotalMilliseconds)),
        new("maxClientCnxns", "0"),
        new("minSessionTimeout", Text(options.MinSessionTimeoutMs)),
        new("maxSessionTimeout", Text(options.MaxSessionTimeoutMs)),
        new("serverId", Text(options.ServerId)),
    ];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
