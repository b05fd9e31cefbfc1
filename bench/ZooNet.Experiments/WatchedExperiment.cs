using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// What it costs a proxy to be looked at: by nobody, by a Prometheus that asks every five seconds, by a console that asks twice a second,
/// and with one request in a hundred traced to a collector, that takes metrics and logs, too. First under load, then at rest. Each proxy
/// has ten mounts.
/// </summary>
internal sealed class WatchedExperiment(HomeOptions options, TextWriter log)
{
    private const int Mounts = 10;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);
    private int _batches;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", new RealEnsembleOptions { Jvm = RunningFast.Jvm }),
            RealEnsemble.StartAsync("eu"));
        await using var home = ensembles[0];
        await using var remote = ensembles[1];
        await using (var client = await remote.ConnectAsync())
        {
            for (var i = 0; i < Mounts; i++)
            {
                await client.CreateAsync($"/apps-{i}", cancellationToken: cancellationToken);
            }
        }
        await using var collector = await StartCollectorAsync();
        ProxyCluster eu = new("eu", remote.Addresses, []);
        await using var alone = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [eu]);
        for (var i = 0; i < Mounts; i++)
        {
            await alone.MountAsync($"eu:/apps-{i}", $"/mnt-{i}");
        }
        await using var scraped = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [eu]);
        await using var shown = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [eu]);
        await using var traced = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [eu],
            new JsonObject { ["otlp"] = collector.Urls.First() },
            launcher: ["env", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01"]);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] watchers =
        [
            AskAsync(scraped, "metrics", TimeSpan.FromSeconds(5), stop.Token),
            AskAsync(shown, "api/v1/status", TimeSpan.FromMilliseconds(500), stop.Token),
        ];
        Way[] ways = [.. new[] { ("nobody", alone), ("Prometheus", scraped), ("a console", shown), ("1% traced", traced) }
            .Select(w => new Way(w.Item1, w.Item2.Address, w.Item2.ProcessId))];
        var machine = Machine.Describe();
        var rounds = new Rounds(options, log);
        await rounds.RunAsync(ways, cancellationToken);
        var resting = await RestAsync(ways, cancellationToken);
        await stop.CancelAsync();
        await Task.WhenAll(watchers);

        var table = new StringBuilder();
        table.AppendLine($"{machine}; 1 voter, {options.Clients} clients, 1 KB, {Mounts} mounts,");
        table.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"{options.Rounds} interleaved rounds of {options.Seconds:0.#} s. Median (smallest–largest).\n"));
        table.AppendLine("| load | looked at by | requests per second | CPU µs per request | throughput ÷ nobody | CPU ÷ nobody |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- |");
        foreach (var load in rounds.Loads)
        {
            foreach (var way in ways)
            {
                var (rate, cpu) = (rounds[load, way].Rate, rounds[load, way].Cpu);
                table.Append($"| {load.Name} | {way.Name} | {rate.ToString("#,0")} | {cpu.ToString("0.0")} ");
                table.AppendLine(way == ways[0] ? "| | |"
                    : $"| {rate.Over(rounds[load, ways[0]].Rate).ToString("0.00")} "
                        + $"| {cpu.Over(rounds[load, ways[0]].Cpu).ToString("0.00")} |");
            }
        }
        table.AppendLine(string.Create(CultureInfo.InvariantCulture, $"\n| at rest, {Rest.TotalSeconds:0} s | of a processor |"));
        table.AppendLine("| --- | --- |");
        foreach (var (way, share) in ways.Zip(resting))
        {
            table.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {way.Name} | {share:0.00%} |"));
        }
        table.AppendLine($"\nThe collector was given {_batches} batches of traces.");
        await log.WriteLineAsync($"\n{table}");
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "watched.md"), table.ToString(), cancellationToken);
    }

    /// <summary>How much of a processor each takes when no client asks for anything.</summary>
    private static async Task<IReadOnlyList<double>> RestAsync(IReadOnlyList<Way> ways, CancellationToken cancellationToken)
    {
        var before = ways.Select(w => CpuOf(w.Processes[0])).ToList();
        var began = Stopwatch.GetTimestamp();
        await Task.Delay(Rest, cancellationToken);
        var took = Stopwatch.GetElapsedTime(began);
        return [.. ways.Zip(before, (way, then) => (CpuOf(way.Processes[0]) - then) / took)];
    }

    private static TimeSpan CpuOf(int process)
    {
        using var running = Process.GetProcessById(process);
        return running.TotalProcessorTime;
    }

    private static async Task AskAsync(ProxyProcess proxy, string path, TimeSpan every, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = proxy.Admin };
        try
        {
            for (; ; await Task.Delay(every, cancellationToken))
            {
                await http.GetByteArrayAsync(path, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Nobody looks any more.
        }
    }

    /// <summary>A collector that takes everything by OTLP over gRPC and keeps nothing.</summary>
    private async Task<WebApplication> StartCollectorAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, FreePorts.Take(), e => e.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            if (context.Request.Path.Value?.Contains("TraceService", StringComparison.Ordinal) == true)
            {
                Interlocked.Increment(ref _batches);
            }
            context.Response.ContentType = "application/grpc";
            context.Response.AppendTrailer("grpc-status", "0");
            // An empty message: not compressed, of no bytes.
            await context.Response.Body.WriteAsync(new byte[5], context.RequestAborted);
        });
        await app.StartAsync();
        return app;
    }
}
