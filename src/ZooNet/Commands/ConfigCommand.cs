using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Commands;

/// <summary><c>zoonet config</c>.</summary>
public static class ConfigCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var file = new Option<string?>("--config", "-c")
        {
            Description = "Show what a proxy would be started with that reads this file, with the variables of this shell. "
                + "Default: what the proxy at --admin runs with.",
            HelpName = "FILE",
        };
        var written = new Option<bool>("--written") { Description = "Only the keys that somebody wrote, not the defaults." };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var admin = AdminClient.AdminOption();
        var show = new Command("show", "Print every key that is in force, and where it was written.") { file, written, json, admin };
        show.SetAction(async (parsed, cancellationToken) =>
        {
            var values = parsed.GetValue(file) is { } path ? Load(path) : await AskAsync(parsed.GetValue(admin), cancellationToken);
            if (parsed.GetValue(written))
            {
                values = [.. values.Where(v => v.Source != ConfigValue.Default)];
            }
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(values));
                return ExitCodes.Ok;
            }
            var table = Output.NewTable("key", "value", "from");
            foreach (var value in values)
            {
                Output.AddRow(table, value.Key, value.Text, value.Source);
            }
            Output.Write(table);
            return ExitCodes.Ok;
        });
        show.WithExamples("""
            Secrets are shown as '…'.

            Examples:
              zoonet config show
              zoonet config show --config us.json --written

            """);
        return new Command("config", "Look at the configuration of a proxy.") { show };
    }

    private static async Task<IReadOnlyList<ConfigValue>> AskAsync(string? admin, CancellationToken cancellationToken)
    {
        using var client = AdminClient.For(admin);
        return await client.GetAsync<IReadOnlyList<ConfigValue>>("/api/v1/config", cancellationToken);
    }

    private static IReadOnlyList<ConfigValue> Load(string file)
    {
        var result = ProxyConfigLoader.Load(file);
        return result.Config?.Values
            ?? throw new CommandFailedException(string.Join("\nzoonet: ", result.Errors.Select(e => e.ToString())), ExitCodes.BadUsage);
    }
}
