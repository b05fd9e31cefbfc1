using System.Diagnostics;
using System.Text.Json;
using Xunit.Abstractions;
using ZooNet.Client;
using ZooNet.Integration.Faults;
using ZooNet.Integration.Fixtures;
using ZooNet.Integration.Histories;
using ZooNet.Wan;

namespace ZooNet.Integration.Roaming;

/// <summary>
/// Real clients of regions that share a roaming tree, at home and in the tree, recorded and judged by the simulator's checker, while the
/// tree moves every three seconds and, with ZOONET_LONG, proxies and servers are killed and paused and the WAN is cut. ZOONET_LONG=300
/// makes it last five minutes; ZOONET_SEED chooses the faults, the moves and what the clients do; ZOONET_VOTERS the size of the
/// ensembles; ZOONET_ZONES=3 makes it three regions, ZOONET_RTT=100 puts so many milliseconds between them.
/// </summary>
public sealed class TreeHistoryTests(ITestOutputHelper output)
{
    private const int ClientsPerRegion = 4;
    private const string Folder = "/history";
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan MoveInterval = TimeSpan.FromSeconds(3);

    [SkippableFact]
    public async Task One_order_explains_what_all_clients_saw_at_home_and_in_a_tree_that_moves()
    {
        Jars.Require();
        var seconds = HistoryFixture.FromEnvironment("ZOONET_LONG", 0);
        var seed = HistoryFixture.FromEnvironment("ZOONET_SEED", 7);
        string[] zones = [.. ((string[])["us", "eu", "ap"]).Take(HistoryFixture.FromEnvironment("ZOONET_ZONES", 2))];
        await using var regions = await TreeRegions.StartAsync(zones, HistoryFixture.FromEnvironment("ZOONET_VOTERS", 1), proxies: 2,
            HistoryFixture.Wan, consistency: "ordered");
        var recorder = new HistoryRecorder();
        await PrepareAsync(regions, zones);
        var clients = zones.SelectMany((z, r) => Enumerable.Range(0, ClientsPerRegion).Select(i => new HistoryClient(
            new ZooKeeperClientOptions
            {
                Servers = [.. Enumerable.Range(i, 2).Select(n => regions.Proxies[z][n % 2].Address)],
                SessionTimeout = SessionTimeout,
            },
            [new Place(z, Folder, IsHome: true), new Place(TreeRegions.Tree, TreeRegions.Mount + Folder, IsHome: false)], recorder, true,
            (seed * 31) + (r * ClientsPerRegion) + i))).ToList();
        ProxyProcess[] proxies = [.. zones.SelectMany(z => regions.Proxies[z])];
        try
        {
            clients.ForEach(c => c.Start());
            using var stop = new CancellationTokenSource();
            var moving = MoveAsync(regions, zones, new Random(seed), stop.Token);
            var began = Stopwatch.GetTimestamp();
            IReadOnlyList<string> faults = [];
            if (seconds > 0)
            {
                var injector = new FaultInjector([.. regions.Ensembles.Values], proxies, seed, regions.Ensembles.Values.ToDictionary(e => e,
                    e => (IReadOnlyList<WanRelay>)[.. zones.Where(z => z != e.Name).SelectMany(z => regions.Ways(z, e.Name))]));
                await injector.RunAsync(TimeSpan.FromSeconds(seconds));
                faults = injector.Done;
            }
            var enough = recorder.ReadsInMounts + (seconds > 0 ? 200 : 400);
            await Eventually.Async(() => recorder.ReadsInMounts >= enough && Stopwatch.GetElapsedTime(began) > 2 * MoveInterval,
                "more reads in the tree", TimeSpan.FromSeconds(60));
            await stop.CancelAsync();
            var moves = await moving;
            await StopAsync();
            var lasted = Stopwatch.GetElapsedTime(began);

            var history = Judge(recorder, regions);
            output.WriteLine($"seed {seed}, {zones.Length} regions, {lasted.TotalSeconds:F0} s, {faults.Count} faults, {moves.Done} moves, "
                + $"{moves.Failed} that failed");
            output.WriteLine($"{history.Operations} operations in {history.Sessions} sessions: {history.Writes} writes took effect, "
                + $"{history.Unanswered} of them unanswered; {history.Placed} of {history.Reads} reads judged, {history.ReadsInMounts} of all "
                + "in the tree");
            foreach (var fault in faults)
            {
                output.WriteLine(fault);
            }
            Assert.True(history.Contradictions.Count == 0, string.Join('\n', history.Contradictions.Take(20)));
            foreach (var ordered in (bool[])[false, true])
            {
                var cycle = history.FindCycle(ordered);
                Assert.True(cycle.Count == 0, $"no order explains this{(ordered ? " and agrees with real time between writes" : "")}:\n"
                    + history.Describe(cycle));
            }
            // It could not pass empty.
            Assert.True(moves.Done >= 2, "the tree has hardly moved");
            Assert.True(history.Writes > 100 && history.Placed > 300 && history.ReadsInMounts > 100, "there is hardly anything to judge");
            Assert.True(history.Placed > history.Reads / 2, "too many reads could not be judged");
        }
        catch
        {
            foreach (var (proxy, index) in proxies.Select((p, i) => (p, i)))
            {
                output.WriteLine($"proxy {index}:\n{string.Join('\n', proxy.Log.Split('\n').TakeLast(40))}");
            }
            throw;
        }
        finally
        {
            await StopAsync();
        }

        async Task StopAsync()
        {
            await Task.WhenAll(clients.Select(c => c.StopAsync()));
            clients.Clear();
        }
    }

