using System.Diagnostics;
using System.Text;
using System.Threading.Channels;
using Xunit.Abstractions;
using ZooNet.Client;
using ZooNet.Integration.Clients;
using ZooNet.Integration.Fixtures;
using ZooNet.Integration.Histories;
using ZooNet.Protocol;
using ZooNet.Wan;

namespace ZooNet.Integration.Roaming;

/// <summary>Three regions for all tests of the class, started once: two proxies in each, 20 ms between them.</summary>
public sealed class TreeFixture : IAsyncLifetime
{
    /// <summary>The regions.</summary>
    public TreeRegions Regions { get; private set; } = null!;

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        // A fixture can't skip; its tests do, by Jars.Require().
        if (Jars.Present)
        {
            Regions = await TreeRegions.StartAsync(["us", "eu", "ap"], voters: 1, proxies: 2,
                new WanOptions { Rtt = TimeSpan.FromMilliseconds(HistoryFixture.FromEnvironment("ZOONET_RTT", 20)) });
        }
    }

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        if (Regions is not null)
        {
            await Regions.DisposeAsync();
        }
    }
}

/// <summary>A roaming tree of three regions on real ensembles, used by real clients through proxies in processes of their own.</summary>
public sealed class RoamingTreeTests(TreeFixture fixture, ITestOutputHelper report) : IClassFixture<TreeFixture>
{
    private static readonly ClientProgram Locks = new("kazoo/lock_across_regions.py", ("/usr/bin/python3", "python3"),
        ("/usr/lib/python3/dist-packages/kazoo/client.py", "python3-kazoo"));

    private static readonly string[] Zones = ["us", "eu", "ap"];

    private TreeRegions Regions => fixture.Regions;

    [SkippableFact]
    public async Task What_any_region_writes_all_regions_read_and_a_move_is_seen_by_no_client()
    {
        Jars.Require();
        await Regions.MoveAsync("us");
        var clients = await ConnectAllAsync();
        try
        {
            await clients["us"].CreateAsync("/shared/a", "0"u8.ToArray());
            var created = (await clients["us"].ExistsAsync("/shared/a")).Stat!.Value;
            var events = Zones.ToDictionary(z => z, _ => Channel.CreateUnbounded<WatchNotification>());
            foreach (var zone in Zones)
            {
                clients[zone].WatchFired += e => events[zone].Writer.TryWrite(e);
                await clients[zone].SyncAsync("/shared/a");
                await clients[zone].GetDataAsync("/shared/a", watch: true);
                await clients[zone].GetChildrenAsync("/shared/a", watch: true);
            }
            long last = created.Mzxid;
            for (var i = 1; i <= 6; i++)
            {
                await Regions.MoveAsync(Zones[i % 3], by: Zones[(i + 1) % 3]);
                Assert.All(events.Values, e => Assert.False(e.Reader.TryRead(out _)));

                // From the owner's region, and from others.
                var stat = (await clients[Zones[i / 2 % 3]].SetDataAsync("/shared/a", Encoding.UTF8.GetBytes($"{i}"), i - 1)).Stat;

                Assert.Equal(i, stat.Version);
                Assert.True(stat.Mzxid > last);
                last = stat.Mzxid;
                foreach (var zone in Zones)
                {
                    // Each has seen its own watch fire, once, before it reads what has fired it.
                    await clients[zone].SyncAsync("/shared/a");
                    var read = await clients[zone].GetDataAsync("/shared/a", watch: true);
                    Assert.Equal(($"{i}", created.Czxid, stat.Mzxid),
                        (Encoding.UTF8.GetString(read.Data!), read.Stat.Czxid, read.Stat.Mzxid));
                    Assert.True(events[zone].Reader.TryRead(out var fired));
                    Assert.Equal(("/shared/a", WatchEventType.DataChanged), (fired.Path, fired.Type));
                    Assert.False(events[zone].Reader.TryRead(out _));
                }
            }
            await clients["ap"].CreateAsync("/shared/a/child");
            foreach (var zone in Zones)
            {
                await clients[zone].SyncAsync("/shared/a");
                await clients[zone].ExistsAsync("/shared/a");
                Assert.True(events[zone].Reader.TryRead(out var fired));
                Assert.Equal(("/shared/a", WatchEventType.ChildrenChanged), (fired.Path, fired.Type));
            }
        }
        finally
        {
            await CloseAsync(clients.Values);
        }
    }

