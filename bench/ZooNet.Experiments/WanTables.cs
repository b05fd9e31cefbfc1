using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Bench;

namespace ZooNet.Experiments;

/// <summary>
/// Writes a WAN experiment's results: wan.md (ratios of each cell, then everything), wan.json (every value), wan.csv (medians with spread),
/// and plots of region 2.
/// </summary>
internal sealed class WanTables(WanResults results, WanExperimentOptions options, string machine)
{
    // The shares that the ZooNet paper's figures show.
    private static readonly int[] PlottedReads = [25, 90];

    private static readonly (char Variant, char Against, int Region)[] Summary = [('b', 'a', 2), ('b', 'e', 2), ('b', 'd', 2), ('c', 'e', 2), ('b', 'f', 1)];

    private static readonly (char Variant, char Against, int Region, double AtLeast)[] Goals = [('b', 'a', 2, 1), ('b', 'f', 1, 0.9)];

    /// <summary>Cells of which all ways have been measured.</summary>
    private WanCell[] Cells => [.. options.Cells.Where(cell => results.Variants.All(variant => results.Find(variant.Letter, cell, 2) is not null))];

    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        options.Out.Create();
        await WriteAsync("wan.md", Head() + Ratios() + Everything(), cancellationToken);
        await WriteAsync("wan.json", Json(), cancellationToken);
        await WriteAsync("wan.csv", Csv(), cancellationToken);
        await PlotAsync(cancellationToken);
    }

    private string Head()
    {
        var rounds = string.Join(", ", Cells.GroupBy(cell => cell.Rtt).Select(rtt => $"{results.Find(results.Variants[0].Letter, rtt.First(), 2)!.PerSecond.Values.Count} interleaved rounds at {rtt.Key} ms"));
        var head = new StringBuilder();
        head.AppendLine(CultureInfo.InvariantCulture, $"{machine}; {options.Voters} voter(s) per ensemble, {options.Clients} clients per region, 1 KB; {rounds}; measured {Lengths(options.DurationOf)} after a lead-in of {Lengths(options.LeadInOf)}; {(options.Processors.Count > 0 ? $"processors {string.Join(" and ", options.Processors)} for the regions" : "no pinning")}; {(options.BothRemote ? "both regions have the local share" : "region 1 is all local")}. Median (smallest–largest), ratios round by round.");
        head.AppendLine();
        foreach (var variant in results.Variants)
        {
            head.AppendLine(CultureInfo.InvariantCulture, $"- {variant.Letter}: {variant.Name}");
        }
        var errors = results.All.Where(one => one.Series.Errors > 0).ToArray();
        head.AppendLine();
        head.AppendLine(errors.Length == 0 ? "No request failed." : $"Failed: {string.Join("; ", errors.Select(one => $"{one.Series.Errors} in {one.Cell}, {one.Variant}, region {one.Region}"))}");
        head.AppendLine();
        return head.ToString();
    }

    private string Ratios()
    {
        var columns = Summary.Where(ratio => Cells.Any(cell => results.Ratio(ratio.Variant, ratio.Against, cell, ratio.Region) is not null)).ToArray();
        var table = new StringBuilder();
        table.AppendLine($"| RTT | reads | local | burst | window | {string.Join(" | ", columns.Select(ratio => $"region {ratio.Region} {ratio.Variant} ÷ {ratio.Against}"))} |");
        table.AppendLine($"| --- | --- | --- | --- | --- |{string.Concat(Enumerable.Repeat(" --- |", columns.Length))}");
        foreach (var cell in Cells)
        {
            table.AppendLine($"| {Row(cell)} | {string.Join(" | ", columns.Select(ratio => results.Ratio(ratio.Variant, ratio.Against, cell, ratio.Region)!.ToString("0.00")))} |");
        }
        table.AppendLine();
        foreach (var (variant, against, region, goal) in Goals)
        {
            var short_ = Cells.Select(cell => (Cell: cell, Ratio: results.Ratio(variant, against, cell, region))).Where(one => one.Ratio?.Median < goal).ToArray();
            table.AppendLine(CultureInfo.InvariantCulture, $"Region {region}, {variant} ÷ {against} below {goal}: {short_.Length} of {Cells.Length} cells.");
            table.AppendLine();
            foreach (var (cell, measured) in short_)
            {
                table.AppendLine($"- {cell}: {measured!.ToString("0.00")}");
            }
            table.AppendLine();
        }
        return table.ToString();
    }

    private string Everything()
    {
        var table = new StringBuilder();
        table.AppendLine("| RTT | reads | local | burst | window | variant | region 1, per second | region 2, per second | barriers per request, region 2 | processor of region 1 | processor of region 2 |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var cell in Cells)
        {
            foreach (var variant in results.Variants)
            {
                var series = ((int[])[1, 2]).Select(region => results.Find(variant.Letter, cell, region)!).ToArray();
                string Shares(WanSeries one) => string.Join(", ", one.Cpu.Select(cpu => string.Create(CultureInfo.InvariantCulture, $"{cpu.Key} {cpu.Value.Median:0%}")));
                table.AppendLine($"| {Row(cell)} | {variant.Letter} | {series[0].PerSecond.ToString("#,0")} | {series[1].PerSecond.ToString("#,0")} "
                    + $"| {(variant.Consistency is null ? "" : series[1].Barriers.ToString("0.000"))} | {Shares(series[0])} | {Shares(series[1])} |");
            }
        }
        return table.ToString();
    }

    /// <summary>Each measurement once; burst 0 is where the burst makes no difference.</summary>
    private string Json() => "[\n" + string.Join(",\n", results.All.Select(one => JsonSerializer.Serialize(new
    {
        way = one.Variant.ToString(),
        region = one.Region,
        rttMs = one.Cell.Rtt,
        read = one.Cell.Read,
        local = one.Cell.Local,
        burst = one.Cell.Burst,
        window = one.Cell.Window,
        perSecond = Rounded(one.Series.PerSecond, 0),
        barriersPerRequest = Rounded(one.Series.Barriers, 4),
        processor = one.Series.Cpu.ToDictionary(cpu => cpu.Key, cpu => Rounded(cpu.Value, 2)),
        errors = one.Series.Errors,
    }))) + "\n]\n";

    private string Csv() => "rttMs,read,local,burst,window,way,region,perSecond,lowest,highest,barriersPerRequest,home,observer,proxy,load\n" + string.Concat(
        from cell in Cells
        from variant in results.Variants
        from region in (int[])[1, 2]
        let series = results.Find(variant.Letter, cell, region)
        let shares = ((string[])["home", "observer", "proxy", "load"]).Select(name => series.Cpu.TryGetValue(name, out var share) ? share.Median.ToString("0.00", CultureInfo.InvariantCulture) : "")
        select string.Create(CultureInfo.InvariantCulture,
            $"{cell.Rtt},{cell.Read},{cell.Local},{cell.Burst},{cell.Window},{variant.Letter},{region},{series.PerSecond.Median:0},{series.PerSecond.Low:0},{series.PerSecond.High:0},{(variant.Consistency is null ? "" : series.Barriers.Median.ToString("0.####", CultureInfo.InvariantCulture))},{string.Join(',', shares)}\n"));

    /// <summary>
    /// Region 2 at the longest round trip: throughput over the local share, for each burst, and over the window where several were
    /// measured.
    /// </summary>
    private async Task PlotAsync(CancellationToken cancellationToken)
    {
        var far = Cells.Where(cell => cell.Rtt == Cells.Max(one => one.Rtt)).ToArray();
        foreach (var group in far.Where(cell => PlottedReads.Contains(cell.Read)).GroupBy(cell => (cell.Read, cell.Burst, cell.Window)).Where(group => group.Count() > 1))
        {
            await PlotAsync($"wan-{far[0].Rtt}ms-{group.Key.Read}reads-burst{group.Key.Burst}{(far.Any(cell => cell.Window != far[0].Window) ? $"-window{group.Key.Window}" : "")}.svg",
                $"Region 2: {group.Key.Read}% reads, burst {group.Key.Burst}, {far[0].Rtt} ms round trip", "local share", [.. group], cell => cell.Local, cell => $"{cell.Local}%", cancellationToken);
        }
        foreach (var group in far.GroupBy(cell => (cell.Read, cell.Local, cell.Burst)).Where(group => group.Count() > 1))
        {
            await PlotAsync($"wan-{far[0].Rtt}ms-{group.Key.Read}reads-{group.Key.Local}local-burst{group.Key.Burst}-windows.svg",
                $"Region 2: {group.Key.Read}% reads, {group.Key.Local}% local, burst {group.Key.Burst}, {far[0].Rtt} ms round trip", "outstanding requests per client",
                [.. group], cell => cell.Window, cell => $"{cell.Window}", cancellationToken);
        }
    }

    private Task PlotAsync(string file, string title, string xTitle, WanCell[] cells, Func<WanCell, double> x, Func<WanCell, string> name, CancellationToken cancellationToken)
    {
        var series = results.Variants.Where(variant => variant.Letter is not ('f' or 'g')).Select(variant => new PlotSeries($"{variant.Letter} {variant.Consistency ?? "stretched"}", [.. cells.Select(cell =>
        {
            var sample = results.Find(variant.Letter, cell, 2)!.PerSecond;
            return new PlotPoint(x(cell), sample.Median, sample.Low, sample.High);
        })])).ToArray();
        var plot = new SvgPlot { Title = title, XTitle = xTitle, YTitle = "requests per second", YLogarithmic = true, XNames = [.. cells.Select(cell => (x(cell), name(cell)))] };
        return WriteAsync(file, plot.Bars(series), cancellationToken);
    }

    private string Lengths(Func<WanCell, TimeSpan> length) =>
        string.Join(" and ", Cells.Select(cell => length(cell).TotalSeconds).Distinct().Select(seconds => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s")));

    private static string Row(WanCell cell) => $"{cell.Rtt} ms | {cell.Read}% | {cell.Local}% | {cell.Burst} | {cell.Window}";

    private static double[] Rounded(Sample sample, int digits) => [.. sample.Values.Select(value => Math.Round(value, digits))];

    private Task WriteAsync(string name, string text, CancellationToken cancellationToken) => File.WriteAllTextAsync(Path.Combine(options.Out.FullName, name), text, cancellationToken);
}
