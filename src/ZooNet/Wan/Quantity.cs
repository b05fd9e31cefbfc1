using System.Globalization;

namespace ZooNet.Wan;

/// <summary>Reads durations, sizes and rates as people write them on a command line.</summary>
public static class Quantity
{
    private static readonly (string Unit, double Factor)[] Times = [("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)];
    private static readonly (string Unit, double Factor)[] Sizes =
        [("kib", 1024), ("mib", 1024 * 1024), ("gib", 1024.0 * 1024 * 1024), ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("k", 1024), ("m", 1024 * 1024), ("b", 1)];
    private static readonly (string Unit, double Factor)[] Rates =
        [("kbit", 1e3 / 8), ("mbit", 1e6 / 8), ("gbit", 1e9 / 8), ("kb/s", 1e3), ("mb/s", 1e6), ("gb/s", 1e9)];

    /// <summary>Reads a duration such as <c>100ms</c>, <c>1.5s</c>, <c>2m</c>; a bare number counts seconds.</summary>
    /// <exception cref="FormatException">It is not one, or it is negative.</exception>
    public static TimeSpan Duration(string text) => TimeSpan.FromSeconds(Read(text, Times, "a duration such as 100ms, 1.5s or 2m"));

    /// <summary>Reads a size in bytes such as <c>512</c>, <c>1k</c> (1,024), <c>1MB</c> (1,000,000) or <c>1MiB</c>.</summary>
    /// <exception cref="FormatException">It is not one, or it is negative.</exception>
    public static long Bytes(string text) => (long)Read(text, Sizes, "a size such as 512, 1k, 1MB or 1MiB");

    /// <summary>Reads a bandwidth such as <c>100mbit</c> or <c>12MB/s</c>; a bare number counts bytes per second.</summary>
    /// <returns>Bytes per second.</returns>
    /// <exception cref="FormatException">It is not one, or it is negative.</exception>
    public static long BytesPerSecond(string text) => (long)Read(text, Rates, "a bandwidth such as 100mbit or 12MB/s");

    private static double Read(string text, (string Unit, double Factor)[] units, string what)
    {
        ArgumentNullException.ThrowIfNull(text);
        var number = text.Trim().ToLowerInvariant();
        var factor = 1.0;
        foreach (var (unit, value) in units)
        {
            if (number.EndsWith(unit, StringComparison.Ordinal) && double.TryParse(number[..^unit.Length], NumberStyles.Float, CultureInfo.InvariantCulture, out _))
            {
                (number, factor) = (number[..^unit.Length], value);
                break;
            }
        }
        return double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var count) && count >= 0 && double.IsFinite(count)
            ? count * factor
            : throw new FormatException($"'{text}' is not {what}");
    }
}
