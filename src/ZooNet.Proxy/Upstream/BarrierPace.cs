using ZooNet.Federation.Freshness;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// How long barriers at one server take, and how soon after one has begun the next may. The gap between beginnings is a tenth of what a
/// barrier takes: so a read waits for a tenth more than for a barrier of its own, and the server gets ten in the time of one, however
/// many clients read. Where it slows down, the gap grows with it. Thread-safe.
/// </summary>
/// <param name="gap">The gap where it is configured; null for the measured one.</param>
public sealed class BarrierPace(TimeSpan? gap = null)
{
    /// <summary>
    /// The shortest gap that is measured. Where a barrier takes less, they come one after the other (<see cref="UpstreamServer"/>).
    /// </summary>
    public static readonly TimeSpan ShortestGap = TimeSpan.FromMilliseconds(1);

    /// <summary>What is assumed of a barrier before the first is done.</summary>
    private static readonly TimeSpan Assumed = TimeSpan.FromMilliseconds(100);

    private const int Kept = 512;

    private readonly Lock _lock = new();
    private readonly TimeSpan[] _last = new TimeSpan[Kept];
    private long _count;
    private TimeSpan _smoothed = Assumed;

    /// <summary>How long after one has begun the next may.</summary>
    public TimeSpan Gap
    {
        get
        {
            if (gap is { } configured)
            {
                return configured;
            }
            lock (_lock)
            {
                var tenth = _smoothed / 10;
                return tenth > ShortestGap ? tenth : ShortestGap;
            }
        }
    }

    /// <summary>A barrier was carried out.</summary>
    /// <param name="elapsed">From its beginning to its answer.</param>
    public void Took(TimeSpan elapsed)
    {
        lock (_lock)
        {
            _last[_count++ % Kept] = elapsed;
            _smoothed = _count == 1 ? elapsed : _smoothed + ((elapsed - _smoothed) / 8);
        }
    }

    /// <summary>What a barrier takes, by the last 512 that were carried out; null before the first.</summary>
    public BarrierCost? Cost()
    {
        TimeSpan[] sorted;
        lock (_lock)
        {
            sorted = _last[..(int)Math.Min(_count, Kept)];
        }
        if (sorted.Length == 0)
        {
            return null;
        }
        Array.Sort(sorted);
        return new BarrierCost(sorted[(sorted.Length - 1) / 2], sorted[(sorted.Length - 1) * 99 / 100]);
    }
}

/// <summary>What barriers at one server take.</summary>
/// <param name="Median">Half of them take no longer.</param>
/// <param name="Percentile99">99 of 100 take no longer.</param>
public readonly record struct BarrierCost(TimeSpan Median, TimeSpan Percentile99);
