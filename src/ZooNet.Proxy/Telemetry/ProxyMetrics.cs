using System.Diagnostics.Metrics;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Roaming;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// The proxy's metrics: one meter, read by Prometheus at <c>/metrics</c> and pushed over OTLP where that is configured. Counters are
/// kept by the data path and read at each scrape, so that counting costs it one addition. Thread-safe.
/// </summary>
/// <remarks>
/// Gauges that ZooKeeper has, too, have its names; all others begin with <c>zoonet_</c> or <c>process_</c>. Counters end with
/// <c>_total</c>, times are seconds, as <c>promtool check metrics</c> wants it. The label <c>mount</c> holds a
/// mount point, "/" for home.
/// </remarks>
public sealed class ProxyMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "ZooNet";

    private static readonly double[] BarrierBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly Meter _meter;
    private readonly PrometheusExporter _exporter;
    private readonly MeterProvider? _otlp;
    private readonly Histogram<double> _barrierLatency;
    private readonly FamiliarSeries _familiar;

    /// <summary>Makes the meter and begins to export.</summary>
    public ProxyMetrics(ProxyConfig config, IProxyStatus proxy, ClusterControls clusters, MountStore store, Region region,
        StatusReporter status, RecordStore records, RoamingTrees? trees = null)
    {
        // A meter of this proxy alone: a process may hold several, in tests.
        _meter = new Meter(new MeterOptions(MeterName) { Version = StatusReporter.Version, Scope = this });
        _exporter = new PrometheusExporter(_meter);
        _barrierLatency = _meter.CreateHistogram("zoonet_barrier_latency_seconds", "s", "Time from the start of a barrier to its reply.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = BarrierBounds });
        _familiar = new FamiliarSeries(proxy, status, region.ClusterNames);
        AddServerGauges(proxy, status, region.Limits);
        AddClusters(proxy, clusters, region);
        AddWarnings(config, status, records);
        AddMounts(proxy, clusters, store, region);
        AddTrees(trees?.Hosts ?? []);
        if (config.Otlp is { } collector)
        {
            _otlp = Sdk.CreateMeterProviderBuilder()
                .AddMeter(MeterName)
                .ConfigureResource(r => r.AddService("zoonet", serviceVersion: StatusReporter.Version, serviceInstanceId: config.ProxyId)
                    .AddAttributes([new("zoonet.region", config.Region)]))
                .AddOtlpExporter(o => o.Endpoint = collector)
                .Build();
        }
    }

    /// <summary>The metrics in Prometheus' text format.</summary>
    public string Scrape()
    {
        var text = new StringBuilder(_exporter.Scrape());
        _familiar.Write(text);
        return text.ToString();
    }

    /// <summary>Records a barrier that was answered.</summary>
    /// <param name="cluster">Name of its cluster.</param>
    /// <param name="elapsed">From its start to its reply.</param>
    public void BarrierCompleted(string cluster, TimeSpan elapsed) =>
        _barrierLatency.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("cluster", cluster));

    /// <inheritdoc/>
    public void Dispose()
    {
        _otlp?.Dispose();
        _exporter.Dispose();
        _meter.Dispose();
    }

    private void AddServerGauges(IProxyStatus proxy, StatusReporter status, ClientLimits limits)
    {
        var traffic = proxy.Traffic;
        Gauge("num_alive_connections", "Client connections.", () => traffic.Connections);
        Gauge("outstanding_requests", "Requests that wait for their reply.", () => traffic.Sums.Outstanding);
        Gauge("global_sessions", "Client sessions with a connection.", () => proxy.Sessions);
        Gauge("zoonet_latency_avg_seconds", "Mean time from request to reply.", () => traffic.Latency.AverageMs / 1000);
        Gauge("zoonet_latency_min_seconds", "Smallest time from request to reply.", () => traffic.Latency.MinMs / 1000.0);
        Gauge("zoonet_latency_max_seconds", "Largest time from request to reply.", () => traffic.Latency.MaxMs / 1000.0);
        Gauge("zoonet_uptime_seconds", "Time since the start.", () => status.Uptime.TotalSeconds);
        Optional("process_open_fds", "Open file descriptors.", OpenFiles.Count);
        Optional("process_max_fds", "How many file descriptors may be open.", () => OpenFiles.Limit);
        Counter("zoonet_packets_received_total", "Frames from clients.", () => [new(traffic.Sums.PacketsReceived)]);
        Counter("zoonet_packets_sent_total", "Frames to clients.", () => [new(traffic.Sums.PacketsSent)]);
        Counter("zoonet_bytes_received_total", "Bytes from clients.", () => [new(traffic.Sums.BytesReceived)]);
        Counter("zoonet_bytes_sent_total", "Bytes to clients.", () => [new(traffic.Sums.BytesSent)]);
        Counter("zoonet_connections_opened_total", "Client connections that were opened.", () => [new(traffic.ConnectionsOpened)]);
        Counter("zoonet_connections_dropped_total", "Client connections that the proxy closed.", () => [new(traffic.ConnectionsDropped)]);
        Counter("zoonet_connections_refused_total", "Client connections beyond a limit, in all or of one address.", () =>
        [
            new(proxy.Refused.InAll, new KeyValuePair<string, object?>("limit", "all")),
            new(proxy.Refused.OfAddress, new KeyValuePair<string, object?>("limit", "address")),
        ]);
        Counter("zoonet_requests_delayed_total", "Requests that waited because their address asked for more than it may (throttle).", () =>
            proxy.Delayed is { } delayed ? [new(delayed)] : []);
        Counter("zoonet_limits_reached_total", "Requests that would have cost more than a client, or all of them, may cost.", () =>
        [
            .. Enum.GetValues<ClientLimit>().Select(limit =>
                new Measurement<long>(limits.Reached(limit), new KeyValuePair<string, object?>("limit", LimitName(limit)))),
        ]);
        Gauge("zoonet_outstanding_bytes", "Bytes of clients' requests that wait, or are kept until they are answered.",
            () => limits.OutstandingNow);
        Gauge("zoonet_reply_parts_bytes", "Bytes of replies that are being put together from several clusters.", () => limits.Collected);
        Gauge("zoonet_connections_limit", "Client connections that are allowed.", () => proxy.ConnectionLimits.InAll);
        Gauge("process_resident_memory_bytes", "Resident memory of the process.", () => Environment.WorkingSet);
        Gauge("zoonet_ready", "1 while clients are served.", () => status.IsReady ? 1 : 0);
    }

    private static string LimitName(ClientLimit limit) => limit switch
    {
        ClientLimit.Watches => "watches",
        ClientLimit.Credentials => "credentials",
        ClientLimit.Reply => "reply",
        _ => "replies_in_all",
    };

    /// <summary>What alerts ask for, and nobody else.</summary>
    private void AddWarnings(ProxyConfig config, StatusReporter status, RecordStore records)
    {
        Gauge("zoonet_mounts_held", "1 while requests for mounts wait because the proxy may not use them.",
            () => status.Graph?.MountsHeld is null ? 0 : 1);
        Counter("zoonet_session_record_failures_total", "Records of clients' remote sessions that could not be read, written or removed.",
            () => [new(records.Failures)]);
        Gauge("zoonet_session_records", "Records of clients' remote sessions that this proxy answers for.", () => records.Count);
        (string Use, string File, Func<DateTime?> End)[] certificates = [.. CertificateWatch.Of(config)];
        _meter.CreateObservableGauge("zoonet_certificate_not_after_seconds", () => certificates
            .Select(c => (c.Use, End: CertificateWatch.Read(c.End))).Where(c => c.End is not null)
            .Select(c => new Measurement<double>(new DateTimeOffset(c.End!.Value).ToUnixTimeSeconds(),
                new KeyValuePair<string, object?>("use", c.Use))), null,
            "When the certificate ends, as seconds since 1970.");
    }

    /// <summary>Transactions between two positions, where they can be told: an epoch that ended has gaps.</summary>
    private static double? Behind(long known, long has) => known >> 32 == has >> 32 ? Math.Max(0, known - has) : null;

    private void AddClusters(IProxyStatus proxy, ClusterControls clusters, Region region)
    {
        _meter.CreateObservableGauge("zoonet_cluster_up", () => clusters.All.Select(c => new Measurement<int>(c.Health.IsUp ? 1 : 0,
            new KeyValuePair<string, object?>("cluster", c.Cluster.Name),
            new KeyValuePair<string, object?>("role", c.Cluster.IsHome ? "home" : "remote"))), null, "1 while the cluster can be reached.");
        PerCluster("zoonet_cluster_rtt_seconds", "Round trip to the ensemble, also through an observer.",
            c => c.Health.RoundTrip?.TotalSeconds);
        PerCluster("zoonet_cluster_circuit_state", "0 closed, 1 half-open, 2 open.", c => c.Health.Circuit switch { "open" => 2, "half-open" => 1, _ => 0 });
        PerCluster("zoonet_cluster_sessions", "Clients with a session in the cluster.", c => proxy.SessionsIn(c.Cluster.Ordinal));
        PerCluster("zoonet_observer_following", "1 while the proxy's own observer of the cluster serves.",
            c => c.Embedded is { } own ? own.IsServing ? 1 : 0 : null);
        PerCluster("zoonet_observer_zxid", "The newest transaction that the proxy's own observer has applied.", c => c.Embedded?.Zxid);
        PerCluster("zoonet_observer_lag_transactions", "How many transactions the proxy's own observer is known to be behind.",
            c => c.Embedded is { } own ? Behind(region.Positions.Known(c.Cluster.Ordinal), own.Zxid) : null);
        PerCluster("zoonet_observer_znodes", "Znodes that the proxy's own observer holds.", c => c.Embedded?.Znodes.Count);
        PerCluster("zoonet_observer_bytes", "Bytes of the paths and data of those.", c => c.Embedded?.Znodes.Bytes);
        PerCluster("zoonet_observer_divergences", "How often the proxy's own observer was not what its leader is, and was taken anew.", c => c.Embedded?.Divergences);

        void PerCluster(string name, string description, Func<ClusterControl, double?> value) =>
            _meter.CreateObservableGauge(name, () => clusters.All
                .Select(c => (Control: c, Value: value(c)))
                .Where(c => c.Value is not null)
                .Select(c => new Measurement<double>(c.Value!.Value, new KeyValuePair<string, object?>("cluster", c.Control.Cluster.Name))), null, description);
    }

    private void AddMounts(IProxyStatus proxy, ClusterControls clusters, MountStore store, Region region)
    {
        _meter.CreateObservableGauge("zoonet_mount_up", () => store.Current.Entries.Select(e =>
            new Measurement<int>(e is { Mount: { } m, State: MountState.Active } && clusters[m.Cluster].Health.IsUp ? 1 : 0, Labels(e.Path, e.Record?.Cluster))),
            null, "1 while the mount is in use and its cluster can be reached.");
        _meter.CreateObservableGauge("zoonet_mount_sessions", () => store.Current.Table.Mounts.Select(m =>
            new Measurement<int>(proxy.SessionsIn(m.Cluster), Labels(m.Path, m.ClusterName))), null, "Clients with a session in the mount's cluster.");
        Gauge("zoonet_routing_generation", "Zxid of the newest change of the mount table.", () => store.Current.Version);
        PerMount("zoonet_mount_requests_total", "Requests that were sent to the cluster.", c => [("op", "read", c.Reads), ("op", "write", c.Writes)], withHome: false);
        PerMount("zoonet_mount_refused_total", "Requests that the proxy refused: writes to a read-only mount, deletion of the mount point.", c => [(null, null, c.Refused)], withHome: false);
        PerMount("zoonet_barriers_inserted_total", "Reads that needed a barrier, by whether they asked for it or shared another's.",
            c => [("kind", "own", c.BarriersNeeded - c.BarriersShared), ("kind", "shared", c.BarriersShared)]);
        PerMount("zoonet_barriers_elided_total", "Reads that needed no barrier, by rule.", c =>
        [
            ("rule", "nothing_elsewhere", c.Of(BarrierVerdict.NothingElsewhere)),
            ("rule", "covered", c.Of(BarrierVerdict.Covered)),
            ("rule", "not_coupled", c.Of(BarrierVerdict.NotCoupled)),
            ("rule", "no_interest_change", c.Of(BarrierVerdict.NoInterestChange)),
        ]);
        PerMount("zoonet_barriers_failed_total", "Reads that failed with their barrier.", c => [(null, null, c.BarriersFailed)]);

        void PerMount(string name, string description, Func<MountCounters, (string? Label, string? Value, long Count)[]> read, bool withHome = true) =>
            _meter.CreateObservableCounter(name, () => store.Current.Table.Mounts
                .Select(m => (Tags: Labels(m.Path, m.ClusterName), m.Counters))
                // Home's requests are passed through uncounted; its reads are judged all the same.
                .Concat(withHome ? [(Tags: Labels("/", region.ClusterNames[0]), Counters: region.HomeCounters)] : [])
                .SelectMany(m => read(m.Counters).Select(r =>
                    new Measurement<long>(r.Count, r.Label is null ? m.Tags : [.. m.Tags, new(r.Label, r.Value)]))), null, description);
    }

    /// <summary>By tree, of which there are no more than remotes, and by zone.</summary>
    private void AddTrees(IReadOnlyList<TreeHost> trees)
    {
        PerTree("zoonet_tree_serving", "1 while this proxy serves the roaming tree.", t => t.Server is { IsServing: true } ? 1 : 0);
        PerTree("zoonet_tree_epoch", "How often the owner of the roaming tree has changed, from 1.", t => t.Server?.Object.State.At?.Epoch);
        PerTree("zoonet_tree_entries", "Entries of the roaming tree's log that this proxy has applied.", t => t.Server?.Object.State.Index);
        PerTree("zoonet_tree_znodes", "Znodes of the roaming tree.", t => t.Server?.Object.State.Znodes);
        PerTree("zoonet_tree_waiting", "Writes of this proxy that are not in the roaming tree yet.", t => t.Server?.Object.State.Waiting);
        PerTree("zoonet_tree_runs", "Stretches of the roaming tree's log in zones that owned it before.",
            t => t.Server?.Object.State.At?.Ballot.Runs.Count);
        _meter.CreateObservableGauge("zoonet_tree_owner", () => trees.SelectMany(t => (t.Record?.Zones ?? []).Select(z =>
            new Measurement<int>(t.Server?.Object.State.At?.Zone == z ? 1 : 0, new("tree", t.Name), new("zone", z)))),
            null, "1 for the zone that owns the roaming tree, as far as this proxy knows.");

        void PerTree(string name, string description, Func<TreeHost, double?> value) =>
            _meter.CreateObservableGauge(name, () => trees
                .Select(t => (Tree: t, Value: value(t)))
                .Where(t => t.Value is not null)
                .Select(t => new Measurement<double>(t.Value!.Value, new KeyValuePair<string, object?>("tree", t.Tree.Name))), null,
                description);
    }

    private static KeyValuePair<string, object?>[] Labels(string mount, string? cluster) => [new("mount", mount), new("cluster", cluster)];

    /// <summary>A gauge that is left out while its value is not known.</summary>
    private void Optional(string name, string description, Func<long?> value) => _meter.CreateObservableGauge(
        name, () => value() is { } known ? [new Measurement<long>(known)] : Array.Empty<Measurement<long>>(), null, description);

    private void Gauge(string name, string description, Func<double> value) => _meter.CreateObservableGauge(name, value, null, description);

    private void Counter(string name, string description, Func<IEnumerable<Measurement<long>>> values) => _meter.CreateObservableCounter(name, values, null, description);
}
