using Microsoft.Extensions.Time.Testing;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Tests.Telemetry;

public sealed class LatencyTests
{
    [Fact]
    public void A_quantile_is_off_by_a_fifth_at_most()
    {
        var random = new Random(7);
        var times = Enumerable.Range(0, 10_000).Select(_ => Math.Exp(random.NextDouble() * 9) / 10).Order().ToArray();
        var histogram = new LatencyHistogram();
        foreach (var ms in times)
        {
            histogram.Record(TimeSpan.FromMilliseconds(ms));
        }

        foreach (var share in new[] { 0.01, 0.5, 0.9, 0.99, 0.999 })
        {
            var exact = times[(int)(share * times.Length)];
            Assert.InRange(LatencyHistogram.QuantileMs(histogram.Counts(), share)!.Value / exact, 0.8, 1.25);
        }
        Assert.Equal(times.Sum() / 1000, histogram.Sum, 0.01);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(128)]
    [InlineData(1000)]
    [InlineData(1_000_000_000_000)]
    public void A_time_is_counted_below_the_bound_that_it_does_not_exceed(long microseconds)
    {
        var histogram = new LatencyHistogram();
        histogram.Record(TimeSpan.FromMicroseconds(microseconds));

        var upTo = LatencyHistogram.UpTo(histogram.Counts()).ToList();

        Assert.Equal(LatencyHistogram.Bounds.Count, upTo.Count);
        Assert.All(LatencyHistogram.Bounds.Zip(upTo), b => Assert.Equal(microseconds <= b.First * 1e6 ? 1 : 0, b.Second));
        Assert.Equal(1, histogram.Counts().Sum());
    }

    [Fact]
    public void What_is_long_ago_is_no_part_of_what_is_recent()
    {
        var time = new FakeTimeProvider();
        var latencies = new Latencies(2, time);
        latencies.Of(1, LatencyKind.Write).Record(TimeSpan.FromMilliseconds(3));
        Assert.Equal(1, latencies.Recent(1, LatencyKind.Write).Sum());
        Assert.Equal(0, latencies.Recent(0, LatencyKind.Write).Sum());

        time.Advance(Latencies.Window);
        latencies.Of(1, LatencyKind.Write).Record(TimeSpan.FromMilliseconds(5));
        Assert.Equal(1, latencies.Recent(1, LatencyKind.Write).Sum());
        time.Advance(Latencies.Window);
        Assert.Equal(0, latencies.Recent(1, LatencyKind.Write).Sum());
        Assert.Null(LatencyHistogram.QuantileMs(latencies.Recent(1, LatencyKind.Write), 0.5));
    }

    [Fact]
    public async Task Requests_are_timed_at_the_cluster_that_answers_and_a_read_with_its_barrier()
    {
        await using var regions = await TwoRegions.StartAsync();
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(c => c with { Consistency = ConsistencyMode.Ordered });
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.CreateAsync("/written");
        await client.GetDataAsync("/mnt/eu");

        var latencies = proxy.Host.Path.Traffic.Latencies;
        var counts = from cluster in new[] { 0, 1 }
                     from kind in Enum.GetValues<LatencyKind>()
                     select latencies.Of(cluster, kind).Counts().Sum();
        Assert.Equal([0, 1, 0, 1, 0, 1], counts);
        Assert.True(latencies.Of(1, LatencyKind.Read).Sum >= latencies.Of(1, LatencyKind.Barrier).Sum, "the wait is left out");
        var told = (await proxy.StatusAsync()).Latencies!;
        Assert.Equal(["us write", "eu read", "eu barrier"], told.Select(l => $"{l.Cluster} {l.Kind}"));
        Assert.All(told, l => Assert.True(l is { Count: 1, P50Ms: > 0 } && l.P99Ms >= l.P50Ms, l.ToString()));
    }

    [Fact]
    public async Task A_request_that_waits_to_be_sent_is_outstanding()
    {
        await using var regions = await TwoRegions.StartAsync();
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(c => c with { DrainTimeout = TimeSpan.FromSeconds(1) });
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await regions.Eu.DisposeAsync();
        using var hanging = new System.Net.Sockets.TcpListener(regions.Eu.Address);
        hanging.Start();

        var read = client.GetDataAsync("/mnt/eu");

        await TwoRegions.Eventually(async () => (await proxy.Http.GetStringAsync("/metrics")).Contains("\noutstanding_requests 1\n"));
        await proxy.Host.StopAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => read);
    }
}
