using System.Globalization;
using ZooNet.Bench;
using ZooNet.Client;

namespace ZooNet.Experiments;

/// <summary>One of the ways that are compared.</summary>
/// <param name="Name">As tables name it.</param>
/// <param name="Address">Where its clients connect.</param>
/// <param name="ProcessId">Whose CPU is counted.</param>
internal sealed record Way(string Name, ServerAddress Address, int ProcessId);

/// <summary>A load.</summary>
/// <param name="Window">Outstanding requests per client.</param>
/// <param name="Read">Share of reads, in percent.</param>
internal readonly record struct Load(int Window, int Read)
{
    public string Name => $"{(Read == 100 ? "reads" : Read == 0 ? "updates" : $"{Read}% reads")}, window {Window}";
}

/// <summary>
/// Rounds in which all ways carry all loads one after another, in an order that rotates, so that whatever else the machine does hits all
/// of them.
/// </summary>
internal sealed class Rounds(HomeOptions options, TextWriter log)
{
    private readonly Dictionary<(Load, Way), (Sample Rates, Sample Cpu)> _samples = [];

    public IReadOnlyList<Load> Loads { get; } =
        [.. from window in options.Windows from read in options.Reads select new Load(window, read)];

    public Sample RatesOf(Load load, Way way) => _samples[(load, way)].Rates;

    public Sample CpuOf(Load load, Way way) => _samples[(load, way)].Cpu;

    /// <summary>One round that is not counted lets all reach their steady state.</summary>
    public async Task RunAsync(IReadOnlyList<Way> ways, CancellationToken cancellationToken)
    {
        for (var round = -1; round < options.Rounds; round++)
        {
            foreach (var load in Loads)
            {
                for (var i = 0; i < ways.Count; i++)
                {
                    var way = ways[(i + round + ways.Count) % ways.Count];
                    var report = await MeasureAsync(way, load, cancellationToken);
                    var cpu = report.Cpu[0].MicrosecondsPerRequest;
                    await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                        $"round {round + 1}/{options.Rounds}: {load.Name}: {way.Name}: {report.PerSecond:0}/s, ")
                        + string.Create(CultureInfo.InvariantCulture, $"{cpu:0.0} µs CPU per request")
                        + (report.HasErrors ? ", ERRORS" : ""));
                    if (round >= 0)
                    {
                        _samples.TryAdd((load, way), (new(), new()));
                        RatesOf(load, way).Add(report.PerSecond);
                        CpuOf(load, way).Add(cpu);
                    }
                }
            }
        }
    }

    private async Task<BenchReport> MeasureAsync(Way way, Load load, CancellationToken cancellationToken)
    {
        var one = new BenchOptions
        {
            Label = $"{way.Name}, {load.Name}",
            Servers = [way.Address],
            Clients = options.Clients,
            Window = load.Window,
            ReadShare = load.Read / 100.0,
            Warmup = TimeSpan.FromSeconds(Math.Min(1, options.Seconds / 3)),
            Duration = TimeSpan.FromSeconds(options.Seconds),
            CpuOf = [way.ProcessId],
        };
        return (await BenchRun.RunAsync([one], null, cancellationToken))[0];
    }
}
