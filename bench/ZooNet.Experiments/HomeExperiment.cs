using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Bench;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// All traffic at home: straight to the ensemble, through HAProxy in TCP mode, and through ZooNet. Every round measures all three one
/// after another, in an order that rotates, so that whatever else the machine does hits all of them.
/// </summary>
internal sealed class HomeExperiment(HomeOptions options, TextWriter log)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var ensemble = await RealEnsemble.StartAsync("us", new RealEnsembleOptions { Voters = options.Voters, Jvm = RunningFast.Jvm });
        await using var haProxy = await HaProxy.StartAsync(ensemble.Addresses);
        await using var zooNet = await ProxyProcess.StartAsync(ProxyCluster.Home(ensemble), []);
        await using var other = options.Beside is { } program ? await ProxyProcess.StartAsync(ProxyCluster.Home(ensemble), [], program: program) : null;
        List<Way> ways =
        [
            new("direct", ensemble.Addresses[0]), new("haproxy", haProxy.Address, haProxy.ProcessId), new("zoonet", zooNet.Address, zooNet.ProcessId),
        ];
        if (other is not null)
        {
            ways.Add(new Way("beside", other.Address, other.ProcessId));
        }
        var machine = Machine.Describe();
        var rounds = new Rounds(options, log);
        await rounds.RunAsync(ways, cancellationToken);

        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"{machine}; {options.Voters} voter(s), {options.Clients} clients, 1 KB, {options.Rounds} interleaved rounds of {options.Seconds:0.#} s. Median (smallest–largest).");
        table.AppendLine();
        table.AppendLine("| load | way | requests per second | p50 ms | p99 ms | CPU µs per request | throughput ÷ HAProxy | CPU ÷ HAProxy |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var load in rounds.Loads)
        {
            var haProxyDid = rounds[load, ways[1]];
            foreach (var way in ways)
            {
                var did = rounds[load, way];
                table.Append($"| {load.Name} | {way.Name} | {did.Rate.ToString("#,0")} | {did.P50.ToString("0.00")} ");
                table.Append($"| {did.P99.ToString("0.00")} | {did.Cpu.ToString("0.0")} ");
                table.AppendLine(way.Name is "zoonet" or "beside"
                    ? $"| {did.Rate.Over(haProxyDid.Rate).ToString("0.00")} | {did.Cpu.Over(haProxyDid.Cpu).ToString("0.00")} |" : "|  |  |");
            }
        }
        await log.WriteLineAsync($"\n{table}");
        await WriteAsync("home.md", table.ToString());
        var names = rounds.Loads.Select((load, i) => ((double)i, load.Name)).ToArray();
        await WriteAsync("home-throughput.svg", new SvgPlot
        {
            Title = "All at home: throughput",
            XTitle = "",
            YTitle = "requests per second",
            XNames = names,
        }.Bars(Series(did => did.Rate, ways)));
        await WriteAsync("home-cpu.svg", new SvgPlot
        {
            Title = "All at home: CPU of the proxy",
            XTitle = "",
            YTitle = "µs per request",
            XNames = names,
        }.Bars(Series(did => did.Cpu, ways.Where(way => way.Processes.Count > 0))));
        await WriteAsync("home.json", JsonSerializer.Serialize(rounds.ToValues(ways), new JsonSerializerOptions { WriteIndented = true }));

        IReadOnlyList<PlotSeries> Series(Func<Measured, Sample> which, IEnumerable<Way> of) => [.. of.Select(way => new PlotSeries(way.Name,
            [.. rounds.Loads.Select((load, i) => which(rounds[load, way]).ToPoint(i))]))];
    }

    private async Task WriteAsync(string name, string text)
    {
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, name), text);
    }
}

/// <summary>What the home experiment varies.</summary>
internal sealed record HomeOptions(int Voters, int Clients, IReadOnlyList<int> Windows, IReadOnlyList<int> Reads, int Rounds, double Seconds, DirectoryInfo Out,
    string? Beside = null);