    private static async Task PrepareAsync(TreeRegions regions, string[] zones)
    {
        foreach (var zone in zones)
        {
            await using var client = await regions.ConnectAsync(zone);
            foreach (var folder in zone == zones[0] ? (string[])[Folder, TreeRegions.Mount + Folder] : [Folder])
            {
                await client.CreateAsync(folder);
                foreach (var key in HistoryClient.Lasting)
                {
                    await client.CreateAsync($"{folder}/{key}", TransactionLogs.DataOf(-1));
                }
            }
        }
    }

    private static RecordedHistory Judge(HistoryRecorder recorder, TreeRegions regions)
    {
        var seen = recorder.History.Ops.Where(op => recorder.Observations.ContainsKey(op.Id)).ToLookup(op => op.Cluster,
            op => recorder.Observations[op.Id].Zxid);
        var logs = regions.Ensembles.ToDictionary(e => e.Key, e => TransactionLogs.Read(e.Value, Folder, seen[e.Key].ToHashSet()));
        logs[TreeRegions.Tree] = TreeLog.Read(regions.Ensembles.Values, TreeRegions.Tree, Folder);
        return new RecordedHistory(recorder, logs);
    }

    /// <summary>Moves the tree to another zone every three seconds, by whatever proxy.</summary>
    private static async Task<(int Done, int Failed)> MoveAsync(TreeRegions regions, string[] zones, Random random, CancellationToken stop)
    {
        var (done, failed) = (0, 0);
        for (var at = 0; !stop.IsCancellationRequested; at = (at + random.Next(1, zones.Length)) % zones.Length)
        {
            try
            {
                var asked = regions.Proxies[zones[random.Next(zones.Length)]];
                await asked[random.Next(asked.Length)].MoveTreeAsync(TreeRegions.Tree, zones[at]);
                done++;
            }
            catch (Exception e) when (e is InvalidOperationException or HttpRequestException or OperationCanceledException or JsonException)
            {
                // The proxy is down, or an ensemble does not answer: somebody finishes the move, or the next one does.
                failed++;
            }
            await Task.Delay(MoveInterval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return (done, failed);
    }
}
