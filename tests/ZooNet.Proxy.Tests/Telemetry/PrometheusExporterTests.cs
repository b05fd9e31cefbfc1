using System.Diagnostics.Metrics;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Tests.Telemetry;

public sealed class PrometheusExporterTests : IDisposable
{
    private readonly Meter _meter = new("test");
    private readonly PrometheusExporter _exporter;

    public PrometheusExporterTests() => _exporter = new PrometheusExporter(_meter);

    public void Dispose()
    {
        _exporter.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void Counters_add_up_by_label_and_label_values_are_escaped()
    {
        var counter = _meter.CreateCounter<long>("requests_total", null, "Requests.");
        counter.Add(2, new KeyValuePair<string, object?>("mount", "/a\"b\\c\nd"));
        counter.Add(3, new KeyValuePair<string, object?>("mount", "/a\"b\\c\nd"));
        counter.Add(1, new KeyValuePair<string, object?>("mount", "/z"));

        Assert.Equal("""
            # HELP requests_total Requests.
            # TYPE requests_total counter
            requests_total{mount="/a\"b\\c\nd"} 5
            requests_total{mount="/z"} 1

            """.ReplaceLineEndings("\n"), _exporter.Scrape());
    }

    [Fact]
    public void A_histogram_has_cumulative_buckets_a_sum_and_a_count()
    {
        var histogram = _meter.CreateHistogram("latency_seconds", "s", "Latency.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 1] });
        foreach (var value in new[] { 0.05, 0.1, 0.5, 3 })
        {
            histogram.Record(value);
        }

        Assert.Equal("""
            # HELP latency_seconds Latency.
            # TYPE latency_seconds histogram
            latency_seconds_bucket{le="0.1"} 2
            latency_seconds_bucket{le="1"} 3
            latency_seconds_bucket{le="+Inf"} 4
            latency_seconds_sum 3.65
            latency_seconds_count 4

            """.ReplaceLineEndings("\n"), _exporter.Scrape());
    }

    [Fact]
    public void A_series_that_is_no_longer_observed_is_gone_from_the_next_scrape()
    {
        var mounts = new List<string> { "/a", "/b" };
        _meter.CreateObservableGauge("up", () => mounts.Select(m => new Measurement<int>(1, new KeyValuePair<string, object?>("mount", m))));

        Assert.Contains("up{mount=\"/b\"} 1", _exporter.Scrape());
        mounts.Remove("/b");

        var text = _exporter.Scrape();
        Assert.Contains("up{mount=\"/a\"} 1", text);
        Assert.DoesNotContain("/b", text);
    }

    [Fact]
    public void Other_meters_of_the_process_are_left_alone()
    {
        using var other = new Meter("test");
        other.CreateCounter<long>("foreign").Add(1);

        Assert.DoesNotContain("foreign", _exporter.Scrape());
    }
}
