namespace ZooNet.Proxy.Telemetry;

/// <summary>What is timed.</summary>
public enum LatencyKind
{
    /// <summary>Requests of clients that read.</summary>
    Read,
    /// <summary>Requests of clients that write.</summary>
    Write,
    /// <summary>Barriers, which reads wait for.</summary>
    Barrier,
}

/// <summary>
/// How long clients wait, by the cluster that answers: from the arrival of a request at the proxy to its answer, with all that it waited
/// for. Of each client one request at a time is timed. Thread-safe.
/// </summary>
/// <param name="clusters">How many clusters there are.</param>
/// <param name="time">The clock.</param>
public sealed class Latencies(int clusters, TimeProvider time)
{
    /// <summary>How far back <see cref="Recent"/> looks at least, as long as somebody asks so often.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(30);

    private static readonly int Kinds = Enum.GetValues<LatencyKind>().Length;

    private readonly LatencyHistogram[] _all = [.. Enumerable.Range(0, clusters * Kinds).Select(_ => new LatencyHistogram())];
    private readonly long[]?[] _older = new long[clusters * Kinds][];
    private readonly long[]?[] _newer = new long[clusters * Kinds][];
    private readonly Lock _lock = new();
    private long _turned;

    /// <summary>One kind in one cluster, since the start.</summary>
    /// <param name="cluster">Ordinal, from 0 for home.</param>
    /// <param name="kind">What.</param>
    public LatencyHistogram Of(int cluster, LatencyKind kind) => _all[cluster * Kinds + (int)kind];

    /// <summary>
    /// The buckets of the last half minute to minute, for somebody who looks all the time; for one who comes now and then, of the time
    /// since.
    /// </summary>
    public long[] Recent(int cluster, LatencyKind kind)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (_turned == 0 || time.GetElapsedTime(_turned, now) >= Window)
            {
                _turned = now;
                for (var i = 0; i < _all.Length; i++)
                {
                    (_older[i], _newer[i]) = (_newer[i], _all[i].Counts());
                }
            }
            var at = cluster * Kinds + (int)kind;
            var counts = _all[at].Counts();
            if (_older[at] is { } before)
            {
                for (var i = 0; i < counts.Length; i++)
                {
                    counts[i] -= before[i];
                }
            }
            return counts;
        }
    }
}
