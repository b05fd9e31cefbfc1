using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.CompilerServices;

namespace ZooNet.Cli;

/// <summary>Examples under a command's help: what is read first.</summary>
internal static class HelpExamples
{
    private static readonly ConditionalWeakTable<Command, string> Texts = [];

    /// <summary>Gives a command its examples and notes, printed after its options as they are written.</summary>
    public static Command WithExamples(this Command command, string text)
    {
        Texts.AddOrUpdate(command, text);
        return command;
    }

    /// <summary>A command's examples and notes; null if it has none.</summary>
    public static string? Of(Command command) => Texts.TryGetValue(command, out var text) ? text : null;

    /// <summary>Makes the help of all commands below print them.</summary>
    public static void Install(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new Action((HelpAction)option.Action!);
        }
    }

    private sealed class Action(HelpAction inner) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var result = inner.Invoke(parseResult);
            if (Texts.TryGetValue(parseResult.CommandResult.Command, out var text))
            {
                parseResult.InvocationConfiguration.Output.WriteLine(text.TrimEnd());
                parseResult.InvocationConfiguration.Output.WriteLine();
            }
            return result;
        }
    }
}
