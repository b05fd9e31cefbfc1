using System.Numerics;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// Counts times in buckets, four to each doubling, so that a quantile is off by a fifth at most. Thread-safe: recording takes no lock, and
/// a reader may miss what is being recorded.
/// </summary>
public sealed class LatencyHistogram
{
    /// <summary>Times up to this many microseconds share the first bucket.</summary>
    private const int Least = 64;

    /// <summary>Doublings of <see cref="Least"/>: one bucket more takes all that is beyond, from 67 seconds on.</summary>
    private const int Doublings = 20;

    private const int Steps = 4;

    private readonly long[] _counts = new long[Doublings * Steps + 2];
    private long _sum;

    /// <summary>The upper bounds of whole doublings, in seconds.</summary>
    public static IReadOnlyList<double> Bounds { get; } = [.. Enumerable.Range(0, Doublings + 1).Select(i => Least * (1L << i) / 1e6)];

    /// <summary>All times together, in seconds.</summary>
    public double Sum => Interlocked.Read(ref _sum) / 1e6;

    /// <summary>Counts one.</summary>
    public void Record(TimeSpan time)
    {
        var us = Math.Max(0, (long)time.TotalMicroseconds);
        Interlocked.Increment(ref _counts[IndexOf(us)]);
        Interlocked.Add(ref _sum, us);
    }

    /// <summary>The buckets, now.</summary>
    public long[] Counts() => [.. _counts.Select((_, i) => Interlocked.Read(ref _counts[i]))];

    /// <summary>How many there were up to each of <see cref="Bounds"/>.</summary>
    public static IEnumerable<long> UpTo(long[] counts)
    {
        var sum = counts[0];
        yield return sum;
        for (var i = 1; i <= Doublings * Steps; i += Steps)
        {
            sum += counts.AsSpan(i, Steps).ToArray().Sum();
            yield return sum;
        }
    }

    /// <summary>The time that a share of what is counted does not exceed, in milliseconds; null where nothing is counted.</summary>
    /// <param name="counts">As <see cref="Counts"/> gives them, or a difference of two.</param>
    /// <param name="share">From 0 to 1.</param>
    public static double? QuantileMs(long[] counts, double share)
    {
        var total = counts.Sum();
        if (total <= 0)
        {
            return null;
        }
        var (wanted, seen) = (share * total, 0L);
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0 && seen + counts[i] >= wanted)
            {
                var (from, to) = (i == 0 ? 0 : BoundOf(i - 1), BoundOf(i));
                return (from + (to - from) * Math.Clamp((wanted - seen) / counts[i], 0, 1)) / 1000;
            }
            seen += counts[i];
        }
        return BoundOf(counts.Length - 1) / 1000;
    }

    /// <summary>The upper bound of a bucket, in microseconds.</summary>
    private static double BoundOf(int index) => index == 0 ? Least
        : (double)Least * (1L << ((index - 1) / Steps)) * (Steps + 1 + (index - 1) % Steps) / Steps;

    private static int IndexOf(long us)
    {
        if (us <= Least)
        {
            return 0;
        }
        // Bounds belong to the bucket below them.
        var over = us - 1;
        var doubling = BitOperations.Log2((ulong)over / Least);
        return doubling >= Doublings ? Doublings * Steps + 1 : 1 + doubling * Steps + (int)((over >> (doubling + 4)) & (Steps - 1));
    }
}
