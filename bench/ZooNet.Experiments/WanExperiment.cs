using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Bench;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// Two regions under the load of the ZooNet paper's system test, served in the ways of <see cref="WanVariant"/>. In every round each
/// cell is measured under all variants one after another. Both regions' clients run at the same time.
/// </summary>
internal sealed class WanExperiment(WanExperimentOptions options, TextWriter log)
{
    private readonly Dictionary<(WanCell Cell, char Variant, int Region), Sample> _rates = [];
    private readonly Dictionary<(WanCell Cell, char Variant, int Region), Sample> _barriers = [];
    private readonly IReadOnlyList<WanVariant> _variants = [.. WanVariant.All.Where(variant => options.Variants.Contains(variant.Letter, StringComparison.Ordinal))];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var machine = Machine.Describe();
        options.Out.Create();
        foreach (var rtt in options.Rtts)
        {
            await using var regions = await WanRegions.StartAsync(rtt, options, _variants);
            WanCell[] cells = [.. from read in options.Reads from local in options.Locals from burst in options.Bursts select new WanCell(rtt, read, local, burst)];
            for (var round = -1; round < options.Rounds; round++)
            {
                // The round before the first warms every process up, with one cell.
                foreach (var cell in round < 0 ? cells[..1] : cells)
                {
                    for (var i = 0; i < _variants.Count; i++)
                    {
                        await MeasureAsync(regions, _variants[(i + round + _variants.Count) % _variants.Count], cell, round, cancellationToken);
                    }
                }
                // After each round, so that an experiment that is stopped has something to show.
                await WriteAsync(machine, cancellationToken);
            }
        }
        await log.WriteLineAsync(await File.ReadAllTextAsync(Path.Combine(options.Out.FullName, "wan.md"), cancellationToken));
    }

    private async Task MeasureAsync(WanRegions regions, WanVariant variant, WanCell cell, int round, CancellationToken cancellationToken)
    {
        var reports = await Task.WhenAll(LoadAsync(regions, variant, cell, 1, cancellationToken), LoadAsync(regions, variant, cell, 2, cancellationToken));
        for (var region = 1; region <= 2; region++)
        {
            var report = reports[region - 1];
            await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"round {round + 1}/{options.Rounds}: {cell}: {variant.Letter} region {region}: {report.PerSecond:0}/s")
                + (report.Barriers is { } sent ? $", {sent} barriers" : "") + (report.HasErrors ? $", errors: {string.Join(' ', report.Errors)}, connections lost: {report.Disconnects}" : ""));
            if (round >= 0)
            {
                Sample(_rates, cell, variant, region).Add(report.PerSecond);
                Sample(_barriers, cell, variant, region).Add((report.Barriers ?? 0) / Math.Max(1, report.PerSecond * report.Seconds));
            }
        }
    }

    /// <summary>Runs the load of one region as a process of its own, on the region's processor.</summary>
    private async Task<BenchReport> LoadAsync(WanRegions regions, WanVariant variant, WanCell cell, int region, CancellationToken cancellationToken)
    {
        var entry = regions.Entry(variant, region);
        var local = region == 1 && !options.BothRemote ? 100 : cell.Local;
        var folder = new DirectoryInfo(OwnedFolder.Create("load"));
        try
        {
            var json = Path.Combine(folder.FullName, "report.json");
            var output = Path.Combine(folder.FullName, "output");
            string[] command = [.. WanRegions.Launcher(region, options.Pin), "dotnet", "exec", ProxyProcess.Program, "bench", "--server", entry.Server.ToString(),
                "--path", entry.Local, "--clients", Text(options.Clients), "--window", Text(options.Window), "--read", Text(cell.Read), "--local", Text(local),
                "--burst", Text(cell.Burst), "--warmup", "1.5s", "--duration", Text(options.Seconds) + "s", "--seed", Text(region), "--keep", "--json", json,
                .. entry.Remote is { } remote && local < 100 ? (string[])["--remote", remote] : [],
                .. entry.Proxy is { } proxy ? (string[])["--admin", proxy.Admin.ToString()] : []];
            await using var process = ChildProcess.Start(output, command[0], command.Skip(1));
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? BenchReport.Read(await File.ReadAllTextAsync(json, cancellationToken))
                : throw new InvalidOperationException($"{cell}, {variant.Letter}, region {region}: {process.Output}\n{entry.Proxy?.Log}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task WriteAsync(string machine, CancellationToken cancellationToken)
    {
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"{machine}; {options.Voters} voter(s) per ensemble, {options.Clients} clients per region with {options.Window} outstanding, 1 KB, {options.Rounds} interleaved rounds of {options.Seconds:0.#} s{(options.Pin ? ", one processor per region" : "")}; {(options.BothRemote ? "both regions have the local share" : "region 1 is all local")}. Median (smallest–largest).");
        table.AppendLine();
        foreach (var variant in _variants)
        {
            table.AppendLine(CultureInfo.InvariantCulture, $"- {variant.Letter}: {variant.Name}");
        }
        table.AppendLine();
        table.AppendLine("| RTT | reads | local | burst | variant | region 1, per second | region 2, per second | region 2 ÷ (a) | region 2 ÷ (e) | region 1 ÷ (f) | barriers per request, region 2 |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var cell in _rates.Keys.Select(key => key.Cell).Distinct())
        {
            foreach (var variant in _variants)
            {
                string Ratio(int region, char against) => _rates.TryGetValue((cell, against, region), out var base_) && against != variant.Letter
                    ? Sample(_rates, cell, variant, region).Over(base_).ToString("0.00")
                    : "";
                table.AppendLine($"| {cell.Rtt} ms | {cell.Read}% | {cell.Local}% | {cell.Burst} | {variant.Letter} | {Sample(_rates, cell, variant, 1).ToString("#,0")} | {Sample(_rates, cell, variant, 2).ToString("#,0")} "
                    + $"| {Ratio(2, 'a')} | {(variant.Consistency is null ? "" : Ratio(2, 'e'))} | {Ratio(1, 'f')} | {(variant.Consistency is null ? "" : Sample(_barriers, cell, variant, 2).ToString("0.000"))} |");
            }
        }
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "wan.md"), table.ToString(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "wan.json"), JsonSerializer.Serialize(_rates.Select(one => new
        {
            one.Key.Cell.Rtt,
            one.Key.Cell.Read,
            one.Key.Cell.Local,
            one.Key.Cell.Burst,
            variant = one.Key.Variant.ToString(),
            region = one.Key.Region,
            perSecond = one.Value.Values,
            barriersPerRequest = _barriers[one.Key].Values,
        }), new JsonSerializerOptions { WriteIndented = true }), cancellationToken);
        await PlotAsync(cancellationToken);
    }

    /// <summary>Region 2's throughput over the local share, one plot for each round-trip time, read share and burst.</summary>
    private async Task PlotAsync(CancellationToken cancellationToken)
    {
        foreach (var group in _rates.Keys.Select(key => key.Cell).Distinct().GroupBy(cell => (cell.Rtt, cell.Read, cell.Burst)))
        {
            var names = group.Select(cell => ((double)cell.Local, $"{cell.Local}%")).ToArray();
            var series = _variants.Select(variant => new PlotSeries($"{variant.Letter} {variant.Consistency ?? variant.Name.Split(',')[0]}", [.. group.Select(cell =>
            {
                var sample = Sample(_rates, cell, variant, 2);
                return new PlotPoint(cell.Local, sample.Median, sample.Low, sample.High);
            })])).ToArray();
            var plot = new SvgPlot
            {
                Title = $"Region 2: {group.Key.Read}% reads, burst {group.Key.Burst}, {group.Key.Rtt} ms round trip",
                XTitle = "local share",
                YTitle = "requests per second",
                YLogarithmic = true,
                XNames = names,
            };
            await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, $"wan-{group.Key.Rtt}ms-{group.Key.Read}reads-burst{group.Key.Burst}.svg"), plot.Bars(series), cancellationToken);
        }
    }

    private static Sample Sample(Dictionary<(WanCell, char, int), Sample> samples, WanCell cell, WanVariant variant, int region)
    {
        if (!samples.TryGetValue((cell, variant.Letter, region), out var sample))
        {
            samples[(cell, variant.Letter, region)] = sample = new Sample();
        }
        return sample;
    }

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
}
