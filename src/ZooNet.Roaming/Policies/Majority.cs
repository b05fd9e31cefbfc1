namespace ZooNet.Roaming.Policies;

/// <summary>
/// To the zone that has more than half of the writes of a window, by a margin, in several windows in a row; then it stays for a while, and
/// twice as long if the move did not pay (WPaxos' policy, with what keeps it from running to and fro). A load that is half and half moves
/// nothing.
/// </summary>
internal sealed class Majority : Placement
{
    private readonly MajorityOptions _options;
    private readonly HoldOff _hold;
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private long _now = long.MinValue;
    private long _windowStart = long.MinValue;
    private string? _leading;
    private long _share;
    private int _held;

    /// <summary>Makes the policy.</summary>
    /// <exception cref="RoamingDataException">A value is out of its range.</exception>
    public Majority(MajorityOptions options)
    {
        if (options.WindowMs < 1000 || options.Windows < 1 || options.Margin is not (>= 0.05 and < 0.5)
            || options.HoldOffMs < options.WindowMs
            || options.MaxHoldOffMs < options.HoldOffMs || options.LeastWrites < 1)
        {
            throw new RoamingDataException("majority: a window is 1 s or more, windows 1 or more, the margin from 0.05 to below 0.5, "
                + "the hold at least a window and at most the longest one, and the least number of writes 1 or more");
        }
        (_options, _hold) = (options, new HoldOff(options.HoldOffMs, options.MaxHoldOffMs));
    }

    /// <inheritdoc/>
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

    /// <inheritdoc/>
    public override void Moved(long timeMs)
    {
        _hold.Begin(timeMs);
        (_leading, _held, _windowStart) = (null, 0, timeMs);
        _counts.Clear();
    }

    /// <inheritdoc/>
    public override Wish? Wanted(string owner)
    {
        if (_leading is null || _leading == owner || _held < _options.Windows || !_hold.IsOver(_windowStart))
        {
            return null;
        }
        _hold.End(_now);
        _held = 0;
        return new Wish(_leading, $"majority: {_share}% of the writes of the last window");
    }

    private void CloseWindow()
    {
        var sum = _counts.Values.Sum();
        var best = _counts.Count == 0 ? default : _counts.MaxBy(c => (c.Value, c.Key));
        var leading = sum >= _options.LeastWrites && best.Value > sum * (0.5 + _options.Margin) ? best.Key : null;
        _held = leading is not null && leading == _leading ? _held + 1 : leading is null ? 0 : 1;
        (_leading, _share) = (leading, sum == 0 ? 0 : best.Value * 100 / sum);
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
