using System.CommandLine;
using System.Net;
using ZooNet.Cli;
using ZooNet.WebConsole;

namespace ZooNet.Commands;

/// <summary><c>zoonet console</c>.</summary>
public static class ConsoleCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var proxies = new Option<string[]>("--proxies", "-p")
        {
            Description = "Admin endpoints of proxies of every region, separated by commas. "
                + $"Default: ZOONET_PROXIES, or {AdminClient.DefaultUrl}.",
            HelpName = "URL,…",
            DefaultValueFactory = _ => [],
        };
        var listen = new Option<string>("--listen")
        {
            Description = "Where browsers connect.",
            HelpName = "HOST:PORT",
            DefaultValueFactory = _ => "127.0.0.1:9180"
        };
        var token = new Option<string?>("--token-file")
        {
            Description = "A file with the token that the proxies ask for. Default: ZOONET_TOKEN_FILE.",
            HelpName = "FILE",
        };
        var path = new Option<string>("--base-path")
        {
            Description = "Where the console is found behind another server, as in /zoonet.",
            HelpName = "PATH",
            DefaultValueFactory = _ => ""
        };
        var readOnly = new Option<bool>("--read-only") { Description = "Pages without buttons: nothing can be changed." };
        var servers = new Option<string[]>("--admin-servers")
        {
            Description = "AdminServers of a cluster's ZooKeeper servers, whose commands are found at /clusters/NAME/commands/…. "
                + "May be given for several clusters.",
            HelpName = "NAME=HOST:PORT,…",
            DefaultValueFactory = _ => [],
        };
        path.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { Length: > 0 } text && (!text.StartsWith('/') || text.EndsWith('/')))
            {
                result.AddError($"--base-path {text} is not allowed; begin it with a slash and end it without one, as in /zoonet");
            }
        });
        var command = new Command("console", "Serve web pages that show the whole federation, and change its mounts.") { proxies, listen,
            token, path, readOnly, servers };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = string.Join(',', parsed.GetValue(proxies) ?? []);
            given = given.Length > 0 ? given : Environment.GetEnvironmentVariable("ZOONET_PROXIES") ?? AdminClient.DefaultUrl;
            var tokenFile = parsed.GetValue(token) ?? Environment.GetEnvironmentVariable("ZOONET_TOKEN_FILE");
            var options = new ConsoleOptions
            {
                Proxies = [.. given.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(UrlOf)
                    .Distinct()],
                Listen = EndPointOf(parsed.GetValue(listen)!),
                Token = tokenFile is { Length: > 0 } file ? await ReadTokenAsync(file, cancellationToken) : null,
                BasePath = parsed.GetValue(path) ?? "",
                ReadOnly = parsed.GetValue(readOnly),
                AdminServers = ServersOf(parsed.GetValue(servers) ?? []),
            };
            return await RunAsync(options, cancellationToken);
        });
        return command.WithExamples("""
            Whoever can open the pages can do what the token allows: keep the console on the loopback, or behind a server that
            asks who comes. Tools reach every proxy through it, too: /proxies/NAME/… is one, /regions/NAME/… any that is ready.

            Examples:
              zoonet console
              zoonet console --proxies us-1:9181,us-2:9181,eu-1:9181 --token-file /etc/zoonet/token
              curl http://127.0.0.1:9180/regions/us/api/v1/status
              zoonet console --admin-servers eu=zk1.eu:8080,zk2.eu:8080

            """);
    }

    private static async Task<int> RunAsync(ConsoleOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await using var console = new ConsoleHost(options);
            await console.StartAsync(cancellationToken);
            Console.WriteLine($"console: http://{console.EndPoint}{options.BasePath}/");
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            throw new CommandFailedException($"can't listen: {e.Message}; give --listen an address of this host that is free");
        }
        return ExitCodes.Ok;
    }

    private static Dictionary<string, IReadOnlyList<Uri>> ServersOf(string[] given)
    {
        var servers = new Dictionary<string, IReadOnlyList<Uri>>();
        foreach (var text in given)
        {
            if (text.Split('=') is not [{ Length: > 0 } name, { Length: > 0 } list] || !servers.TryAdd(name,
                [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(UrlOf).Distinct()]))
            {
                throw new CommandFailedException(
                    $"'--admin-servers {text}' is not understood; write each cluster once, as in eu=zk1.eu:8080,zk2.eu:8080",
                    ExitCodes.BadUsage);
            }
        }
        return servers;
    }

    private static Uri UrlOf(string text)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text;
        return Uri.TryCreate(full, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? new Uri(url!.GetLeftPart(UriPartial.Authority))
            : throw new CommandFailedException($"'{text}' is no admin endpoint; write http://host:port", ExitCodes.BadUsage);
    }

    private static IPEndPoint EndPointOf(string text)
    {
        var literal = text.Replace("localhost:", "127.0.0.1:", StringComparison.OrdinalIgnoreCase);
        return IPEndPoint.TryParse(literal, out var endpoint) && literal.Contains(':', StringComparison.Ordinal)
            ? endpoint
            : throw new CommandFailedException($"'{text}' is no address to listen on; write an IP address and a port, as in 127.0.0.1:9180",
                ExitCodes.BadUsage);
    }

    private static async Task<string> ReadTokenAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            var token = (await File.ReadAllTextAsync(file, cancellationToken)).Trim();
            return token.Length > 0 ? token
                : throw new CommandFailedException($"{file} is empty; put the token into it", ExitCodes.BadUsage);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the token can't be read: {e.Message}", ExitCodes.BadUsage);
        }
    }
}
