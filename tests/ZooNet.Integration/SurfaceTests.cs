using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Integration;

/// <summary>What spans clusters, what is refused, and what is answered by the proxy itself.</summary>
[Collection(RegionsCollection.Name)]
public sealed class SurfaceTests(RegionsFixture regions)
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [SkippableFact]
    public async Task Counts_ephemerals_and_multi_reads_span_clusters()
    {
        await using var region = await MountedRegion.StartAsync(regions, "f-fan");
        await using var client = await region.ConnectAsync();
        await client.CreateAsync("/f-fan-home", Bytes("here"), CreateFlags.Ephemeral);
        await client.CreateAsync(region.Under("a"), Bytes("there"), CreateFlags.Ephemeral);
        await client.CreateAsync(region.Under("b"));
        await client.CreateAsync(region.Under("b/c"));
        Assert.Equal(["/f-fan-home", region.Under("a")], (await client.GetEphemeralsAsync("/")).Value.Order());
        Assert.Equal([region.Under("a")], (await client.GetEphemeralsAsync(region.Path + "/")).Value);
        var atHome = (await region.Us.GetAllChildrenNumberAsync("/")).Value;
        Assert.Equal(atHome + 3, (await client.GetAllChildrenNumberAsync("/")).Value);
        Assert.Equal(3, (await client.GetAllChildrenNumberAsync(region.Path)).Value);
        var read = await client.MultiReadAsync([MultiOp.GetData("/f-fan-home"), MultiOp.GetData(region.Under("a")), MultiOp.GetData(region.Under("none")), MultiOp.GetChildren("/zookeeper"), MultiOp.GetChildren(region.Under("b"))]);
        Assert.Equal(["here", "there"], read.Results.Take(2).Select(r => Encoding.UTF8.GetString(r.Data!)));
        Assert.Equal(ErrorCode.NoNode, read.Results[2].Error);
        Assert.Equal(["c"], read.Results[4].Names!);
    }

    [SkippableFact]
    public async Task A_multi_over_two_clusters_is_refused_as_a_failed_multi_and_nothing_is_done()
    {
        await using var region = await MountedRegion.StartAsync(regions, "f-multi");
        await using var client = await region.ConnectAsync();
        var refused = await Assert.ThrowsAsync<KeeperException>(() => client.MultiAsync([
            MultiOp.Create("/f-multi-home", null), MultiOp.Create(region.Under("x"), null), MultiOp.Create("/f-multi-too", null)]));
        Assert.Equal([ErrorCode.Ok, ErrorCode.BadArguments, ErrorCode.RuntimeInconsistency], refused.Results!.Select(r => r.Error));
        Assert.Null((await region.Us.ExistsAsync("/f-multi-home")).Stat);
        Assert.Null((await region.Eu.ExistsAsync(region.Under("x"))).Stat);
        var done = await client.MultiAsync([MultiOp.Create(region.Under("x"), Bytes("1")), MultiOp.SetData(region.Under("x"), Bytes("2")), MultiOp.Check(region.Under("x"), 1)]);
        Assert.Equal(region.Under("x"), done.Results[0].Path);
        Assert.Equal("2", Encoding.UTF8.GetString((await region.Eu.GetDataAsync(region.Under("x"))).Data!));
    }

    [SkippableFact]
    public async Task The_servers_that_clients_learn_of_are_those_that_the_proxy_advertises()
    {
        await using var silent = await MountedRegion.StartAsync(regions, "f-silent");
        await using var named = await MountedRegion.StartAsync(regions, "f-named", change: c => c with { Advertise = [new HostPort("zk.example", 2281)] });
        await using var first = await silent.ConnectAsync();
        await using var second = await named.ConnectAsync();
        var ports = regions.Us.Servers.Select(s => s.ClientPort.ToString()).ToList();
        foreach (var client in (ZooKeeperClient[])[first, second])
        {
            var config = await client.GetDataAsync("/zookeeper/config");
            Assert.DoesNotContain(ports, port => Encoding.UTF8.GetString(config.Data ?? []).Contains(port, StringComparison.Ordinal));
            Assert.Equal(config.Data?.Length ?? 0, config.Stat.DataLength);
        }
        Assert.Contains("zk.example", Encoding.UTF8.GetString((await second.GetDataAsync("/zookeeper/config")).Data!), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(13)]
    [InlineData(-10)]
    [InlineData(20)]
    [InlineData(999)]
    [InlineData(0)]
    public async Task An_operation_that_no_client_may_send_is_answered_in_turn_and_not_forwarded(int op)
    {
        await using var region = await MountedRegion.StartAsync(regions, $"f-op{op}");
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        var read = await client.SendAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w));
        var bad = await client.SendAsync((OpCode)op, w => new PathVersionRequest(region.Path, -1).Write(w));
        Assert.Equal(read, (await client.NextAsync()).Header.Xid);
        var (header, _) = await client.NextAsync();
        Assert.Equal((bad, -1, ErrorCode.Unimplemented), (header.Xid, header.Zxid, header.Error));
        await client.WaitClosedAsync();
        // Both ensembles are as they were, the session too.
        using var again = await RawClient.ConnectAsync(region.Proxy.Address(), 6000, client.SessionId, client.Password);
        Assert.Equal(client.SessionId, again.SessionId);
        Assert.Equal(ErrorCode.Ok, (await again.CallAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w))).Header.Error);
    }

    [SkippableFact]
    public async Task A_mount_of_a_whole_cluster_shows_its_configuration_too_and_sync_names_the_mount_point()
    {
        await using var region = await MountedRegion.StartAsync(regions, "f-part");
        await region.Proxy.MountAsync("eu:/", "/f-whole");
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        using var direct = await RawClient.ConnectAsync(regions.Eu.RemoteObserver.Address);
        foreach (var (asked, told) in new[] { ("/f-whole/", "/f-whole"), ("/f-whole", "/f-whole"), ("/f-whole/f-part", "/f-whole/f-part") })
        {
            var (header, body) = await client.CallAsync(OpCode.Sync, w => w.WriteString(asked));
            Assert.Equal(ErrorCode.Ok, header.Error);
            Assert.Equal(told, Encoding.UTF8.GetString(body.AsSpan(4)));
        }
        var (_, shown) = await client.CallAsync(OpCode.GetData, w => new PathWatchRequest("/f-whole/zookeeper/config", false).Write(w));
        var (_, own) = await direct.CallAsync(OpCode.GetData, w => new PathWatchRequest("/zookeeper/config", false).Write(w));
        Assert.Equal(own, shown);
        await region.Proxy.UnmountAsync("/f-whole");
    }

    [SkippableFact]
    public async Task A_reconfig_that_cant_be_decoded_is_answered_by_the_proxy_and_does_not_stop_the_ensemble()
    {
        await using var region = await MountedRegion.StartAsync(regions, "f-reconfig");
        using var client = await RawClient.ConnectAsync(region.Proxy.Address());
        var (header, _) = await client.CallAsync(OpCode.Reconfig, w => w.WriteRaw([1, 2, 3, 4, 5]));
        Assert.Equal(ErrorCode.MarshallingError, header.Error);
        Assert.Equal(ErrorCode.Ok, (await client.CallAsync(OpCode.GetChildren, w => new PathWatchRequest("/", false).Write(w))).Header.Error);
        var (whole, _) = await client.CallAsync(OpCode.Reconfig, new ReconfigRequest(null, null, null, -1).Write);
        Assert.Equal((ErrorCode)(-123), whole.Error);
    }

    [SkippableFact]
    public async Task The_mount_point_cant_be_deleted_and_a_read_only_mount_refuses_writes_in_turn()
    {
        await using var writable = await MountedRegion.StartAsync(regions, "f-root");
        await using var client = await writable.ConnectAsync();
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => client.DeleteAsync(writable.Path))).Code);
        Assert.NotNull((await writable.Eu.ExistsAsync(writable.Path)).Stat);

        await using var region = await MountedRegion.StartAsync(regions, "f-ro", "ro");
        await region.Eu.CreateAsync(region.Under("x"), Bytes("1"));
        using var reader = await RawClient.ConnectAsync(region.Proxy.Address());
        int[] sent =
        [
            await reader.SendAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w)),
            await reader.SendAsync(OpCode.SetData, w => new SetDataRequest(region.Under("x"), [], -1).Write(w)),
            await reader.SendAsync(OpCode.GetChildren, w => new PathWatchRequest("/", false).Write(w)),
            await reader.SendAsync(OpCode.Delete, w => new PathVersionRequest(region.Under("x"), -1).Write(w)),
            await reader.SendAsync(OpCode.GetChildren, w => new PathWatchRequest(region.Path, false).Write(w)),
        ];
        var replies = new List<ReplyHeader>();
        foreach (var _ in sent)
        {
            replies.Add((await reader.NextAsync()).Header);
        }
        Assert.Equal(sent, replies.Select(r => r.Xid));
        Assert.Equal([ErrorCode.Ok, ErrorCode.NoAuth, ErrorCode.Ok, ErrorCode.NoAuth, ErrorCode.Ok], replies.Select(r => r.Error));
        Assert.Equal("1", Encoding.UTF8.GetString((await region.Eu.GetDataAsync(region.Under("x"))).Data!));
    }

    [SkippableFact]
    public async Task Unmounting_under_running_clients_gives_them_no_node_in_order_and_tells_their_watches()
    {
        await using var region = await MountedRegion.StartAsync(regions, "f-unmount");
        await using var client = await region.ConnectAsync();
        await client.CreateAsync(region.Under("x"), Bytes("1"));
        var events = new List<(WatchEventType, string)>();
        client.WatchFired += e => { lock (events) { events.Add((e.Type, e.Path)); } };
        await client.GetDataAsync(region.Under("x"), watch: true);
        await client.ExistsAsync(region.Under("not-yet"), watch: true);
        using var stop = new CancellationTokenSource();
        // Pipelined reads, begun before the unmount and going on behind it.
        var readers = Enumerable.Range(0, 4).Select(async _ =>
        {
            var outcomes = new List<bool>();
            while (!stop.IsCancellationRequested)
            {
                var burst = Enumerable.Range(0, 8).Select(_ => client.ExistsAsync(region.Under("x"))).ToList();
                foreach (var read in burst)
                {
                    outcomes.Add((await read.WaitAsync(TimeSpan.FromSeconds(20))).Stat is not null);
                }
            }
            return outcomes;
        }).ToList();
        await Task.Delay(300);
        await region.Proxy.UnmountAsync(region.Path);
        await Task.Delay(300);
        await stop.CancelAsync();
        foreach (var outcomes in await Task.WhenAll(readers))
        {
            Assert.Contains(true, outcomes);
            Assert.False(outcomes[^1]);
            Assert.DoesNotContain(true, outcomes.SkipWhile(there => there));
        }
        await Eventually.Async(() => { lock (events) { return events.Contains((WatchEventType.Deleted, region.Under("x"))) && events.Contains((WatchEventType.Deleted, region.Under("not-yet"))); } }, "Deleted events for what was watched");
        Assert.Equal(SessionState.Connected, client.State);
    }
}
