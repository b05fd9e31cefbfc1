using System.Globalization;
using System.Text;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// The series that dashboards know from elsewhere: ZooKeeper's own, by the names that its exporter for Prometheus gives them, and those of
/// Envoy's filter for ZooKeeper. What a proxy does not have is left out. Thread-safe.
/// </summary>
/// <remarks>
/// Those names follow other rules than Prometheus' own, so they have no type: queries ask for none, and <c>promtool check metrics</c>
/// does not mind.
/// </remarks>
internal sealed class FamiliarSeries(IProxyStatus proxy, StatusReporter status, IReadOnlyList<string> clusters)
{
    // Operations as ZooKeeper names them after op_count_, and Envoy before _rq.
    private static readonly (OpCode Op, string ZooKeeper, string? Envoy)[] Operations =
    [
        (OpCode.AddWatch, "add_watch", "addwatch"), (OpCode.Check, "check", "check"),
        (OpCode.CheckWatches, "check_watches", "checkwatches"),
        (OpCode.CloseSession, "close_session", "close"), (OpCode.Create, "create", "create"), (OpCode.Create2, "create2", "create2"),
        (OpCode.CreateContainer, "create_container", "createcontainer"), (OpCode.CreateSession, "create_session", "connect"),
        (OpCode.CreateTtl, "create_ttl", "createttl"), (OpCode.Delete, "delete", "delete"), (OpCode.Exists, "exists", "exists"),
        (OpCode.GetAcl, "get_acl", "getacl"), (OpCode.GetAllChildrenNumber, "get_all_children_number", "getallchildrennumber"),
        (OpCode.GetChildren, "get_children", "getchildren"), (OpCode.GetChildren2, "get_children2", "getchildren2"),
        (OpCode.GetData, "get_data", "getdata"), (OpCode.GetEphemerals, "get_ephemerals", "getephemerals"),
        (OpCode.Multi, "multi", "multi"), (OpCode.MultiRead, "multi_read", null), (OpCode.Ping, "ping", "ping"),
        (OpCode.Reconfig, "reconfig", "reconfig"), (OpCode.RemoveWatches, "remove_watches", "removewatches"),
        (OpCode.SetAcl, "set_acl", "setacl"), (OpCode.SetData, "set_data", "setdata"),
        (OpCode.SetWatches, "set_watches", "setwatches"), (OpCode.SetWatches2, "set_watches2", "setwatches2"),
        (OpCode.Sync, "sync", "sync"), (OpCode.WhoAmI, "who_am_i", null),
    ];

    /// <summary>The operations that have series of their own.</summary>
    internal static IEnumerable<OpCode> Named => Operations.Select(o => o.Op);

    /// <summary>Appends all of them.</summary>
    public void Write(StringBuilder text)
    {
        var traffic = proxy.Traffic;
        var sums = traffic.Sums;
        Latency(text);
        Plain(text, "avg_latency", "Mean time from request to reply, in milliseconds.", traffic.Latency.AverageMs);
        Plain(text, "min_latency", "Smallest time from request to reply, in milliseconds.", traffic.Latency.MinMs);
        Plain(text, "max_latency", "Largest time from request to reply, in milliseconds.", traffic.Latency.MaxMs);
        Summary(text, "readlatency", "Time from a read to its reply, in milliseconds.", LatencyKind.Read);
        Summary(text, "updatelatency", "Time from a write to its reply, in milliseconds.", LatencyKind.Write);
        Plain(text, "uptime", "Time since the start, in milliseconds.", (long)status.Uptime.TotalMilliseconds);
        Plain(text, "packets_received", "Frames from clients.", sums.PacketsReceived);
        Plain(text, "packets_sent", "Frames to clients.", sums.PacketsSent);
        Plain(text, "bytes_received_count", "Bytes from clients.", sums.BytesReceived);
        Plain(text, "connection_request_count", "Client connections that were opened.", traffic.ConnectionsOpened);
        Plain(text, "connection_rejected", "Client connections beyond a limit.", proxy.Refused.InAll + proxy.Refused.OfAddress);
        Plain(text, "connection_drop_count", "Client connections that the proxy closed.", traffic.ConnectionsDropped);
        Plain(text, "unrecoverable_error_count", "Sessions that ended because of a bug of the proxy.", traffic.Bugs);
        Plain(text, "last_client_response_size", "Bytes of the last reply that was timed.", traffic.ReplySizes.Last);
        Plain(text, "min_client_response_size", "Bytes of the shortest reply that was timed.", traffic.ReplySizes.Min);
        Plain(text, "max_client_response_size", "Bytes of the longest reply that was timed.", traffic.ReplySizes.Max);
        Plain(text, "watch_count", "Watches of clients.", proxy.Watches);
        Plain(text, "open_file_descriptor_count", "Open file descriptors.", OpenFiles.Count());
        Plain(text, "max_file_descriptor_count", "How many file descriptors may be open.", OpenFiles.Limit);
        foreach (var (name, type) in new[] { ("created", WatchEventType.Created), ("deleted", WatchEventType.Deleted),
            ("changed", WatchEventType.DataChanged), ("children", WatchEventType.ChildrenChanged) })
        {
            var count = traffic.Events(type);
            Type(text, $"node_{name}_watch_count", "Events of watches that were sent to clients.", "summary");
            Line(text, $"node_{name}_watch_count_sum", count);
            Line(text, $"node_{name}_watch_count_count", count);
        }
        foreach (var (op, name, _) in Operations)
        {
            Plain(text, $"op_count_{name}", "Requests of clients.", traffic.Operations.Of(op).Frames);
        }
        Envoy(text, traffic, sums);
    }

