using System.Globalization;
using System.Text;

namespace ZooNet.Protocol.FourLetterWords;

/// <summary>
/// The four-letter words: plain text instead of a first frame (source: ZooKeeper Administrator's Guide; layouts as 3.8.0 prints them).
/// Pure functions of a <see cref="ServerStatus"/>: no I/O.
/// </summary>
public static class FourLetterWord
{
    /// <summary>What a server prints that is up but has no quorum.</summary>
    public const string NotServing = "This ZooKeeper instance is not currently serving requests\n";

    private static readonly string[] Words = ["ruok", "isro", "srvr", "stat", "mntr", "conf", "cons", "envi", "wchs", "wchc", "wchp", "dump", "srst", "crst"];

    /// <summary>Tells a word by the first four bytes of a connection.</summary>
    /// <returns>The word; null where the bytes are fewer or are none that is known: a frame's length then.</returns>
    public static string? TryRead(ReadOnlySpan<byte> start)
    {
        if (start.Length < 4)
        {
            return null;
        }
        foreach (var word in Words)
        {
            if (word[0] == start[0] && word[1] == start[1] && word[2] == start[2] && word[3] == start[3])
            {
                return word;
            }
        }
        return null;
    }

    /// <summary>The answer to a word.</summary>
    /// <param name="word">One that <see cref="TryRead"/> returned. srst and crst reset something: that is the caller's part.</param>
    /// <param name="status">What to tell.</param>
    public static string Answer(string word, ServerStatus status)
    {
        ArgumentNullException.ThrowIfNull(status);
        return word switch
        {
            "ruok" => "imok",
            "isro" => !status.IsServing ? "null" : status.IsReadOnly ? "ro" : "rw",
            "conf" => Pairs(status.Configuration, '='),
            "envi" => Environment(status),
            _ when !status.IsServing => NotServing,
            "srvr" => VersionLine(status) + Server(status),
            "stat" => Stat(status),
            "mntr" => Pairs(Monitor(status), '\t'),
            "cons" => string.Concat(status.Connections.Select(c => Connection(c, detailed: true) + "\n")) + "\n",
            "wchs" => WatchSummary(status),
            "wchp" => WatchesByPath(status),
            "wchc" => WatchesBySession(status),
            "dump" => Dump(status),
            "srst" => "Server stats reset.\n",
            "crst" => "Connection stats reset.\n",
            _ => throw new ArgumentException($"'{word}' is no four-letter word that is known.", nameof(word)),
        };
    }

    private static string VersionLine(ServerStatus status) => $"Zookeeper version: {Version(status)}\n";

    private static string Version(ServerStatus status) =>
        Invariant($"{status.Version}, built on {status.BuiltOn.UtcDateTime:MM/dd/yyyy HH:mm} GMT");

    private static string Server(ServerStatus status) =>
        Invariant($"Latency min/avg/max: {status.Latency.Min}/{status.Latency.Average:0.0###}/{status.Latency.Max}\n")
        + Invariant($"Received: {status.Received}\nSent: {status.Sent}\nConnections: {status.Connections.Count}\n")
        + Invariant($"Outstanding: {status.Outstanding}\nZxid: 0x{status.Zxid:x}\nMode: {status.Mode}\nNode count: {status.NodeCount}\n");

    private static string Stat(ServerStatus status) => VersionLine(status)
        + "Clients:\n" + string.Concat(status.Connections.Select(c => Connection(c, detailed: false) + "\n")) + "\n" + Server(status);

    private static string Connection(ConnectionStatus c, bool detailed)
    {
        // The number in brackets is the interest in reads and writes: 1 in session, 0 for the connection that asks.
        var text = Invariant($" /{c.Client}[{(c.SessionId == 0 ? 0 : 1)}](queued={c.Queued},recved={c.Received},sent={c.Sent}");
        if (detailed && c.SessionId != 0)
        {
            text += Invariant($",sid=0x{c.SessionId:x},lop={Name(c.LastOperation)},est={c.Established.ToUnixTimeMilliseconds()},to={c.TimeoutMs}")
                + Invariant($",lcxid=0x{c.LastXid:x},lzxid=0x{c.LastZxid:x}")
                + Invariant($",minlat={c.Latency.Min},avglat={(long)c.Latency.Average},maxlat={c.Latency.Max}");
        }
        return text + ")";
    }

    private static IEnumerable<KeyValuePair<string, string>> Monitor(ServerStatus status)
    {
        yield return new("zk_version", Version(status));
        yield return new("zk_server_state", status.Mode);
        yield return new("zk_ephemerals_count", Text(status.Ephemerals.Sum(e => e.Paths.Count)));
        yield return new("zk_num_alive_connections", Text(status.Connections.Count));
        yield return new("zk_avg_latency", Invariant($"{status.Latency.Average:0.0###}"));
        yield return new("zk_min_latency", Text(status.Latency.Min));
        yield return new("zk_max_latency", Text(status.Latency.Max));
        yield return new("zk_outstanding_requests", Text(status.Outstanding));
        yield return new("zk_znode_count", Text(status.NodeCount));
        yield return new("zk_global_sessions", Text(status.Sessions.Count));
        yield return new("zk_packets_sent", Text(status.Sent));
        yield return new("zk_packets_received", Text(status.Received));
        yield return new("zk_watch_count", Text(status.WatchCount));
        yield return new("zk_approximate_data_size", Text(status.DataSize));
        yield return new("zk_uptime", Text((long)status.Uptime.TotalMilliseconds));
        if (status.Learners is { } learners)
        {
            yield return new("zk_learners", Text(learners.Learners));
            yield return new("zk_synced_observers", Text(learners.Synced));
        }
    }

