using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>Watches on mounted paths: once each, in order with replies, and never lost.</summary>
[Collection(RegionsCollection.Name)]
public sealed class WatchTests(RegionsFixture regions)
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static List<(WatchEventType Type, string Path)> Record(ZooKeeperClient client)
    {
        var events = new List<(WatchEventType, string)>();
        client.WatchFired += e => { lock (events) { events.Add((e.Type, e.Path)); } };
        return events;
    }

    private static (WatchEventType, string)[] Snapshot(List<(WatchEventType, string)> events)
    {
        lock (events)
        {
            return [.. events];
        }
    }

    [SkippableFact]
    public async Task One_time_watches_fire_once_and_before_the_reply_that_shows_their_effect()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-once");
        var (data, missing) = (region.Under("data"), region.Under("missing"));
        await region.Eu.CreateAsync(data);
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        Assert.Equal(ErrorCode.Ok, (await client.CallAsync(OpCode.GetData, w => new PathWatchRequest(data, true).Write(w))).Header.Error);
        Assert.Equal(ErrorCode.NoNode, (await client.CallAsync(OpCode.Exists, w => new PathWatchRequest(missing, true).Write(w))).Header.Error);
        Assert.Equal(ErrorCode.Ok, (await client.CallAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, true).Write(w))).Header.Error);

        await client.SendAsync(OpCode.SetData, w => new SetDataRequest(data, Bytes("2"), -1).Write(w));
        Assert.Equal((WatchEventType.DataChanged, data), RawClient.EventOf(await client.NextAsync()));
        Assert.Equal(ErrorCode.Ok, (await client.NextAsync()).Header.Error);

        await client.SendAsync(OpCode.Create, w => new CreateRequest(missing, [], [.. Acl.Open], 0).Write(w, OpCode.Create));
        Assert.Equal((WatchEventType.Created, missing), RawClient.EventOf(await client.NextAsync()));
        Assert.Equal((WatchEventType.ChildrenChanged, region.Path), RawClient.EventOf(await client.NextAsync()));
        Assert.Equal(ErrorCode.Ok, (await client.NextAsync()).Header.Error);

        // All are used up: nothing comes but the replies.
        Assert.Equal(ErrorCode.Ok, (await client.CallAsync(OpCode.SetData, w => new SetDataRequest(data, Bytes("3"), -1).Write(w))).Header.Error);
        Assert.Equal(ErrorCode.Ok, (await client.CallAsync(OpCode.Delete, w => new PathVersionRequest(missing, -1).Write(w))).Header.Error);
    }

    [SkippableFact]
    public async Task What_another_client_changes_is_announced_before_a_read_shows_it()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-before");
        var path = region.Under("x");
        await region.Eu.CreateAsync(path, Bytes("0"));
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        for (var round = 1; round <= 10; round++)
        {
            await client.CallAsync(OpCode.GetData, w => new PathWatchRequest(path, true).Write(w));
            var change = region.Eu.SetDataAsync(path, Bytes($"{round}"));
            var announced = false;
            while (true)
            {
                await client.SendAsync(OpCode.GetData, w => new PathWatchRequest(path, false).Write(w));
                var frame = await client.NextAsync();
                if (frame.Header.Xid == Xids.Notification)
                {
                    announced = true;
                    frame = await client.NextAsync();
                }
                var reader = new JuteReader(frame.Body);
                if (Encoding.UTF8.GetString(reader.ReadBuffer()!) == $"{round}")
                {
                    Assert.True(announced, $"round {round}: the new data came before its event");
                    break;
                }
            }
            await change;
        }
    }

    [SkippableFact]
    public async Task A_recursive_watch_above_a_mount_point_sees_home_and_mount_once_each()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-rec");
        await using var client = await region.ConnectAsync();
        var events = Record(client);
        await client.AddWatchAsync("/", AddWatchMode.PersistentRecursive);
        await client.CreateAsync("/w-rec-home");
        await client.CreateAsync(region.Under("a"));
        await client.SetDataAsync(region.Under("a"), Bytes("1"));
        await region.Eu.CreateAsync(region.Under("a/b"));
        await client.SyncAsync(region.Path);
        await client.DeleteAsync(region.Under("a/b"));
        await client.DeleteAsync("/w-rec-home");
        // Others' tests change /zookeeper/zoonet meanwhile.
        Assert.Equal(
        [
            (WatchEventType.Created, "/w-rec-home"), (WatchEventType.Created, region.Under("a")), (WatchEventType.DataChanged, region.Under("a")),
            (WatchEventType.Created, region.Under("a/b")), (WatchEventType.Deleted, region.Under("a/b")), (WatchEventType.Deleted, "/w-rec-home"),
        ], Snapshot(events).Where(e => !e.Item2.StartsWith("/zookeeper", StringComparison.Ordinal)));

        await client.RemoveWatchesAsync("/", WatcherType.Any);
        var before = Snapshot(events).Length;
        await client.CreateAsync(region.Under("c"));
        await client.CreateAsync("/w-rec-home");
        Assert.Equal(before, Snapshot(events).Length);
        await client.DeleteAsync("/w-rec-home");
    }

    [SkippableFact]
    public async Task A_persistent_watch_in_a_mount_goes_on_firing_until_it_is_removed()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-pers");
        await using var client = await region.ConnectAsync();
        var events = Record(client);
        var path = region.Under("p");
        await client.AddWatchAsync(path, AddWatchMode.Persistent);
        await client.CreateAsync(path);
        await client.SetDataAsync(path, Bytes("1"));
        await client.CreateAsync(path + "/c");
        await client.DeleteAsync(path + "/c");
        Assert.Equal([(WatchEventType.Created, path), (WatchEventType.DataChanged, path), (WatchEventType.ChildrenChanged, path), (WatchEventType.ChildrenChanged, path)], Snapshot(events));
        await client.RemoveWatchesAsync(path);
        await client.SetDataAsync(path, Bytes("2"));
        Assert.Equal(4, Snapshot(events).Length);
        Assert.Equal(ErrorCode.NoWatcher, (await Assert.ThrowsAsync<KeeperException>(() => client.RemoveWatchesAsync(path))).Code);
    }

    [SkippableFact]
    public async Task CheckWatches_in_a_mount_tells_what_is_watched()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-check");
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        async Task<ErrorCode> CheckAsync(WatcherType type) =>
            (await client.CallAsync(OpCode.CheckWatches, w => new PathKindRequest(region.Path, (int)type).Write(w))).Header.Error;
        Assert.Equal(ErrorCode.NoWatcher, await CheckAsync(WatcherType.Children));
        await client.CallAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, true).Write(w));
        Assert.Equal(ErrorCode.Ok, await CheckAsync(WatcherType.Children));
        Assert.Equal(ErrorCode.NoWatcher, await CheckAsync(WatcherType.Data));
    }

    [SkippableTheory]
    [InlineData(OpCode.SetWatches)]
    [InlineData(OpCode.SetWatches2)]
    public async Task Watches_set_again_on_another_proxy_tell_what_was_missed_in_every_cluster(OpCode op)
    {
        await using var region = await MountedRegion.StartAsync(regions, $"w-again{(int)op}", proxies: 2);
        var home = $"/w-again-home{(int)op}";
        string[] data = [home, region.Under("changed"), region.Under("deleted"), region.Under("same")];
        await region.Us.CreateAsync(home);
        foreach (var path in data[1..])
        {
            await region.Eu.CreateAsync(path);
        }
        using var before = await RawClient.ConnectAsync(region.Proxies[0].Address());
        var zxid = 0L;
        foreach (var path in data)
        {
            zxid = (await before.CallAsync(OpCode.GetData, w => new PathWatchRequest(path, true).Write(w))).Header.Zxid;
        }
        before.Dispose();
        await region.Us.SetDataAsync(home, Bytes("1"));
        await region.Eu.SetDataAsync(region.Under("changed"), Bytes("1"));
        await region.Eu.DeleteAsync(region.Under("deleted"));
        await region.Eu.CreateAsync(region.Under("appeared"));

        using var after = await RawClient.ConnectAsync(region.Proxies[1].Address(), 6000, before.SessionId, before.Password, lastZxid: zxid);
        // A request for the mount first: its link is up when the watches are set.
        await after.CallAsync(OpCode.Exists, w => new PathWatchRequest(region.Path, false).Write(w));
        var set = await after.SendAsync(op, w => new SetWatchesRequest(zxid, data, [region.Under("appeared")], [region.Path], [], []).Write(w, op), Xids.SetWatches);
        var told = new List<(WatchEventType, string)>();
        while (true)
        {
            var frame = await after.NextAsync();
            if (frame.Header.Xid != Xids.Notification)
            {
                Assert.Equal((set, ErrorCode.Ok), (frame.Header.Xid, frame.Header.Error));
                break;
            }
            told.Add(RawClient.EventOf(frame));
        }
        Assert.Contains((WatchEventType.DataChanged, home), told);
        Assert.Contains((WatchEventType.DataChanged, region.Under("changed")), told);
        Assert.Contains((WatchEventType.Deleted, region.Under("deleted")), told);
        Assert.Contains((WatchEventType.Created, region.Under("appeared")), told);
        Assert.Contains((WatchEventType.ChildrenChanged, region.Path), told);
        // Nothing is answered twice.
        Assert.Equal(ErrorCode.Ok, (await after.CallAsync(OpCode.Exists, w => new PathWatchRequest(home, false).Write(w))).Header.Error);
        await region.Us.DeleteAsync(home);
    }

    [SkippableFact]
    public async Task Null_lists_and_paths_in_setWatches_get_what_ZooKeeper_gives_at_home_and_in_a_mount()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-null");
        var home = region.Path + "-home";
        await region.Us.CreateAsync(home);
        foreach (var name in new[] { "/x", "/y" })
        {
            await region.Us.CreateAsync(home + name);
            await region.Eu.CreateAsync(region.Path + name);
        }

        Assert.Equal(await TranscriptAsync(regions.Us.Servers[0].Address, home), await TranscriptAsync(region.Proxy.Address(), home));
        var mounted = await TranscriptAsync(regions.Eu.Servers[0].Address, region.Path);
        Assert.Equal(mounted, await TranscriptAsync(region.Proxy.Address(), region.Path));
        Assert.Contains(mounted, line => line.Contains(nameof(ErrorCode.MarshallingError), StringComparison.Ordinal));
        await region.Us.DeleteAsync(home + "/x");
        await region.Us.DeleteAsync(home + "/y");
        await region.Us.DeleteAsync(home);

        static async Task<List<string>> TranscriptAsync(ServerAddress server, string path)
        {
            using var client = await RawClient.ConnectAsync(server);
            await client.CallAsync(OpCode.Exists, w => new PathWatchRequest(path, false).Write(w));
            var (there, too, missing, transcript) = (path + "/x", path + "/y", path + "/none", new List<string>());
            foreach (var (op, lists) in new (OpCode, string?[]?[])[]
            {
                (OpCode.SetWatches, [null, [there], [there]]),
                (OpCode.SetWatches, [[there], null, [there]]),
                (OpCode.SetWatches, [[there], [too], null]),
                (OpCode.SetWatches, [[], [missing], null]),
                (OpCode.SetWatches, [[there, null, missing], [], []]),
                (OpCode.SetWatches, [[], [null], [there]]),
                (OpCode.SetWatches2, [[there], [], [], null, [there]]),
                (OpCode.SetWatches2, [[there], [], [], [], null]),
            })
            {
                var xid = await client.SendAsync(op, w =>
                {
                    w.WriteLong(0);
                    foreach (var list in lists)
                    {
                        w.WriteInt(list?.Length ?? -1);
                        Array.ForEach(list ?? [], w.WriteString);
                    }
                });
                for (var answered = false; !answered;)
                {
                    var frame = await client.NextAsync();
                    answered = frame.Header.Xid == xid;
                    transcript.Add(answered ? $"{frame.Header.Error}, {frame.Body.Length} bytes" : RawClient.EventOf(frame).ToString());
                }
            }
            return transcript;
        }
    }

    [SkippableFact]
    public async Task Watches_set_again_while_a_relaxed_mount_is_away_keep_the_connection_and_the_order_and_are_armed_when_it_is_back()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-relaxed", "relaxed");
        var home = region.Path + "-home";
        await region.Us.CreateAsync(home);
        await region.Eu.CreateAsync(region.Under("x"));
        using var client = await RawClient.ConnectAsync(region.Proxy.Address(), 30_000);
        await client.CallAsync(OpCode.Exists, w => new PathWatchRequest(region.Path, false).Write(w));
        region.CutEu();

        var set = await client.SendAsync(OpCode.SetWatches, w => new SetWatchesRequest(0, [home, region.Under("x")], [], [], [], [])
            .Write(w, OpCode.SetWatches));
        var read = await client.SendAsync(OpCode.Exists, w => new PathWatchRequest(home, false).Write(w));

        var changed = await client.NextAsync();
        Assert.Equal((WatchEventType.DataChanged, home), RawClient.EventOf(changed));
        Assert.Equal((set, ErrorCode.Ok), await AnswerAsync());
        Assert.Equal((read, ErrorCode.Ok), await AnswerAsync());

        region.HealEu();
        // It was set on another connection: whether it has changed since is not known, so the client is told.
        Assert.Equal((WatchEventType.DataChanged, region.Under("x")), RawClient.EventOf(await client.NextAsync()));
        await region.Us.DeleteAsync(home);

        async Task<(int, ErrorCode)> AnswerAsync()
        {
            var frame = await client.NextAsync();
            return (frame.Header.Xid, frame.Header.Error);
        }
    }

    [SkippableFact]
    public async Task A_client_that_only_watches_keeps_its_connection_when_the_cluster_is_lost_and_misses_nothing()
    {
        await using var region = await MountedRegion.StartAsync(regions, "w-lost");
        await region.Eu.CreateAsync(region.Under("x"), Bytes("0"));
        await using var client = await region.ConnectAsync();
        var states = new List<SessionState>();
        client.StateChanged += states.Add;
        var events = Record(client);
        await client.GetDataAsync(region.Under("x"), watch: true);
        await client.GetChildrenAsync(region.Path, watch: true);
        await client.AddWatchAsync(region.Under("p"), AddWatchMode.Persistent);
        region.CutEu();
        await region.Eu.SetDataAsync(region.Under("x"), Bytes("1"));
        await region.Eu.CreateAsync(region.Under("y"));
        // Home goes on meanwhile.
        for (var i = 0; i < 20; i++)
        {
            await client.ExistsAsync("/");
        }
        region.HealEu();
        await Eventually.Async(() => Snapshot(events).Contains((WatchEventType.DataChanged, region.Under("x"))) && Snapshot(events).Contains((WatchEventType.ChildrenChanged, region.Path)),
            "what changed while the cluster was away", TimeSpan.FromSeconds(10));
        await region.Eu.CreateAsync(region.Under("p"));
        await Eventually.Async(() => Snapshot(events).Contains((WatchEventType.Created, region.Under("p"))), "the persistent watch, re-armed", TimeSpan.FromSeconds(10));
        Assert.Single(Snapshot(events), (WatchEventType.DataChanged, region.Under("x")));
        Assert.Empty(states);
    }
}
