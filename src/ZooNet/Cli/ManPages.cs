using System.CommandLine;
using System.Text;

namespace ZooNet.Cli;

/// <summary>Manual pages, made from the same commands and options as the help.</summary>
internal static class ManPages
{
    /// <summary>All pages: <c>zoonet.1</c>, and one for each command.</summary>
    /// <returns>File names and their contents, in roff's man macros.</returns>
    public static IReadOnlyDictionary<string, string> Of(Command root)
    {
        var pages = new Dictionary<string, string>(StringComparer.Ordinal) { ["zoonet.1"] = Page(root, "zoonet") };
        foreach (var command in root.Subcommands.Where(command => !command.Hidden))
        {
            pages[$"zoonet-{command.Name}.1"] = Page(command, $"zoonet {command.Name}");
        }
        return pages;
    }

    private static string Page(Command command, string name)
    {
        var text = new StringBuilder();
        var title = name.Replace(' ', '-');
        text.Append($".TH {title.ToUpperInvariant()} 1 \"\" \"ZooNet\" \"User commands\"\n");
        text.Append($".SH NAME\n{Escape(title)} \\- {Escape(Uncapitalised(command.Description ?? "").TrimEnd('.'))}\n");
        text.Append($".SH SYNOPSIS\n.B {Escape(name)}\n");
        foreach (var argument in command.Arguments.Where(argument => !argument.Hidden))
        {
            text.Append($".I {Escape(argument.HelpName ?? argument.Name)}\n");
        }
        text.Append(command.Subcommands.Count > 0 ? ".I COMMAND\n" : "").Append("[options]\n");
        text.Append($".SH DESCRIPTION\n{Escape(command.Description ?? "")}\n");
        List(text, "COMMANDS", command.Subcommands.Where(sub => !sub.Hidden).Select(sub => (sub.Name, sub.Description)));
        List(text, "ARGUMENTS", command.Arguments.Where(argument => !argument.Hidden).Select(argument => (argument.HelpName ?? argument.Name, argument.Description)));
        List(text, "OPTIONS", command.Options.Where(option => !option.Hidden).Select(option => (Usage(option), option.Description)));
        if (HelpExamples.Of(command) is { } examples)
        {
            text.Append($".SH NOTES AND EXAMPLES\n.nf\n{Escape(examples.TrimEnd())}\n.fi\n");
        }
        if (name == "zoonet")
        {
            text.Append(".SH SEE ALSO\n").AppendJoin(", ", command.Subcommands.Where(sub => !sub.Hidden).Select(sub => $"zoonet\\-{Escape(sub.Name)}(1)")).Append('\n');
        }
        else
        {
            text.Append(".SH SEE ALSO\nzoonet(1)\n");
        }
        return text.ToString();
    }

    private static void List(StringBuilder text, string heading, IEnumerable<(string Name, string? Description)> items)
    {
        var begun = false;
        foreach (var (name, description) in items)
        {
            text.Append(begun ? "" : $".SH {heading}\n").Append($".TP\n.B {Escape(name)}\n{Escape(description ?? "")}\n");
            begun = true;
        }
    }

    private static string Usage(Option option)
    {
        var names = string.Join(", ", option.Aliases.Prepend(option.Name).Where(name => name.StartsWith('-')).Distinct());
        return option.ValueType == typeof(bool) || option.Arity.MaximumNumberOfValues == 0 ? names : $"{names} {option.HelpName ?? "VALUE"}";
    }

    private static string Uncapitalised(string text) =>
        text.Length > 1 && char.IsUpper(text[0]) && char.IsLower(text[1]) && !text.StartsWith("ZooNet", StringComparison.Ordinal)
            ? char.ToLowerInvariant(text[0]) + text[1..] : text;

    // A backslash is roff's own, a hyphen without one may become a dash, and a line that begins with a dot or a quote is an order.
    private static string Escape(string text) => string.Join('\n', text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal)
        .Split('\n').Select(line => line.StartsWith('.') || line.StartsWith('\'') ? "\\&" + line : line));
}
