using System.Globalization;

namespace ZooNet.Bench;

/// <summary>Maps values to pixels, linearly or by logarithm, and chooses round places for the marks.</summary>
internal sealed class SvgAxis
{
    private readonly double _low;
    private readonly double _high;
    private readonly double _from;
    private readonly double _to;
    private readonly bool _logarithmic;

    public SvgAxis(double low, double high, double from, double to, bool logarithmic)
    {
        _logarithmic = logarithmic;
        (_from, _to) = (from, to);
        if (logarithmic)
        {
            _low = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(low, 1e-12))));
            _high = Math.Pow(10, Math.Ceiling(Math.Log10(Math.Max(high, _low * 1.001))));
            Marks = [.. Enumerable.Range(0, (int)Math.Round(Math.Log10(_high / _low)) + 1).Select(i => _low * Math.Pow(10, i))];
            return;
        }
        var span = high > low ? high - low : Math.Max(1, Math.Abs(high));
        var step = Math.Pow(10, Math.Floor(Math.Log10(span / 5)));
        step *= (span / 5 / step) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        _low = Math.Floor(low / step) * step;
        _high = Math.Ceiling(high / step - 1e-9) * step;
        _high = _high > _low ? _high : _low + step;
        Marks = [.. Enumerable.Range(0, (int)Math.Round((_high - _low) / step) + 1).Select(i => _low + i * step)];
    }

    /// <summary>Where to draw marks, as values.</summary>
    public IReadOnlyList<double> Marks { get; }

    public double At(double value)
    {
        var share = _logarithmic ? Math.Log10(Math.Max(value, _low) / _low) / Math.Log10(_high / _low) : (value - _low) / (_high - _low);
        return _from + share * (_to - _from);
    }

    /// <summary>A number as people read it: 1,200 as 1.2k.</summary>
    public static string Format(double value) => Math.Abs(value) switch
    {
        0 => "0",
        >= 1e6 => (value / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + "M",
        >= 1e4 => (value / 1e3).ToString("0.##", CultureInfo.InvariantCulture) + "k",
        >= 1 => value.ToString("#,0.##", CultureInfo.InvariantCulture),
        _ => value.ToString("0.####", CultureInfo.InvariantCulture),
    };
}
