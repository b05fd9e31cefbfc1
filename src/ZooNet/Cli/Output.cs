using Spectre.Console;

namespace ZooNet.Cli;

/// <summary>Tables for people; in a pipe the columns are as wide as they need to be, so that grep finds whole lines.</summary>
internal static class Output
{
    private static readonly IAnsiConsole Out = Make();

    public static Table NewTable(params string[] columns)
    {
        var table = new Table().NoBorder();
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column.ToUpperInvariant(), new Style(decoration: Decoration.Bold))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }
        return table;
    }

    public static void AddRow(Table table, params string?[] cells) => table.AddRow(cells.Select(c => new Text(c ?? "", StyleOf(c))));

    public static void Write(Table table)
    {
        if (!Console.IsOutputRedirected)
        {
            Out.Write(table);
            return;
        }
        // Without the blanks that fill the last column: they are noise to diff, grep and whoever pastes the lines.
        using var text = new StringWriter();
        NewPlainConsole(new AnsiConsoleOutput(text)).Write(table);
        foreach (var line in text.ToString().TrimEnd().Split('\n'))
        {
            Console.WriteLine(line.TrimEnd());
        }
    }

    public static void Line(string text = "") => Out.WriteLine(text);

    private static Style StyleOf(string? cell) => cell switch
    {
        "up" or "active" or "ready" => new Style(Color.Green),
        "down" or "error" or "NOT READY" => new Style(Color.Red),
        "joining" or "leaving" or "requested" or "draining" => new Style(Color.Yellow),
        _ => Style.Plain,
    };

    private static IAnsiConsole Make() => Console.IsOutputRedirected ? NewPlainConsole(null) : AnsiConsole.Console;

    private static IAnsiConsole NewPlainConsole(IAnsiConsoleOutput? to)
    {
        var settings = new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = to };
        var console = AnsiConsole.Create(settings);
        console.Profile.Width = 1000;
        return console;
    }
}
