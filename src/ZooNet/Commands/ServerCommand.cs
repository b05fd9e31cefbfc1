using System.CommandLine;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using ZooNet.Proxy.Configuration;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Commands;

/// <summary><c>zoonet server</c>: the embedded server as a process of its own.</summary>
public static class ServerCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var listen = new Option<string>("--listen") { Description = "Address and port to listen on; port 0 takes a free one.", DefaultValueFactory = _ => "127.0.0.1:2181" };
        var data = new Option<string?>("--data")
        {
            Description = "Folder to keep the data in; without it everything is in memory. With --observe: what a restart goes on from.",
        };
        var tick = new Option<int>("--tick") { Description = "Milliseconds of a tick: session timeouts are 2 to 20 of them.", DefaultValueFactory = _ => 2000 };
        var super = new Option<string?>("--super-digest") { Description = "Who may do anything: super: and the base64 of the SHA-1 of \"super:password\"." };
        var reconfig = new Option<bool>("--reconfig") { Description = "Allow the super user to reconfigure: observers may join and leave /zookeeper/config." };
        var observe = new Option<string?>("--observe")
        {
            Description = "Join a real ensemble as an observer instead: the quorum ports of its voters, such as eu1:2888,eu2:2888,eu3:2888.",
        };
        var sid = new Option<int>("--sid") { Description = "With --observe, this server's number in the ensemble (sid): one that no other server has.", DefaultValueFactory = _ => 254 };
        var keep = new Option<string?>("--keep")
        {
            Description = "With --observe, keep only these znodes and what is below them, such as /apps,/conf. Without it, everything.",
        };
        var command = new Command("server", "Run a ZooKeeper-compatible server, for development and tests.")
        {
            listen, data, tick, super, reconfig, observe, sid, keep,
        };
        command.SetAction(async (result, cancel) =>
        {
            if (!IPEndPoint.TryParse(result.GetValue(listen)!, out var address))
            {
                await Console.Error.WriteLineAsync($"--listen {result.GetValue(listen)}: not an address with a port, such as 127.0.0.1:2181.");
                return 2;
            }
            if (result.GetValue(tick) <= 0)
            {
                await Console.Error.WriteLineAsync("--tick must be positive.");
                return 2;
            }
            using var logging = LoggerFactory.Create(builder =>
            {
                builder.SetMinimumLevel(LogLevel.Warning).AddSimpleConsole(o => o.SingleLine = true);
                builder.Services.Configure<ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
            });
            var options = new EmbeddedServerOptions
            {
                Listen = address,
                DataDirectory = result.GetValue(data),
                Tick = TimeSpan.FromMilliseconds(result.GetValue(tick)),
                SuperDigest = result.GetValue(super),
                ReconfigEnabled = result.GetValue(reconfig),
                Logging = logging,
            };
            return result.GetValue(observe) is { } quorum
                ? await ObserveAsync(options, quorum, result.GetValue(sid), result.GetValue(keep), cancel)
                : await RunAsync(options, cancel);
        });
        return command;
    }

    private static async Task<int> ObserveAsync(EmbeddedServerOptions options, string quorum, int sid, string? keep,
        CancellationToken cancel)
    {
        var roots = keep?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (roots is { Length: 0 } || roots?.FirstOrDefault(r => !r.StartsWith('/') || (r.Length > 1 && r.EndsWith('/'))) is not null)
        {
            await Console.Error.WriteLineAsync($"--keep {keep}: not a list of paths, such as /apps,/conf.");
            return 2;
        }
        var addresses = new List<DnsEndPoint>();
        foreach (var part in quorum.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!HostPort.TryParse(part, defaultPort: 2888, out var address))
            {
                await Console.Error.WriteLineAsync($"--observe {part}: not a host and a port, such as eu1:2888.");
                return 2;
            }
            addresses.Add(new DnsEndPoint(address.Host, address.Port));
        }
        if (addresses.Count == 0 || sid is < 1 or > 255)
        {
            await Console.Error.WriteLineAsync(addresses.Count == 0 ? "--observe needs addresses, such as eu1:2888,eu2:2888,eu3:2888." : "--sid must be 1 to 255.");
            return 2;
        }
        LearningServer server;
        try
        {
            var learning = new LearnerOptions
            {
                Quorum = addresses,
                ServerId = (byte)sid,
                DataDirectory = options.DataDirectory,
                Roots = roots?.Contains("/") == true ? null : roots,
            };
            server = await LearningServer.StartAsync(options, learning, cancel);
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
        await using (server)
        {
            // Scripts read the port from this line.
            Console.WriteLine($"listening on {server.Address}");
            string? told = null;
            while (!cancel.IsCancellationRequested)
            {
                var now = server.State == LearnerState.Following ? $"following {server.Leader}" : server.Problem;
                if (now is not null && now != told)
                {
                    Console.WriteLine(now);
                    told = now;
                }
                await Task.Delay(TimeSpan.FromMilliseconds(200), cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        return 0;
    }

    private static async Task<int> RunAsync(EmbeddedServerOptions options, CancellationToken cancel)
    {
        EmbeddedServer server;
        try
        {
            server = await EmbeddedServer.StartAsync(options, cancel);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
        await using (server)
        {
            // Scripts read the port from this line.
            Console.WriteLine($"listening on {server.Address}");
            var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var byCancel = cancel.Register(stopped.SetResult);
            await Task.WhenAny(stopped.Task, server.Failure);
            if (server.Failure.IsCompleted)
            {
                var failure = await server.Failure;
                await Console.Error.WriteLineAsync($"{options.DataDirectory} can't be written: {failure.Message}");
                return 1;
            }
        }
        return 0;
    }
}
