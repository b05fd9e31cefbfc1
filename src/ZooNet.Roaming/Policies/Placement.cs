namespace ZooNet.Roaming.Policies;

/// <summary>
/// Says who should own an object from what is in its log: who wrote how much, and when. Objects that move together share one placement,
/// which
/// counts the entries of all of them. It only wishes: whatever it says, ownership is safe. Not thread-safe.
/// </summary>
internal abstract class Placement
{
    /// <summary>Counts an entry. Entries come in the order of the log, so everybody who reads it comes to the same opinion.</summary>
    /// <param name="zone">Where it came from.</param>
    /// <param name="commands">How many commands it has.</param>
    /// <param name="timeMs">The copy's time after it (<see cref="Objects.ObjectCopy.TimeMs"/>): it does not go back.</param>
    public abstract void Count(string zone, int commands, long timeMs);

    /// <summary>Tells that the object has moved.</summary>
    public abstract void Moved(string owner, long timeMs);

    /// <summary>The zone that should own it now; null where it should stay.</summary>
    /// <param name="owner">Who owns it.</param>
    public abstract string? Wanted(string owner);
}

/// <summary>It stays where an operator has put it. The default.</summary>
internal sealed class Pinned : Placement
{
    public override void Count(string zone, int commands, long timeMs)
    {
    }

    public override void Moved(string owner, long timeMs)
    {
    }

    public override string? Wanted(string owner) => null;
}

/// <summary>
/// To the zone that has more than half of the writes of a window, by a margin, in several windows in a row; then it stays for a while,
/// and twice as
/// long if the move did not pay (WPaxos' policy, with what keeps it from running to and fro). A load that is half and half moves nothing.
/// </summary>
internal sealed class Majority : Placement
{
    private readonly MajorityOptions _options;
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private long _now = long.MinValue;
    private long _windowStart = long.MinValue;
    private long _holdUntil = long.MinValue;
    private long _holdOff;
    private string? _leading;
    private int _held;
    private long _movedAt = long.MinValue;

    /// <summary>Makes the policy.</summary>
    /// <exception cref="RoamingDataException">A value is out of its range.</exception>
    public Majority(MajorityOptions options)
    {
        if (options.WindowMs < 1000 || options.Windows < 1 || options.Margin is not (>= 0.05 and < 0.5)
            || options.HoldOffMs < options.WindowMs
            || options.MaxHoldOffMs < options.HoldOffMs || options.LeastWrites < 1)
        {
            throw new RoamingDataException("majority: a window is 1 s or more, windows 1 or more, the margin from 0.05 to below 0.5, "
                + "the hold-off at least a window and at most the longest one, and the least number of writes 1 or more");
        }
        _options = options;
        _holdOff = options.HoldOffMs;
    }

    public override void Count(string zone, int commands, long timeMs)
    {
        // A group's entries come from several logs.
        _now = timeMs = Math.Max(_now, timeMs);
        if (_windowStart == long.MinValue)
        {
            _windowStart = timeMs;
        }
        if (timeMs - _windowStart >= _options.WindowMs)
        {
            CloseWindow();
            // Windows in which nobody wrote break a row, as windows in which nobody led do.
            if (timeMs - _windowStart >= 2 * _options.WindowMs)
            {
                (_leading, _held) = (null, 0);
            }
            _windowStart = timeMs;
        }
        _counts[zone] = _counts.GetValueOrDefault(zone) + commands;
    }

    public override void Moved(string owner, long timeMs)
    {
        _holdUntil = timeMs + _holdOff;
        (_leading, _held, _windowStart) = (null, 0, timeMs);
        _counts.Clear();
        _movedAt = timeMs;
    }

    public override string? Wanted(string owner)
    {
        if (_leading is null || _leading == owner || _held < _options.Windows || _windowStart < _holdUntil)
        {
            return null;
        }
        // A move that is undone so soon did not pay: after this one the object stays for longer.
        _holdOff = _movedAt != long.MinValue && _now - _movedAt < 2 * _holdOff
            ? Math.Min(_holdOff * 2, _options.MaxHoldOffMs)
            : _options.HoldOffMs;
        (_movedAt, _held) = (long.MinValue, 0);
        return _leading;
    }

    private void CloseWindow()
    {
        var sum = _counts.Values.Sum();
        var best = _counts.Count == 0 ? default : _counts.MaxBy(c => (c.Value, c.Key));
        var leading = sum >= _options.LeastWrites && best.Value > sum * (0.5 + _options.Margin) ? best.Key : null;
        _held = leading is not null && leading == _leading ? _held + 1 : leading is null ? 0 : 1;
        _leading = leading;
        _counts.Clear();
    }
}

/// <summary>How <see cref="Majority"/> decides.</summary>
/// <param name="WindowMs">The length of a window, in milliseconds.</param>
/// <param name="Windows">How many windows in a row the zone must lead.</param>
/// <param name="Margin">How much more than half of the writes it must have: 0.1 for 60%.</param>
/// <param name="HoldOffMs">How long the object stays after a move, in milliseconds.</param>
/// <param name="MaxHoldOffMs">The longest time that it stays, whatever happened.</param>
/// <param name="LeastWrites">A window with fewer writes says nothing.</param>
internal sealed record MajorityOptions(long WindowMs = 20_000, int Windows = 3, double Margin = 0.1, long HoldOffMs = 600_000,
    long MaxHoldOffMs = 86_400_000, int LeastWrites = 10);

/// <summary>
/// To the zone that was the only one to write so many times in a row; where several zones write by turns, back to a centre (WanKeeper's
/// policy).
/// A holder's own writes count, which WanKeeper's code leaves out: a busy holder does not lose an object to two stray writes.
/// </summary>
internal sealed class Consecutive : Placement
{
    private readonly int _needed;
    private readonly string _center;
    private string _last = "";
    private int _row;
    private int _turns;

    /// <summary>Makes the policy.</summary>
    /// <param name="needed">How many entries in a row; 2 or more.</param>
    /// <param name="center">Where a contested object rests.</param>
    /// <exception cref="RoamingDataException">Fewer than 2.</exception>
    public Consecutive(int needed, string center)
    {
        if (needed < 2)
        {
            throw new RoamingDataException($"consecutive={needed}: 2 or more writes in a row are needed, "
                + "else every write moves the object");
        }
        (_needed, _center) = (needed, center);
    }

    public override void Count(string zone, int commands, long timeMs)
    {
        if (zone == _last)
        {
            _row = Math.Min(_row + 1, _needed);
            _turns = _row >= _needed ? 0 : _turns;
            return;
        }
        // A row that was broken before it was long enough: several zones take turns.
        _turns = _last.Length == 0 ? 0 : Math.Min(_turns + 1, _needed);
        (_last, _row) = (zone, 1);
    }

    public override void Moved(string owner, long timeMs) => _turns = 0;

    public override string? Wanted(string owner) =>
        _row >= _needed ? _last != owner ? _last : null
        : _turns >= _needed && owner != _center ? _center : null;
}
