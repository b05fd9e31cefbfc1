using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Telemetry;
using ZooNet.WebConsole;

namespace ZooNet.Commands;

/// <summary><c>zoonet proxy</c>.</summary>
public static class ProxyCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var config = new Option<string?>("--config", "-c") { Description = "The configuration, a JSON file. Default: ZOONET_CONFIG.", HelpName = "FILE" };
        var check = new Option<bool>("--check-config") { Description = "Check the configuration, say what is wrong with it, and end." };
        var set = new Option<string[]>("--set") { Description = "Override any key: KEY=VALUE, as in timeouts.drain=5s. May be given several times.", HelpName = "KEY=VALUE", DefaultValueFactory = _ => [] };
        var overrides = new (string Key, Option<string?> Option)[]
        {
            ("region", Override("--region", "Name of the region.", "NAME")),
            ("listen", Override("--listen", "Where clients connect; several separated by commas.", "HOST:PORT")),
            ("admin", Override("--admin", "Where the admin endpoint listens.", "HOST:PORT")),
            ("home:cluster", Override("--home-cluster", "Name of the region's own cluster.", "NAME")),
            ("home:servers", Override("--home-servers", "Its servers, separated by commas.", "HOST:PORT,…")),
            ("consistency", Override("--consistency", "What holds across clusters: sequential, ordered, none or switch.", "MODE")),
            ("barrier", Override("--barrier", "What a barrier is made of: quorum, sync or auto.", "KIND")),
            ("logLevel", Override("--log-level", "Least severe level that is logged: trace, debug, information, warning, error.", "LEVEL")),
            ("proxyId", Override("--proxy-id", "Names this proxy among those of its region.", "NAME")),
        };
        set.Validators.Add(result =>
        {
            foreach (var assignment in result.GetValueOrDefault<string[]>() ?? [])
            {
                if (assignment.IndexOf('=') < 1)
                {
                    result.AddError($"'{assignment}' is no KEY=VALUE");
                }
            }
        });
        var command = new Command("proxy", "Serve a region: its own cluster, with others mounted into it.") { config, check };
        foreach (var (_, option) in overrides)
        {
            command.Options.Add(option);
        }
        command.Options.Add(set);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var flags = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var (key, option) in overrides)
            {
                if (parsed.GetValue(option) is { } value)
                {
                    flags[key] = value;
                }
            }
            foreach (var assignment in parsed.GetValue(set) ?? [])
            {
                var equals = assignment.IndexOf('=');
                flags[assignment[..equals].Replace('.', ':')] = assignment[(equals + 1)..];
            }
            var file = parsed.GetValue(config) ?? Environment.GetEnvironmentVariable("ZOONET_CONFIG");
            return await RunAsync(string.IsNullOrEmpty(file) ? null : file, flags, parsed.GetValue(check), cancellationToken);
        });
        return command.WithExamples("""
            Every key of the file can be overridden by a variable (ZOONET_CONSISTENCY, ZOONET_HOME__SERVERS) and by --set; flags win
            over variables, variables over the file. SIGHUP, or a changed file, has it read again: what can be changed while the proxy runs
            is taken over, see docs/configuration.md. SIGTERM drains: outstanding requests are finished first.

            Examples:
              zoonet proxy --config us.json
              zoonet proxy --config us.json --listen 0.0.0.0:2281 --set timeouts.drain=5s
              zoonet proxy --region us --listen 127.0.0.1:2281 --home-cluster us --home-servers zk1:2181,zk2:2181,zk3:2181

            """);
    }

    private static async Task<int> RunAsync(string? file, Dictionary<string, string> flags, bool checkOnly, CancellationToken cancellationToken)
    {
        var result = ProxyConfigLoader.Load(file, flags);
        foreach (var warning in result.Warnings)
        {
            await Console.Error.WriteLineAsync($"zoonet: warning: {warning}");
        }
        if (result.Config is not { } config)
        {
            foreach (var error in result.Errors)
            {
                await Console.Error.WriteLineAsync($"zoonet: {error}");
            }
            var count = result.Errors.Count;
            throw new CommandFailedException($"the configuration has {count} {(count == 1 ? "error" : "errors")}; see docs/configuration.md", ExitCodes.BadUsage);
        }
        if (checkOnly)
        {
            Output.Line("the configuration is fine");
            return ExitCodes.Ok;
        }
        if (OpenFiles.Limit is < OpenFiles.LeastLimit and var files)
        {
            throw new CommandFailedException(
                $"the process may open {files} files, and a proxy needs {OpenFiles.LeastLimit} before the first client, most of "
                + "them for the libraries that .NET keeps open; raise the hard limit (ulimit -H -n, LimitNOFILE)");
        }
        try
        {
            await using var proxy = ConsoleInProxy.Host(config);
            await proxy.StartAsync(cancellationToken);
            // For whoever started us with port 0: the addresses, one line each.
            Console.WriteLine($"clients: {string.Join(',', proxy.ClientEndPoints)}");
            Console.WriteLine($"admin: http://{proxy.AdminEndPoint}");
            await using var watch = new ConfigWatch(proxy, file, flags, TimeProvider.System);
            await using var manager = ServiceManager.Ready();
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            manager.Stopping();
            await proxy.StopAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            throw new CommandFailedException(e.Message);
        }
        return ExitCodes.Ok;
    }

    private static Option<string?> Override(string name, string description, string value) => new(name) { Description = description, HelpName = value };
}
