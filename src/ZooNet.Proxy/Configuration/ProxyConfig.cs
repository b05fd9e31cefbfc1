using System.Collections.Frozen;
using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;

namespace ZooNet.Proxy.Configuration;

/// <summary>
/// What the operator wrote, checked: the whole configuration of one proxy. Immutable. Made by
/// <see cref="ProxyConfigLoader"/>; docs/configuration.md describes each key.
/// </summary>
public sealed record ProxyConfig
{
    /// <summary>The most remote clusters that one proxy knows.</summary>
    public const int MaxRemotes = Federation.Freshness.Region.MaxClusters - 1;

    /// <summary>ZooKeeper's own limit of a frame (jute.maxbuffer), in bytes.</summary>
    public const int DefaultMaxFrame = 0xfffff;

    /// <summary>Replies may be longer than requests: a folder's children, a read of many znodes.</summary>
    public const int DefaultMaxReply = 16 * 1024 * 1024;

    /// <summary>The secret of a proxy that was given none. Everybody knows it: with remotes it is refused unless told not to.</summary>
    public const string DefaultSecret = "zoonet:zoonet";

    /// <summary>
    /// The four-letter words that are answered by default: what the usual monitors, probes and client libraries ask for. Not those that
    /// list clients (<c>stat</c>, <c>cons</c>) or that change something (<c>srst</c>).
    /// </summary>
    public static FrozenSet<string> DefaultFourLetterWords { get; } =
        FrozenSet.Create(StringComparer.Ordinal, "srvr", "ruok", "mntr", "isro", "conf", "envi");

    /// <summary>Name of the region.</summary>
    public required string Region { get; init; }

    /// <summary>Where clients connect; at least one.</summary>
    public required IReadOnlyList<HostPort> Listen { get; init; }

    /// <summary>Where the admin endpoint listens.</summary>
    public HostPort Admin { get; init; } = new("127.0.0.1", 9181);

    /// <summary>
    /// Whether the admin endpoint has a console at <c>/console</c>: null for none, else the admin endpoints of the proxies that it shows
    /// besides this one. The first of <see cref="AdminTokens"/> is shown to them.
    /// </summary>
    public IReadOnlyList<HostPort>? Console { get; init; }

    /// <summary>Tokens that may do everything at the admin endpoint, from any host.</summary>
    public IReadOnlyList<string> AdminTokens { get; init; } = [];

    /// <summary>Tokens that may look and change nothing.</summary>
    public IReadOnlyList<string> ViewTokens { get; init; } = [];

    /// <summary>Common names of client certificates whose holders may do everything at the admin endpoint.</summary>
    public IReadOnlyList<string> AdminNames { get; init; } = [];

    /// <summary>Common names of client certificates whose holders may look and change nothing.</summary>
    public IReadOnlyList<string> ViewNames { get; init; } = [];

    /// <summary>True to try things out without protection: with a published secret, and an admin endpoint for everybody.</summary>
    public bool Insecure { get; init; }

    /// <summary>The region's own cluster.</summary>
    public required ClusterConfig Home { get; init; }

    /// <summary>The clusters that can be mounted, in the order of their names, so that the one at index i has ordinal i + 1.</summary>
    public IReadOnlyList<ClusterConfig> Remotes { get; init; } = [];

    /// <summary>The name server that is asked for service records; null for those of the system.</summary>
    public HostPort? Dns { get; init; }

    /// <summary>What holds across clusters.</summary>
    public ConsistencyMode Consistency { get; init; } = ConsistencyMode.Sequential;

    /// <summary>What a barrier is made of.</summary>
    public BarrierMode Barrier { get; init; } = BarrierMode.Quorum;

    /// <summary>How long after a barrier at a server has begun the next one there may; null for a tenth of what they take.</summary>
    public TimeSpan? BarrierGap { get; init; }

    /// <summary>What <c>/zookeeper/config</c> names as servers: the proxies' addresses as clients reach them. May be empty.</summary>
    public IReadOnlyList<HostPort> Advertise { get; init; } = [];

    /// <summary>The longest frame from a client, in bytes.</summary>
    public int MaxFrame { get; init; } = DefaultMaxFrame;

    /// <summary>The longest frame from a server, in bytes: what one link can make the proxy hold.</summary>
    public int MaxReply { get; init; } = DefaultMaxReply;

    /// <summary>The most client connections; 0 for what the process's limit of open files allows.</summary>
    public int MaxConnections { get; init; }

    /// <summary>The most client connections from one address; 0 for half of all.</summary>
    public int MaxConnectionsPerAddress { get; init; }

    /// <summary>Watches in mounts that one client may have.</summary>
    public int MaxWatches { get; init; } = 100_000;

    /// <summary>Bytes that the paths of those watches may take, two for each character.</summary>
    public int MaxWatchBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Different credentials that one client may add.</summary>
    public int MaxCredentials { get; init; } = 32;

    /// <summary>Bytes of all credentials of one client.</summary>
    public int MaxCredentialBytes { get; init; } = 64 * 1024;

