using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Bench;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// All traffic at home: straight to the ensemble, through HAProxy in TCP mode, and through ZooNet. Every round measures all three one
/// after another, in an order that rotates, so that whatever else the machine does hits all of them.
/// </summary>
internal sealed class HomeExperiment(HomeOptions options, TextWriter log)
{
    private readonly record struct Cell(int Window, double ReadShare)
    {
        public string Name => $"{(ReadShare == 1 ? "reads" : ReadShare == 0 ? "updates" : $"{ReadShare * 100:0}% reads")}, window {Window}";
    }

    private sealed record Way(string Name, ServerAddress Address, int? ProcessId);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var ensemble = await RealEnsemble.StartAsync("us", new RealEnsembleOptions { Voters = options.Voters, Jvm = RunningFast.Jvm });
        await using var haProxy = await HaProxy.StartAsync(ensemble.Addresses);
        await using var zooNet = await ProxyProcess.StartAsync(ProxyCluster.Home(ensemble), []);
        await using var other = options.Beside is { } program ? await ProxyProcess.StartAsync(ProxyCluster.Home(ensemble), [], program: program) : null;
        List<Way> ways =
        [
            new("direct", ensemble.Addresses[0], null), new("haproxy", haProxy.Address, haProxy.ProcessId), new("zoonet", zooNet.Address, zooNet.ProcessId),
        ];
        if (other is not null)
        {
            ways.Add(new Way("beside", other.Address, other.ProcessId));
        }
        Cell[] cells = [.. from window in options.Windows from read in options.Reads select new Cell(window, read / 100.0)];
        var machine = Machine.Describe();

        var rates = cells.ToDictionary(cell => cell, _ => ways.ToDictionary(way => way.Name, _ => new Sample()));
        var cpu = cells.ToDictionary(cell => cell, _ => ways.ToDictionary(way => way.Name, _ => new Sample()));
        var p50 = cells.ToDictionary(cell => cell, _ => ways.ToDictionary(way => way.Name, _ => new Sample()));
        var p99 = cells.ToDictionary(cell => cell, _ => ways.ToDictionary(way => way.Name, _ => new Sample()));
        // One round that is not counted lets all three reach their steady state.
        for (var round = -1; round < options.Rounds; round++)
        {
            foreach (var cell in cells)
            {
                for (var i = 0; i < ways.Count; i++)
                {
                    var way = ways[(i + round + ways.Count) % ways.Count];
                    var report = await MeasureAsync(way, cell, cancellationToken);
                    await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                        $"round {round + 1}/{options.Rounds}: {cell.Name}: {way.Name}: {report.PerSecond:0}/s{(report.Cpu.Count > 0 ? $", {report.Cpu[0].MicrosecondsPerRequest:0.0} µs CPU per request" : "")}{(report.HasErrors ? ", ERRORS" : "")}"));
                    if (round < 0)
                    {
                        continue;
                    }
                    rates[cell][way.Name].Add(report.PerSecond);
                    var kind = report.Kinds.Values.MaxBy(one => one.Count)!;
                    p50[cell][way.Name].Add(kind.P50Us / 1000);
                    p99[cell][way.Name].Add(kind.P99Us / 1000);
                    if (report.Cpu.Count > 0)
                    {
                        cpu[cell][way.Name].Add(report.Cpu[0].MicrosecondsPerRequest);
                    }
                }
            }
        }

        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"{machine}; {options.Voters} voter(s), {options.Clients} clients, 1 KB, {options.Rounds} interleaved rounds of {options.Seconds:0.#} s. Median (smallest–largest).");
        table.AppendLine();
        table.AppendLine("| load | way | requests per second | p50 ms | p99 ms | CPU µs per request | throughput ÷ HAProxy | CPU ÷ HAProxy |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var cell in cells)
        {
            foreach (var way in ways)
            {
                var isZooNet = way.Name is "zoonet" or "beside";
                table.AppendLine($"| {cell.Name} | {way.Name} | {rates[cell][way.Name].ToString("#,0")} | {p50[cell][way.Name].ToString("0.00")} | {p99[cell][way.Name].ToString("0.00")} | {cpu[cell][way.Name].ToString("0.0")} "
                    + $"| {(isZooNet ? rates[cell][way.Name].Over(rates[cell]["haproxy"]).ToString("0.00") : "")} | {(isZooNet ? cpu[cell][way.Name].Over(cpu[cell]["haproxy"]).ToString("0.00") : "")} |");
            }
        }
        await log.WriteLineAsync($"\n{table}");
        await WriteAsync("home.md", table.ToString());
        var names = cells.Select((cell, i) => ((double)i, cell.Name)).ToArray();
        IReadOnlyList<PlotSeries> Series(Dictionary<Cell, Dictionary<string, Sample>> samples, IEnumerable<string> which) => [.. which.Select(way => new PlotSeries(way,
            [.. cells.Select((cell, i) => new PlotPoint(i, samples[cell][way].Median, samples[cell][way].Low, samples[cell][way].High))]))];
        await WriteAsync("home-throughput.svg", new SvgPlot { Title = "All at home: throughput", XTitle = "", YTitle = "requests per second", XNames = names }
            .Bars(Series(rates, ways.Select(way => way.Name))));
        await WriteAsync("home-cpu.svg", new SvgPlot { Title = "All at home: CPU of the proxy", XTitle = "", YTitle = "µs per request", XNames = names }
            .Bars(Series(cpu, ways.Select(way => way.Name).Where(name => name != "direct"))));
        await WriteAsync("home.json", JsonSerializer.Serialize(cells.ToDictionary(cell => cell.Name, cell => ways.ToDictionary(way => way.Name,
            way => new { perSecond = rates[cell][way.Name].Values, p50Ms = p50[cell][way.Name].Values, p99Ms = p99[cell][way.Name].Values, cpuUs = cpu[cell][way.Name].Values })),
            new JsonSerializerOptions { WriteIndented = true }));
    }

    private async Task<BenchReport> MeasureAsync(Way way, Cell cell, CancellationToken cancellationToken) => (await BenchRun.RunAsync([new BenchOptions
    {
        Label = $"{way.Name}, {cell.Name}",
        Servers = [way.Address],
        Clients = options.Clients,
        Window = cell.Window,
        ReadShare = cell.ReadShare,
        Warmup = TimeSpan.FromSeconds(Math.Min(1, options.Seconds / 3)),
        Duration = TimeSpan.FromSeconds(options.Seconds),
        CpuOf = way.ProcessId is { } pid ? [pid] : [],
    }], null, cancellationToken))[0];

    private async Task WriteAsync(string name, string text)
    {
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, name), text);
    }
}

/// <summary>What the home experiment varies.</summary>
internal sealed record HomeOptions(int Voters, int Clients, IReadOnlyList<int> Windows, IReadOnlyList<int> Reads, int Rounds, double Seconds, DirectoryInfo Out,
    string? Beside = null);
