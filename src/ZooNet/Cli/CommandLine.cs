using System.CommandLine;
using System.CommandLine.Invocation;
using ZooNet.Commands;

namespace ZooNet.Cli;

/// <summary>Parses the command line and runs a command: errors go to standard error as one sentence each.</summary>
public static class CommandLine
{
    // Longer than any drain: a command ends by itself after SIGTERM, and the proxy's own limits say when.
    private static readonly TimeSpan TerminationLimit = TimeSpan.FromMinutes(11);

    /// <summary>Runs one command.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, params Command[] commands)
    {
        var root = new RootCommand("ZooNet: one namespace over several ZooKeeper ensembles, for clients that need not know.");
        foreach (var command in commands)
        {
            root.Subcommands.Add(command);
        }
        root.Subcommands.Add(CompletionCommand.Create(root));
        root.Subcommands.Add(ManCommand.Create(root));
        root.WithExamples("""
            Examples:
              zoonet proxy --config us.json          serve the region that us.json describes
              zoonet mount eu:/apps /mnt/eu          mount another region's znodes
              zoonet mounts                          what is mounted
              zoonet status                          what is up and what is down

            Exit codes: 0 done, 1 failed, 2 not understood.
            """);
        HelpExamples.Install(root);
        var parsed = root.Parse([.. args]);
        if (parsed.Action is ParseErrorAction || parsed.Errors.Count > 0 && parsed.Action is not SynchronousCommandLineAction { Terminating: true })
        {
            var name = NameOf(parsed.CommandResult.Command, root);
            // "Required command was not provided" says nothing beside the word that is none.
            var told = parsed.Errors.Where(e => !e.Message.StartsWith("Required command", StringComparison.Ordinal)).ToList();
            // Behind a command that is none, every argument would be told, too.
            var shown = told.Count == 0 ? parsed.Errors.Take(1) : parsed.CommandResult.Command == root ? told.Take(1) : told;
            foreach (var error in shown)
            {
                await Console.Error.WriteLineAsync($"zoonet: {error.Message.TrimEnd('.')}; see '{name} --help'");
            }
            return ExitCodes.BadUsage;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TerminationLimit });
        }
        catch (CommandFailedException e)
        {
            await Console.Error.WriteLineAsync($"zoonet: {e.Message}");
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("zoonet: interrupted");
            return ExitCodes.Failed;
        }
    }

    private static string NameOf(Command command, RootCommand root) => command == root ? "zoonet" : $"zoonet {command.Name}";
}
