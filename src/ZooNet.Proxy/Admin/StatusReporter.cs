using System.Reflection;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;
using ZooNet.Proxy.Telemetry;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// Puts together what the admin endpoint shows, of the control plane and the data path. Thread-safe; every answer is as of now.
/// </summary>
public sealed class StatusReporter(
    ProxyConfig config,
    ClusterControls clusters,
    MountStore store,
    MountDriver driver,
    Region region,
    IProxyStatus proxy,
    TimeProvider time,
    ReadAdvisor advisor,
    IGraphSource? graph = null,
    RoamingTrees? trees = null)
{
    private const string Insecure =
        "insecure: the secret is one that everybody knows; any client can forge mounts and take over other clients' sessions";

    private readonly DateTimeOffset _started = time.GetUtcNow();

    /// <summary>Version of ZooNet.</summary>
    public static string Version { get; } = typeof(StatusReporter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>When the proxy was started.</summary>
    public DateTimeOffset Started => _started;

    /// <summary>How long the proxy has been running.</summary>
    public TimeSpan Uptime => time.GetUtcNow() - _started;

    /// <summary>True while clients are served: home is up, the table was read, and the proxy is not about to stop.</summary>
    public bool IsReady => clusters.Home.Health.IsUp && clusters.Home.Refusal is null && store.FirstRead.IsCompletedSuccessfully
        && !proxy.IsDraining && proxy.Listening.Count > 0;

    /// <summary>The proxy's own observer of home, where it serves; null where clients go to home's servers.</summary>
    public EmbeddedObserver? HomeObserver => clusters.Home.Embedded is { IsServing: true } own ? own : null;

    /// <summary>The interest graph; null where this proxy keeps none.</summary>
    public GraphInfo? Graph => graph?.Describe();

    /// <summary>The mount table.</summary>
    public MountList Mounts()
    {
        var snapshot = store.Current;
        return new MountList(config.Region, snapshot.Version, [.. snapshot.Entries.Select(Describe)]);
    }

    /// <summary>One mount; null where there is none.</summary>
    public MountInfo? Mount(string path) => store.Current.At(path) is { } entry ? Describe(entry) : null;

    /// <summary>One entry of the table.</summary>
    public MountInfo Describe(MountEntry entry)
    {
        var inUse = entry.Mount is not null && store.Current.Table.At(entry.Path) is not null;
        return new MountInfo(
            entry.Path,
            entry.Record?.Cluster,
            entry.Record?.RemotePath,
            entry.Mount is { } mount ? MountOptionsText.Format(mount.Options) : entry.Record?.Options,
            entry.Error is null ? entry.State.ToString().ToLowerInvariant() : "error",
            driver.WaitingFor(entry),
            entry.Error,
            entry.Mount is { } m && clusters[m.Cluster].Health.IsUp,
            inUse ? Traffic(entry.Mount!.Counters) : null);
    }

    /// <summary>Where a path leads.</summary>
    public ResolveReply Resolve(string path)
    {
        var mount = store.Current.Table.Find(path);
        var cluster = clusters[mount?.Cluster ?? 0];
        var servers = proxy.ServersInUse(cluster.Cluster.Ordinal);
        var server = servers.Count > 0 ? servers.MaxBy(s => s.Links)!.Address : cluster.Health.Server;
        var advice = advisor.Advise(cluster.Cluster.Ordinal, mount?.Options.Barriers ?? true);
        return new ResolveReply(path, mount?.Path, cluster.Cluster.Name, mount?.ToRemote(path) ?? path, server, advice.NeedsBarrier, advice.Why)
        {
            Owner = trees?.OwnerOf(cluster.Cluster.Ordinal),
        };
    }

    /// <summary>Everything.</summary>
    public StatusReply Status()
    {
        var mounts = Mounts();
        return new StatusReply(
            Version,
            config.Region,
            config.ProxyId,
            _started,
            IsReady,
            proxy.IsDraining,
            config.Consistency.ToString().ToLowerInvariant(),
            config.Barrier.ToString().ToLowerInvariant(),
            [.. proxy.Listening.Select(l => l.ToString())],
            proxy.Sessions,
            proxy.Traffic.Connections,
            Environment.WorkingSet,
            [.. clusters.All.Select(Describe)],
            mounts.Version,
            mounts.Mounts,
            Traffic(region.HomeCounters) with { Reads = null, Writes = null, Refused = null },
            Graph,
            Problems(),
            Latencies());
    }

    private List<LatencyInfo> Latencies() =>
    [
        .. from control in clusters.All
           from kind in Enum.GetValues<LatencyKind>()
           let counts = proxy.Traffic.Latencies.Recent(control.Cluster.Ordinal, kind)
           where counts.Any(c => c > 0)
           select new LatencyInfo(control.Cluster.Name, kind.ToString().ToLowerInvariant(), counts.Sum(),
               LatencyHistogram.QuantileMs(counts, 0.5)!.Value, LatencyHistogram.QuantileMs(counts, 0.99)!.Value),
    ];

    /// <summary>
    /// Every cluster's servers. Those that answer the four-letter word <c>srvr</c> are shown with what they say, within two seconds.
    /// </summary>
    public async Task<IReadOnlyList<ClusterServersInfo>> ClustersAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(clusters.All.Select(async control =>
        {
            var links = proxy.ServersInUse(control.Cluster.Ordinal).ToDictionary(s => s.Address, s => s.Links);
            var servers = await Task.WhenAll(control.Addresses.InOrder.Select(address => ServerProbe.AskAsync(address, time,
                cancellationToken)));
            return new ClusterServersInfo(control.Cluster.Name, control.Cluster.IsHome, control.Addresses.Source,
            [
                .. control.Embedded is { } own ? [Describe(own, links)] : (ServerInfo[])[],
                .. servers.SelectMany(s => s).Select(s => new ServerInfo(s.Name, s.Address, s.Mode, s.Version,
                    s.RoundTrip?.TotalMilliseconds,
                    links.GetValueOrDefault(s.Address ?? ""), s.Error)),
            ]);
        }));

    private static ServerInfo Describe(EmbeddedObserver own, Dictionary<string, int> links) => new(own.Name, own.Name, "observer", null, null,
        links.GetValueOrDefault(own.Name), own.IsServing ? null : own.Problem ?? own.State);

    /// <summary>Why the mount table is not known; null where it is.</summary>
    public string? WhyNoTable => store.FirstRead.IsCompletedSuccessfully ? null
        : $"the mount table has not been read: {store.Error ?? $"the home cluster '{clusters.Home.Cluster.Name}' has not answered yet"}";

    private List<string> Problems()
    {
        var problems = new List<string>();
        if (store.Error is { } error)
        {
            problems.Add(WhyNoTable ?? $"the mount table stays as it was: {error}");
        }
        problems.AddRange(clusters.All.Select(c => c.Tree.Error).OfType<string>().Where(e => e != store.Error));
        problems.AddRange(clusters.All.Select(c => c.Refusal ?? c.Notice).OfType<string>());
        if (config.Insecure && !config.Admin.IsLoopback)
        {
            problems.Add("insecure: the admin endpoint lets everybody who reaches it mount and unmount");
        }
        problems.AddRange(clusters.All.Select(NotFollowing).OfType<string>());
        problems.AddRange(clusters.All.Where(c => c.Embedded is { Divergences: > 0 })
            .Select(c => $"the proxy's own observer of '{c.Cluster.Name}' was thrown away {c.Embedded!.Divergences} times: {c.Embedded.Divergence}"));
        problems.AddRange(trees?.Problems ?? []);
        if (config.IsInsecure)
        {
            problems.Add(Insecure);
        }
        return problems;
    }

    /// <summary>Why the proxy's own observer of a cluster serves nobody; null where it does, or has only begun.</summary>
    private static string? NotFollowing(ClusterControl control) => control.Embedded is { IsServing: false, Problem: { } problem }
        ? $"the proxy's own observer of '{control.Cluster.Name}' does not follow a leader; other servers are read, if any: {problem}"
        : null;

    /// <summary>What readiness depends on, and how the remote clusters are, which it does not depend on.</summary>
    public HealthReply Ready()
    {
        var details = new Dictionary<string, string>
        {
            ["mountTable"] = store.Error ?? (store.FirstRead.IsCompletedSuccessfully ? "ok" : "not read yet"),
            ["listener"] = proxy.IsDraining ? "draining" : proxy.Listening.Count > 0 ? "ok" : "not listening",
        };
        foreach (var control in clusters.All)
        {
            var health = control.Health;
            details[$"cluster {control.Cluster.Name}"] = health.IsUp ? control.Refusal ?? control.Tree.Error ?? "ok"
                : $"down since {health.Since:u}: {health.LastError}";
        }
        return new HealthReply(IsReady ? "ok" : "not ready", details);
    }

    private ClusterInfo Describe(ClusterControl control)
    {
        var health = control.Health;
        return new ClusterInfo(
            control.Cluster.Name,
            control.Cluster.IsHome,
            health.IsUp,
            health.Since,
            health.Server,
            health.IsObserver,
            health.RoundTrip?.TotalMilliseconds,
            health.Circuit,
            health.IsUp ? null : health.LastError,
            proxy.SessionsIn(control.Cluster.Ordinal),
            proxy.ServersInUse(control.Cluster.Ordinal))
        {
            SilentMs = health.Silence?.TotalMilliseconds,
        };
    }

    private static MountTraffic Traffic(MountCounters counters) => new(
        counters.Reads,
        counters.Writes,
        counters.Refused,
        counters.BarriersNeeded,
        counters.BarriersShared,
        counters.Of(BarrierVerdict.NothingElsewhere) + counters.Of(BarrierVerdict.Covered),
        counters.Of(BarrierVerdict.NotCoupled),
        counters.Of(BarrierVerdict.NoInterestChange),
        counters.BarriersFailed);
}
