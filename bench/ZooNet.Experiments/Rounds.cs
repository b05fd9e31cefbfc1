using System.Globalization;
using ZooNet.Bench;
using ZooNet.Client;

namespace ZooNet.Experiments;

/// <summary>One of the ways that are compared.</summary>
/// <param name="Name">As tables name it.</param>
/// <param name="Address">Where its clients connect.</param>
/// <param name="Processes">Whose CPU is counted, together.</param>
internal sealed record Way(string Name, ServerAddress Address, params IReadOnlyList<int> Processes)
{
    /// <summary>Where the clients work.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Done before each measurement; null for nothing.</summary>
    public Func<Task>? Before { get; init; }
}

/// <summary>What one way has done with one load, a value for each round.</summary>
internal sealed class Measured
{
    /// <summary>Requests per second.</summary>
    public Sample Rate { get; } = new();

    /// <summary>CPU per request, in microseconds; empty where no process is counted.</summary>
    public Sample Cpu { get; } = new();

    /// <summary>The median wait of the most frequent kind of request, in milliseconds.</summary>
    public Sample P50 { get; } = new();

    /// <summary>The wait that one such request in a hundred exceeds, in milliseconds.</summary>
    public Sample P99 { get; } = new();
}

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
    private readonly Dictionary<(Load, Way), Measured> _measured = [];

    public IReadOnlyList<Load> Loads { get; } =
        [.. from window in options.Windows from read in options.Reads select new Load(window, read)];

    public Measured this[Load load, Way way] => _measured[(load, way)];

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
                    await (way.Before?.Invoke() ?? Task.CompletedTask);
                    var report = await MeasureAsync(way, load, cancellationToken);
                    var cpu = report.Cpu.Sum(one => one.MicrosecondsPerRequest);
                    await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                        $"round {round + 1}/{options.Rounds}: {load.Name}: {way.Name}: {report.PerSecond:0}/s")
                        + (way.Processes.Count > 0 ? string.Create(CultureInfo.InvariantCulture, $", {cpu:0.0} µs CPU per request") : "")
                        + (report.HasErrors ? ", ERRORS" : ""));
                    if (round < 0)
                    {
                        continue;
                    }
                    _measured.TryAdd((load, way), new Measured());
                    var measured = this[load, way];
                    measured.Rate.Add(report.PerSecond);
                    var kind = report.Kinds.Values.MaxBy(one => one.Count)!;
                    measured.P50.Add(kind.P50Us / 1000);
                    measured.P99.Add(kind.P99Us / 1000);
                    if (way.Processes.Count > 0)
                    {
                        measured.Cpu.Add(cpu);
                    }
                }
            }
        }
    }

    /// <summary>All values, by load and way, as files of numbers have them.</summary>
    public object ToValues(IEnumerable<Way> ways) => Loads.ToDictionary(load => load.Name, load => ways.ToDictionary(way => way.Name, way => new
    {
        perSecond = this[load, way].Rate.Values,
        p50Ms = this[load, way].P50.Values,
        p99Ms = this[load, way].P99.Values,
        cpuUs = this[load, way].Cpu.Values,
    }));

    private async Task<BenchReport> MeasureAsync(Way way, Load load, CancellationToken cancellationToken)
    {
        var one = new BenchOptions
        {
            Label = $"{way.Name}, {load.Name}",
            Servers = [way.Address],
            Local = way.Path,
            Clients = options.Clients,
            Window = load.Window,
            ReadShare = load.Read / 100.0,
            Warmup = TimeSpan.FromSeconds(Math.Min(1, options.Seconds / 3)),
            Duration = TimeSpan.FromSeconds(options.Seconds),
            CpuOf = way.Processes,
        };
        return (await BenchRun.RunAsync([one], null, cancellationToken))[0];
    }
}
