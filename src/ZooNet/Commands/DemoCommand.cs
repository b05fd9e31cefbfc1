using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using ZooNet.Cli;
using ZooNet.Demo;
using ZooNet.Proxy.Configuration;
using ZooNet.Wan;

namespace ZooNet.Commands;

/// <summary><c>zoonet demo</c>: the whole idea in half a minute.</summary>
public static class DemoCommand
{
    private const int Most = 1_000_000;
    private static readonly TimeSpan MaxRtt = TimeSpan.FromSeconds(2);

    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var defaults = new DemoOptions();
        var rtt = new Option<TimeSpan?>("--rtt")
        {
            Description = "Round trip between the regions, 0 to 2s; 100ms by default.",
            CustomParser = Parsing.Of(text => Quantity.Duration(text) is var time && time <= MaxRtt ? (TimeSpan?)time : throw new FormatException($"--rtt {text}: must be 0 to 2s")),
            HelpName = "TIME",
        };
        var operations = Number("--ops", "Operations of the mixed load, for each mode.", defaults.Operations, 1);
        var rounds = Number("--rounds", "Rounds of the two-writers experiment, for each mode and pair of clients.", defaults.Rounds, 1);
        var seed = Number("--seed", "Seed of what the load reads and writes.", defaults.Seed, 0);
        var us = Listen("--us");
        var eu = Listen("--eu");
        var keep = new Option<bool>("--keep") { Description = "Leave everything up afterwards, until Ctrl-C, and print how to try it." };
        var command = new Command("demo", "Show the whole idea in half a minute: two regions, a WAN, mounts, and what consistency costs.") { rtt, operations, rounds, seed, us, eu, keep };
        command.SetAction((parsed, cancellationToken) => RunAsync(new DemoOptions
        {
            Rtt = parsed.GetValue(rtt) ?? defaults.Rtt,
            Operations = parsed.GetValue(operations),
            Rounds = parsed.GetValue(rounds),
            Seed = parsed.GetValue(seed),
            Us = parsed.GetValue(us) ?? defaults.Us,
            Eu = parsed.GetValue(eu) ?? defaults.Eu,
            Keep = parsed.GetValue(keep),
        }, cancellationToken));
        return command.WithExamples("""
            Everything runs in this process, on free ports of the loopback: no Java, no containers, nothing to clean up.

            Examples:
              zoonet demo
              zoonet demo --rtt 250ms --ops 400
              zoonet demo --keep --us 127.0.0.1:2281 --eu 127.0.0.1:2282

            """);

        Option<HostPort?> Listen(string name) => new(name)
        {
            Description = $"Where the proxy of region {name[2..]} listens; a free port by default.",
            CustomParser = Parsing.Of(text => (HostPort?)HostPort.Parse(text, defaultPort: null)),
            HelpName = "HOST:PORT",
        };
    }

    private static Option<int> Number(string name, string description, int defaultValue, int least) => new(name)
    {
        Description = description,
        CustomParser = Parsing.Of(text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= Most
            ? number
            : throw new FormatException($"{name} {text}: must be {least} to {Most}")),
        DefaultValueFactory = _ => defaultValue,
        HelpName = "N",
    };

    private static async Task<int> RunAsync(DemoOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await new DemoRun(options, Narrator.ForStandardOutput()).RunAsync(cancellationToken);
            return ExitCodes.Ok;
        }
        catch (DemoFailedException e)
        {
            throw new CommandFailedException(e.Message);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new CommandFailedException($"can't listen: {e.Message}; give --us and --eu addresses of this host that are free");
        }
    }
}
