using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// The addresses of one cluster as they are known now: those that are configured, or, once there are any, those that were learned of the
/// cluster. Thread-safe: an answer is a list that never changes.
/// </summary>
public sealed class ClusterServers
{
    /// <summary>Where addresses come from that an operator wrote.</summary>
    public const string Configuration = "configuration";

    private readonly Lock _lock = new();
    private Known _known;
    private Learned? _learned;

    /// <summary>Begins with what is configured.</summary>
    public ClusterServers(ClusterConfig cluster) => _known = Make(Cluster = cluster, null);

    /// <summary>Raised, by whoever made the change, when the addresses are other ones than before.</summary>
    public event Action? Changed;

    /// <summary>What is configured of the cluster now.</summary>
    public ClusterConfig Cluster { get; private set => Volatile.Write(ref field, value); }

    /// <summary>Its observers in this region, in order of preference.</summary>
    public IReadOnlyList<HostPort> Observers => Volatile.Read(ref _known).Observers;

    /// <summary>Its own servers.</summary>
    public IReadOnlyList<HostPort> Servers => Volatile.Read(ref _known).Servers;

    /// <summary>Where <see cref="Servers"/> were learned.</summary>
    public string Source => Volatile.Read(ref _known).Source;

    /// <summary>All addresses in the order in which they are tried: observers first.</summary>
    public IReadOnlyList<HostPort> InOrder => Volatile.Read(ref _known).InOrder;

    /// <summary>Another configuration of the same cluster is in force.</summary>
    public void Configure(ClusterConfig cluster) => Change(() => Cluster = cluster);

    /// <summary>What was learned of the cluster takes the place of the servers that are configured.</summary>
    /// <param name="servers">Its servers; empty to go back to those that are configured.</param>
    /// <param name="source">Where that was learned.</param>
    public void Learn(IReadOnlyList<HostPort> servers, string source) => Change(() => _learned = servers.Count == 0 ? null
        : new(servers, source));

    private void Change(Action what)
    {
        lock (_lock)
        {
            what();
            var before = _known;
            var now = Make(Cluster, _learned);
            Volatile.Write(ref _known, now);
            if (before.InOrder.SequenceEqual(now.InOrder))
            {
                return;
            }
        }
        Changed?.Invoke();
    }

    private static Known Make(ClusterConfig cluster, Learned? learned)
    {
        // An observer is listed by the ensemble, too, and stays what it is configured as.
        var servers = learned is null ? cluster.Servers : [.. learned.Servers.Except(cluster.Observers)];
        return new(cluster.Observers, servers, [.. cluster.Observers, .. servers], learned?.Source ?? Configuration);
    }

    private sealed record Learned(IReadOnlyList<HostPort> Servers, string Source);

    private sealed record Known(IReadOnlyList<HostPort> Observers, IReadOnlyList<HostPort> Servers, IReadOnlyList<HostPort> InOrder,
        string Source);
}

/// <summary>The addresses of all clusters, by ordinal. Thread-safe.</summary>
public sealed class ClusterDirectory
{
    private readonly IReadOnlyList<ClusterServers> _byOrdinal;

    /// <summary>Begins with what is configured, and follows its changes.</summary>
    public ClusterDirectory(ConfigInForce config)
    {
        _byOrdinal = [.. config.Current.Clusters.Select(c => new ClusterServers(c))];
        config.Changed += now =>
        {
            foreach (var cluster in now.Clusters)
            {
                _byOrdinal[cluster.Ordinal].Configure(cluster);
            }
        };
    }

    /// <summary>The addresses of a cluster.</summary>
    /// <param name="ordinal">From 0 for home.</param>
    public ClusterServers this[int ordinal] => _byOrdinal[ordinal];

    /// <summary>All, by ordinal.</summary>
    public IReadOnlyList<ClusterServers> All => _byOrdinal;
}
