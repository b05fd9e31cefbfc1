using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZooNet.Bench;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// One cluster: straight from its ensemble, mounted through a proxy with a ZooKeeper observer beside it, mounted through a proxy that is
/// an observer itself, and as the home of a proxy that passes everything through and of one that is an observer (<c>home.observe</c>).
/// Every round measures all of them one after another, in an order that rotates.
/// </summary>
internal sealed class ObserverExperiment(HomeOptions options, TextWriter log)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var us = await RealEnsemble.StartAsync("us");
        await using var ca = await RealEnsemble.StartAsync("ca");
        await using var remote = await RealEnsemble.StartAsync("eu", new RealEnsembleOptions { Voters = options.Voters, LocalObservers = 1, Jvm = RunningFast.Jvm });
        var observer = remote.Observers.Single();
        await using (var zk = await remote.ConnectAsync())
        {
            await zk.CreateAsync("/apps", [], cancellationToken: cancellationToken);
        }
        await using var beside = await ProxyAsync(us, new JsonObject { ["observers"] = new JsonArray(observer.Address.ToString()) }, "/mnt/beside");
        await using var own = await ProxyAsync(ca, new JsonObject { ["quorum"] = new JsonArray([.. remote.QuorumPorts.Select(p => (JsonNode)$"{p.Host}:{p.Port}")]) }, "/mnt/own");
        await using var through = await ProxyProcess.StartAsync(ProxyCluster.Home(remote), []);
        await using var atHome = await ProxyProcess.StartAsync(ProxyCluster.Home(remote) with { Quorum = remote.QuorumPorts }, []);
        Way[] ways =
        [
            new("direct", remote.Addresses[0], remote.Voters.First().ProcessId) { Path = "/apps" },
            new("mounted: proxy and ZooKeeper observer", beside.Address, beside.ProcessId, observer.ProcessId) { Path = "/mnt/beside" },
            new("mounted: proxy as observer", own.Address, own.ProcessId) { Path = "/mnt/own" },
            new("home: passed through", through.Address, through.ProcessId) { Path = "/apps" },
            new("home: proxy as observer", atHome.Address, atHome.ProcessId) { Path = "/apps" },
        ];
        var machine = Machine.Describe();
        var rounds = new Rounds(options, log);
        await rounds.RunAsync(ways, cancellationToken);

        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture,
            $"{machine}; {options.Voters} voter(s), {options.Clients} clients, 1 KB, {options.Rounds} interleaved rounds of {options.Seconds:0.#} s. Median (smallest–largest).");
        table.AppendLine();
        table.AppendLine("| load | way | requests per second | p50 ms | p99 ms | CPU µs per request | throughput ÷ direct |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- |");
        foreach (var load in rounds.Loads)
        {
            foreach (var way in ways)
            {
                var did = rounds[load, way];
                table.Append($"| {load.Name} | {way.Name} | {did.Rate.ToString("#,0")} | {did.P50.ToString("0.00")} ");
                table.Append($"| {did.P99.ToString("0.00")} | {did.Cpu.ToString("0.0")} ");
                table.AppendLine($"| {(way == ways[0] ? "" : did.Rate.Over(rounds[load, ways[0]].Rate).ToString("0.00"))} |");
            }
        }
        await log.WriteLineAsync($"\n{table}");
        options.Out.Create();
        await WriteAsync("observer.md", table.ToString());
        await WriteAsync("observer.svg", new SvgPlot
        {
            Title = "Mounted and at home: throughput",
            XTitle = "",
            YTitle = "requests per second",
            XNames = [.. rounds.Loads.Select((load, i) => ((double)i, load.Name))],
        }.Bars([.. ways.Select(way => new PlotSeries(way.Name,
            [.. rounds.Loads.Select((load, i) => rounds[load, way].Rate.ToPoint(i))]))]));
        await WriteAsync("observer.json", JsonSerializer.Serialize(rounds.ToValues(ways), new JsonSerializerOptions { WriteIndented = true }));
    }

    private static async Task<ProxyProcess> ProxyAsync(RealEnsemble home, JsonObject remote, string path)
    {
        var proxy = await ProxyProcess.StartAsync(ProxyCluster.Home(home), [], new JsonObject
        {
            ["remotes"] = new JsonObject { ["eu"] = remote },
            ["insecure"] = true,
        });
        await proxy.WaitClustersAsync();
        await proxy.MountAsync("eu:/apps", path, "create");
        return proxy;
    }

    private Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(options.Out.FullName, name), text);
}