    private static void Envoy(StringBuilder text, TrafficCounters traffic, in TrafficSums sums)
    {
        const string Root = "envoy_zoonet_zookeeper_";
        Plain(text, Root + "request_bytes", "Bytes from clients.", sums.BytesReceived);
        Plain(text, Root + "response_bytes", "Bytes to clients.", sums.BytesSent);
        Plain(text, Root + "decoder_error", "Connections that ended because their client sent what is no frame.", traffic.BadFrames);
        Plain(text, Root + "watch_event", "Events of watches that were sent to clients.",
            Enum.GetValues<WatchEventType>().Sum(type => traffic.Events(type)));
        foreach (var (op, _, name) in Operations.Where(o => o.Envoy is not null))
        {
            var (frames, bytes) = traffic.Operations.Of(op);
            Plain(text, $"{Root}{name}_rq", "Requests of clients.", frames);
            Plain(text, $"{Root}{name}_rq_bytes", "Bytes of these requests.", bytes);
        }
    }

    /// <summary>Ours: the only histogram that requests record themselves, as that must cost next to nothing.</summary>
    private void Latency(StringBuilder text)
    {
        const string Name = "zoonet_request_latency_seconds";
        Type(text, Name, "Time from a request's arrival to its reply; of each client one request at a time is timed.", "histogram");
        for (var cluster = 0; cluster < clusters.Count; cluster++)
        {
            foreach (var kind in new[] { LatencyKind.Read, LatencyKind.Write })
            {
                var histogram = proxy.Traffic.Latencies.Of(cluster, kind);
                var counts = histogram.Counts();
                if (counts.All(c => c == 0))
                {
                    continue;
                }
                var labels = $"cluster=\"{clusters[cluster]}\",op=\"{(kind == LatencyKind.Read ? "read" : "write")}\"";
                foreach (var (bound, count) in LatencyHistogram.Bounds.Zip(LatencyHistogram.UpTo(counts)))
                {
                    Line(text, $"{Name}_bucket{{{labels},le=\"{bound.ToString("R", CultureInfo.InvariantCulture)}\"}}", count);
                }
                var all = counts.Sum();
                Line(text, $"{Name}_bucket{{{labels},le=\"+Inf\"}}", all);
                Line(text, $"{Name}_sum{{{labels}}}", histogram.Sum);
                Line(text, $"{Name}_count{{{labels}}}", all);
            }
        }
    }

    private void Summary(StringBuilder text, string name, string help, LatencyKind kind)
    {
        var histograms = Enumerable.Range(0, clusters.Count).Select(c => proxy.Traffic.Latencies.Of(c, kind)).ToList();
        Type(text, name, help, "summary");
        Line(text, name + "_sum", histograms.Sum(h => h.Sum) * 1000);
        Line(text, name + "_count", histograms.Sum(h => h.Counts().Sum()));
    }

    private static void Plain(StringBuilder text, string name, string help, double? value)
    {
        if (value is { } known)
        {
            Type(text, name, help, "untyped");
            Line(text, name, known);
        }
    }

    private static void Type(StringBuilder text, string name, string help, string type) =>
        text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');

    private static void Line(StringBuilder text, string series, double value) =>
        text.Append(series).Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
}
