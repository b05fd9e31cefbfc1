using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using ZooNet.Bench;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Server;

namespace ZooNet.Experiments;

/// <summary>
/// What a proxy's cost depends on: memory per idle session, CPU per request as idle sessions, busy sessions and mounts grow, and how
/// long a storm of connects takes. Servers are embedded ones, so that the machine is the proxy's.
/// </summary>
internal sealed class ScaleExperiment(ScaleOptions options, TextWriter log)
{
    private const int Connections = 9_600;
    private readonly StringBuilder _text = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Line($"{Machine.Describe()}; embedded servers, {options.Rounds} rounds of {options.Seconds:0.#} s. Median (smallest–largest).");
        await IdleAsync(cancellationToken);
        await BusyAsync(cancellationToken);
        await StormAsync();
        await MountsAsync(cancellationToken);
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "scale.md"), _text.ToString(), cancellationToken);
    }

    private async Task IdleAsync(CancellationToken cancellationToken)
    {
        await using var home = await EmbeddedServer.StartAsync(cancel: cancellationToken);
        await using var proxy = await ProxyProcess.StartAsync(Home(home), [], AllFromHere());
        // Traffic first, so that what the runtime needs once is not charged to the sessions.
        await LoadAsync(proxy, 8, 16, [], cancellationToken);
        var empty = await SettledAsync(proxy);
        Line("");
        Line("| idle sessions | resident MB | KB per session | CPU µs per request, 8 busy clients, window 16, reads |");
        Line("| --- | --- | --- | --- |");
        var curve = new List<PlotPoint>();
        await using var idle = new IdleSessions();
        foreach (var count in options.Idle.Prepend(0))
        {
            await idle.OpenAsync(proxy.Address, count - idle.Count, 50);
            var resident = await SettledAsync(proxy);
            var cpu = new Sample();
            for (var round = 0; round < options.Rounds; round++)
            {
                cpu.Add((await LoadAsync(proxy, 8, 16, [], cancellationToken)).Cpu[0].MicrosecondsPerRequest);
            }
            curve.Add(new PlotPoint(count, cpu.Median, cpu.Low, cpu.High));
            Line($"| {count:#,0} ({idle.Alive:#,0} alive) | {resident / 1e6:0.0} | {(count == 0 ? "" : ((resident - empty) / 1024.0 / count).ToString("0.0", CultureInfo.InvariantCulture))} | {cpu.ToString("0.0")} |");
        }
        await PlotAsync("scale-sessions.svg", "Cost of a request as idle sessions grow", "idle sessions", [new PlotSeries("zoonet", curve)]);
    }

    private async Task BusyAsync(CancellationToken cancellationToken)
    {
        await using var home = await EmbeddedServer.StartAsync(cancel: cancellationToken);
        await using var proxy = await ProxyProcess.StartAsync(Home(home), [], AllFromHere());
        Line("");
        Line("| busy sessions (window 1, reads) | requests per second | p50 ms | p99 ms | CPU µs per request |");
        Line("| --- | --- | --- | --- | --- |");
        foreach (var clients in options.Busy)
        {
            var (rate, p50, p99, cpu) = (new Sample(), new Sample(), new Sample(), new Sample());
            for (var round = 0; round < options.Rounds; round++)
            {
                var report = await LoadAsync(proxy, clients, 1, [], cancellationToken);
                var reads = report.Kinds[RequestKind.LocalRead];
                rate.Add(report.PerSecond);
                p50.Add(reads.P50Us / 1000);
                p99.Add(reads.P99Us / 1000);
                cpu.Add(report.Cpu[0].MicrosecondsPerRequest);
            }
            Line($"| {clients:#,0} | {rate.ToString("#,0")} | {p50.ToString("0.00")} | {p99.ToString("0.00")} | {cpu.ToString("0.0")} |");
        }
    }

    private async Task StormAsync()
    {
        await using var home = await EmbeddedServer.StartAsync();
        await using var proxy = await ProxyProcess.StartAsync(Home(home), [], AllFromHere());
        Line("");
        Line($"| {options.Storm:#,0} clients connect at once | all connected after ms | p50 ms | p99 ms |");
        Line("| --- | --- | --- | --- |");
        foreach (var (name, server) in ((string, ServerAddress)[])[("to the server", Address(home)), ("to the proxy", proxy.Address)])
        {
            var (all, p50, p99) = (new Sample(), new Sample(), new Sample());
            for (var round = 0; round < options.Rounds; round++)
            {
                await using var clients = new IdleSessions();
                var began = TimeProvider.System.GetTimestamp();
                var took = await clients.OpenAsync(server, options.Storm, options.Storm);
                all.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
                p50.Add(took[took.Length / 2].TotalMilliseconds);
                p99.Add(took[took.Length * 99 / 100].TotalMilliseconds);
            }
            Line($"| {name} | {all.ToString("0")} | {p50.ToString("0")} | {p99.ToString("0")} |");
        }
    }

    /// <summary>A proxy with one mount against one with many, in turn; each has a home of its own, and the remotes are shared.</summary>
    private async Task MountsAsync(CancellationToken cancellationToken)
    {
        var remotes = new List<EmbeddedServer>();
        try
        {
            for (var i = 0; i < options.Clusters; i++)
            {
                var remote = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Epoch = i + 2 }, cancellationToken);
                remotes.Add(remote);
                await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [Address(remote)] }, cancellationToken);
                for (var part = 0; part < Math.Max(1, options.Mounts / options.Clusters); part++)
                {
                    await client.CreateAsync($"/part{part}", cancellationToken: cancellationToken);
                }
            }
            var clusters = remotes.Select((remote, i) => new ProxyCluster($"c{i:d2}", [Address(remote)], [])).ToArray();
            await using var homeOne = await EmbeddedServer.StartAsync(cancel: cancellationToken);
            await using var homeMany = await EmbeddedServer.StartAsync(cancel: cancellationToken);
            await using var one = await ProxyProcess.StartAsync(Home(homeOne), clusters[..1]);
            await using var many = await ProxyProcess.StartAsync(Home(homeMany), clusters);
            await one.MountAsync("c00:/part0", "/mnt/c00/part0");
            for (var i = 0; i < options.Mounts; i++)
            {
                var (cluster, part) = (i % options.Clusters, i / options.Clusters);
                await many.MountAsync($"c{cluster:d2}:/part{part}", $"/mnt/c{cluster:d2}/part{part}");
            }
            Line("");
            Line("| mounts | load | requests per second | CPU µs per request | CPU ÷ one mount |");
            Line("| --- | --- | --- | --- | --- |");
            foreach (var (load, paths) in ((string, string[])[])[("home reads, window 16", []), ("mounted reads, window 16", ["/mnt/c00/part0"])])
            {
                var (rateOne, rateMany, cpuOne, cpuMany) = (new Sample(), new Sample(), new Sample(), new Sample());
                for (var round = -1; round < options.Rounds; round++)
                {
                    var first = await LoadAsync(one, 8, 16, paths, cancellationToken);
                    var second = await LoadAsync(many, 8, 16, paths, cancellationToken);
                    if (round >= 0)
                    {
                        rateOne.Add(first.PerSecond);
                        rateMany.Add(second.PerSecond);
                        cpuOne.Add(first.Cpu[0].MicrosecondsPerRequest);
                        cpuMany.Add(second.Cpu[0].MicrosecondsPerRequest);
                    }
                }
                Line($"| 1 | {load} | {rateOne.ToString("#,0")} | {cpuOne.ToString("0.0")} | |");
                Line($"| {options.Mounts} of {options.Clusters} clusters | {load} | {rateMany.ToString("#,0")} | {cpuMany.ToString("0.0")} | {cpuMany.Over(cpuOne).ToString("0.00")} |");
            }
        }
        finally
        {
            foreach (var remote in remotes)
            {
                await remote.DisposeAsync();
            }
        }
    }

    private async Task<BenchReport> LoadAsync(ProxyProcess proxy, int clients, int window, string[] remotes, CancellationToken cancellationToken) => (await BenchRun.RunAsync([new BenchOptions
    {
        Servers = [proxy.Address],
        Clients = clients,
        Window = window,
        ReadShare = 1,
        Remotes = remotes,
        LocalShare = remotes.Length > 0 ? 0 : 1,
        Warmup = TimeSpan.FromSeconds(1),
        Duration = TimeSpan.FromSeconds(options.Seconds),
        CpuOf = [proxy.ProcessId],
    }], null, cancellationToken))[0];

    /// <summary>Resident memory once it has stopped moving: the median of some looks.</summary>
    private static async Task<double> SettledAsync(ProxyProcess proxy)
    {
        var looks = new Sample();
        for (var i = 0; i < 7; i++)
        {
            await Task.Delay(500);
            looks.Add(proxy.ResidentBytes());
        }
        return looks.Median;
    }

    private async Task PlotAsync(string file, string title, string x, IReadOnlyList<PlotSeries> series)
    {
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, file), new SvgPlot { Title = title, XTitle = x, YTitle = "CPU µs per request" }.Lines(series));
    }

    /// <summary>All clients of a measurement come from one address; by default it may have half of the connections.</summary>
    private static JsonObject AllFromHere() =>
        new() { ["limits"] = new JsonObject { ["connections"] = Connections, ["connectionsPerAddress"] = Connections } };

    private static ProxyCluster Home(EmbeddedServer server) => new("home", [Address(server)], []);

    private static ServerAddress Address(EmbeddedServer server) => new(server.Address.Address.ToString(), server.Address.Port);

    private void Line(string text)
    {
        _text.AppendLine(text);
        log.WriteLine(text);
    }
}

/// <summary>What the scale experiment varies.</summary>
internal sealed record ScaleOptions(IReadOnlyList<int> Idle, IReadOnlyList<int> Busy, int Storm, int Mounts, int Clusters, int Rounds, double Seconds, DirectoryInfo Out);
