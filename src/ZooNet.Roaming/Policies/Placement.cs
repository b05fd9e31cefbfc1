namespace ZooNet.Roaming.Policies;

/// <summary>Where an object should go.</summary>
/// <param name="Zone">The zone that should own it.</param>
/// <param name="Why">Why, in a few words for operators.</param>
internal sealed record Wish(string Zone, string Why);

/// <summary>
/// Says who should own an object from what is in its log: who wrote how much, and when. Objects that move together share one placement,
/// which counts the entries of all of them. It only wishes: whatever it says, ownership is safe. Not thread-safe.
/// </summary>
internal abstract class Placement
{
    /// <summary>Counts an entry. Entries come in the order of the log, so everybody who reads it comes to the same opinion.</summary>
    /// <param name="zone">Where it came from.</param>
    /// <param name="commands">How many commands of clients it has; 1 or more.</param>
    /// <param name="timeMs">The copy's time after it (<see cref="Objects.ObjectCopy.TimeMs"/>): it does not go back.</param>
    public abstract void Count(string zone, int commands, long timeMs);

    /// <summary>Tells that the object has moved, whoever asked for it.</summary>
    /// <param name="timeMs">When, in milliseconds since 1970.</param>
    public abstract void Moved(long timeMs);

    /// <summary>Where it should go now; null where it should stay. A wish is told once, or until it is granted.</summary>
    /// <param name="owner">Who owns it.</param>
    public abstract Wish? Wanted(string owner);
}

/// <summary>It stays where an operator has put it. The default.</summary>
internal sealed class Pinned : Placement
{
    /// <inheritdoc/>
    public override void Count(string zone, int commands, long timeMs)
    {
    }

    /// <inheritdoc/>
    public override void Moved(long timeMs)
    {
    }

    /// <inheritdoc/>
    public override Wish? Wanted(string owner) => null;
}

/// <summary>
/// For how long an object stays after a move: twice as long each time that a move was followed by the next one so soon that it did not pay.
/// Not thread-safe.
/// </summary>
internal sealed class HoldOff
{
    private readonly long _first;
    private readonly long _longest;
    private long _length;
    private long _until = long.MinValue;
    private long _movedAt = long.MinValue;

    /// <summary>Nothing has moved yet.</summary>
    /// <param name="first">How long at first, in milliseconds.</param>
    /// <param name="longest">How long at most.</param>
    public HoldOff(long first, long longest) => (_first, _longest, _length) = (first, longest, first);

    /// <summary>True where it may move at this time.</summary>
    public bool IsOver(long nowMs) => nowMs >= _until;

    /// <summary>It has moved.</summary>
    public void Begin(long nowMs) => (_until, _movedAt) = (nowMs + _length, nowMs);

    /// <summary>It is about to move again.</summary>
    public void End(long nowMs)
    {
        if (_movedAt == long.MinValue)
        {
            return;
        }
        _length = nowMs - _movedAt < 2 * _length ? Math.Min(_length * 2, _longest) : _first;
        _movedAt = long.MinValue;
    }
}
