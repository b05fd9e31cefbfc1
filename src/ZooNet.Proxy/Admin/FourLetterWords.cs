using System.Globalization;
using System.Text;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Telemetry;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// Answers ZooKeeper's four-letter words, and the commands of its AdminServer, for the proxy: its own connections, its own
/// latency. The version is that of the home cluster's server, because clients choose by it what they may ask for. What a proxy can't
/// know, such as the number of znodes, is left out and not invented. One that observes home itself is an observer, and knows what those
/// know. Thread-safe.
/// </summary>
public sealed class FourLetterWords(
    ProxyConfig config,
    ConfigInForce inForce,
    ClusterDirectory directory,
    Region region,
    StatusReporter status,
    IProxyStatus proxy,
    MountStore store,
    ServerVersions versions)
{
    /// <summary>Shown while home's server does not say: a number that clients can read, and that promises them nothing.</summary>
    private const string UnknownVersion = "0.0.0-unknown, built on 01/01/1970 00:00 GMT";

    private static readonly Dictionary<string, string> Aliases = new(StringComparer.Ordinal)
    {
        ["configuration"] = "conf",
        ["config"] = "conf",
        ["connections"] = "cons",
        ["environment"] = "envi",
        ["env"] = "envi",
        ["is_read_only"] = "isro",
        ["monitor"] = "mntr",
        ["server_stats"] = "srvr",
        ["stats"] = "stat",
        ["stat_reset"] = "srst",
        ["watch_summary"] = "wchs",
        ["mounts"] = "mnts",
    };

    /// <summary>The words that are answered if the whitelist names them.</summary>
    private static readonly string[] Answered = ["conf", "cons", "envi", "isro", "mntr", "mnts", "ruok", "srst", "srvr", "stat", "wchs"];

    /// <summary>The commands of <c>/commands</c>, as links.</summary>
    public static IReadOnlyList<string> CommandNames => [.. Answered.Concat(Aliases.Keys).Order(StringComparer.Ordinal).Select(n => $"/commands/{n}")];

    /// <summary>Answers a word as a server does; null for four letters that are no word of ZooKeeper's.</summary>
    public async Task<string?> TryAnswerAsync(string word) => ProxyConfigLoader.KnownWords.Contains(word) ? await AnswerAsync(word) : null;

    /// <summary>Answers a word as a server does.</summary>
    /// <param name="word">Four letters.</param>
    /// <returns>The text to send before the connection is closed.</returns>
    public async Task<string> AnswerAsync(string word)
    {
        if (!inForce.Current.FourLetterWords.Contains(word))
        {
            return $"{word} is not executed because it is not in the whitelist.\n";
        }
        if (word is "srvr" or "stat" or "mntr" or "cons" or "srst" or "wchs" && !status.IsReady)
        {
            return "This ZooKeeper instance is not currently serving requests\n";
        }
        var home = word is "srvr" or "stat" or "mntr" or "envi" ? await OfHomeAsync() : null;
        var version = VersionOf(home);
        return word switch
        {
            "ruok" => "imok",
            // Without a newline: clients compare it so.
            "isro" => status.IsReady ? "rw" : "null",
            "srvr" => Server(home),
            "stat" => Stat(home),
            "mntr" => string.Concat(Monitor(version).Select(m => $"zk_{m.Name}\t{m.Value}\n")),
            "conf" => string.Concat(Configuration().Select(c => $"{c.Key}={c.Value}\n")),
            "cons" => string.Concat(proxy.Connections.Select(c => $" {Connection(c)}\n")) + "\n",
            "envi" => "Environment:\n" + string.Concat(Environment_(version).Select(e => $"{e.Key}={e.Value}\n")),
            "srst" => Reset(),
            "wchs" when status.HomeObserver is { } own => own.Answer(word),
            "wchs" => proxy.Watches is { } watches ? $"{proxy.Sessions} connections watching\nTotal watches:{watches}\n" : "The proxy does not count watches.\n",
            "mnts" => Mounts(),
            "dump" or "wchc" or "wchp" when status.HomeObserver is { } own => own.Answer(word),
            _ => $"{word} has no meaning at a proxy.\n",
        };
    }

    /// <summary>
    /// Answers a command of the AdminServer: snake_case, with <c>command</c> and <c>error</c>, which is null when all is well.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, object?>> CommandAsync(string name)
    {
        var word = Aliases.GetValueOrDefault(name, name);
        var reply = new Dictionary<string, object?> { ["command"] = Aliases.FirstOrDefault(a => a.Value == word).Key ?? word, ["error"] = null };
        switch (word)
        {
            case "ruok":
                break;
            case "isro":
                reply["read_only"] = false;
                break;
            case "conf":
                AddAll(reply, Configuration().Select(c => (c.Key, (object?)c.Value)));
                break;
            case "envi":
                AddAll(reply, Environment_(VersionOf(await OfHomeAsync())).Select(e => (e.Key, (object?)e.Value)));
                break;
            case "mntr":
                AddAll(reply, Monitor(VersionOf(await OfHomeAsync())).Select(m => (m.Name, (object?)m.Value)));
                break;
            case "srvr" or "stat":
                var home = await OfHomeAsync();
                reply["version"] = VersionOf(home);
                reply["read_only"] = false;
                reply["server_stats"] = ServerStats();
                reply["node_count"] = home?.NodeCount;
                if (word == "stat")
                {
                    reply["connections"] = proxy.Connections.Select(ConnectionJson).ToList();
                }
                break;
            case "cons":
                reply["connections"] = proxy.Connections.Select(ConnectionJson).ToList();
                break;
            case "srst":
                proxy.Traffic.Reset();
                break;
            case "wchs":
                reply["num_connections"] = proxy.Sessions;
                reply["num_total_watches"] = proxy.Watches;
                break;
            case "mnts":
                reply["mounts"] = status.Mounts().Mounts;
                break;
            default:
                reply["error"] = $"the command '{name}' has no meaning at a proxy; /commands lists those that have";
                break;
        }
        return reply;
    }

    /// <summary>Home's version as its server writes it, with ours beside it: clients read the numbers at the start.</summary>
    private static string VersionOf(HomeServer? home) => $"{home?.Version ?? UnknownVersion}, through ZooNet {StatusReporter.Version}";

    /// <summary>The release of home's servers, and how many znodes it holds.</summary>
    private async Task<HomeServer?> OfHomeAsync()
    {
        var told = await versions.OfHomeAsync();
        return status.HomeObserver is { } own ? new HomeServer(told?.Version ?? UnknownVersion, own.Znodes.Count) : told;
    }

    /// <summary>What clients of home are served by.</summary>
    private string Mode => status.HomeObserver is null ? "follower" : "observer";

    private static void AddAll(Dictionary<string, object?> reply, IEnumerable<(string Key, object? Value)> values)
    {
        foreach (var (key, value) in values)
        {
            reply[key] = value;
        }
    }

    private string Server(HomeServer? home)
    {
        var traffic = proxy.Traffic;
        var latency = traffic.Latency;
        return string.Create(CultureInfo.InvariantCulture, $"""
            Zookeeper version: {VersionOf(home)}
            Latency min/avg/max: {latency.MinMs}/{latency.AverageMs:0.0###}/{latency.MaxMs}
            Received: {traffic.Sums.PacketsReceived}
            Sent: {traffic.Sums.PacketsSent}
            Connections: {traffic.Connections}
            Outstanding: {traffic.Sums.Outstanding}
            Zxid: 0x{region.Positions.Known(0):x}
            Mode: {Mode}

            """) + (home?.NodeCount is { } znodes ? $"Node count: {Text(znodes)}\n" : "");
    }

    private string Stat(HomeServer? home)
    {
        var server = Server(home);
        var end = server.IndexOf('\n') + 1;
        var clients = proxy.Connections.Select(c => $" {c.Client}[0](queued={c.Outstanding},recved={c.Received},sent={c.Sent})\n");
        return server[..end] + "Clients:\n" + string.Concat(clients) + "\n" + server[end..];
    }

    /// <summary>The gauges of ZooKeeper's mntr that mean something here, then ours.</summary>
    private IEnumerable<(string Name, string Value)> Monitor(string version)
    {
        var traffic = proxy.Traffic;
        var latency = traffic.Latency;
        yield return ("version", version);
        yield return ("server_state", Mode);
        yield return ("peer_state", Mode == "observer" ? "observing - broadcast" : "following - broadcast");
        if (status.HomeObserver is { } own)
        {
            var (count, bytes) = own.Znodes;
            yield return ("znode_count", Text(count));
            yield return ("approximate_data_size", Text(bytes));
        }
        yield return ("avg_latency", latency.AverageMs.ToString("0.0###", CultureInfo.InvariantCulture));
        yield return ("max_latency", Text(latency.MaxMs));
        yield return ("min_latency", Text(latency.MinMs));
        yield return ("packets_received", Text(traffic.Sums.PacketsReceived));
        yield return ("packets_sent", Text(traffic.Sums.PacketsSent));
        yield return ("num_alive_connections", Text(traffic.Connections));
        yield return ("outstanding_requests", Text(traffic.Sums.Outstanding));
        yield return ("uptime", Text((long)status.Uptime.TotalMilliseconds));
        yield return ("global_sessions", Text(proxy.Sessions));
        if (proxy.Watches is { } watches)
        {
            yield return ("watch_count", Text(watches));
        }
        if (OpenFiles.Count() is { } open)
        {
            yield return ("open_file_descriptor_count", Text(open));
        }
        if (OpenFiles.Limit is { } limit)
        {
            yield return ("max_file_descriptor_count", Text(limit));
        }
        yield return ("connection_request_count", Text(traffic.ConnectionsOpened));
        yield return ("connection_drop_count", Text(traffic.ConnectionsDropped));
        yield return ("bytes_received_count", Text(traffic.Sums.BytesReceived));
        yield return ("zoonet_mounts", Text(store.Current.Table.Mounts.Count));
    }

    private IEnumerable<KeyValuePair<string, string>> Configuration()
    {
        var listen = proxy.Listening.Count > 0 ? proxy.Listening[0] : config.Listen[0];
        yield return new("clientPort", Text(listen.Port));
        yield return new("clientPortAddress", listen.Host);
        yield return new("jute.maxbuffer", Text(config.MaxFrame));
        yield return new("maxClientCnxns", Text(proxy.ConnectionLimits.OfAddress));
        yield return new("maxCnxns", Text(proxy.ConnectionLimits.InAll));
        yield return new("zoonet.region", config.Region);
        yield return new("zoonet.proxyId", config.ProxyId);
        yield return new("zoonet.home", $"{config.Home.Name}={string.Join(',', directory[0].Servers)}");
        foreach (var remote in config.Remotes)
        {
            yield return new($"zoonet.remote.{remote.Name}", string.Join(',', directory[remote.Ordinal].InOrder));
        }
        yield return new("zoonet.consistency", config.Consistency.ToString().ToLowerInvariant());
        yield return new("zoonet.barrier", config.Barrier.ToString().ToLowerInvariant());
    }

    private static IEnumerable<KeyValuePair<string, string>> Environment_(string version)
    {
        yield return new("zookeeper.version", version);
        yield return new("host.name", Environment.MachineName);
        yield return new("dotnet.version", Environment.Version.ToString());
        yield return new("os.name", Environment.OSVersion.ToString());
        yield return new("user.name", Environment.UserName);
    }

    private static string Connection(ConnectionInfo c) =>
        $"{c.Client}[1](queued={c.Outstanding},recved={c.Received},sent={c.Sent},sid=0x{c.SessionId:x},est={c.Established.ToUnixTimeMilliseconds()},to={c.TimeoutMs})";

    private static Dictionary<string, object?> ConnectionJson(ConnectionInfo c) => new()
    {
        ["remote_socket_address"] = c.Client.TrimStart('/'),
        ["session_id"] = c.SessionId,
        ["outstanding_requests"] = c.Outstanding,
        ["packets_received"] = c.Received,
        ["packets_sent"] = c.Sent,
        ["session_timeout"] = c.TimeoutMs,
        ["established"] = c.Established,
    };

    private Dictionary<string, object?> ServerStats()
    {
        var traffic = proxy.Traffic;
        return new Dictionary<string, object?>
        {
            ["packets_sent"] = traffic.Sums.PacketsSent,
            ["packets_received"] = traffic.Sums.PacketsReceived,
            ["max_latency"] = traffic.Latency.MaxMs,
            ["min_latency"] = traffic.Latency.MinMs,
            ["avg_latency"] = traffic.Latency.AverageMs,
            ["server_state"] = Mode,
            ["outstanding_requests"] = traffic.Sums.Outstanding,
            ["num_alive_client_connections"] = traffic.Connections,
            ["last_processed_zxid"] = region.Positions.Known(0),
            ["uptime"] = (long)status.Uptime.TotalMilliseconds,
        };
    }

    private string Reset()
    {
        proxy.Traffic.Reset();
        return "Server stats reset.\n";
    }

    private string Mounts()
    {
        var text = new StringBuilder();
        foreach (var mount in status.Mounts().Mounts)
        {
            text.Append(CultureInfo.InvariantCulture, $"{mount.Cluster}:{mount.RemotePath} on {mount.Path} ({mount.Options}) {mount.State}\n");
        }
        return text.ToString();
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