    /// <summary>Bytes of replies under way that are put together from several clusters, of all clients at once.</summary>
    public int MaxReplyParts { get; init; } = 256 * 1024 * 1024;

    /// <summary>Bytes of one client's requests that wait or are kept until they are answered, before it is read no more.</summary>
    public int MaxOutstandingBytes { get; init; } = 256 * 1024;

    /// <summary>Such bytes of all clients at once.</summary>
    public int MaxOutstandingBytesInAll { get; init; } = 256 * 1024 * 1024;

    /// <summary>Requests a second that the clients of one address may make together; 0 for any number.</summary>
    public int Throttle { get; init; }

    /// <summary>How long SIGTERM waits for outstanding requests.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long one attempt to connect to a server may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Session timeout that the proxy asks for on its own (control) sessions.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The four-letter words that are answered.</summary>
    public FrozenSet<string> FourLetterWords { get; init; } = DefaultFourLetterWords;

    /// <summary>
    /// Digest credential, <c>user:password</c>, that owns the proxy's own znodes. The same on all proxies of a federation.
    /// </summary>
    public string Secret { get; init; } = DefaultSecret;

    /// <summary>A second secret whose znodes are believed, too, while one takes the other's place; null for none.</summary>
    public string? AcceptedSecret { get; init; }

    /// <summary>True when the secret is one that everybody knows: any client can forge mounts and take over others' sessions.</summary>
    public bool IsInsecure => Insecure && Secret == DefaultSecret && Remotes.Count > 0;

    /// <summary>What clients may do where, besides the clusters' ACLs.</summary>
    public IReadOnlyList<ClientRule> Rules { get; init; } = [];

    /// <summary>Load balancers whose connections begin with a PROXY header, which says who the client is.</summary>
    public IReadOnlyList<System.Net.IPNetwork> ProxyProtocol { get; init; } = [];

    /// <summary>TLS of the client listener; null for plain TCP.</summary>
    public TlsConfig? Tls { get; init; }

    /// <summary>
    /// A Unix-domain socket where the admin endpoint listens, too, without TLS: who may use it is the file's to say. Null for none.
    /// </summary>
    public string? AdminSocket { get; init; }

    /// <summary>TLS of the admin endpoint; null for plain HTTP.</summary>
    public TlsConfig? AdminTls { get; init; }

    /// <summary>Where OpenTelemetry metrics are pushed (OTLP over gRPC); null for nowhere.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>Least severe level that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>How the log is written.</summary>
    public LogFormat LogFormat { get; init; }

    /// <summary>Every key with its value and where it was written; empty for a configuration that was not loaded.</summary>
    public IReadOnlyList<ConfigValue> Values { get; init; } = [];

    /// <summary>Names this proxy among those of its region.</summary>
    public string ProxyId { get; init; } = NewProxyId();

    /// <summary>Home and remotes, by ordinal.</summary>
    public IReadOnlyList<ClusterConfig> Clusters => [Home, .. Remotes];

    /// <summary>The cluster of a name, in any case; null where there is none.</summary>
    public ClusterConfig? FindCluster(string name) => Clusters.FirstOrDefault(c => c.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Has what clients may cost bounded as configured here.</summary>
    internal ClientLimits SetLimits(ClientLimits limits)
    {
        limits.Watches = MaxWatches;
        limits.WatchBytes = MaxWatchBytes;
        limits.Credentials = MaxCredentials;
        limits.CredentialBytes = MaxCredentialBytes;
        limits.Reply = MaxReply;
        limits.RepliesInAll = Math.Max(MaxReply, MaxReplyParts);
        limits.Outstanding = MaxOutstandingBytes;
        limits.OutstandingInAll = MaxOutstandingBytesInAll;
        return limits;
    }

    /// <summary>Host name and 32 random bits: new at every start, so that a restarted proxy is another one.</summary>
    public static string NewProxyId()
    {
        var host = new string([.. Environment.MachineName.ToLowerInvariant().Where(c => char.IsAsciiLetterOrDigit(c) || c == '-').Take(40)]);
        return $"{(host.Length == 0 ? "proxy" : host)}-{Random.Shared.Next():x8}";
    }
}

/// <summary>Certificate of a listener.</summary>
/// <param name="Certificate">PEM file with the certificate and its chain.</param>
/// <param name="Key">PEM file with the private key.</param>
public sealed record TlsConfig(string Certificate, string Key)
{
    /// <summary>A file with the password of an encrypted key; null for a key that is not.</summary>
    public string? KeyPasswordFile { get; init; }

    /// <summary>Whether clients show certificates.</summary>
    public ClientCertificates Clients { get; init; }

    /// <summary>PEM file with the authorities whose client certificates are taken; null when none are asked for.</summary>
    public string? ClientAuthority { get; init; }
}

/// <summary>Whether clients show certificates.</summary>
public enum ClientCertificates
{
    /// <summary>They are not asked for.</summary>
    None,
    /// <summary>One that is shown must be good.</summary>
    Accept,
    /// <summary>Without a good one there is no connection.</summary>
    Require,
}
