namespace ZooNet.Federation.Sessions;

/// <summary>
/// Step 5a, the order of replies: they leave in the order in which they were asked for, whatever cluster they come from, and nothing
/// of a lane overtakes what is queued of it. Pure: says what may leave now, and keeps the rest. Single owner: its session.
/// </summary>
/// <remarks>A session that uses home only queues nothing and allocates nothing.</remarks>
internal struct ReplyOrder
{
    /// <summary>The place of what nobody asked for: an event.</summary>
    public const long Unasked = -1;

    /// <summary>What the proxy answers itself.</summary>
    public ReplyLane? Local;

    private int _queued;

    /// <summary>How many places were given away.</summary>
    public long Taken { get; private set; }

    /// <summary>How many of them, the first, were answered.</summary>
    public long Answered { get; private set; }

    /// <summary>Whether a place was given away and not answered.</summary>
    public readonly bool HasOutstanding => Answered < Taken;

    /// <summary>Whether something is queued, and so may have to be released by what leaves.</summary>
    public readonly bool IsQueueing => _queued > 0;

    /// <summary>The place of the next request.</summary>
    public long Take() => Taken++;

    /// <summary>A reply or an event has come.</summary>
    /// <param name="lane">
    /// Of the link that it came on, or <see cref="Local"/>; made when something must be queued for the first time.
    /// </param>
    /// <param name="place">The place of what it answers; <see cref="Unasked"/> for an event.</param>
    /// <param name="frame">The frame; copied if it is queued.</param>
    /// <returns>True if it must leave now; it is queued otherwise.</returns>
    public bool Offer(ref ReplyLane? lane, long place, ReadOnlySpan<byte> frame)
    {
        if (lane is not { IsEmpty: false } && MayLeave(place))
        {
            Leave(place);
            return true;
        }
        _queued++;
        (lane ??= new ReplyLane()).Enqueue(place, frame);
        return false;
    }

    /// <summary>Takes the next frame out of a lane, if it may leave now.</summary>
    /// <param name="lane">The lane.</param>
    /// <param name="frame">Valid until the next change of the lane.</param>
    public bool TryRelease(ReplyLane? lane, out Span<byte> frame)
    {
        frame = default;
        if (lane is not { IsEmpty: false } || !MayLeave(lane.First))
        {
            return false;
        }
        Leave(lane.First);
        _queued--;
        frame = lane.Take();
        return true;
    }

    private readonly bool MayLeave(long place) => place == Unasked || place == Answered;

    private void Leave(long place)
    {
        if (place >= 0)
        {
            Answered++;
        }
    }
}

/// <summary>What is queued of one link, in the order in which it came.</summary>
internal sealed class ReplyLane
{
    private readonly FrameQueue _frames = new();
    private readonly Ring<long> _places = new();

    /// <summary>Whether nothing is queued.</summary>
    public bool IsEmpty => _places.Count == 0;

    /// <summary>The place of the first frame.</summary>
    public long First => _places.Peek();

    /// <summary>Queues a frame.</summary>
    public void Enqueue(long place, ReadOnlySpan<byte> frame)
    {
        _frames.Enqueue(frame);
        _places.Enqueue() = place;
    }

    /// <summary>Takes the first frame; it is valid until the next one is queued.</summary>
    public Span<byte> Take()
    {
        var frame = _frames.First;
        _frames.Dequeue();
        _places.Dequeue();
        return frame;
    }
}
