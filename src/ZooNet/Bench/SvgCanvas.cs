using System.Globalization;
using System.Net;
using System.Text;

namespace ZooNet.Bench;

/// <summary>
/// Writes the few shapes that a plot needs as SVG, with coordinates in pixels. No styles from outside, so that a file stands alone.
/// </summary>
internal sealed class SvgCanvas
{
    private const string Font = "font-family=\"system-ui,sans-serif\"";
    private readonly StringBuilder _body = new();
    private readonly int _width;
    private readonly int _height;

    public SvgCanvas(int width, int height)
    {
        (_width, _height) = (width, height);
        Rectangle(0, 0, width, height, "#ffffff");
    }

    /// <summary>Colours that stay apart for colour-blind readers too (Okabe and Ito).</summary>
    public static IReadOnlyList<string> Colours { get; } = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

    public void Line(double x1, double y1, double x2, double y2, string colour, double width = 1) =>
        Append($"<line x1=\"{x1:0.#}\" y1=\"{y1:0.#}\" x2=\"{x2:0.#}\" y2=\"{y2:0.#}\" stroke=\"{colour}\" stroke-width=\"{width:0.#}\"/>");

    public void Rectangle(double x, double y, double width, double height, string colour) =>
        Append($"<rect x=\"{x:0.#}\" y=\"{y:0.#}\" width=\"{width:0.#}\" height=\"{height:0.#}\" fill=\"{colour}\"/>");

    public void Dot(double x, double y, string colour) => Append($"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"3\" fill=\"{colour}\"/>");

    public void Polyline(IEnumerable<(double X, double Y)> points, string colour)
    {
        var list = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.X:0.#},{point.Y:0.#}")));
        Append($"<polyline points=\"{list}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\"/>");
    }

    /// <param name="anchor">start, middle or end.</param>
    /// <param name="turned">Whether to write upwards.</param>
    public void Text(double x, double y, string text, string anchor = "start", int size = 12, bool turned = false, bool bold = false)
    {
        var turn = turned ? string.Create(CultureInfo.InvariantCulture, $" transform=\"rotate(-90 {x:0.#} {y:0.#})\"") : "";
        Append($"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#222\"{(bold ? " font-weight=\"bold\"" : "")}{turn}>{WebUtility.HtmlEncode(text)}</text>");
    }

    public override string ToString() =>
        $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{_width}\" height=\"{_height}\" viewBox=\"0 0 {_width} {_height}\" {Font}>\n{_body}</svg>\n";

    private void Append(FormattableString shape) => _body.Append(shape.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
