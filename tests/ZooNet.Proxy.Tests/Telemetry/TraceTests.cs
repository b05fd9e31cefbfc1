using System.Collections.Concurrent;
using System.Diagnostics;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Tests.Telemetry;

public sealed class TraceTests
{
    [Fact]
    public async Task A_traced_read_tells_of_its_barrier_and_of_the_server_that_answered()
    {
        await using var regions = await TwoRegions.StartAsync();
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync(c => c with { Consistency = ConsistencyMode.Ordered });
        await proxy.MountAsync("eu:/apps", "/traced/eu");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await client.GetDataAsync("/traced/eu");
        await client.CreateAsync("/written");
        var spans = new ConcurrentQueue<Activity>();
        using var listener = Listen(spans.Enqueue);

        await client.GetDataAsync("/traced/eu");
        // The span ends before its answer is sent, so it is there.

        var session = $"0x{client.SessionId:x}";
        var span = Assert.Single(spans, s => s.GetTagItem("zoonet.path") as string == "/traced/eu");
        Assert.Equal(("GetData", session), (span.DisplayName, span.GetTagItem("zoonet.session")));
        Assert.Equal(
            ["barrier done eu", "frame from server eu"],
            span.Events.Select(e => $"{e.Name} {e.Tags.Single(t => t.Key == "zoonet.cluster").Value}"));
        Assert.Null(Activity.Current);
    }

    [Theory]
    [InlineData("traceidratio", "0.01", 0.01)]
    [InlineData("ParentBased_TraceIdRatio", "1", 1.0)]
    [InlineData("traceidratio", "2", null)]
    [InlineData("traceidratio", null, null)]
    [InlineData("always_on", "0.01", null)]
    public void Chance_stands_in_for_samplers_by_ratio_and_for_no_other(string sampler, string? argument, double? share)
    {
        Assert.Equal(share, TraceExport.ShareOf(sampler, argument));
    }

    [Fact]
    public async Task About_as_many_requests_are_traced_as_chance_chooses()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync();
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        var spans = new ConcurrentQueue<Activity>();
        using var listener = Listen(spans.Enqueue);

        RequestTrace.Share = 0.2;
        try
        {
            for (var i = 0; i < 500; i++)
            {
                await client.ExistsAsync("/by-chance");
            }
        }
        finally
        {
            RequestTrace.Share = 1;
        }

        // Of 500, 100: nine deviations to either side.
        Assert.InRange(spans.Count(s => s.GetTagItem("zoonet.path") as string == "/by-chance"), 20, 180);
    }

    [Fact]
    public async Task A_request_that_is_never_answered_ends_as_an_error_with_its_connection()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { DrainTimeout = TimeSpan.FromSeconds(1) });
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        await proxy.MountAsync("eu:/apps", "/unanswered/eu");
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await regions.Eu.DisposeAsync();
        using var hanging = new System.Net.Sockets.TcpListener(regions.Eu.Address);
        hanging.Start();
        var ended = new TaskCompletionSource<Activity>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var listener = Listen(span =>
        {
            if (span.GetTagItem("zoonet.path") as string == "/unanswered/eu")
            {
                ended.TrySetResult(span);
            }
        });
        var read = client.GetDataAsync("/unanswered/eu");
        await TwoRegions.Eventually(async () => (await proxy.Http.GetStringAsync("/api/v1/sessions")).Contains("a link to eu before /unanswered/eu"));

        await proxy.Host.StopAsync();

        Assert.Equal(ActivityStatusCode.Error, (await ended.Task.WaitAsync(TimeSpan.FromSeconds(60))).Status);
        await Assert.ThrowsAnyAsync<Exception>(() => read);
    }

    /// <summary>Traces everything in this process.</summary>
    private static ActivityListener Listen(Action<Activity> stopped)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == RequestTrace.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = stopped,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