    private static string Environment(ServerStatus status) =>
        "Environment:\n" + Pairs([new("zookeeper.version", Version(status)), .. status.Environment], '=');

    private static string WatchSummary(ServerStatus status)
    {
        var watchers = status.Watches.SelectMany(w => w.SessionIds).Distinct().Count();
        return Invariant($"{watchers} connections watching {status.Watches.Count} paths\nTotal watches:{status.Watches.Sum(w => w.SessionIds.Count)}\n");
    }

    private static string WatchesByPath(ServerStatus status) =>
        string.Concat(status.Watches.Select(w => w.Path + "\n" + string.Concat(w.SessionIds.Select(id => Invariant($"\t0x{id:x}\n"))))) + "\n";

    private static string WatchesBySession(ServerStatus status) => string.Concat(status.Watches
        .SelectMany(w => w.SessionIds, (w, id) => (id, w.Path))
        .GroupBy(w => w.id, w => w.Path)
        .Select(g => Invariant($"0x{g.Key:x}\n") + string.Concat(g.Select(path => $"\t{path}\n")))) + "\n";

    private static string Dump(ServerStatus status)
    {
        var sets = status.Sessions.Where(s => s.ExpiresAt is not null).GroupBy(s => s.ExpiresAt!.Value).OrderBy(g => g.Key).ToList();
        var elsewhere = status.Sessions.Where(s => s.ExpiresAt is null).ToList();
        var text = new StringBuilder("SessionTracker dump:\n");
        if (elsewhere.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"Global Sessions({elsewhere.Count}):\n");
            elsewhere.ForEach(s => text.Append(CultureInfo.InvariantCulture, $"0x{s.SessionId:x}\n"));
        }
        else
        {
            text.Append(CultureInfo.InvariantCulture, $"Session Sets ({sets.Count})/({status.Sessions.Count}):\n");
        }
        foreach (var set in sets)
        {
            text.Append(CultureInfo.InvariantCulture, $"{set.Count()} expire at {set.Key.UtcDateTime:ddd MMM dd HH:mm:ss} UTC {set.Key.UtcDateTime:yyyy}:\n");
            foreach (var (_, id) in set)
            {
                text.Append(CultureInfo.InvariantCulture, $"\t0x{id:x}\n");
            }
        }
        text.Append(CultureInfo.InvariantCulture, $"ephemeral nodes dump:\nSessions with Ephemerals ({status.Ephemerals.Count}):\n");
        foreach (var (id, paths) in status.Ephemerals)
        {
            text.Append(CultureInfo.InvariantCulture, $"0x{id:x}:\n");
            foreach (var path in paths)
            {
                text.Append(CultureInfo.InvariantCulture, $"\t{path}\n");
            }
        }
        text.Append(CultureInfo.InvariantCulture, $"Connections dump:\nConnections Sets (1)/({status.Connections.Count}):\n");
        foreach (var c in status.Connections)
        {
            text.Append(CultureInfo.InvariantCulture, $"\tip: /{c.Client} sessionId: 0x{c.SessionId:x}\n");
        }
        return text.ToString();
    }

    /// <summary>The names that cons gives the operations.</summary>
    private static string Name(OpCode op) => op switch
    {
        OpCode.CreateSession => "SESS",
        OpCode.CloseSession => "CLOS",
        OpCode.Ping => "PING",
        OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl => "CREA",
        OpCode.Delete => "DELE",
        OpCode.SetData => "SETD",
        OpCode.SetAcl => "SETA",
        OpCode.Multi => "MULT",
        OpCode.MultiRead => "MLTR",
        OpCode.Exists => "EXIS",
        OpCode.GetData => "GETD",
        OpCode.GetAcl => "GETA",
        OpCode.GetChildren or OpCode.GetChildren2 => "GETC",
        OpCode.Sync => "SYNC",
        OpCode.SetWatches => "SETW",
        OpCode.SetWatches2 => "STW2",
        OpCode.AddWatch => "ADDW",
        OpCode.CheckWatches => "CHKW",
        OpCode.RemoveWatches => "REMW",
        OpCode.GetEphemerals => "GETE",
        OpCode.GetAllChildrenNumber => "GETACN",
        OpCode.WhoAmI => "HOMI",
        _ => "NA",
    };

    private static string Pairs(IEnumerable<KeyValuePair<string, string>> pairs, char separator) =>
        string.Concat(pairs.Select(p => $"{p.Key}{separator}{p.Value}\n"));

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
