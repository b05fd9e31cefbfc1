using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Faults;

/// <summary>
/// Locks under faults: clients of two regions contend for a lock in either cluster while proxies, observers, servers and the WAN are
/// killed, paused, cut and put right. ZOONET_LONG=300 makes it last five minutes; ZOONET_SEED chooses the faults.
/// </summary>
public sealed class LockUnderFaultsTests(ITestOutputHelper output)
{
    private const int TickMs = 500;
    private const int ClientsPerRegion = 3;
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(6);
    // What a busy machine takes to look.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(2);

    [SkippableFact]
    public async Task No_lock_has_two_holders_no_client_is_stuck_and_no_ephemeral_outlives_its_client()
    {
        Jars.Require();
        var length = TimeSpan.FromSeconds(FromEnvironment("ZOONET_LONG", 25));
        var seed = FromEnvironment("ZOONET_SEED", 20);
        var options = new RealEnsembleOptions { Voters = FromEnvironment("ZOONET_VOTERS", 1), RemoteObservers = 1, TickTimeMs = TickMs, Wan = new() { Rtt = TimeSpan.FromMilliseconds(20) } };
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", options), RealEnsemble.StartAsync("eu", options));
        await using var us = ensembles[0];
        await using var eu = ensembles[1];
        var proxies = await Task.WhenAll(new[] { (us, eu), (us, eu), (eu, us), (eu, us) }.Select(r => ProxyProcess.StartAsync(r.Item1, [r.Item2], new() { ["logLevel"] = "warning" })));
        var log = new LockLog();
        var clients = new List<LockClient>();
        try
        {
            foreach (var ensemble in ensembles)
            {
                await using var direct = await ensemble.ConnectAsync();
                await direct.CreateAsync($"/{ensemble.Name}");
                await direct.CreateAsync($"/{ensemble.Name}/lock");
                await direct.CreateAsync($"/{ensemble.Name}/lock-log");
            }
            await proxies[0].MountAsync("eu:/eu", "/far");
            await proxies[2].MountAsync("us:/us", "/far");
            ContendedLock[] locks =
            [
                new("us", new Dictionary<string, string> { ["us"] = "/us/lock", ["eu"] = "/far/lock" }),
                new("eu", new Dictionary<string, string> { ["us"] = "/far/lock", ["eu"] = "/eu/lock" }),
            ];
            foreach (var region in (string[])["us", "eu"])
            {
                ServerAddress[] servers = [.. (region == "us" ? proxies[..2] : proxies[2..]).Select(p => p.Address)];
                for (var i = 0; i < ClientsPerRegion; i++)
                {
                    ServerAddress[] turned = [.. servers.Skip(i % 2), .. servers.Take(i % 2)];
                    clients.Add(new LockClient($"{region}{i}", region, new ZooKeeperClientOptions { Servers = turned, SessionTimeout = SessionTimeout }, log, (seed * 31) + clients.Count));
                }
            }
            foreach (var client in clients)
            {
                client.Start(locks);
            }
            await Eventually.Async(() => clients.TrueForAll(c => c.LastRound.Count > 0), "every client has held a lock before the first fault", TimeSpan.FromSeconds(60));

            var faults = new FaultInjector(ensembles, proxies, seed);
            await faults.RunAsync(length);
            var calm = Stopwatch.GetTimestamp();
            // No client is stuck: each has a turn with some lock, and each lock goes round in both regions.
            var limit = (2 * SessionTimeout) + Slack;
            var last = TimeSpan.Zero;
            foreach (var client in clients)
            {
                await Eventually.Async(() => client.LastRound.Values.Any(at => at > calm), $"{client.Name} has a turn after the last fault", limit - Stopwatch.GetElapsedTime(calm) + TimeSpan.FromMilliseconds(1));
                last = Stopwatch.GetElapsedTime(calm);
            }
            var outlived = await KillHalfAsync(ensembles, clients);
            output.WriteLine($"seed {seed}, {faults.Done.Count} faults in {length.TotalSeconds:F0} s; turns: {string.Join(", ", locks.Select(l => $"{l.Name} {clients.Sum(c => c.Rounds.GetValueOrDefault(l.Name))}"))}");
            output.WriteLine($"every client had a turn {last.TotalSeconds:F1} s after the last fault; ephemerals of killed clients were gone {outlived.TotalSeconds:F1} s after them");
            foreach (var line in faults.Done.Concat(log.Notes).Concat(log.LostWatches))
            {
                output.WriteLine(line);
            }
            foreach (var client in clients)
            {
                await client.CloseAsync();
            }
            foreach (var ensemble in ensembles)
            {
                await AssertFencedAsync(ensemble);
            }
            Assert.Empty(log.Violations);
            Assert.Empty(log.LostWatches);
            Assert.Empty(log.Overlaps());
        }
        catch
        {
            foreach (var client in clients)
            {
                output.WriteLine($"{client.Name}: {client.State}, session 0x{client.SessionId:x}, {client.Doing}");
            }
            foreach (var (proxy, index) in proxies.Select((p, i) => (p, i)))
            {
                output.WriteLine($"proxy {index}:\n{string.Join('\n', proxy.Log.Split('\n').TakeLast(60))}");
            }
            throw;
        }
        finally
        {
            foreach (var client in clients)
            {
                await client.CloseAsync();
                client.Dispose();
            }
            foreach (var proxy in proxies)
            {
                await proxy.DisposeAsync();
            }
        }
    }

    /// <summary>Kills every second client where it stands; returns when the last of their znodes was gone.</summary>
    private static async Task<TimeSpan> KillHalfAsync(RealEnsemble[] ensembles, List<LockClient> clients)
    {
        var dead = clients.Where((_, i) => i % 2 == 0).ToList();
        await Task.WhenAll(dead.Select(c => c.KillAsync()));
        var died = Stopwatch.GetTimestamp();
        foreach (var ensemble in ensembles)
        {
            await using var direct = await ensemble.ConnectAsync();
            await Eventually.Async(async () =>
            {
                var names = (await direct.GetChildrenAsync($"/{ensemble.Name}/lock")).Names;
                return !names.Any(n => dead.Exists(c => n.StartsWith(c.Name + ".", StringComparison.Ordinal)));
            }, $"the ephemerals of killed clients in {ensemble.Name} gone", SessionTimeout + TimeSpan.FromMilliseconds(2 * TickMs) + Slack - Stopwatch.GetElapsedTime(died));
        }
        return Stopwatch.GetElapsedTime(died);
    }

    /// <summary>In the order of the cluster's own history, once a holder has written no earlier holder writes again.</summary>
    private static async Task AssertFencedAsync(RealEnsemble ensemble)
    {
        await using var direct = await ensemble.ConnectAsync();
        await direct.SyncAsync();
        var folder = $"/{ensemble.Name}/lock-log";
        var entries = new List<LogEntry>();
        foreach (var batch in (await direct.GetChildrenAsync(folder)).Names.Chunk(200))
        {
            foreach (var read in await Task.WhenAll(batch.Select(n => direct.GetDataAsync($"{folder}/{n}"))))
            {
                entries.Add(LogEntry.Decode(read.Stat.Czxid, read.Data!));
            }
        }
        entries.Sort((a, b) => a.Czxid.CompareTo(b.Czxid));
        for (var i = 1; i < entries.Count; i++)
        {
            Assert.True(entries[i].Token >= entries[i - 1].Token,
                $"{ensemble.Name}: {entries[i].Client} wrote with token 0x{entries[i].Token:x} after {entries[i - 1].Client} with 0x{entries[i - 1].Token:x}");
        }
    }

    private static int FromEnvironment(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
