using System.Globalization;
using Spectre.Console;

namespace ZooNet.Bench;

/// <summary>Shows a report to people: a table, and plots.</summary>
internal static class BenchOutput
{
    public static void Print(BenchReport report, IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn(new TableColumn("request").NoWrap());
        foreach (var name in (string[])["per s", "mean ms", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms"])
        {
            table.AddColumn(new TableColumn(name).RightAligned().NoWrap().Padding(1, 0));
        }
        foreach (var (kind, row) in report.Kinds)
        {
            table.AddRow([Name(kind), Number(row.PerSecond), .. new[] { row.MeanUs, row.P50Us, row.P95Us, row.P99Us, row.P999Us, row.MaxUs }.Select(us => Ms(us))]);
        }
        if (report.Kinds.Count > 1)
        {
            table.AddRow("all", Number(report.PerSecond), "", "", "", "", "", "");
        }
        console.Write(table);
        foreach (var cpu in report.Cpu)
        {
            console.WriteLine($"process {cpu.Pid}: {cpu.MicrosecondsPerRequest.ToString("0.0", CultureInfo.InvariantCulture)} µs of CPU per request");
        }
        if (report.Barriers is { } barriers)
        {
            console.WriteLine($"barriers: {barriers}, {(barriers / Math.Max(1, report.PerSecond * report.Seconds)).ToString("0.000", CultureInfo.InvariantCulture)} per request");
        }
        if (report.HasErrors)
        {
            console.WriteLine($"errors: {string.Join(", ", report.Errors.Select(error => $"{error.Value} × {error.Key}"))}; connections lost: {report.Disconnects}");
        }
    }

    /// <summary>Latency by share of requests; the x axis stretches towards the last nines.</summary>
    public static string LatencyPlot(BenchReport report) => new SvgPlot
    {
        Title = report.Label.Length > 0 ? $"Latency: {report.Label}" : "Latency",
        XTitle = "share of requests that were at least this fast",
        YTitle = "milliseconds",
        XLogarithmic = true,
        YLogarithmic = true,
        XNames = [(1, "0%"), (2, "50%"), (10, "90%"), (100, "99%"), (1000, "99.9%"), (10_000, "99.99%")],
    }.Lines([.. report.Curves.Select(curve => new PlotSeries(Name(curve.Key), [.. curve.Value.Select(point => new PlotPoint(1 / Math.Max(1e-9, 1 - point[0]), point[1] / 1000))]))]);

    /// <summary>Replies in each second.</summary>
    public static string ThroughputPlot(BenchReport report) => new SvgPlot
    {
        Title = report.Label.Length > 0 ? $"Throughput: {report.Label}" : "Throughput",
        XTitle = "second",
        YTitle = "replies per second",
    }.Lines([new PlotSeries("all requests", [.. report.Timeline.Take((int)Math.Max(1, Math.Floor(report.Seconds))).Select((count, second) => new PlotPoint(second + 1, count))])]);

    public static string Name(RequestKind kind) => kind switch
    {
        RequestKind.LocalRead => "local read",
        RequestKind.LocalUpdate => "local update",
        RequestKind.RemoteRead => "remote read",
        _ => "remote update",
    };

    private static string Number(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Ms(double us) => (us / 1000).ToString(us < 10_000 ? "0.000" : us < 1_000_000 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
