using System.Globalization;

namespace ZooNet.Bench;

/// <summary>Reads a proxy's counters from its admin endpoint.</summary>
internal sealed class ProxyMetrics(Uri admin) : IDisposable
{
    private const string Barriers = "zoonet_barrier_latency_seconds_count";
    private readonly HttpClient _http = new() { BaseAddress = admin, Timeout = TimeSpan.FromSeconds(5) };

    /// <summary>Barriers sent so far; null where the proxy does not say.</summary>
    /// <exception cref="HttpRequestException">The endpoint does not answer.</exception>
    public async Task<long?> BarriersAsync()
    {
        var text = await _http.GetStringAsync("metrics");
        var samples = text.Split('\n').Where(line => line.StartsWith(Barriers, StringComparison.Ordinal)).ToArray();
        return samples.Length == 0 ? null : (long)samples.Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    public void Dispose() => _http.Dispose();
}
