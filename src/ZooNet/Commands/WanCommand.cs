using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Spectre.Console;
using ZooNet.Cli;
using ZooNet.Client;
using ZooNet.Wan;

namespace ZooNet.Commands;

/// <summary><c>zoonet wan</c>: a TCP relay that behaves like a WAN link, for trying things out on one machine.</summary>
public static class WanCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var listen = new Option<ServerAddress[]>("--listen")
        {
            Description = "Where to listen, host:port. Given several times, the first leads to the first --to, and so on.",
            Required = true,
            CustomParser = Parsing.All(ServerAddress.Parse),
        };
        var to = new Option<ServerAddress[]>("--to")
        {
            Description = "Where the link leads, host:port; resolved again for every connection.",
            Required = true,
            CustomParser = Parsing.All(ServerAddress.Parse),
        };
        var rtt = new Option<TimeSpan>("--rtt")
        {
            Description = "Round-trip time; each direction delays by half. For example 100ms.",
            CustomParser = Parsing.Of(Quantity.Duration),
            DefaultValueFactory = _ => TimeSpan.FromMilliseconds(100),
        };
        var jitter = new Option<TimeSpan>("--jitter") { Description = "Largest additional delay per direction; the order of bytes is kept.", CustomParser = Parsing.Of(Quantity.Duration) };
        var bandwidth = new Option<long>("--bandwidth") { Description = "Bandwidth of each direction, for example 100mbit or 12MB/s. Unlimited by default.", CustomParser = Parsing.Of(Quantity.BytesPerSecond) };
        var buffer = new Option<long>("--buffer")
        {
            Description = "Most bytes under way per connection and direction, for example 8MiB; must hold bandwidth times delay.",
            CustomParser = Parsing.Of(Quantity.Bytes),
            DefaultValueFactory = _ => new WanOptions().BufferBytes,
        };
        var admin = new Option<ServerAddress?>("--admin")
        {
            Description = "Where to listen for POST /cut, POST /cut?silent=true, POST /heal and GET /status.",
            CustomParser = Parsing.Of(text => (ServerAddress?)ServerAddress.Parse(text)),
        };
        var command = new Command("wan", "Relay TCP like a WAN link: delay, jitter, bandwidth, cut and heal.") { listen, to, rtt, jitter, bandwidth, buffer, admin };
        command.Validators.Add(result =>
        {
            if (result.GetResult(buffer) is { } given && !given.Errors.Any() && given.GetValueOrDefault<long>() is < 65536 or > int.MaxValue)
            {
                result.AddError("--buffer must be 64KiB to 2GiB");
            }
            if (result.GetResult(listen)?.Tokens.Count != result.GetResult(to)?.Tokens.Count)
            {
                result.AddError("--listen and --to must be given equally often, one --to for each --listen");
            }
        });
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(listen)!, parsed.GetValue(to)!, parsed.GetValue(admin), new WanOptions
        {
            Rtt = parsed.GetValue(rtt),
            Jitter = parsed.GetValue(jitter),
            Bandwidth = parsed.GetValue(bandwidth),
            BufferBytes = (int)parsed.GetValue(buffer),
        }, cancellationToken));
        return command.WithExamples("""
            All links of one process are cut and healed together.

            Examples:
              zoonet wan --listen 127.0.0.1:3181 --to 127.0.0.1:2181 --rtt 90ms
              zoonet wan --listen 127.0.0.1:2888 --to zk1.eu:2888 --listen 127.0.0.1:3888 --to zk1.eu:3888 --admin 127.0.0.1:9191
              curl -X POST http://127.0.0.1:9191/cut?silent=true

            """);
    }

    private static async Task<int> RunAsync(ServerAddress[] listen, ServerAddress[] to, ServerAddress? admin, WanOptions options, CancellationToken cancellationToken)
    {
        var relays = new List<WanRelay>();
        try
        {
            foreach (var (from, target) in listen.Zip(to))
            {
                EndPoint end = IPAddress.TryParse(target.Host, out var address) ? new IPEndPoint(address, target.Port) : new DnsEndPoint(target.Host, target.Port);
                relays.Add(WanRelay.Start(await ResolveAsync(from, cancellationToken), end, options));
                AnsiConsole.MarkupLineInterpolated($"[bold]{from}[/] → [bold]{target}[/], round trip {options.Rtt.TotalMilliseconds} ms");
            }
            if (admin is { } at)
            {
                await using var app = WanAdmin.Build(relays, await ResolveAsync(at, cancellationToken));
                await app.StartAsync(cancellationToken);
                AnsiConsole.MarkupLineInterpolated($"admin: http://{at}/status, POST /cut, /cut?silent=true, /heal");
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C or SIGTERM: the way to end it.
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            await Console.Error.WriteLineAsync($"zoonet wan: {e.Message}");
            return 1;
        }
        finally
        {
            foreach (var relay in relays)
            {
                await relay.DisposeAsync();
            }
        }
        return 0;
    }

    private static async Task<IPEndPoint> ResolveAsync(ServerAddress server, CancellationToken cancellationToken) =>
        new(IPAddress.TryParse(server.Host, out var address) ? address : (await Dns.GetHostAddressesAsync(server.Host, cancellationToken))[0], server.Port);
}
