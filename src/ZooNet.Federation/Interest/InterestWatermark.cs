using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Interest;

/// <summary>
/// What one watching link has told of the changes of some subtrees of home: up to which position of home everything has been told, and
/// between which positions something changed. Why that is sound, and what it asks of the link, is in docs/consistency.md ("The interest
/// watermark").
///
/// Zxids of events are not used: servers before 3.9 send none. An event says that something changed after <see cref="SeenUpTo"/>, and the
/// next position says up to where. No I/O, no clock. Readers are lock-free and may be on any thread; the link's owner calls the rest.
/// </summary>
public sealed class InterestWatermark : IInterestWatermark
{
    private readonly byte[][] _exported;

    /// <summary>Makes a watermark that nothing has been told of yet.</summary>
    /// <param name="exported">The subtrees that are watched: all that somebody outside the view can see.</param>
    public InterestWatermark(IReadOnlyList<string> exported) => _exported = [.. exported.Select(System.Text.Encoding.UTF8.GetBytes)];


    /// <summary>How many ranges are kept. Of older ones only the end of the last is: nothing is known below.</summary>
    public const int MaxRanges = 128;

    private readonly Lock _lock = new();
    private Range[] _ranges = [];
    private long _seen = -1;
    private bool _changed;
    private UpstreamServer? _watcher;

    /// <inheritdoc/>
    public long SeenUpTo => Volatile.Read(ref _seen);

    /// <inheritdoc/>
    public UpstreamServer? Watcher
    {
        get => Volatile.Read(ref _watcher);
        set => Volatile.Write(ref _watcher, value);
    }

    /// <inheritdoc/>
    public bool IsPrivate(ReadOnlySpan<byte> path)
    {
        foreach (var root in _exported)
        {
            if (root.Length == 1 || (path.StartsWith(root) && (path.Length == root.Length || path[root.Length] == (byte)'/')))
            {
                return false;
            }
        }
        return !path.IsEmpty;
    }

    /// <summary>Ranges in which something changed, or may have; for operators.</summary>
    public long Changes { get; private set; }

    /// <summary>
    /// Something changed, or may have, after <see cref="SeenUpTo"/>: the link has brought an event, or it was lost and changes are
    /// missed until the watches are armed again.
    /// </summary>
    public void Changed()
    {
        lock (_lock)
        {
            _changed = true;
        }
    }

    /// <summary>
    /// The link has shown a position of its server: every change up to there that is watched has been told before, by <see
    /// cref="Changed"/>. The first one after a loss must have been asked for after all watches were armed.
    /// </summary>
    /// <param name="position">The zxid in the header of a reply on that link.</param>
    public void Shown(long position)
    {
        lock (_lock)
        {
            if (position <= _seen)
            {
                return;
            }
            if (_changed || _seen < 0)
            {
                Append(new Range(_seen, position));
                _changed = false;
                Changes++;
            }
            // Last, so that whoever reads this position finds the ranges below it.
            Volatile.Write(ref _seen, position);
        }
    }

    /// <inheritdoc/>
    public long LastInterestingChange(long homeZxid)
    {
        // First, see above.
        if (homeZxid > Volatile.Read(ref _seen))
        {
            return homeZxid;
        }
        var ranges = Volatile.Read(ref _ranges);
        for (var i = ranges.Length - 1; i >= 0; i--)
        {
            if (homeZxid >= ranges[i].End)
            {
                return ranges[i].End;
            }
            if (homeZxid > ranges[i].After)
            {
                return homeZxid;
            }
        }
        return homeZxid;
    }

    private void Append(Range range)
    {
        var kept = _ranges;
        var next = kept.Length < MaxRanges ? new Range[kept.Length + 1] : new Range[MaxRanges];
        var dropped = kept.Length + 1 - next.Length;
        Array.Copy(kept, dropped, next, 0, kept.Length - dropped);
        next[^1] = range;
        // Nothing is known below the oldest one's end.
        next[0] = next[0] with { After = -1 };
        Volatile.Write(ref _ranges, next);
    }

    /// <summary>Something changed after one position and not after another.</summary>
    private readonly record struct Range(long After, long End);
}
