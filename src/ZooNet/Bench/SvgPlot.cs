namespace ZooNet.Bench;

/// <summary>One point, with the spread of the repetitions that it stands for.</summary>
/// <param name="X">Place on the x axis.</param>
/// <param name="Y">The median.</param>
/// <param name="Low">The smallest repetition; the same as Y where there is one.</param>
/// <param name="High">The largest.</param>
internal readonly record struct PlotPoint(double X, double Y, double Low, double High)
{
    public PlotPoint(double x, double y) : this(x, y, y, y)
    {
    }
}

/// <summary>A named line or set of bars.</summary>
internal sealed record PlotSeries(string Name, IReadOnlyList<PlotPoint> Points);

/// <summary>Draws measurements as lines or as grouped bars, with whiskers from the smallest to the largest repetition.</summary>
internal sealed class SvgPlot
{
    private const int Width = 760;
    private const int Height = 420;
    private const int Left = 76;
    private const int Top = 46;
    private const int Bottom = 58;
    private const int LegendWidth = 150;
    private const string Grid = "#dddddd";

    public required string Title { get; init; }

    public required string XTitle { get; init; }

    public required string YTitle { get; init; }

    public bool XLogarithmic { get; init; }

    public bool YLogarithmic { get; init; }

    /// <summary>Names for marks of the x axis instead of numbers: (value, name).</summary>
    public IReadOnlyList<(double X, string Name)>? XNames { get; init; }

    /// <summary>A line for each series.</summary>
    public string Lines(IReadOnlyList<PlotSeries> series)
    {
        var points = series.SelectMany(one => one.Points).ToArray();
        var xs = points.Select(point => point.X).Concat(XNames?.Select(name => name.X) ?? []).DefaultIfEmpty(1).ToArray();
        var x = new SvgAxis(xs.Min(), xs.Max(), Left, Width - LegendWidth, XLogarithmic);
        var (canvas, y) = Begin(series, points);
        foreach (var (at, name) in XNames ?? [.. x.Marks.Select(mark => (mark, SvgAxis.Format(mark)))])
        {
            canvas.Line(x.At(at), Top, x.At(at), Height - Bottom, Grid);
            canvas.Text(x.At(at), Height - Bottom + 18, name, "middle");
        }
        foreach (var (one, colour) in series.Zip(Colours()))
        {
            canvas.Polyline(one.Points.Select(point => (x.At(point.X), y.At(point.Y))), colour);
            foreach (var point in one.Points)
            {
                Whisker(canvas, x.At(point.X), y, point, colour);
                canvas.Dot(x.At(point.X), y.At(point.Y), colour);
            }
        }
        return canvas.ToString();
    }

    /// <summary>Bars side by side for each named place of the x axis.</summary>
    public string Bars(IReadOnlyList<PlotSeries> series)
    {
        var names = XNames ?? throw new InvalidOperationException("bars need names");
        var (canvas, y) = Begin(series, [.. series.SelectMany(one => one.Points), new PlotPoint(0, YLogarithmic ? 1 : 0)]);
        var group = (double)(Width - LegendWidth - Left) / names.Count;
        var bar = group * 0.8 / series.Count;
        for (var g = 0; g < names.Count; g++)
        {
            var begin = Left + g * group + group * 0.1;
            canvas.Text(begin + group * 0.4, Height - Bottom + 18, names[g].Name, "middle");
            foreach (var ((one, colour), s) in series.Zip(Colours()).Select((pair, index) => (pair, index)))
            {
                foreach (var point in one.Points.Where(point => point.X == names[g].X))
                {
                    canvas.Rectangle(begin + s * bar, y.At(point.Y), bar * 0.92, Height - Bottom - y.At(point.Y), colour);
                    Whisker(canvas, begin + s * bar + bar * 0.46, y, point, "#222222");
                }
            }
        }
        return canvas.ToString();
    }

    private (SvgCanvas Canvas, SvgAxis Y) Begin(IReadOnlyList<PlotSeries> series, IReadOnlyList<PlotPoint> points)
    {
        var canvas = new SvgCanvas(Width, Height);
        canvas.Text(Left, 26, Title, size: 16, bold: true);
        var low = points.Count == 0 ? 0 : points.Min(point => point.Low);
        var y = new SvgAxis(YLogarithmic ? low : Math.Min(0, low), points.Count == 0 ? 1 : points.Max(point => point.High), Height - Bottom, Top, YLogarithmic);
        foreach (var mark in y.Marks)
        {
            canvas.Line(Left, y.At(mark), Width - LegendWidth, y.At(mark), Grid);
            canvas.Text(Left - 8, y.At(mark) + 4, SvgAxis.Format(mark), "end");
        }
        canvas.Line(Left, Height - Bottom, Width - LegendWidth, Height - Bottom, "#222222");
        canvas.Text((Left + Width - LegendWidth) / 2.0, Height - 16, XTitle, "middle");
        canvas.Text(20, (Top + Height - Bottom) / 2.0, YTitle, "middle", turned: true);
        foreach (var ((one, colour), i) in series.Zip(Colours()).Select((pair, index) => (pair, index)))
        {
            canvas.Rectangle(Width - LegendWidth + 12, Top + i * 20, 12, 12, colour);
            canvas.Text(Width - LegendWidth + 30, Top + i * 20 + 11, one.Name);
        }
        return (canvas, y);
    }

    private static void Whisker(SvgCanvas canvas, double x, SvgAxis y, PlotPoint point, string colour)
    {
        if (point.High > point.Low)
        {
            canvas.Line(x, y.At(point.Low), x, y.At(point.High), colour);
            canvas.Line(x - 3, y.At(point.Low), x + 3, y.At(point.Low), colour);
            canvas.Line(x - 3, y.At(point.High), x + 3, y.At(point.High), colour);
        }
    }

    private static IEnumerable<string> Colours()
    {
        while (true)
        {
            foreach (var colour in SvgCanvas.Colours)
            {
                yield return colour;
            }
        }
    }
}
