using System.Globalization;
using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// The largest request of each operation from many clients at once, at home and in a mount: the most memory that the proxy has meanwhile,
/// beside the bound of docs/configuration.md.
/// </summary>
internal sealed class MemoryExperiment(int clients, int copies, int maxFrame, int maxReply, int replyParts, string only, TextWriter log)
{
    /// <summary>What the largest request sets: a frame full of short paths, and one that is as long as a frame.</summary>
    private const int Watches = 50_000;
    private const int WatchBytes = 3 << 20;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var us = await RealEnsemble.StartAsync("us", new RealEnsembleOptions { Jvm = [.. RunningFast.Jvm, "-Xmx4g"] });
        await using var eu = await RealEnsemble.StartAsync("eu", new RealEnsembleOptions { Jvm = [.. RunningFast.Jvm, "-Xmx4g"] });
        foreach (var ensemble in new[] { us, eu })
        {
            await using var client = await ZooKeeperClient.ConnectAsync(
                new ZooKeeperClientOptions { Servers = ensemble.Addresses }, cancellationToken);
            await client.CreateAsync("/largest", cancellationToken: cancellationToken);
            if (ensemble == us)
            {
                await client.CreateAsync("/mnt", cancellationToken: cancellationToken);
            }
        }
        await using var proxy = await ProxyProcess.StartAsync(us, [eu], new JsonObject
        {
            ["maxFrame"] = maxFrame,
            ["maxReply"] = maxReply,
            ["limits"] = new JsonObject { ["replyParts"] = replyParts, ["watches"] = Watches, ["watchBytes"] = WatchBytes },
        });
        await proxy.MountAsync("eu:/largest", "/mnt/eu");
        (string Where, string Root, string Elsewhere)[] places = [("home", "/largest", "/mnt/eu"), ("mount", "/mnt/eu", "/largest")];
        foreach (var (_, root, elsewhere) in places)
        {
            await using var client = await proxy.ConnectAsync();
            await new LargestRequests(maxFrame, maxReply, root, elsewhere).PrepareAsync(client);
        }
        var bound = LargestRequests.Bound(clients, maxFrame, maxReply, replyParts, Watches, WatchBytes);
        await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{Machine.Describe()}; {clients} clients, each request {copies} times, maxFrame {maxFrame:#,0}, "
            + $"maxReply {maxReply:#,0}, limits.replyParts {replyParts:#,0}; at rest {proxy.ResidentBytes() >> 20} MiB; "
            + $"the bound is {bound >> 20} MiB\n"));
        await log.WriteLineAsync("| where | request | bytes | most resident MiB | replies | clients closed on |\n"
            + "| --- | --- | --- | --- | --- | --- |");
        var most = 0L;
        foreach (var (where, root, elsewhere) in places)
        {
            foreach (var (name, frame) in new LargestRequests(maxFrame, maxReply, root, elsewhere).All()
                .Where(r => r.Name.Contains(only, StringComparison.OrdinalIgnoreCase)))
            {
                proxy.ForgetPeak();
                var (replies, closed) = await LargestRequests.SendAsync(proxy.Address, clients, frame, copies);
                var peak = proxy.PeakResidentBytes();
                most = Math.Max(most, peak);
                await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"| {where} | {name} | {frame.Length:#,0} | {peak >> 20} | {replies} | {closed} |"));
            }
        }
        await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"\nThe most was {most >> 20} MiB, {100.0 * most / bound:0}% of the bound."));
    }
}
