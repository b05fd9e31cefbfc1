using System.Globalization;
using System.Text;
using System.Text.Json;
using ZooNet.Bench;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>What one region showed in one case.</summary>
/// <param name="Case">What was done.</param>
/// <param name="Mode">The proxies' consistency.</param>
/// <param name="Region">The region that is measured.</param>
/// <param name="Clients">Its clients.</param>
/// <param name="Counted">What its proxy counted.</param>
/// <param name="Beyond">See <see cref="BarrierMeter.MostBeyondOneAtATime"/>.</param>
/// <param name="Latencies">By kind of request.</param>
internal sealed record FreshnessResult(string Case, string Mode, string Region, int Clients, BarrierCount Counted, double Beyond,
    IReadOnlyDictionary<FreshnessStep, LatencyHistogram> Latencies)
{
    /// <summary>Barriers for 100 mounted reads.</summary>
    public double BarriersPerHundred => 100.0 * Counted.Sent / Math.Max(1, Counted.Reads);

    public double Milliseconds(FreshnessStep step, double share) => Latencies[step].Percentile(share).TotalMilliseconds;
}

/// <summary>
/// What freshness costs across a WAN, on real ensembles: an asymmetric mount; mutual mounts where clients write private paths only; and
/// mutual mounts where 50 clients of each region write what the other mounts, then read the other's.
/// </summary>
internal sealed class FreshnessExperiment(FreshnessOptions options, TextWriter log)
{
    private const int Few = 8;
    private const int Many = 50;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);
    private readonly List<FreshnessResult> _results = [];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var machine = Machine.Describe();
        options.Out.Create();
        foreach (var mode in options.Modes)
        {
            await using var regions = await FreshnessRegions.StartAsync(mode, options);
            // What us reads is changed all the time, so that there is something new to miss.
            await MeasureAsync("a: asymmetric mount", mode, regions, Few,
                [FreshnessStep.ExportedWrite, FreshnessStep.HomeRead, FreshnessStep.MountedRead], 1, [FreshnessStep.ExportedWrite], cancellationToken);
            await regions.MountInEuAsync();
            FreshnessStep[] unseen = [FreshnessStep.PrivateWrite, FreshnessStep.HomeRead, FreshnessStep.MountedRead];
            await MeasureAsync("b: mutual mounts, private writes", mode, regions, Few, unseen, Few, unseen, cancellationToken);
            FreshnessStep[] seen = [FreshnessStep.ExportedWrite, FreshnessStep.MountedRead];
            await MeasureAsync("c: mutual mounts, exported writes", mode, regions, Many, seen, Many, seen, cancellationToken);
        }
        await WriteAsync(machine, cancellationToken);
        await log.WriteLineAsync(await File.ReadAllTextAsync(Path.Combine(options.Out.FullName, "freshness.md"), cancellationToken));
    }

    private async Task MeasureAsync(string name, string mode, FreshnessRegions regions, int clientsUs, IReadOnlyList<FreshnessStep> stepsUs,
        int clientsEu, IReadOnlyList<FreshnessStep> stepsEu, CancellationToken cancellationToken)
    {
        var rtt = TimeSpan.FromMilliseconds(options.RttMs);
        await using var us = await FreshnessLoad.StartAsync(regions.ProxyUs.Address, clientsUs, stepsUs);
        await using var eu = await FreshnessLoad.StartAsync(regions.ProxyEu.Address, clientsEu, stepsEu);
        await Task.Delay(WarmUp, cancellationToken);
        var results = await Task.WhenAll(
            MeasureAsync(name, mode, us, regions.ProxyUs, "us", "eu", clientsUs, rtt, cancellationToken),
            MeasureAsync(name, mode, eu, regions.ProxyEu, "eu", "us", clientsEu, rtt, cancellationToken));
        foreach (var result in results.Where(result => result.Counted.Reads > 0))
        {
            _results.Add(result);
            await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{mode}: {name}: {result.Region}: {result.Counted.Sent} barriers for {result.Counted.Reads} mounted reads, median {result.Milliseconds(FreshnessStep.MountedRead, 0.5):0.00} ms"));
        }
    }

    private async Task<FreshnessResult> MeasureAsync(string name, string mode, FreshnessLoad load, ProxyProcess proxy, string region, string other, int clients, TimeSpan rtt,
        CancellationToken cancellationToken)
    {
        using var meter = new BarrierMeter(proxy, region, other, rtt);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var before = await meter.CountAsync(cancellationToken);
        load.Count();
        enough.CancelAfter(TimeSpan.FromSeconds(options.Seconds));
        await meter.WatchAsync(enough.Token);
        cancellationToken.ThrowIfCancellationRequested();
        var counted = await meter.CountAsync(cancellationToken) - before;
        return new FreshnessResult(name, mode, region, clients, counted, meter.MostBeyondOneAtATime(), await load.StopAsync());
    }

    private async Task WriteAsync(string machine, CancellationToken cancellationToken)
    {
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture, $"{machine}; {options.Voters} voter(s) per ensemble, {options.RttMs} ms round trip between the regions, an observer of each cluster in the other region, one proxy per region; clients wait for each reply; {options.Seconds:0.#} s per case after {WarmUp.TotalSeconds:0} s of warming up. Latencies in ms.");
        table.AppendLine();
        table.AppendLine("| case | consistency | region, clients | mounted reads | waited for a barrier | barriers across the WAN | per 100 mounted reads | barriers beyond t ÷ RTT, at most | barriers at home | mounted read, median (99%) | home read, median (99%) | home write, median |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var one in _results)
        {
            string Latency(FreshnessStep step) => one.Latencies[step].Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{one.Milliseconds(step, 0.5):0.00} ({one.Milliseconds(step, 0.99):0.0})");
            var write = one.Latencies[FreshnessStep.ExportedWrite].Count > 0 ? FreshnessStep.ExportedWrite : FreshnessStep.PrivateWrite;
            table.AppendLine(CultureInfo.InvariantCulture, $"| {one.Case} | {one.Mode} | {one.Region}, {one.Clients} | {one.Counted.Reads:#,0} | {one.Counted.Waited:#,0} | {one.Counted.Sent:#,0} | {one.BarriersPerHundred:0.00} | {one.Beyond:0.0} | {one.Counted.SentAtHome:#,0} | {Latency(FreshnessStep.MountedRead)} | {Latency(FreshnessStep.HomeRead)} | {one.Milliseconds(write, 0.5):0.00} |");
        }
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "freshness.md"), table.ToString(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "freshness.json"), JsonSerializer.Serialize(_results.Select(one => new
        {
            one.Case,
            one.Mode,
            one.Region,
            one.Clients,
            mountedReads = one.Counted.Reads,
            waited = one.Counted.Waited,
            barriers = one.Counted.Sent,
            barriersAtHome = one.Counted.SentAtHome,
            barriersPerHundredReads = one.BarriersPerHundred,
            beyondOneAtATime = one.Beyond,
            latencyMs = one.Latencies.Where(step => step.Value.Count > 0).ToDictionary(step => step.Key.ToString(), step => new
            {
                count = step.Value.Count,
                p50 = step.Value.Percentile(0.5).TotalMilliseconds,
                p99 = step.Value.Percentile(0.99).TotalMilliseconds,
            }),
        }), new JsonSerializerOptions { WriteIndented = true }), cancellationToken);
    }
}
