namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// Smallest, mean and largest latency, as ZooKeeper's <c>srvr</c> and <c>mntr</c> give them, in milliseconds. Thread-safe:
/// recording takes no lock. The four numbers are read one after another, so a reader may see a record half counted.
/// </summary>
public sealed class LatencyStats
{
    private long _count;
    private long _sum;
    private long _min = long.MaxValue;
    private long _max;

    /// <summary>How many were recorded.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>The smallest; 0 before the first.</summary>
    public long MinMs => Interlocked.Read(ref _min) is var min && min == long.MaxValue ? 0 : min;

    /// <summary>The largest.</summary>
    public long MaxMs => Interlocked.Read(ref _max);

    /// <summary>The mean; 0 before the first.</summary>
    public double AverageMs => Count is var count && count == 0 ? 0 : (double)Interlocked.Read(ref _sum) / count;

    /// <summary>Counts one request.</summary>
    /// <param name="milliseconds">From its arrival to its reply; negative counts as 0.</param>
    public void Record(long milliseconds)
    {
        milliseconds = Math.Max(0, milliseconds);
        Interlocked.Increment(ref _count);
        Interlocked.Add(ref _sum, milliseconds);
        for (var seen = Interlocked.Read(ref _min); milliseconds < seen;)
        {
            seen = Interlocked.CompareExchange(ref _min, milliseconds, seen);
        }
        for (var seen = Interlocked.Read(ref _max); milliseconds > seen;)
        {
            seen = Interlocked.CompareExchange(ref _max, milliseconds, seen);
        }
    }

    /// <summary>Starts again, as the four-letter word <c>srst</c> asks.</summary>
    public void Reset()
    {
        Interlocked.Exchange(ref _count, 0);
        Interlocked.Exchange(ref _sum, 0);
        Interlocked.Exchange(ref _min, long.MaxValue);
        Interlocked.Exchange(ref _max, 0);
    }
}
