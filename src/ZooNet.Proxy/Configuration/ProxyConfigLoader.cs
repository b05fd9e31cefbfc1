using System.Collections;
using System.Collections.Frozen;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Transport;
using ZooNet.Server.Quorum;

namespace ZooNet.Proxy.Configuration;

/// <summary>
/// Loads a proxy's configuration: a JSON file (comments and trailing commas allowed), then <c>ZOONET_…</c> variables, then
/// flags, each overriding what came before. Everything that is wrong is reported at once.
/// </summary>
public static class ProxyConfigLoader
{
    /// <summary>The port of an admin endpoint that is named without one.</summary>
    private const int DefaultAdminPort = 9181;

    /// <summary>What our environment variables start with.</summary>
    public const string VariablePrefix = "ZOONET_";

    /// <summary>The port that quorum addresses have as a rule.</summary>
    private const int QuorumPort = 2888;

    /// <summary>The longest user and password of a quorum login.</summary>
    private const int MaxLogin = 1000;

    /// <summary>A token that is shorter can be guessed.</summary>
    private const int MinToken = 16;

    /// <summary>Variables of the commands themselves: the file, and the endpoint that is asked. No keys of a proxy.</summary>
    private static readonly FrozenSet<string> CommandVariables =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "ZOONET_CONFIG", "ZOONET_ADMIN_URL", "ZOONET_TOKEN_FILE",
            "ZOONET_ADMIN_AUTHORITY", "ZOONET_ADMIN_CERTIFICATE");

    /// <summary>Words that ZooKeeper knows, and ours; what the whitelist may name.</summary>
    public static FrozenSet<string> KnownWords { get; } = FrozenSet.Create(
        StringComparer.Ordinal,
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "mnts", "ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs");

    /// <summary>Loads and checks a configuration.</summary>
    /// <param name="file">The JSON file; null for none.</param>
    /// <param name="flags">Values from the command line, by configuration key (<c>home:servers</c>).</param>
    /// <param name="variables">The environment; null for the process's own.</param>
    public static ConfigResult Load(string? file, IReadOnlyDictionary<string, string>? flags = null, IReadOnlyDictionary<string, string>? variables = null)
    {
        var builder = new ConfigurationBuilder();
        if (file is not null)
        {
            if (!File.Exists(file))
            {
                return Failed(new ConfigError("", null, $"the configuration file '{file}' does not exist; name an existing one with --config", null));
            }
            builder.AddJsonFile(Path.GetFullPath(file), optional: false, reloadOnChange: false);
        }
        var names = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        var strays = new List<string>();
        foreach (var (name, value) in variables ?? ProcessVariables())
        {
            if (!name.StartsWith(VariablePrefix, StringComparison.OrdinalIgnoreCase) || CommandVariables.Contains(name))
            {
                continue;
            }
            var key = name[VariablePrefix.Length..].Replace("__", ":")
                .Replace("SECRET_FILE", "SECRETFILE", StringComparison.OrdinalIgnoreCase);
            if (ConfigSchema.Root.FirstUnknown(key) is not null)
            {
                // Not an error: Kubernetes gives every pod ZOONET_PORT and its like as soon as a service is named so.
                strays.Add(name);
                continue;
            }
            names[key] = name;
            values[key] = value;
        }
        builder.AddInMemoryCollection(values);
        builder.AddInMemoryCollection((flags ?? FrozenDictionary<string, string>.Empty).ToDictionary(f => f.Key, f => (string?)f.Value));
        IConfigurationRoot root;
        try
        {
            root = builder.Build();
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or IOException or UnauthorizedAccessException)
        {
            return Failed(new ConfigError("", null, WhyUnreadable(file, e), null));
        }
        var providers = root.Providers.ToList();
        var layers = new List<ConfigLayer>();
        if (file is not null)
        {
            layers.Add(new(providers[0], _ => file));
        }
        layers.Add(new(providers[^2], key => names.GetValueOrDefault(key, "the environment")));
        layers.Add(new(providers[^1], _ => "the command line"));
        var reader = new ConfigReader(layers);
        foreach (var name in strays.Order(StringComparer.Ordinal))
        {
            reader.Warnings.Add($"the variable {name} is no configuration key and is ignored");
        }
        ReportUnknownKeys(root, reader, file);
        if (file is not null)
        {
            try
            {
                reader.CheckWriters(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return Failed(new ConfigError("", null, WhyUnreadable(file, e), null));
            }
        }
        var config = Read(reader);
        config = config with { Values = ConfigListing.Of(config, reader) };
        return new(reader.Errors.Count == 0 ? config : null, reader.Errors, reader.Warnings);
    }

    /// <summary>Says where a file stops to be JSON.</summary>
    private static string WhyUnreadable(string? file, Exception error)
    {
        var cause = error;
        while (cause is not JsonException && cause.InnerException is { } inner)
        {
            cause = inner;
        }
        if (cause is not JsonException { LineNumber: { } line } json)
        {
            return $"the configuration file '{file}' can not be read: {cause.Message}";
        }
        var end = json.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        var what = (end < 0 ? json.Message : json.Message[..end]).TrimEnd('.');
        return $"the configuration file '{file}' is no JSON from line {line + 1}, byte {json.BytePositionInLine + 1} on: {what}; "
            + "a configuration is a JSON file, see the examples in config/";
    }

    private static void ReportUnknownKeys(IConfigurationRoot root, ConfigReader reader, string? file)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in root.AsEnumerable())
        {
            if (ConfigSchema.Root.FirstUnknown(key) is { } unknown && seen.Add(unknown.Key))
            {
                reader.Fail(unknown.Key, null, $"is no configuration key; allowed here: {unknown.Allowed}", file);
            }
        }
    }

    private static ProxyConfig Read(ConfigReader reader)
    {
        var region = reader.Name("region", required: true);
        var listen = reader.Addresses("listen", required: true, defaultPort: null, allowPortZero: true);
        var admin = ReadAdmin(reader);
        var home = ReadHome(reader);
        var remotes = ReadRemotes(reader, home);
        CheckNoLoops(reader, listen, admin, home, remotes);
        var hasTokens = reader.Text("adminTokens:admin") is not null || reader.Text("adminTokens:view") is not null
            || reader.List("adminNames:admin") is not null || reader.List("adminNames:view") is not null;
        if (!admin.IsLoopback && !hasTokens && reader.Text("insecure") is null)
        {
            reader.Warnings.Add($"the admin endpoint {admin} can be reached from other hosts and answers them nothing but /live and /ready: "
                + "no 'adminTokens' are configured");
        }
        return new ProxyConfig
        {
            Region = region ?? "?",
            Listen = listen,
            Admin = admin,
            Console = ReadConsole(reader),
            AdminTokens = ReadTokens(reader, "adminTokens:admin"),
            ViewTokens = ReadTokens(reader, "adminTokens:view"),
            AdminNames = ReadNames(reader, "adminNames:admin"),
            ViewNames = ReadNames(reader, "adminNames:view"),
            Insecure = reader.Flag("insecure"),
            Home = home,
            Remotes = remotes,
            Dns = reader.Text("dns") is { } dns ? reader.Address("dns", dns.Value, dns.Source, defaultPort: 53, allowPortZero: false)
                : null,
            Consistency = reader.Choice("consistency", ConsistencyMode.Sequential),
            Barrier = reader.Choice("barrier", BarrierMode.Quorum),
            BarrierGap = reader.Text("barrierGap") is null ? null
                : reader.Duration("barrierGap", TimeSpan.Zero, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10)),
            Advertise = reader.Addresses("advertise", required: false),
            MaxFrame = reader.Number("maxFrame", ProxyConfig.DefaultMaxFrame, 1024, 64 * 1024 * 1024),
            MaxReply = reader.Number("maxReply", ProxyConfig.DefaultMaxReply, 64 * 1024, 1024 * 1024 * 1024),
            MaxConnections = reader.Number("limits:connections", 0, 1, 1_000_000),
            MaxConnectionsPerAddress = reader.Number("limits:connectionsPerAddress", 0, 1, 1_000_000),
            MaxWatches = reader.Number("limits:watches", 100_000, 1, 100_000_000),
            MaxWatchBytes = reader.Number("limits:watchBytes", 16 * 1024 * 1024, 1024, int.MaxValue),
            MaxCredentials = reader.Number("limits:credentials", 32, 1, 10_000),
            MaxCredentialBytes = reader.Number("limits:credentialBytes", 64 * 1024, 16, 64 * 1024 * 1024),
            MaxReplyParts = reader.Number("limits:replyParts", 256 * 1024 * 1024, 64 * 1024, int.MaxValue),
            MaxOutstandingBytes = reader.Number("limits:outstandingBytes", 256 * 1024, 4096, int.MaxValue),
            MaxOutstandingBytesInAll = reader.Number("limits:outstandingBytesInAll", 256 * 1024 * 1024, 64 * 1024, int.MaxValue),
            Throttle = reader.Number("throttle", 0, 1, 1_000_000),
            DrainTimeout = reader.Duration("timeouts:drain", TimeSpan.FromSeconds(10), TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            ConnectTimeout = reader.Duration("timeouts:connect", TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(1)),
            SessionTimeout = reader.Duration("timeouts:session", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2)),
            FourLetterWords = ReadWords(reader),
            Secret = ReadRequiredSecret(reader, remotes.Count > 0),
            AcceptedSecret = ReadSecret(reader, "acceptedSecret"),
            Rules = ReadRules(reader),
            ProxyProtocol = [.. (reader.List("proxyProtocol") ?? []).Select(i => ReadNetwork(reader, i.Key, i.Value, i.Source)).OfType<IPNetwork>()],
            Tls = ReadTls(reader, "tls"),
            AdminTls = ReadTls(reader, "adminTls"),
            AdminSocket = ReadSocket(reader, "adminSocket"),
            Otlp = ReadOtlp(reader),
            LogLevel = reader.Choice("logLevel", LogLevel.Information),
            LogFormat = reader.Choice("logFormat", LogFormat.Text),
            ProxyId = reader.Name("proxyId", required: false) ?? ProxyConfig.NewProxyId(),
        };
    }

    private static ClusterConfig ReadHome(ConfigReader reader)
    {
        var servers = reader.Addresses("home:servers", required: true);
        var observes = reader.Flag("home:observe");
        var (quorum, findsQuorum) = ReadQuorum(reader, "home");
        var hasQuorum = findsQuorum || quorum.Count > 0;
        if (observes && reader.List("home:quorum") is null or { Count: 0 })
        {
            reader.Fail("home:quorum", null, "is missing; 'observe' needs the quorum ports of the voters "
                + "(in server.N=host:2888:3888 the first), or 'auto' to find them in /zookeeper/config", null);
        }
        if (!observes && hasQuorum)
        {
            reader.Fail("home:quorum", null, "is of no use without 'observe: true', by which the proxy is an observer of its own region's cluster",
                null);
        }
        CheckPorts(reader, "home", quorum, servers);
        return new ClusterConfig(reader.Name("home:cluster", required: true) ?? "?", 0, [], servers)
        {
            Quorum = observes ? quorum : [],
            FindsQuorum = observes && findsQuorum,
            Observer = ReadObserver(reader, "home:observer", hasQuorum),
            Sid = ReadSid(reader, "home"),
            Tls = ReadUpstreamTls(reader, "home:tls"),
            Follow = reader.Flag("home:follow"),
        };
    }

    /// <summary>The quorum ports of a cluster's voters, and whether they are to be found.</summary>
    private static (IReadOnlyList<HostPort> Ports, bool AreToBeFound) ReadQuorum(ConfigReader reader, string at) =>
        reader.Text($"{at}:quorum")?.Value == "auto" ? ([], true) : (reader.Addresses($"{at}:quorum", required: false, QuorumPort), false);

    private static int? ReadSid(ConfigReader reader, string at) =>
        reader.Text($"{at}:sid") is null ? null : reader.Number($"{at}:sid", 1, 1, 254);

    private static void CheckPorts(ConfigReader reader, string at, IEnumerable<HostPort> quorum, IEnumerable<HostPort> clients)
    {
        foreach (var both in quorum.Intersect(clients))
        {
            reader.Fail(at, both.ToString(),
                "is a quorum port and a client port; in server.N=host:2888:3888 the first is the quorum port", null);
        }
    }

    /// <summary>A file for a Unix-domain socket, in a folder that is there.</summary>
    private static string? ReadSocket(ConfigReader reader, string key)
    {
        // What the system takes, with the zero at the end.
        const int MaxBytes = 107;
        if (reader.Text(key) is not { } file)
        {
            return null;
        }
        if (!Path.IsPathRooted(file.Value) || Encoding.UTF8.GetByteCount(file.Value) > MaxBytes
            || !Directory.Exists(Path.GetDirectoryName(file.Value)))
        {
            reader.Fail(key, file.Value, $"is no place for a socket; give the whole path, at most {MaxBytes} bytes, in a "
                + "folder that exists: '/run/zoonet/admin.sock'", file.Source);
            return null;
        }
        return file.Value;
    }

    /// <summary>A console for this proxy alone (<c>true</c>), or for others, too, whose admin endpoints are listed.</summary>
    private static IReadOnlyList<HostPort>? ReadConsole(ConfigReader reader)
    {
        if (reader.Text("console") is { } text && bool.TryParse(text.Value, out var wanted))
        {
            if (wanted && reader.Text("adminTls:certificate") is { } tls)
            {
                reader.Fail("console", text.Value, "can't be together with 'adminTls': the console asks its own proxy without TLS; "
                    + "run 'zoonet console' beside it", tls.Source);
            }
            return wanted ? [] : null;
        }
        return reader.List("console") is { Count: > 0 } ? reader.Addresses("console", required: false, DefaultAdminPort) : null;
    }

    /// <summary>
    /// The name of a service record: labels of at most 63 characters, 253 in all; the first two begin with an underscore.
    /// </summary>
    private static string? ReadSrv(ConfigReader reader, string key)
    {
        if (reader.Text(key) is not { } found)
        {
            return null;
        }
        var labels = found.Value.TrimEnd('.').Split('.');
        if (found.Value.Length <= 253 && labels.Length > 2 && labels[0].StartsWith('_') && labels[1].StartsWith('_')
            && labels.All(l => l.Length is > 0 and <= 63 && l.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
        {
            return string.Join('.', labels).ToLowerInvariant();
        }
        reader.Fail(key, found.Value, "is no name of a service record; write one like '_zookeeper._tcp.eu.example'", found.Source);
        return null;
    }

    private static HostPort ReadAdmin(ConfigReader reader)
    {
        var otherwise = new HostPort("127.0.0.1", 9181);
        if (reader.Text("admin") is not { } found)
        {
            return otherwise;
        }
        // It is copied from the commands' --admin now and then, which is a URL.
        var text = found.Value.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? found.Value["http://".Length..].TrimEnd('/') : found.Value;
        return reader.Address("admin", text, found.Source, defaultPort: null, allowPortZero: true) ?? otherwise;
    }

    private static List<ClusterConfig> ReadRemotes(ConfigReader reader, ClusterConfig home)
    {
        var remotes = new List<ClusterConfig>();
        foreach (var name in reader.Names("remotes"))
        {
            var key = $"remotes:{name}";
            if (!ConfigReader.NamePattern.IsMatch(name))
            {
                reader.Fail(key, name, ConfigReader.NameRule, null);
            }
            if (name == home.Name)
            {
                reader.Fail(key, null, "has the name of the home cluster; a remote is another cluster, with another name", null);
            }
            var observers = reader.Addresses($"{key}:observers", required: false);
            var servers = reader.Addresses($"{key}:servers", required: false);
            var (quorum, findsQuorum) = ReadQuorum(reader, key);
            var follow = reader.Flag($"{key}:follow");
            var srv = ReadSrv(reader, $"{key}:srv");
            if (srv is not null && (servers.Count > 0 || follow))
            {
                reader.Fail($"{key}:srv", srv, "says which servers there are, and so does 'servers' or 'follow'; give one of them", null);
            }
            if (follow && servers.Count + observers.Count == 0)
            {
                reader.Fail($"{key}:follow", "true", "needs 'servers' to ask first", null);
            }
            var isTree = reader.Flag($"{key}:tree");
            if (isTree && (observers.Count + servers.Count + quorum.Count > 0 || srv is not null || follow))
            {
                reader.Fail($"{key}:tree", "true",
                    "says that it is a roaming tree, which has no servers of its own; leave out its addresses", null);
            }
            if (!isTree && IsEmpty("observers") && IsEmpty("servers") && IsEmpty("quorum") && reader.Text($"{key}:srv") is null)
            {
                const string Ways = "'observers' (in this region), 'servers' or 'srv' (its own), or 'quorum' (its voters' quorum ports); or 'tree: true' for a roaming tree";
                reader.Fail(key, null, $"has no address; give {Ways}", null);
            }
            if (findsQuorum && servers.Count + observers.Count == 0 && srv is null)
            {
                reader.Fail($"{key}:quorum", "auto", "needs 'servers' to ask where the quorum ports are", null);
            }
            foreach (var both in observers.Intersect(servers))
            {
                reader.Fail(key, both.ToString(), "is listed as observer and as server; name each address once", null);
            }
            CheckPorts(reader, key, quorum, observers.Concat(servers));
            remotes.Add(new ClusterConfig(name, remotes.Count + 1, observers, servers)
            {
                Quorum = quorum,
                FindsQuorum = findsQuorum,
                Observer = ReadObserver(reader, $"{key}:observer", findsQuorum || quorum.Count > 0),
                Sid = ReadSid(reader, key),
                Srv = srv,
                Follow = follow,
                IsTree = isTree,
                Tls = ReadUpstreamTls(reader, $"{key}:tls"),
            });

            bool IsEmpty(string list) => reader.List($"{key}:{list}") is null or { Count: 0 };
        }
        var folders = remotes.Prepend(home).Where(c => c.Observer.Data is not null).GroupBy(c => Path.GetFullPath(c.Observer.Data!));
        foreach (var shared in folders)
        {
            if (shared.Skip(1).FirstOrDefault() is { } second)
            {
                reader.Fail($"remotes:{second.Name}:observer:data", shared.Key,
                    $"is the folder of '{shared.First().Name}', too; give each its own", null);
            }
        }
        if (remotes.Count > ProxyConfig.MaxRemotes)
        {
            reader.Fail("remotes", remotes.Count.ToString(), $"are too many clusters; at most {ProxyConfig.MaxRemotes} are allowed", null);
        }
        return remotes;
    }

    /// <summary>An address that stands for two things is a loop or a mix-up, and both are hard to see later.</summary>
    private static void CheckNoLoops(ConfigReader reader, IReadOnlyList<HostPort> listen, HostPort admin, ClusterConfig home, IReadOnlyList<ClusterConfig> remotes)
    {
        var owner = new Dictionary<HostPort, string>();
        foreach (var address in listen.Where(a => a.Port != 0))
        {
            owner.TryAdd(address, "the address where this proxy listens");
        }
        if (admin.Port != 0 && !owner.TryAdd(admin, "the admin endpoint"))
        {
            reader.Fail("admin", admin.ToString(), "is where clients connect, too ('listen'); give it another port", null);
        }
        foreach (var cluster in remotes.Prepend(home))
        {
            var key = cluster.IsHome ? "home:servers" : $"remotes:{cluster.Name}";
            foreach (var address in cluster.InOrder)
            {
                if (!owner.TryAdd(address, $"a server of '{cluster.Name}'") && owner[address] != $"a server of '{cluster.Name}'")
                {
                    reader.Fail(key, address.ToString(), $"is {owner[address]}, too; an address belongs to one of them", null);
                }
            }
        }
    }

    private static FrozenSet<string> ReadWords(ConfigReader reader)
    {
        if (reader.List("fourLetterWords") is not { } items)
        {
            return ProxyConfig.DefaultFourLetterWords;
        }
        if (items is [{ Value: "*" }])
        {
            return KnownWords;
        }
        foreach (var (key, value, source) in items.Where(i => !KnownWords.Contains(i.Value)))
        {
            reader.Fail(key, value, $"is no four-letter word; allowed are '*' or {string.Join(", ", KnownWords.Order(StringComparer.Ordinal))}", source);
        }
        return items.Select(i => i.Value).ToFrozenSet(StringComparer.Ordinal);
    }

    private static string ReadRequiredSecret(ConfigReader reader, bool hasRemotes)
    {
        // What is neither true nor false is told where the key itself is read.
        var insecure = reader.Text("insecure") is { } flag && !flag.Value.Equals("false", StringComparison.OrdinalIgnoreCase);
        var errors = reader.Errors.Count;
        var secret = ReadSecret(reader, "secret");
        if (secret is not null && secret != ProxyConfig.DefaultSecret || !hasRemotes || insecure || reader.Errors.Count > errors)
        {
            return secret ?? ProxyConfig.DefaultSecret;
        }
        reader.Fail("secret", null, (secret is null ? "is missing" : "is the one that everybody knows")
            + ": with it a client could forge mounts and take over other clients' sessions. Write 'user:password', the same for all proxies "
            + "of all regions, into a file that only the proxy can read, and name it with 'secretFile' (or ZOONET_SECRET_FILE). "
            + "To try things out without one: 'insecure: true'", null);
        return ProxyConfig.DefaultSecret;
    }

    /// <summary>Common names of client certificates, which need an authority that signs them.</summary>
    private static IReadOnlyList<string> ReadNames(ConfigReader reader, string key)
    {
        var names = reader.List(key) ?? [];
        if (names.Count > 0 && reader.Text("adminTls:clientAuthority") is null)
        {
            reader.Fail(key, null,
                "names holders of client certificates, and nobody is asked for one: give 'adminTls.clients' ('accept' or "
                + "'require') and 'adminTls.clientAuthority', a PEM file with those who sign them", names[0].Source);
        }
        return [.. names.Select(n => n.Value)];
    }

    /// <summary>The tokens in a file, one a line.</summary>
    private static IReadOnlyList<string> ReadTokens(ConfigReader reader, string key)
    {
        if (reader.Text(key) is not { } file)
        {
            return [];
        }
        try
        {
            reader.CheckWriters(file.Value);
            var tokens = File.ReadAllLines(file.Value).Select(l => l.Trim()).Where(l => l.Length > 0).ToList();
            if (tokens.Count == 0)
            {
                reader.Fail(key, file.Value, "has no token in it; write one a line", file.Source);
            }
            if (tokens.Exists(t => t.Length < MinToken || t.Any(c => c is <= ' ' or > '~')))
            {
                reader.Fail(key, file.Value, $"has a token of fewer than {MinToken} characters, or one with blanks or beyond ASCII; "
                    + "'openssl rand -hex 32' makes a good one", file.Source);
            }
            return tokens;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reader.Fail(key, file.Value, $"can not be read: {e.Message}", file.Source);
            return [];
        }
    }

    /// <summary>A secret, from its key or from the file that its other key names; null where neither is given.</summary>
    private static string? ReadSecret(ConfigReader reader, string key)
    {
        var fileKey = key + "File";
        foreach (var name in new[] { key, fileKey })
        {
            if (reader.EmptyAt(name) is { } source)
            {
                reader.Fail(name, null, "is empty; give it a value, or leave it out", source);
                return null;
            }
        }
        var (found, file) = (reader.Text(key), reader.Text(fileKey));
        if (found is not null && file is not null)
        {
            reader.Fail(fileKey, file.Value.Value, $"and '{key}' are both given; give one of them", file.Value.Source);
            return null;
        }
        if (file is { } named)
        {
            try
            {
                // Editors and echo end a file with a line feed, which is no part of the secret.
                found = (File.ReadAllText(named.Value).Trim(), named.Source);
                reader.CheckWriters(named.Value);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                reader.Fail(fileKey, named.Value, $"can not be read: {e.Message}", named.Source);
                return null;
            }
        }
        if (found is not { } secret)
        {
            return null;
        }
        var colon = secret.Value.IndexOf(':');
        if (colon < 1 || colon == secret.Value.Length - 1 || secret.Value.Contains('\n'))
        {
            // Never the value itself: this message goes to logs.
            if (file is null)
            {
                reader.Fail(key, "…", "is no digest credential; write 'user:password'", secret.Source);
            }
            else
            {
                reader.Fail(fileKey, file.Value.Value, "has no digest credential in it; write one line, 'user:password'", secret.Source);
            }
        }
        return secret.Value;
    }

    private static List<ClientRule> ReadRules(ConfigReader reader)
    {
        const string Name = "cn:";
        var rules = new List<ClientRule>();
        foreach (var name in reader.Names("rules"))
        {
            var path = reader.Text($"rules:{name}:path");
            if (path is null || ZnodePath.Validate(path.Value.Value) is not null)
            {
                reader.Fail($"rules:{name}:path", path?.Value, path is null ? "is missing; name the path that the rule is for, '/' for all"
                    : $"is no path: {ZnodePath.Validate(path.Value.Value)}", path?.Source);
                continue;
            }
            if (reader.Text($"rules:{name}:allow") is null)
            {
                reader.Fail($"rules:{name}:allow", null, "is missing; allowed are none, read, write", null);
            }
            var (networks, names) = (new List<IPNetwork>(), new List<string>());
            foreach (var (key, client, source) in reader.List($"rules:{name}:clients") ?? [])
            {
                if (client.StartsWith(Name, StringComparison.Ordinal) && client.Length > Name.Length)
                {
                    names.Add(client[Name.Length..]);
                }
                else if (ReadNetwork(reader, key, client, source) is { } network)
                {
                    networks.Add(network);
                }
            }
            rules.Add(new ClientRule(path.Value.Value, reader.Choice($"rules:{name}:allow", PathAccess.None), networks, names));
        }
        return rules;
    }

    private static IPNetwork? ReadNetwork(ConfigReader reader, string key, string value, string source)
    {
        if (IPAddress.TryParse(value, out var address))
        {
            return new IPNetwork(address, address.GetAddressBytes().Length * 8);
        }
        if (IPNetwork.TryParse(value, out var network))
        {
            return network;
        }
        reader.Fail(key, value, "is no address and no network; write '10.1.2.3' or '10.1.0.0/16'"
            + (key.StartsWith("rules", StringComparison.Ordinal) ? ", or 'cn:NAME' for the common name of a client's certificate" : ""), source);
        return null;
    }

    /// <summary>The certificate of a listener, and whom it takes; null for plain TCP.</summary>
    private static TlsConfig? ReadTls(ConfigReader reader, string at)
    {
        var certificate = reader.Text($"{at}:certificate");
        var key = reader.Text($"{at}:key");
        if (certificate is null && key is null)
        {
            return null;
        }
        if (certificate is null || key is null)
        {
            reader.Fail($"{at}:{(certificate is null ? "certificate" : "key")}", null, "is missing; TLS needs 'certificate' and 'key', both PEM files", null);
            return null;
        }
        if (!FilesExist(reader, at, "certificate", "key", "keyPasswordFile", "clientAuthority"))
        {
            return null;
        }
        var authority = reader.Text($"{at}:clientAuthority");
        var tls = new TlsConfig(certificate.Value.Value, key.Value.Value)
        {
            KeyPasswordFile = reader.Text($"{at}:keyPasswordFile")?.Value,
            Clients = reader.Choice($"{at}:clients", ClientCertificates.None),
            ClientAuthority = authority?.Value,
        };
        if ((tls.Clients == ClientCertificates.None) != (authority is null))
        {
            reader.Fail(authority is null ? $"{at}:clientAuthority" : $"{at}:clients", null, "is missing; client certificates need both: "
                + "'clients' ('accept' or 'require'), and 'clientAuthority', a PEM file with those who sign them", null);
        }
        CheckCertificate(reader, at, tls.Certificate, tls.Key, tls.KeyPasswordFile, certificate.Value.Source, () => ServerCertificates.EndOf(tls));
        return tls;
    }

    /// <summary>What the proxy's own observer of a cluster needs besides addresses.</summary>
    private static ObserverConfig ReadObserver(ConfigReader reader, string at, bool isThere)
    {
        var (user, file) = (reader.Text($"{at}:user"), reader.Text($"{at}:passwordFile"));
        if (user is null != file is null)
        {
            reader.Fail($"{at}:{(user is null ? "user" : "passwordFile")}", null,
                "is missing; a login by SASL needs 'user' and 'passwordFile'", null);
        }
        var config = new ObserverConfig(reader.Text($"{at}:data")?.Value, ReadUpstreamTls(reader, $"{at}:tls"),
            user is null || file is null ? null : ReadLogin(reader, at, user.Value.Value, file.Value))
        {
            SuperDigest = reader.Text($"{at}:superDigest")?.Value,
        };
        if (config.SuperDigest is { } super && !super.Contains(':', StringComparison.Ordinal))
        {
            reader.Fail($"{at}:superDigest", super, "is no digest; write 'super:' and the base64 of the SHA-1 of 'super:PASSWORD', as the servers "
                + "have it in zookeeper.DigestAuthenticationProvider.superDigest", null);
        }
        if (!isThere && config != new ObserverConfig(null, null, null))
        {
            reader.Fail(at, null, "is of no use without 'quorum', the quorum ports that the observer connects to", null);
        }
        return config;
    }

    private static QuorumCredentials? ReadLogin(ConfigReader reader, string at, string user, (string Value, string Source) file)
    {
        string password;
        try
        {
            password = File.ReadAllText(file.Value).Trim();
            reader.CheckWriters(file.Value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reader.Fail($"{at}:passwordFile", file.Value, $"can't be read: {e.Message}", file.Source);
            return null;
        }
        if (password.Length is 0 or > MaxLogin || user.Length > MaxLogin)
        {
            reader.Fail($"{at}:passwordFile", file.Value,
                $"needs a password in it, of at most {MaxLogin} characters, as 'user' has", file.Source);
            return null;
        }
        return new QuorumCredentials(user, password);
    }

    /// <summary>How a cluster's servers are spoken to; null for plain TCP.</summary>
    private static UpstreamTls? ReadUpstreamTls(ConfigReader reader, string at)
    {
        var names = new[] { "authority", "certificate", "key", "keyPasswordFile", "verifyHost" };
        if (Array.TrueForAll(names, n => reader.Text($"{at}:{n}") is null))
        {
            return null;
        }
        if (reader.Text($"{at}:authority") is not { } authority)
        {
            reader.Fail($"{at}:authority", null, "is missing; name a PEM file with those who sign the servers' certificates, or 'system' for "
                + "those that this host trusts", null);
            return null;
        }
        var (certificate, key) = (reader.Text($"{at}:certificate"), reader.Text($"{at}:key"));
        if (certificate is null != key is null)
        {
            reader.Fail($"{at}:{(certificate is null ? "certificate" : "key")}", null, "is missing; the proxy's own certificate needs 'certificate' "
                + "and 'key', both PEM files", null);
            return null;
        }
        var usesSystem = authority.Value.Equals("system", StringComparison.OrdinalIgnoreCase);
        if (!FilesExist(reader, at, usesSystem ? ["certificate", "key", "keyPasswordFile"] : ["authority", "certificate", "key", "keyPasswordFile"]))
        {
            return null;
        }
        var config = new UpstreamTlsConfig(usesSystem ? null : authority.Value, certificate?.Value, key?.Value, reader.Text($"{at}:keyPasswordFile")?.Value,
            reader.Text($"{at}:verifyHost") is null || reader.Flag($"{at}:verifyHost"));
        UpstreamTls? tls = null;
        CheckCertificate(reader, at, config.Certificate ?? authority.Value, config.Key, config.KeyPasswordFile, authority.Source,
            () => (tls = new UpstreamTls(config, TimeProvider.System)).End);
        return tls;
    }

    private static bool FilesExist(ConfigReader reader, string at, params string[] names)
    {
        foreach (var name in names)
        {
            if (reader.Text($"{at}:{name}") is { } named && !File.Exists(named.Value))
            {
                reader.Fail($"{at}:{name}", named.Value, "does not exist; name a PEM file", named.Source);
                return false;
            }
        }
        return true;
    }

    /// <summary>Loads a certificate to see whether that works, and looks at its end.</summary>
    private static void CheckCertificate(ConfigReader reader, string at, string file, string? key, string? password, string source, Func<DateTime?> load)
    {
        try
        {
            var end = load();
            if (end < DateTime.UtcNow)
            {
                reader.Fail($"{at}:certificate", file, $"ended at {end:u}; the other side would refuse it", source);
            }
            else if (end < DateTime.UtcNow.AddDays(14))
            {
                reader.Warnings.Add($"{ConfigReader.Display(at)}.certificate = '{file}': ends at {end:u}");
            }
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            var encrypted = password is null && key is not null && File.ReadAllText(key).Contains("ENCRYPTED", StringComparison.Ordinal);
            reader.Fail(at, file, encrypted
                ? $"has an encrypted key, '{key}'; name a file with its password by 'keyPasswordFile'"
                : $"can not be loaded{(key is null ? "" : " with its key")}{(password is null ? "" : " and the password given")}: {e.Message}", source);
        }
    }

    private static Uri? ReadOtlp(ConfigReader reader)
    {
        if (reader.Text("otlp") is not { } found)
        {
            return null;
        }
        if (Uri.TryCreate(found.Value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
        {
            return uri;
        }
        reader.Fail("otlp", found.Value, "is no collector's address; write 'http://host:4317'", found.Source);
        return null;
    }

    private static Dictionary<string, string> ProcessVariables() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "");

    private static ConfigResult Failed(ConfigError error) => new(null, [error], []);
}
