using System.Globalization;

namespace ZooNet.WebConsole;

/// <summary>
/// Where things stand in the picture: clusters on an ellipse, and of many in rows, smaller. Arrows are arcs that two opposite ones do not
/// share. Pure.
/// </summary>
internal sealed class GraphLayout
{
    /// <summary>With more clusters than this the picture is drawn in rows, with the arrows only that matter most.</summary>
    public const int Few = 12;

    private readonly Dictionary<string, (double X, double Y)> _places = new(StringComparer.Ordinal);

    public GraphLayout(IReadOnlyList<string> clusters)
    {
        IsCompact = clusters.Count > Few;
        (NodeWidth, NodeHeight) = IsCompact ? (112, 40) : (168, 74);
        if (IsCompact)
        {
            var columns = Math.Max(8, (int)Math.Ceiling(Math.Sqrt(clusters.Count)));
            for (var i = 0; i < clusters.Count; i++)
            {
                _places[clusters[i]] = (80 + i % columns * 134, 40 + i / columns * 72);
            }
            (Width, Height) = (columns * 134 + 26, (clusters.Count + columns - 1) / columns * 72 + 8);
            return;
        }
        // Room for each along the ellipse, so that a hundred do not lie upon each other.
        var radius = Math.Max(clusters.Count == 2 ? 150 : 200, clusters.Count * (NodeWidth + 30) / (2 * Math.PI));
        var (rx, ry) = (radius * 1.45, radius);
        Width = 2 * rx + NodeWidth + 80;
        Height = (clusters.Count == 2 ? 0 : 2 * ry) + NodeHeight + 120;
        for (var i = 0; i < clusters.Count; i++)
        {
            // Two stand side by side, one in the middle; of more the first is on top.
            var angle = clusters.Count == 2 ? Math.PI * (1 - i) : -Math.PI / 2 + 2 * Math.PI * i / clusters.Count;
            _places[clusters[i]] = clusters.Count == 1
                ? (Width / 2, Height / 2)
                : (Width / 2 + rx * Math.Cos(angle), Height / 2 + (clusters.Count == 2 ? 0 : ry * Math.Sin(angle)));
        }
        // Three stand higher than the ellipse's middle: the picture ends where they do.
        var top = _places.Values.Select(p => p.Y).DefaultIfEmpty(0).Min() - NodeHeight / 2 - 70;
        foreach (var (name, place) in _places.ToList())
        {
            _places[name] = (place.X, place.Y - top);
        }
        Height = _places.Values.Select(p => p.Y).DefaultIfEmpty(0).Max() + NodeHeight / 2 + 70;
    }

    /// <summary>Whether it is drawn in rows.</summary>
    public bool IsCompact { get; }

    public double NodeWidth { get; }

    public double NodeHeight { get; }

    public double Width { get; }

    public double Height { get; }

    public (double X, double Y) this[string cluster] => _places[cluster];

    /// <summary>The arc of an arrow, and where its label stands.</summary>
    public (string Path, double X, double Y) Arc(string from, string to)
    {
        var ((x1, y1), (x2, y2)) = (this[from], this[to]);
        var (dx, dy) = (x2 - x1, y2 - y1);
        var length = Math.Max(1, Math.Sqrt(dx * dx + dy * dy));
        // To the left of its way, so that the arrow back bends to the other side.
        var (nx, ny) = (dy / length, -dx / length);
        var bend = IsCompact ? 24 : 70;
        var (cx, cy) = ((x1 + x2) / 2 + nx * bend, (y1 + y2) / 2 + ny * bend);
        var (sx, sy) = Border(x1, y1, cx, cy);
        var (ex, ey) = Border(x2, y2, cx, cy);
        // In the middle of two; of more, where the arrow begins: in the middle of the picture those of several would meet.
        var at = _places.Count == 2 ? 0.5 : 0.3;
        var (start, middle, end) = ((1 - at) * (1 - at), 2 * at * (1 - at), at * at);
        return (Text($"M {sx:0.#} {sy:0.#} Q {cx:0.#} {cy:0.#} {ex:0.#} {ey:0.#}"), start * sx + middle * cx + end * ex + nx * 24,
            start * sy + middle * cy + end * ey + ny * 24);
    }

    public static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Where the line from a node's middle to a point leaves the node, with a little room for the arrow's head.</summary>
    private (double X, double Y) Border(double x, double y, double towardsX, double towardsY)
    {
        var (dx, dy) = (towardsX - x, towardsY - y);
        var scale = Math.Min(
            dx == 0 ? double.MaxValue : (NodeWidth / 2 + 7) / Math.Abs(dx),
            dy == 0 ? double.MaxValue : (NodeHeight / 2 + 7) / Math.Abs(dy));
        return (x + dx * Math.Min(1, scale), y + dy * Math.Min(1, scale));
    }
}
