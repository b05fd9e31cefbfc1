using Spectre.Console;

namespace ZooNet.Demo;

/// <summary>Tells the demo's story: with colours and a spinner where a terminal shows them, as plain lines anywhere else.</summary>
internal sealed class Narrator(IAnsiConsole console)
{
    private int _chapter;

    /// <summary>A narrator for standard output.</summary>
    public static Narrator ForStandardOutput()
    {
        if (!Console.IsOutputRedirected)
        {
            return new Narrator(AnsiConsole.Console);
        }
        var plain = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Interactive = InteractionSupport.No });
        plain.Profile.Width = 200;
        return new Narrator(plain);
    }

    /// <summary>The title.</summary>
    public void Title(string text, string detail)
    {
        console.Write(new Text(text, new Style(decoration: Decoration.Bold)));
        console.WriteLine(detail);
    }

    /// <summary>Begins a chapter.</summary>
    public void Chapter(string title)
    {
        console.WriteLine();
        console.Write(new Text($"{++_chapter}. ", new Style(Color.Aqua, decoration: Decoration.Bold)));
        console.Write(new Text(title, new Style(decoration: Decoration.Bold)));
        console.WriteLine();
    }

    /// <summary>A line of the story.</summary>
    public void Say(string text) => console.WriteLine($"   {text}");

    /// <summary>What a client does, and what it gets.</summary>
    public void Act(string who, string what, string result)
    {
        console.Write(new Text($"   {who,-6}", new Style(Color.Aqua)));
        console.Write($"{what,-38}");
        console.Write(new Text(result, new Style(Color.Grey)));
        console.WriteLine();
    }

    /// <summary>What was found: green where it is as it should be, red where consistency was lost, which may be the point.</summary>
    public void Finding(string text, bool consistent)
    {
        console.Write(new Text($"   {(consistent ? "+" : "!")} {text}", new Style(consistent ? Color.Green : Color.Red)));
        console.WriteLine();
    }

    /// <summary>A table.</summary>
    public void Show(Table table) => console.Write(table);

    /// <summary>Does something that takes a while: a terminal shows that it does.</summary>
    public async Task<T> WhileAsync<T>(string what, Func<Task<T>> work) => console.Profile.Capabilities.Interactive && console.Profile.Capabilities.Ansi
        ? await console.Status().Spinner(Spinner.Known.Dots).StartAsync(Markup.Escape(what), _ => work())
        : await work();

    /// <inheritdoc cref="WhileAsync{T}"/>
    public Task WhileAsync(string what, Func<Task> work) => WhileAsync(what, async () =>
    {
        await work();
        return true;
    });
}
