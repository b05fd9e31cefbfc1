namespace ZooNet.Roaming.Policies;

/// <summary>
/// To the zone that was the only one to write so many times in a row; where several zones write by turns, back to a centre (WanKeeper's
/// policy). A holder's own writes count, which WanKeeper's code leaves out: a busy holder does not lose an object to two stray writes. A
/// zone that has just got the object does not lose it for a while, but to the centre; for twice as long when it is lost again that soon:
/// rows that come about by chance move it less and less often.
/// </summary>
internal sealed class Consecutive : Placement
{
    private readonly int _needed;
    private readonly string _center;
    private readonly HoldOff _hold;
    private long _now = long.MinValue;
    private string _last = "";
    private int _row;
    private int _turns;

    /// <summary>Makes the policy.</summary>
    /// <param name="needed">How many entries in a row; 2 or more.</param>
    /// <param name="center">Where a contested object rests.</param>
    /// <param name="holdMs">How long a zone has it at least before another zone gets it; milliseconds.</param>
    /// <param name="maxHoldMs">The most of that.</param>
    /// <exception cref="RoamingDataException">A value is out of its range.</exception>
    public Consecutive(int needed, string center, long holdMs = 10_000, long maxHoldMs = 3_600_000)
    {
        if (needed < 2)
        {
            throw new RoamingDataException($"consecutive={needed}: 2 or more writes in a row are needed, "
                + "else every write moves the object");
        }
        if (holdMs < 1000 || maxHoldMs < holdMs)
        {
            throw new RoamingDataException("consecutive: the hold is 1 s or more, and at most the longest one");
        }
        (_needed, _center, _hold) = (needed, center, new HoldOff(holdMs, maxHoldMs));
    }

    /// <inheritdoc/>
    public override void Count(string zone, int commands, long timeMs)
    {
        _now = Math.Max(_now, timeMs);
        if (zone == _last)
        {
            _row = Math.Min(_row + commands, _needed);
        }
        else
        {
            // A row that was broken before it was long enough: several zones take turns.
            _turns = _last.Length == 0 || _row >= _needed ? 0 : Math.Min(_turns + 1, _needed);
            (_last, _row) = (zone, Math.Min(commands, _needed));
        }
        _turns = _row >= _needed ? 0 : _turns;
    }

    /// <inheritdoc/>
    public override void Moved(long timeMs)
    {
        _hold.Begin(timeMs);
        _turns = 0;
    }

    /// <inheritdoc/>
    public override Wish? Wanted(string owner)
    {
        if (_turns >= _needed && owner != _center)
        {
            return new Wish(_center, "consecutive: several zones wrote by turns");
        }
        if (_row < _needed || _last == owner || !_hold.IsOver(_now))
        {
            return null;
        }
        _hold.End(_now);
        return new Wish(_last, $"consecutive: {_needed} writes in a row");
    }
}
