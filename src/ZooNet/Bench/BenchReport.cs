using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZooNet.Bench;

/// <summary>Latency of one kind of request, in microseconds.</summary>
/// <param name="Count">How many were answered.</param>
/// <param name="PerSecond">Replies per second of the measured time.</param>
/// <param name="MeanUs">Mean.</param>
/// <param name="P50Us">Median.</param>
/// <param name="P95Us">95th percentile.</param>
/// <param name="P99Us">99th percentile.</param>
/// <param name="P999Us">99.9th percentile.</param>
/// <param name="MaxUs">Longest.</param>
public sealed record KindReport(long Count, double PerSecond, double MeanUs, double P50Us, double P95Us, double P99Us, double P999Us, double MaxUs);

/// <summary>CPU time of one process during the measured time.</summary>
/// <param name="Pid">The process.</param>
/// <param name="Seconds">CPU seconds, user and system.</param>
/// <param name="MicrosecondsPerRequest">Divided by the replies of that time.</param>
public sealed record CpuReport(int Pid, double Seconds, double MicrosecondsPerRequest);

/// <summary>The outcome of one run, as it is written to JSON.</summary>
public sealed record BenchReport
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Name of the run.</summary>
    public required string Label { get; init; }

    /// <summary>When measuring began.</summary>
    public required DateTimeOffset Began { get; init; }

    /// <summary>The machine: processors and system.</summary>
    public string Machine { get; init; } = $"{Environment.ProcessorCount} processors, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}";

    /// <summary>Where the clients connected.</summary>
    public required IReadOnlyList<string> Servers { get; init; }

    /// <summary>Paths of remote clusters.</summary>
    public required IReadOnlyList<string> Remotes { get; init; }

    /// <summary>Clients, window, shares, burst, size, znodes, rate: see <see cref="BenchOptions"/>.</summary>
    public required IReadOnlyDictionary<string, double> Load { get; init; }

    /// <summary>Seconds measured.</summary>
    public required double Seconds { get; init; }

    /// <summary>Replies per second, all kinds.</summary>
    public required double PerSecond { get; init; }

    /// <summary>Each kind that occurred.</summary>
    public required IReadOnlyDictionary<RequestKind, KindReport> Kinds { get; init; }

    /// <summary>Errors by name.</summary>
    public required IReadOnlyDictionary<string, long> Errors { get; init; }

    /// <summary>Connections lost.</summary>
    public required long Disconnects { get; init; }

    /// <summary>Barriers that the proxy sent during the measured time; null where its admin endpoint was not given.</summary>
    public long? Barriers { get; init; }

    /// <summary>CPU time of the processes asked for.</summary>
    public required IReadOnlyList<CpuReport> Cpu { get; init; }

    /// <summary>Replies in each second.</summary>
    public required IReadOnlyList<long> Timeline { get; init; }

    /// <summary>Latency in microseconds at given shares of all requests, per kind: what the plot draws.</summary>
    public required IReadOnlyDictionary<RequestKind, IReadOnlyList<double[]>> Curves { get; init; }

    /// <summary>Whether anything failed.</summary>
    [JsonIgnore]
    public bool HasErrors => Errors.Count > 0 || Disconnects > 0;

    /// <summary>This report as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static BenchReport Read(string json) => JsonSerializer.Deserialize<BenchReport>(json, Json) ?? throw new JsonException("null is no report");

    internal static BenchReport Of(BenchOptions options, LoadStatistics statistics, DateTimeOffset began, double seconds, long? barriers,
        IReadOnlyList<(int Pid, TimeSpan Used)> cpu)
    {
        var total = statistics.Replies.Sum();
        var kinds = Enum.GetValues<RequestKind>().Where(kind => statistics.Latency[(int)kind].Count > 0).ToArray();
        return new BenchReport
        {
            Label = options.Label,
            Began = began,
            Servers = [.. options.Servers.Select(server => server.ToString())],
            Remotes = options.Remotes,
            Load = new Dictionary<string, double>
            {
                ["clients"] = options.Clients,
                ["window"] = options.Window,
                ["readShare"] = options.ReadShare,
                ["localShare"] = options.Remotes.Count == 0 ? 1 : options.LocalShare,
                ["burst"] = options.Burst,
                ["size"] = options.Size,
                ["znodes"] = options.Znodes,
                ["rate"] = options.Rate,
                ["warmupSeconds"] = options.Warmup.TotalSeconds,
            },
            Seconds = seconds,
            PerSecond = total / seconds,
            Kinds = kinds.ToDictionary(kind => kind, kind => Describe(statistics, kind, seconds)),
            Errors = statistics.Errors,
            Disconnects = statistics.Disconnects,
            Barriers = barriers,
            Cpu = [.. cpu.Select(one => new CpuReport(one.Pid, one.Used.TotalSeconds, one.Used.TotalMicroseconds / Math.Max(1, total)))],
            Timeline = statistics.Timeline,
            Curves = kinds.ToDictionary(kind => kind, kind => Curve(statistics.Latency[(int)kind])),
        };
    }

    private static KindReport Describe(LoadStatistics statistics, RequestKind kind, double seconds)
    {
        var latency = statistics.Latency[(int)kind];
        return new KindReport(latency.Count, statistics.Replies[(int)kind] / seconds, latency.Mean.TotalMicroseconds, latency.Percentile(0.5).TotalMicroseconds,
            latency.Percentile(0.95).TotalMicroseconds, latency.Percentile(0.99).TotalMicroseconds, latency.Percentile(0.999).TotalMicroseconds, latency.Max.TotalMicroseconds);
    }

    /// <summary>Points (share, microseconds) at every half nine: 0%, 50%, 75%, 90%, … down to the last request.</summary>
    private static IReadOnlyList<double[]> Curve(LatencyHistogram latency)
    {
        var points = new List<double[]>();
        for (var left = 1.0; left * latency.Count >= 1 && points.Count < 40; left /= 1.5)
        {
            points.Add([1 - left, latency.Percentile(1 - left).TotalMicroseconds]);
        }
        points.Add([1 - 1.0 / Math.Max(1, latency.Count), latency.Max.TotalMicroseconds]);
        return points;
    }
}
