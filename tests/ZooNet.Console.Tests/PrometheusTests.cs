using System.Text.Json.Nodes;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Tests;
using ZooNet.Tests;

namespace ZooNet.WebConsole.Tests;

/// <summary>A real Prometheus over running proxies.</summary>
public sealed class PrometheusTests : IAsyncLifetime
{
    private const string Missing = "needs prometheus (Debian: apt install prometheus)";

    private TwoRegions _regions = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Us.Address)).CreateAsync("/apps");
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    /// <summary>
    /// The series that Grafana's dashboard 10465, "ZooKeeper by Prometheus", asks for and that mean something in a proxy, as it asks for
    /// them. All else that it asks for is about what a server does with its data, its watches, its log, its ensemble and its Java.
    /// </summary>
    private static readonly string[] Dashboard =
    [
        "global_sessions", "packets_received", "packets_sent", "unrecoverable_error_count", "uptime",
        "node_changed_watch_count_sum", "node_children_watch_count_sum", "node_deleted_watch_count_sum", "node_created_watch_count_sum",
        "outstanding_requests", "last_client_response_size", "min_client_response_size", "max_client_response_size",
        "bytes_received_count", "connection_request_count", "num_alive_connections", "connection_rejected", "connection_drop_count",
        "open_file_descriptor_count", "max_latency", "min_latency", "avg_latency",
        "rate(readlatency_sum[5m])", "rate(updatelatency_sum[5m])",
    ];

    [SkippableFact]
    public async Task Every_query_of_the_known_dashboard_that_means_something_in_a_proxy_has_data()
    {
        Skip.IfNot(RunningPrometheus.IsThere, Missing);
        var proxy = await _regions.StartProxyAsync();
        await using var prometheus = await RunningPrometheus.StartAsync([("us", proxy.Http.BaseAddress!)]);
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/apps", watch: true);
        await client.SetDataAsync("/apps", [1]);

        foreach (var query in Dashboard)
        {
            var asked = query.Contains('[') ? query.Replace("[", "{instance=~\".*\",job=~\"zoonet\"}[")
                : query + "{instance=~\".*\",job=~\"zoonet\"}";
            var given = 0;
            for (var i = 0; i < 200 && (given = await prometheus.CountAsync(asked)) == 0; i++)
            {
                await Task.Delay(100);
            }
            Assert.True(given > 0, $"{asked} has no data");
        }
        Assert.Equal(1, await prometheus.CountAsync("node_changed_watch_count_sum == 1"));
        Assert.Equal(1, await prometheus.CountAsync("op_count_set_data == 1 and envoy_zoonet_zookeeper_setdata_rq == 1"));
        Assert.Equal(1, await prometheus.CountAsync("""zoonet_request_latency_seconds_count{op="write",cluster="us"} == 1"""));
        Assert.Equal(0, await prometheus.CountAsync("znode_count"));
    }

    /// <summary>The dashboard that config/ has for Grafana, with what Grafana puts in place of its variables.</summary>
    [SkippableFact]
    public async Task Every_query_of_our_own_dashboard_is_taken_and_has_data_and_its_panels_fit_together()
    {
        Skip.IfNot(RunningPrometheus.IsThere, Missing);
        var config = Path.Combine(DashboardTests.Root(), "config/grafana");
        var dashboard = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(config, "dashboards/zoonet.json")))!;
        var provisioned = await File.ReadAllTextAsync(Path.Combine(config, "provisioning/datasources/prometheus.yaml"));
        var panels = dashboard["panels"]!.AsArray();
        Assert.Equal(panels.Count, panels.Select(p => (int)p!["id"]!).Distinct().Count());
        // Of a grid of 24 columns each cell is one panel's.
        var cells = panels.SelectMany(p => CellsOf(p!["gridPos"]!)).ToList();
        Assert.Equal(cells.Count, cells.Distinct().Count());
        Assert.All(cells, c => Assert.InRange(c.Column, 0, 23));
        foreach (var source in Descendants(dashboard).OfType<JsonObject>().Select(o => o["datasource"]).OfType<JsonObject>())
        {
            Assert.Equal("prometheus", (string)source["type"]!);
            Assert.Contains($"uid: {(string)source["uid"]!},", provisioned, StringComparison.Ordinal);
        }

        // In this mode a read of the mount waits for a barrier after any write at home.
        var proxy = await _regions.StartProxyAsync(c => c with { Consistency = ConsistencyMode.Ordered });
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await using var prometheus = await RunningPrometheus.StartAsync([("us", proxy.Http.BaseAddress!)]);
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        var queries = panels.SelectMany(p => p!["targets"]!.AsArray()).Select(t => (string)t!["expr"]!).ToList();
        Assert.True(queries.Count >= 10, $"only {queries.Count} queries were found");
        Assert.Equal("label_values(zoonet_ready, region)", (string)dashboard["templating"]!["list"]![0]!["query"]!);
        foreach (var query in queries.Append("count by (region) (zoonet_ready)"))
        {
            var asked = query.Replace("$region", "us", StringComparison.Ordinal).Replace("$__rate_interval", "30s", StringComparison.Ordinal);
            Assert.DoesNotContain("$", asked, StringComparison.Ordinal);
            var began = DateTime.UtcNow;
            while (await prometheus.CountAsync(asked) == 0)
            {
                Assert.True(DateTime.UtcNow - began < TimeSpan.FromSeconds(30), $"{asked} has no data");
                await client.SetDataAsync("/apps", []);
                await client.GetDataAsync("/mnt/eu");
                await Task.Delay(100);
            }
        }
    }

    private static IEnumerable<(int Column, int Row)> CellsOf(JsonNode place) =>
        from column in Enumerable.Range((int)place["x"]!, (int)place["w"]!)
        from row in Enumerable.Range((int)place["y"]!, (int)place["h"]!)
        select (column, row);

    private static IEnumerable<JsonNode> Descendants(JsonNode? node) => (node switch
    {
        JsonObject o => o.Select(p => p.Value),
        JsonArray a => a,
        _ => [],
    }).SelectMany(Descendants).Prepend(node).OfType<JsonNode>();
}
