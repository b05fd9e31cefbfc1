using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>Counters of one proxy at one moment.</summary>
/// <param name="Reads">Reads in mounts.</param>
/// <param name="Waited">Those of them that needed a barrier.</param>
/// <param name="Sent">Barriers completed at the mounted cluster's server.</param>
/// <param name="SentAtHome">Barriers completed at home.</param>
internal readonly record struct BarrierCount(long Reads, long Waited, long Sent, long SentAtHome)
{
    public static BarrierCount operator -(BarrierCount a, BarrierCount b) => new(a.Reads - b.Reads, a.Waited - b.Waited, a.Sent - b.Sent, a.SentAtHome - b.SentAtHome);
}

/// <summary>
/// Reads the counters of one proxy, and watches how many barriers are under way at its remote server. One at a time, each of one round
/// trip or more, makes at most t / RTT + 1 complete in any time t: whatever is beyond that was under way at the same time as another.
/// </summary>
internal sealed class BarrierMeter(ProxyProcess proxy, string home, string remote, TimeSpan rtt) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private readonly HttpClient _http = new() { BaseAddress = proxy.Admin, Timeout = TimeSpan.FromSeconds(10) };
    private readonly List<(long Asked, long Answered, long Count)> _samples = [];

    /// <summary>The counters now.</summary>
    public async Task<BarrierCount> CountAsync(CancellationToken cancellationToken)
    {
        var status = await proxy.StatusAsync();
        var mounted = status.GetProperty("mounts").EnumerateArray().Select(mount => mount.GetProperty("traffic")).Where(traffic => traffic.ValueKind == JsonValueKind.Object).ToArray();
        var metrics = await _http.GetStringAsync("metrics", cancellationToken);
        return new BarrierCount(mounted.Sum(t => t.GetProperty("reads").GetInt64()), mounted.Sum(t => t.GetProperty("barriersNeeded").GetInt64()), Of(metrics, remote), Of(metrics, home));
    }

    /// <summary>Looks again and again until it is cancelled.</summary>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var asked = Stopwatch.GetTimestamp();
            var count = Of(await _http.GetStringAsync("metrics", CancellationToken.None), remote);
            _samples.Add((asked, Stopwatch.GetTimestamp(), count));
            await Task.Delay(Interval, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// The largest number of barriers that completed in any stretch of what was watched, less the stretch's length in round trips. Up to
    /// 1 where there was one at a time.
    /// </summary>
    public double MostBeyondOneAtATime()
    {
        var most = 0.0;
        for (var i = 0; i < _samples.Count; i++)
        {
            for (var j = i + 1; j < _samples.Count; j++)
            {
                // From the earliest that the first number can be of to the latest that the second can.
                most = Math.Max(most, _samples[j].Count - _samples[i].Count - (Stopwatch.GetElapsedTime(_samples[i].Asked, _samples[j].Answered) / rtt));
            }
        }
        return most;
    }

    public void Dispose() => _http.Dispose();

    private static long Of(string metrics, string cluster) => (long)metrics.Split('\n')
        .Where(line => line.StartsWith("zoonet_barrier_latency_seconds_count", StringComparison.Ordinal) && line.Contains($"cluster=\"{cluster}\"", StringComparison.Ordinal))
        .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
}
