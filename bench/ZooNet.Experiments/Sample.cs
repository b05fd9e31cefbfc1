using System.Globalization;
using ZooNet.Bench;

namespace ZooNet.Experiments;

/// <summary>The repetitions of one measurement: reported as median with the smallest and the largest.</summary>
internal sealed class Sample
{
    private readonly List<double> _values = [];

    public IReadOnlyList<double> Values => _values;

    public double Median => At(0.5);

    public double Low => _values.Count == 0 ? double.NaN : _values.Min();

    public double High => _values.Count == 0 ? double.NaN : _values.Max();

    public void Add(double value) => _values.Add(value);

    /// <summary>
    /// The ratio of this to another one, repetition by repetition: what came before and after in the same round is compared.
    /// </summary>
    public Sample Over(Sample other)
    {
        var ratios = new Sample();
        foreach (var (mine, theirs) in _values.Zip(other._values))
        {
            ratios.Add(mine / theirs);
        }
        return ratios;
    }

    /// <summary>Median, smallest and largest.</summary>
    public string ToString(string format) => _values.Count == 0
        ? "-"
        : string.Create(CultureInfo.InvariantCulture, $"{Median.ToString(format, CultureInfo.InvariantCulture)} ({Low.ToString(format, CultureInfo.InvariantCulture)}–{High.ToString(format, CultureInfo.InvariantCulture)})");

    /// <summary>As a plot shows it.</summary>
    /// <param name="x">Where.</param>
    public PlotPoint ToPoint(double x) => new(x, Median, Low, High);

    private double At(double share)
    {
        if (_values.Count == 0)
        {
            return double.NaN;
        }
        var sorted = _values.Order().ToArray();
        var middle = share * (sorted.Length - 1);
        var below = (int)middle;
        return below + 1 < sorted.Length ? sorted[below] + (sorted[below + 1] - sorted[below]) * (middle - below) : sorted[below];
    }
}