    [SkippableFact]
    public async Task Every_sequence_number_is_given_once_and_in_order_while_the_tree_moves_through_all_regions()
    {
        Jars.Require();
        var clients = await ConnectAllAsync();
        try
        {
            await clients["us"].CreateAsync("/shared/q");
            using var stop = new CancellationTokenSource();
            var made = Zones.ToDictionary(z => z, _ => new List<string>());
            var writers = Zones.Select(z => Task.Run(async () =>
            {
                // Eight at a time, as they come.
                while (!stop.IsCancellationRequested)
                {
                    made[z].AddRange((await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
                        clients[z].CreateAsync("/shared/q/n-", [], CreateFlags.PersistentSequential)))).Select(r => r.Path));
                }
            })).ToList();
            for (var i = 1; i <= 12; i++)
            {
                await Regions.MoveAsync(Zones[i % 3], by: Zones[(i + i / 3) % 3]);
                var before = Zones.Select(z => made[z].Count).ToList();
                await Eventually.Async(() => writers.Exists(w => w.IsFaulted)
                    || Zones.Index().All(z => made[z.Item].Count > before[z.Index]), "every region goes on writing");
            }
            await stop.CancelAsync();
            await Task.WhenAll(writers);

            var all = made.Values.SelectMany(p => p).Order(StringComparer.Ordinal).ToList();
            Assert.All(made.Values, paths => Assert.Equal(paths.Order(StringComparer.Ordinal), paths));
            Assert.Equal(Enumerable.Range(0, all.Count).Select(i => $"/shared/q/n-{i:D10}"), all);
            foreach (var zone in Zones)
            {
                await clients[zone].SyncAsync("/shared/q");
                Assert.Equal(all.Count, (await clients[zone].GetChildrenAsync("/shared/q")).Names.Length);
            }
        }
        finally
        {
            await CloseAsync(clients.Values);
        }
    }

    [SkippableFact]
    public async Task Ephemerals_outlive_moves_and_go_with_their_session_when_it_is_closed_and_when_its_client_has_vanished()
    {
        Jars.Require();
        await Regions.MoveAsync("us");
        var us = await Regions.ConnectAsync("us");
        var closes = await Regions.ConnectAsync("eu");
        var vanishes = await Regions.ConnectAsync("ap", first: 1, timeoutMs: 1000);
        try
        {
            await closes.CreateAsync("/shared/closes", [], CreateFlags.Ephemeral);
            await vanishes.CreateAsync("/shared/vanishes", [], CreateFlags.Ephemeral);
            await Regions.MoveAsync("eu");
            await Regions.MoveAsync("ap", by: "us");
            foreach (var (owner, path) in new[] { (closes, "/shared/closes"), (vanishes, "/shared/vanishes") })
            {
                Assert.Equal(owner.SessionId, (await owner.ExistsAsync(path)).Stat!.Value.EphemeralOwner);
                await us.SyncAsync(path);
                Assert.True((await us.ExistsAsync(path)).Exists);
            }

            await vanishes.DetachAsync();
            await closes.CloseAsync();
            await us.SyncAsync("/shared/closes");
            Assert.False((await us.ExistsAsync("/shared/closes")).Exists);
            await Regions.MoveAsync("us");
            await Eventually.Async(async () =>
            {
                await us.SyncAsync("/shared/vanishes");
                return !(await us.ExistsAsync("/shared/vanishes")).Exists;
            }, "the ephemeral of a client that has vanished, gone");
        }
        finally
        {
            await CloseAsync([us, closes, vanishes]);
        }
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_proxy_had_on_its_way_when_it_stopped_has_one_effect_or_none(bool proxyStops)
    {
        Jars.Require();
        await Regions.MoveAsync("eu");
        var folder = proxyStops ? "/shared/stopped" : "/shared/cut";
        await using var watching = await Regions.ConnectAsync("ap");
        await watching.CreateAsync(folder);
        await using var writer = await Regions.ConnectAsync("us");
        await writer.SyncAsync(folder);
        var paused = Regions.Proxies["us"][0];
        var way = Regions.Ways("us", "eu");

        // Many under way at the moment when everything stands still: some not sent, some sent and not answered.
        var writes = new List<Task<CreateResult>>();
        for (var i = 0; i < 200; i++)
        {
            writes.Add(writer.CreateAsync($"{folder}/n-", Encoding.UTF8.GetBytes($"{i}"), CreateFlags.PersistentSequential));
            if (i == 100)
            {
                await writes[20];
            }
        }
        if (proxyStops)
        {
            paused.Pause();
        }
        else
        {
            way[0].Cut(silent: true);
        }
        try
        {
            await Regions.MoveAsync("ap");
            await watching.SetDataAsync(folder, "moved"u8.ToArray());
            await Regions.MoveAsync("eu");
            // Long enough for every timeout, if it is asked for: how long is what is tested.
            await Task.Delay(TimeSpan.FromSeconds(HistoryFixture.FromEnvironment("ZOONET_PAUSE", 0)));
        }
        finally
        {
            paused.Resume();
            way[0].Heal();
        }
        var answered = new List<string>();
        for (var i = 0; i < writes.Count; i++)
        {
            try
            {
                answered.Add($"{(await writes[i]).Path} {i}");
            }
            catch (KeeperException e) when (e.Code is ErrorCode.ConnectionLoss or ErrorCode.SessionExpired)
            {
            }
        }
        // Behind everything that the proxy still had: its own next write.
        await using var after = await Regions.ConnectAsync("us");
        await Eventually.AgainAsync(() => after.SetDataAsync(folder, "last"u8.ToArray()));

        await watching.SyncAsync(folder);
        var there = new List<string>();
        foreach (var name in (await watching.GetChildrenAsync(folder)).Names.Order(StringComparer.Ordinal))
        {
            there.Add($"{folder}/{name} {Encoding.UTF8.GetString((await watching.GetDataAsync($"{folder}/{name}")).Data!)}");
        }
        Assert.Empty(answered.Except(there));
        // Each at most once, in the client's order, and none left out in the middle.
        Assert.Equal(Enumerable.Range(0, there.Count), there.Select(t => int.Parse(t.Split(' ')[1])));
        Assert.True(there.Count >= 21);
    }

    [SkippableFact]
    public async Task Kazoos_lock_has_one_holder_while_the_tree_moves_between_the_regions_of_its_clients()
    {
        Locks.Require();
        var folder = OwnedFolder.Create("lock");
        var until = Path.Combine(folder, "until");
        var length = TimeSpan.FromSeconds(HistoryFixture.FromEnvironment("ZOONET_LONG", 5));
        var hosts = Zones.SelectMany(z => (string[])["--regions", string.Join(',', Regions.Proxies[z].Select(p => p.Address))]);
        var clients = Locks.RunAsync([.. hosts, "--path", "/shared/lock", "--until", until]);
        var moves = 0;
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < length && !clients.IsCompleted; moves++)
        {
            await Regions.MoveAsync(Zones[moves % 3]);
            // Between the moves clients take turns: how long is what is tested, and nothing is waited for.
            await Task.Delay(moves % 2 == 0 ? 100 : 600);
        }
        await File.WriteAllTextAsync(until, "");

        var output = await clients;
        Assert.Contains("PASS no two clients hold the lock at a time", output, StringComparison.Ordinal);
        Assert.DoesNotContain("FAIL ", output, StringComparison.Ordinal);
        report.WriteLine($"{moves} moves\n{output}");
        Directory.Delete(folder, recursive: true);
    }

    private async Task<Dictionary<string, ZooKeeperClient>> ConnectAllAsync()
    {
        var clients = await Task.WhenAll(Zones.Select(z => Regions.ConnectAsync(z)));
        return Zones.Index().ToDictionary(z => z.Item, z => clients[z.Index]);
    }

    private static async Task CloseAsync(IEnumerable<ZooKeeperClient> clients)
    {
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }
}
