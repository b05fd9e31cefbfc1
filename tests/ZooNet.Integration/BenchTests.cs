using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Xml.Linq;
using ZooNet.Bench;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Wan;

namespace ZooNet.Integration;

/// <summary>The load generator and what it reports.</summary>
[Collection(RegionsCollection.Name)]
public sealed class BenchTests(RegionsFixture regions)
{
    [SkippableFact]
    public async Task A_run_counts_each_kind_by_its_share_and_leaves_nothing_behind()
    {
        Jars.Require();
        // Two paths of one ensemble stand for a local and a remote cluster: the shares are what is looked at.
        await using var client = await regions.Us.ConnectAsync();
        var remote = (await client.CreateAsync($"/remote-{Guid.NewGuid():n}")).Path;
        var options = Short("shares") with { Remotes = [remote], ReadShare = 0.75, LocalShare = 0.6, Burst = 5, Znodes = 20 };

        BenchReport report;
        long total;
        do
        {
            // Until there were enough for shares to mean something: at 5,000 requests, bounds that are seven and more standard deviations
            // wide.
            options = options with { Duration = 2 * options.Duration };
            report = (await BenchRun.RunAsync([options], null, default))[0];
            total = report.Kinds.Values.Sum(kind => (long)kind.Count);
        }
        while (total < 5000 && options.Duration < TimeSpan.FromMinutes(1));
        await BenchPreparation.RemoveAsync(new Workload(options), default);

        double Share(params RequestKind[] kinds) => kinds.Sum(kind => report.Kinds[kind].Count) / (double)total;
        Assert.Equal(0.75, Share(RequestKind.LocalRead, RequestKind.RemoteRead), 0.05);
        Assert.Equal(0.6, Share(RequestKind.LocalRead, RequestKind.LocalUpdate), 0.1);
        Assert.False(report.HasErrors);
        Assert.Equal(report.PerSecond, report.Timeline.Sum() / report.Seconds, 3);
        Assert.False((await client.ExistsAsync($"/{options.Root}")).Exists);
        Assert.Empty((await client.GetChildrenAsync(remote)).Names);
    }

    [SkippableFact]
    public async Task Updates_are_executed_by_the_cluster()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var options = Short("updates") with { ReadShare = 0, Znodes = 1, Size = 100 };
        var report = (await BenchRun.RunAsync([options], null, default))[0];
        await client.SyncAsync();
        var znode = await client.GetDataAsync($"/{options.Root}/n000000");
        await BenchPreparation.RemoveAsync(new Workload(options), default);

