using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZooNet.Bench;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// Reads of a mounted cluster: straight from its ensemble, through a proxy with a ZooKeeper observer beside it, and through a proxy that
/// is an observer itself. Every round measures all of them one after another, in an order that rotates.
/// </summary>
internal sealed class ObserverExperiment(HomeOptions options, TextWriter log)
{
    private sealed record Way(string Name, ServerAddress Address, string Path, IReadOnlyList<int> Processes);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var us = await RealEnsemble.StartAsync("us");
        await using var ca = await RealEnsemble.StartAsync("ca");
        await using var remote = await RealEnsemble.StartAsync("eu", new RealEnsembleOptions { Voters = options.Voters, LocalObservers = 1, Jvm = RunningFast.Jvm });
        var observer = remote.Observers.Single();
        await using (var zk = await remote.ConnectAsync())
        {
            await zk.CreateAsync("/apps", [], cancellationToken: cancellationToken);
        }
        await using var beside = await ProxyAsync(us, new JsonObject { ["observers"] = new JsonArray(observer.Address.ToString()) }, "/mnt/beside");
        await using var own = await ProxyAsync(ca, new JsonObject { ["quorum"] = new JsonArray([.. remote.QuorumPorts.Select(p => (JsonNode)$"{p.Host}:{p.Port}")]) }, "/mnt/own");
        Way[] ways =
        [
            new("direct", remote.Addresses[0], "/apps", [remote.Voters.First().ProcessId]),
            new("proxy and ZooKeeper observer", beside.Address, "/mnt/beside", [beside.ProcessId, observer.ProcessId]),
            new("proxy as observer", own.Address, "/mnt/own", [own.ProcessId]),
        ];
        (int Window, int Read)[] cells = [.. from read in options.Reads from window in options.Windows select (window, read)];
        var machine = Machine.Describe();
        var results = cells.ToDictionary(cell => cell, _ => ways.ToDictionary(way => way.Name, _ => (Rate: new Sample(), Cpu: new Sample(), P50: new Sample(), P99: new Sample())));
        // One round that is not counted lets all of them reach their steady state.
        for (var round = -1; round < options.Rounds; round++)
        {
            foreach (var cell in cells)
            {
                for (var i = 0; i < ways.Length; i++)
                {
                    var way = ways[(i + round + ways.Length) % ways.Length];
                    var report = await MeasureAsync(way, cell.Window, cell.Read, cancellationToken);
                    var cpu = report.Cpu.Sum(one => one.MicrosecondsPerRequest);
                    await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                        $"round {round + 1}/{options.Rounds}: {Name(cell)}: {way.Name}: {report.PerSecond:0}/s, {cpu:0.0} µs CPU per request{(report.HasErrors ? ", ERRORS" : "")}"));
                    if (round >= 0)
                    {
                        var kind = report.Kinds.Values.MaxBy(one => one.Count)!;
                        var result = results[cell][way.Name];
                        result.Rate.Add(report.PerSecond);
                        result.Cpu.Add(cpu);
                        result.P50.Add(kind.P50Us / 1000);
                        result.P99.Add(kind.P99Us / 1000);
                    }
                }
            }
        }

        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture,
            $"{machine}; {options.Voters} voter(s), {options.Clients} clients, 1 KB, {options.Rounds} interleaved rounds of {options.Seconds:0.#} s. Median (smallest–largest).");
        table.AppendLine();
        table.AppendLine("| load | way | requests per second | p50 ms | p99 ms | CPU µs per request | throughput ÷ direct |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- |");
        foreach (var cell in cells)
        {
            foreach (var way in ways)
            {
                var (rate, cpu, p50, p99) = results[cell][way.Name];
                table.AppendLine($"| {Name(cell)} | {way.Name} | {rate.ToString("#,0")} | {p50.ToString("0.00")} | {p99.ToString("0.00")} | {cpu.ToString("0.0")} "
                    + $"| {(way == ways[0] ? "" : rate.Over(results[cell][ways[0].Name].Rate).ToString("0.00"))} |");
            }
        }
        await log.WriteLineAsync($"\n{table}");
        options.Out.Create();
        await WriteAsync("observer.md", table.ToString());
        await WriteAsync("observer.svg", new SvgPlot { Title = "A mount: throughput", XTitle = "", YTitle = "requests per second", XNames = [.. cells.Select((cell, i) => ((double)i, Name(cell)))] }
            .Bars([.. ways.Select(way => new PlotSeries(way.Name, [.. cells.Select((cell, i) => Point(i, results[cell][way.Name].Rate))]))]));
        await WriteAsync("observer.json", JsonSerializer.Serialize(cells.ToDictionary(Name, cell => ways.ToDictionary(way => way.Name, way => new
        {
            perSecond = results[cell][way.Name].Rate.Values,
            cpuUs = results[cell][way.Name].Cpu.Values,
            p50Ms = results[cell][way.Name].P50.Values,
            p99Ms = results[cell][way.Name].P99.Values,
        })), new JsonSerializerOptions { WriteIndented = true }));
    }

    private static string Name((int Window, int Read) cell) =>
        $"{(cell.Read == 100 ? "reads" : cell.Read == 0 ? "updates" : $"{cell.Read}% reads")}, window {cell.Window}";

    private static PlotPoint Point(double x, Sample sample) => new(x, sample.Median, sample.Low, sample.High);

    private static async Task<ProxyProcess> ProxyAsync(RealEnsemble home, JsonObject remote, string path)
    {
        var proxy = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [], new JsonObject
        {
            ["remotes"] = new JsonObject { ["eu"] = remote },
        });
        await proxy.WaitClustersAsync();
        await proxy.MountAsync("eu:/apps", path, "create");
        return proxy;
    }

    private async Task<BenchReport> MeasureAsync(Way way, int window, int read, CancellationToken cancellationToken) => (await BenchRun.RunAsync([new BenchOptions
    {
        Label = $"{way.Name}, {Name((window, read))}",
        Servers = [way.Address],
        Local = way.Path,
        Clients = options.Clients,
        Window = window,
        ReadShare = read / 100.0,
        Warmup = TimeSpan.FromSeconds(Math.Min(1, options.Seconds / 3)),
        Duration = TimeSpan.FromSeconds(options.Seconds),
        CpuOf = way.Processes,
    }], null, cancellationToken))[0];

    private Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(options.Out.FullName, name), text);
}
