using System.CommandLine;
using System.Net.Sockets;
using Spectre.Console;
using ZooNet.Bench;
using ZooNet.Client;
using ZooNet.Wan;

namespace ZooNet.Commands;

/// <summary><c>zoonet bench</c>: a load generator for proxies and servers.</summary>
public static class BenchCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var server = new Option<IReadOnlyList<ServerAddress>>("--server", "-s")
        {
            Description = "A proxy or a ZooKeeper server, host:port, or several with commas between.",
            CustomParser = Parsing.Of(ServerAddress.ParseList),
            DefaultValueFactory = _ => [new ServerAddress("127.0.0.1", ServerAddress.DefaultPort)],
        };
        var remote = new Option<string[]>("--remote") { Description = "A path whose data are remote, such as a mount point. May be given several times." };
        var path = new Option<string>("--path") { Description = "The path under which the local data lie.", DefaultValueFactory = _ => "/" };
        var clients = Count("--clients", "Connections, each with its own session.", 8, 1, 20_000);
        var window = Count("--window", "Most requests outstanding per client.", 16, 1, 10_000);
        var read = Percent("--read", "Share of reads, in percent; the rest are updates.", 50);
        var local = Percent("--local", "Share of bursts that go to the local cluster, in percent; the rest are spread over --remote.", 50);
        var burst = Count("--burst", "Requests to one cluster before drawing again.", 1, 1, 1_000_000);
        var size = new Option<long>("--size") { Description = "Bytes of a znode's data, for example 1k.", CustomParser = Parsing.Of(Quantity.Bytes), DefaultValueFactory = _ => 1024 };
        var znodes = Count("--znodes", "Znodes per cluster.", 1000, 1, 1_000_000);
        var rate = new Option<double>("--rate") { Description = "Requests per second of all clients together (open loop); latency counts from when a request was due. 0 sends as fast as replies come." };
        var duration = Duration("--duration", "How long to measure.", TimeSpan.FromSeconds(10));
        var warmup = Duration("--warmup", "How long to run before measuring.", TimeSpan.FromSeconds(2));
        var seed = Count("--seed", "Where the random draws begin.", 1, 0, int.MaxValue);
        var root = new Option<string>("--root") { Description = "Name of the znode that holds the benchmark's znodes, in each cluster.", DefaultValueFactory = _ => "zoonet-bench" };
        var cpuOf = new Option<int[]>("--cpu-of") { Description = "A process whose CPU time per request is reported. May be given several times." };
        var admin = new Option<Uri?>("--admin")
        {
            Description = "The proxy's admin endpoint, such as http://127.0.0.1:9181, to report its barriers.",
            CustomParser = Parsing.Of(text => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? uri : throw new FormatException($"'{text}' is not an http URL")),
        };
        var label = new Option<string>("--label") { Description = "Name of the run in the report.", DefaultValueFactory = _ => "" };
        var json = new Option<FileInfo?>("--json") { Description = "Write the report to this file, or to standard output with '-'." };
        var svg = new Option<DirectoryInfo?>("--svg") { Description = "Write latency.svg and throughput.svg into this folder." };
        var keep = new Option<bool>("--keep") { Description = "Leave the znodes for the next run." };
        var command = new Command("bench", "Measure throughput and latency of a proxy or a server: local and remote, reads and updates.")
        {
            server, path, remote, clients, window, read, local, burst, size, znodes, rate, duration, warmup, seed, root, cpuOf, admin, label, json, svg, keep,
        };
        command.Validators.Add(result =>
        {
            // Defaults are not there yet when a command is validated.
            foreach (var given in (result.GetValue(remote) ?? []).Append(result.GetValue(path) ?? "/"))
            {
                if (Protocol.ZnodePath.Validate(given) is { } wrong)
                {
                    result.AddError($"'{given}': {wrong}");
                }
            }
            if (Protocol.ZnodePath.Validate("/" + result.GetValue(root)) is { } why)
            {
                result.AddError($"--root: {why}");
            }
            if (result.GetValue(rate) is < 0 or double.NaN)
            {
                result.AddError("--rate must not be negative");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = new BenchOptions
            {
                Servers = parsed.GetValue(server)!,
                Local = parsed.GetValue(path)!,
                Remotes = parsed.GetValue(remote) ?? [],
                Label = parsed.GetValue(label)!,
                Clients = parsed.GetValue(clients),
                Window = parsed.GetValue(window),
                ReadShare = parsed.GetValue(read) / 100,
                LocalShare = parsed.GetValue(local) / 100,
                Burst = parsed.GetValue(burst),
                Size = (int)parsed.GetValue(size),
                Znodes = parsed.GetValue(znodes),
                Rate = parsed.GetValue(rate),
                Duration = parsed.GetValue(duration),
                Warmup = parsed.GetValue(warmup),
                Seed = parsed.GetValue(seed),
                Root = parsed.GetValue(root)!,
                CpuOf = parsed.GetValue(cpuOf) ?? [],
            };
            return await RunAsync(options, parsed.GetValue(admin), parsed.GetValue(json), parsed.GetValue(svg), parsed.GetValue(keep), cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(BenchOptions options, Uri? admin, FileInfo? json, DirectoryInfo? svg, bool keep, CancellationToken cancellationToken)
    {
        try
        {
            using var metrics = admin is null ? null : new ProxyMetrics(admin);
            var report = (await BenchRun.RunAsync([options], metrics is null ? null : metrics.BarriersAsync, cancellationToken))[0];
            if (!keep)
            {
                await BenchPreparation.RemoveAsync(new Workload(options), cancellationToken);
            }
            if (json?.Name == "-")
            {
                await Console.Out.WriteLineAsync(report.ToJson());
            }
            else
            {
                BenchOutput.Print(report, AnsiConsole.Console);
            }
            if (json is { Name: not "-" })
            {
                await File.WriteAllTextAsync(json.FullName, report.ToJson() + "\n", cancellationToken);
            }
            if (svg is not null)
            {
                svg.Create();
                await File.WriteAllTextAsync(Path.Combine(svg.FullName, "latency.svg"), BenchOutput.LatencyPlot(report), cancellationToken);
                await File.WriteAllTextAsync(Path.Combine(svg.FullName, "throughput.svg"), BenchOutput.ThroughputPlot(report), cancellationToken);
            }
            return 0;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("zoonet bench: given up; the znodes are left");
            return 1;
        }
        catch (Exception e) when (e is KeeperException or SocketException or IOException or HttpRequestException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"zoonet bench: {e.Message}");
            return 1;
        }
    }

    private static Option<int> Count(string name, string description, int fallback, int low, int high)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => fallback };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out var value) && (value < low || value > high))
            {
                result.AddError($"{name} must be {low} to {high}");
            }
        });
        return option;
    }

    private static Option<double> Percent(string name, string description, double fallback)
    {
        var option = new Option<double>(name) { Description = description, DefaultValueFactory = _ => fallback };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && double.TryParse(result.Tokens[0].Value, out var value) && value is not (>= 0 and <= 100))
            {
                result.AddError($"{name} must be 0 to 100");
            }
        });
        return option;
    }

    private static Option<TimeSpan> Duration(string name, string description, TimeSpan fallback) =>
        new(name) { Description = description, CustomParser = Parsing.Of(Quantity.Duration), DefaultValueFactory = _ => fallback };
}