        Assert.Equal(100, znode.Data!.Length);
        // Warm-up and requests that end after the measured time are executed too, so the znode counts more.
        Assert.True(znode.Stat.Version >= report.Kinds[RequestKind.LocalUpdate].Count, $"version {znode.Stat.Version}, {report.Kinds[RequestKind.LocalUpdate].Count} updates reported");
    }

    [SkippableFact]
    public async Task The_open_loop_keeps_its_rate_and_charges_a_stall_to_everything_due_meanwhile()
    {
        Jars.Require();
        var server = regions.Us.Voters.Single();
        await using var relay = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.Loopback, server.ClientPort));
        var options = Short("open") with
        {
            Servers = [new ServerAddress("127.0.0.1", relay.LocalEndPoint.Port)],
            Clients = 2,
            Window = 4,
            Rate = 400,
            ReadShare = 1,
            Znodes = 10,
            Warmup = TimeSpan.FromSeconds(0.5),
            Duration = TimeSpan.FromSeconds(4),
        };
        var (running, measuring) = Run(options);
        await measuring;
        relay.Cut(silent: true);
        await Task.Delay(TimeSpan.FromSeconds(1.5));
        relay.Heal();
        var report = (await running)[0];
        await BenchPreparation.RemoveAsync(new Workload(options), default);

        // A second and a half of four is silent: a closed loop would record eight slow requests of hundreds, the open one a quarter of all.
        var reads = report.Kinds[RequestKind.LocalRead];
        Assert.InRange(reads.Count, 100, 1620);
        Assert.True(reads.P95Us > 500_000, $"p95 {reads.P95Us} µs");
        Assert.Empty(report.Errors);
    }

    [SkippableFact]
    public async Task Lost_connections_are_counted_and_made_again()
    {
        Jars.Require();
        var server = regions.Us.Voters.Single();
        await using var relay = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.Loopback, server.ClientPort));
        var options = Short("loss") with { Servers = [new ServerAddress("127.0.0.1", relay.LocalEndPoint.Port)], Duration = TimeSpan.FromSeconds(4), Clients = 3 };
        var (running, measuring) = Run(options);
        await measuring;
        relay.Cut();
        relay.Heal();
        var report = (await running)[0];
        await BenchPreparation.RemoveAsync(new Workload(options), default);
        Assert.Equal(3, report.Disconnects);
        Assert.True(report.Errors["ConnectionLoss"] > 0);
        Assert.True(report.Timeline.Skip(report.Timeline.Count / 4).Sum() > 0, "the clients came back");
    }

    [SkippableFact]
    public async Task Kept_sessions_serve_the_next_run_and_those_that_ended_are_made_again()
    {
        Jars.Require();
        var server = regions.Us.Voters.Single();
        await using var relay = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.Loopback, server.ClientPort));
        var address = new ServerAddress("127.0.0.1", relay.LocalEndPoint.Port);
        var options = Short("kept") with { Servers = [address], Clients = 3, Znodes = 10 };
        using var sessions = new LoadSessions(TimeProvider.System);
        Socket[] Sockets() => [.. Enumerable.Range(0, sessions.Count).Select(_ =>
        {
            var session = sessions.Take(address)!.Value;
            sessions.Keep(address, session);
            return session.Socket;
        })];

        await BenchRun.RunAsync([options], null, default, sessions);
        var first = Sockets();
        var second = (await BenchRun.RunAsync([options with { ReadShare = 1, Window = 2, Seed = 2 }], null, default, sessions))[0];
        Assert.Equal(first.ToHashSet(), Sockets().ToHashSet());
        Assert.Equal(3, first.Length);
        Assert.False(second.HasErrors);
        Assert.Equal([RequestKind.LocalRead], second.Kinds.Keys);

        sessions.KeepAlive(TimeSpan.Zero);
        Assert.Equal(3, sessions.Count);
        relay.Cut();
        sessions.KeepAlive(TimeSpan.Zero);
        Assert.Equal(0, sessions.Count);
        relay.Heal();
        var third = (await BenchRun.RunAsync([options], null, default, sessions))[0];
        await BenchPreparation.RemoveAsync(new Workload(options), default);
        Assert.Equal(3, sessions.Count);
        Assert.False(third.HasErrors);
    }

    [Fact]
    public async Task Wrong_usage_is_refused_with_a_reason_and_right_usage_reaches_the_network()
    {
        // Nothing listens there: an answer about the connection means that the options were understood.
        var nowhere = $"127.0.0.1:{FreePorts.Take()}";
        string[] right = ["bench", "--server", nowhere, "--admin", "http://127.0.0.1:9", "--remote", "/mnt/eu", "--warmup", "10ms", "--duration", "10ms"];
        foreach (var (args, code, said) in ((string[], int, string)[])[
            (right, 1, "bench"),
            ([.. right, "--remote", "mnt"], 2, "must start with '/'"),
            ([.. right, "--read", "101"], 2, "--read must be 0 to 100"),
            ([.. right, "--rate", "-1"], 2, "--rate must not be negative"),
            ([.. right, "--clients", "0"], 2, "--clients must be 1 to"),
            (["bench", "--admin", "nonsense"], 2, "not an http URL"),
            (["wan", "--listen", nowhere, "--to", nowhere, "--rtt", "fast"], 2, "'fast' is not a duration"),
            (["wan", "--listen", nowhere, "--to", nowhere, "--buffer", "1k"], 2, "--buffer must be")])
        {
            var output = Path.GetTempFileName();
            await using var process = ChildProcess.Start(output, "dotnet", ["exec", ProxyProcess.Program, .. args]);
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(90));
            Assert.True(process.ExitCode == code && process.Output.Contains(said, StringComparison.Ordinal), $"{string.Join(' ', args)}: exit {process.ExitCode}: {process.Output}");
            File.Delete(output);
        }
    }

    [Fact]
    public void Percentiles_are_within_one_percent()
    {
        var histogram = new LatencyHistogram();
        for (var us = 1; us <= 100_000; us++)
        {
            histogram.Record(TimeSpan.FromMicroseconds(us));
        }
        foreach (var share in (double[])[0.01, 0.5, 0.95, 0.99, 0.999, 1])
        {
            var us = histogram.Percentile(share).TotalMicroseconds;
            Assert.InRange(us / (share * 100_000), 0.999, 1.01);
        }
        Assert.Equal(50_000.5, histogram.Mean.TotalMicroseconds, 1);
        var twice = new LatencyHistogram();
        twice.Add(histogram);
        twice.Add(histogram);
        Assert.Equal((200_000, histogram.Percentile(0.9)), (twice.Count, twice.Percentile(0.9)));
    }

    [Fact]
    public void The_cpu_time_of_a_process_is_what_it_has_used()
    {
        using var self = Process.GetCurrentProcess();
        var before = self.TotalProcessorTime;
        var read = ProcessCpu.Of(Environment.ProcessId)!.Value;
        self.Refresh();
        Assert.InRange(read, before - TimeSpan.FromMilliseconds(20), self.TotalProcessorTime + TimeSpan.FromMilliseconds(20));
        Assert.Null(ProcessCpu.Of(int.MaxValue));
    }

    [Fact]
    public void A_plot_is_well_formed_and_names_its_series()
    {
        var plot = new SvgPlot { Title = "a < b & c", XTitle = "x", YTitle = "y", XNames = [(0, "first"), (1, "second")] };
        PlotSeries[] series = [new("direct", [new(0, 10, 9, 12), new(1, 20)]), new("proxy", [new(0, 5), new(1, 8)])];
        foreach (var svg in (string[])[plot.Lines(series), plot.Bars(series)])
        {
            var texts = XDocument.Parse(svg).Descendants().Where(element => element.Name.LocalName == "text").Select(element => element.Value).ToArray();
            Assert.Contains("a < b & c", texts);
            Assert.Contains("direct", texts);
            Assert.Contains("second", texts);
        }
        // Four bars, two legend marks, the background.
        Assert.Equal(7, XDocument.Parse(plot.Bars(series)).Descendants().Count(element => element.Name.LocalName == "rect"));
    }

    /// <summary>Starts a run; the second task ends when its measurement begins, with every client connected.</summary>
    private static (Task<IReadOnlyList<BenchReport>> Running, Task Measuring) Run(BenchOptions options)
    {
        var measuring = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = BenchRun.RunAsync([options], () =>
        {
            measuring.TrySetResult();
            return Task.FromResult<long?>(null);
        }, default);
        return (running, measuring.Task.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    private BenchOptions Short(string name) => new()
    {
        Servers = regions.Us.Addresses,
        Root = $"bench-{name}-{Guid.NewGuid():n}",
        Clients = 4,
        Window = 8,
        Znodes = 50,
        Warmup = TimeSpan.FromMilliseconds(300),
        Duration = TimeSpan.FromSeconds(1),
    };
}
