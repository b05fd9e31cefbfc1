using System.CommandLine;
using ZooNet.Cli;

namespace ZooNet.Commands;

/// <summary><c>zoonet completion</c>: prints a completion script for a shell.</summary>
public static class CompletionCommand
{
    /// <summary>Builds the command.</summary>
    /// <param name="root">The command line to complete.</param>
    public static Command Create(Command root)
    {
        var command = new Command("completion", "Print the completion script of a shell.");
        foreach (var shell in Completion.Shells)
        {
            var one = new Command(shell, $"Print the completion script of {shell}.");
            one.SetAction(_ => Console.Write(Completion.For(root, shell)));
            command.Subcommands.Add(one);
        }
        return command.WithExamples("""
            Examples:
              source <(zoonet completion bash)
              zoonet completion bash > /etc/bash_completion.d/zoonet
              zoonet completion zsh > ~/.zfunc/_zoonet
              zoonet completion fish > ~/.config/fish/completions/zoonet.fish

            """);
    }
}
