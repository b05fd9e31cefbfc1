using System.Numerics;

namespace ZooNet.Bench;

/// <summary>
/// Counts of durations in buckets whose width is below 1% of their value, from one nanosecond to centuries: percentiles of any depth
/// without keeping the samples. Not thread-safe.
/// </summary>
public sealed class LatencyHistogram
{
    private const int SubBits = 7;
    private const int SubCount = 1 << SubBits;
    private readonly long[] _counts = new long[(64 - SubBits) * SubCount + SubCount];
    private double _sumNs;

    /// <summary>How many durations were recorded.</summary>
    public long Count { get; private set; }

    /// <summary>The longest.</summary>
    public TimeSpan Max { get; private set; }

    /// <summary>Their mean; zero where there are none.</summary>
    public TimeSpan Mean => Count == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(_sumNs / Count / 1000);

    /// <summary>Records one duration; a negative one counts as zero.</summary>
    public void Record(TimeSpan duration)
    {
        var ns = Math.Max(0, duration.Ticks) * TimeSpan.NanosecondsPerTick;
        _counts[IndexOf(ns)]++;
        _sumNs += ns;
        Count++;
        if (duration > Max)
        {
            Max = duration;
        }
    }

    /// <summary>Adds everything that another one has recorded.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }
        _sumNs += other._sumNs;
        Count += other.Count;
        Max = Max > other.Max ? Max : other.Max;
    }

    /// <summary>The duration that the given share (0 to 1) of all does not exceed; zero where there are none.</summary>
    public TimeSpan Percentile(double share)
    {
        if (Count == 0)
        {
            return TimeSpan.Zero;
        }
        var rank = Math.Max(1, (long)Math.Ceiling(share * Count));
        var seen = 0L;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
            {
                var upper = TimeSpan.FromTicks(UpperOf(i) / TimeSpan.NanosecondsPerTick);
                return upper < Max ? upper : Max;
            }
        }
        return Max;
    }

    private static int IndexOf(long ns)
    {
        if (ns < SubCount)
        {
            return (int)ns;
        }
        var shift = BitOperations.Log2((ulong)ns) - SubBits;
        return shift * SubCount + (int)(ns >> shift);
    }

    private static long UpperOf(int index)
    {
        if (index < 2 * SubCount)
        {
            return index;
        }
        var shift = index / SubCount - 1;
        return (((long)(index - shift * SubCount) + 1) << shift) - 1;
    }
}
