using System.Diagnostics;
using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>What clients see when a cluster, an observer or a proxy is lost: strict and relaxed.</summary>
[Collection(RegionsCollection.Name)]
public sealed class FailoverTests(RegionsFixture regions)
{
    private const int TimeoutMs = 6000;

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [SkippableFact]
    public async Task A_strict_owner_of_ephemerals_is_connected_only_while_its_session_there_is_attached()
    {
        await using var region = await MountedRegion.StartAsync(regions, "o-strict", proxies: 2);
        await using var client = await region.ConnectToAnyAsync(TimeoutMs);
        await client.CreateAsync(region.Under("lock"), flags: CreateFlags.Ephemeral);
        var session = client.SessionId;
        region.CutEu();
        await Eventually.Async(() => client.State != SessionState.Connected, "the connection lost with the cluster", TimeSpan.FromSeconds(5));
        for (var since = Stopwatch.StartNew(); since.ElapsedMilliseconds < 1500; await Task.Delay(10))
        {
            Assert.NotEqual(SessionState.Connected, client.State);
        }
        region.HealEu();
        await client.WaitConnectedAsync().WaitAsync(TimeSpan.FromMilliseconds(TimeoutMs));
        Assert.Equal(session, client.SessionId);
        Assert.Equal(session, (await client.ExistsAsync(region.Under("lock"))).Stat!.Value.EphemeralOwner);
    }

    [SkippableFact]
    public async Task A_strict_owner_that_gave_its_ephemerals_up_keeps_its_connection_also_on_another_proxy()
    {
        await using var region = await MountedRegion.StartAsync(regions, "o-gave", proxies: 2);
        await using var client = await region.ConnectToAnyAsync(TimeoutMs);
        await client.CreateAsync(region.Under("lock"), flags: CreateFlags.Ephemeral);
        await client.DeleteAsync(region.Under("lock"));
        region.CutEu();
        for (var since = Stopwatch.StartNew(); since.ElapsedMilliseconds < 1000; await Task.Delay(10))
        {
            Assert.Equal(SessionState.Connected, client.State);
            await client.ExistsAsync("/");
        }
        // The next proxy lets it in although the cluster is away: it has nothing there.
        await client.ReconnectAsync().WaitAsync(TimeSpan.FromSeconds(5));
        await client.ExistsAsync("/");
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_for_a_lost_cluster_takes_the_connection_where_the_mount_is_strict_and_fails_alone_where_it_is_relaxed(bool relaxed)
    {
        await using var region = await MountedRegion.StartAsync(regions, relaxed ? "o-relaxed" : "o-prefix", relaxed ? "relaxed" : null);
        await region.Eu.CreateAsync(region.Under("x"), Bytes("1"));
        using var client = await RawClient.ConnectAsync(region.Proxy.Address(), TimeoutMs);
        await client.CallAsync(OpCode.GetData, w => new PathWatchRequest(region.Under("x"), false).Write(w));
        region.CutEu();
        var lost = await client.SendAsync(OpCode.GetData, w => new PathWatchRequest(region.Under("x"), false).Write(w));
        var behind = await client.SendAsync(OpCode.Exists, w => new PathWatchRequest("/", false).Write(w));
        if (!relaxed)
        {
            // The prefix property: nothing behind the failed request is answered.
            Assert.Null(await client.FrameAsync(TimeSpan.FromMilliseconds(TimeoutMs)));
            return;
        }
        var multi = await client.SendAsync(OpCode.Multi, w => Multi(w, OpCode.Check, region.Under("x")));
        var reads = await client.SendAsync(OpCode.MultiRead, w => Multi(w, OpCode.GetData, region.Under("x"), region.Path));
        var spanning = await client.SendAsync(OpCode.MultiRead, w => Multi(w, OpCode.GetData, "/", region.Under("x")));
        foreach (var (xid, error) in new[]
        {
            (lost, ErrorCode.ConnectionLoss), (behind, ErrorCode.Ok), (multi, ErrorCode.ConnectionLoss), (reads, ErrorCode.ConnectionLoss),
        })
        {
            var reply = (await client.NextAsync()).Header;
            Assert.Equal((xid, error), (reply.Xid, reply.Error));
        }
        var (header, body) = await client.NextAsync();
        Assert.Equal((spanning, ErrorCode.Ok), (header.Xid, header.Error));
        Assert.Equal([OpCode.GetData, OpCode.Error], TypesOf(body));
        region.HealEu();
        await Eventually.Async(async () => (await client.CallAsync(OpCode.GetData, w => new PathWatchRequest(region.Under("x"), false).Write(w))).Header.Error == ErrorCode.Ok,
            "the mount again, on the same connection", TimeSpan.FromSeconds(10));
    }

    private static void Multi(JuteWriter writer, OpCode op, params string[] paths)
    {
        foreach (var path in paths)
        {
            new MultiHeader(op, false, -1).Write(writer);
            if (op == OpCode.Check)
            {
                new PathVersionRequest(path, -1).Write(writer);
            }
            else
            {
                new PathWatchRequest(path, false).Write(writer);
            }
        }
        MultiHeader.End.Write(writer);
    }

    private static List<OpCode> TypesOf(byte[] body)
    {
        var types = new List<OpCode>();
        var reader = new JuteReader(body);
        for (var header = MultiHeader.Read(ref reader); !header.Done && !reader.Failed; header = MultiHeader.Read(ref reader))
        {
            types.Add(header.Type);
            if (header.Type == OpCode.Error)
            {
                Assert.Equal((int)ErrorCode.ConnectionLoss, reader.ReadInt());
            }
            else
            {
                reader.ReadBuffer();
                reader.Skip(Stat.WireLength);
            }
        }
        return types;
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_observer_is_lost_the_clusters_own_servers_answer(bool silent)
    {
        await using var region = await MountedRegion.StartAsync(regions, silent ? "o-silent" : "o-next");
        await region.Eu.CreateAsync(region.Under("x"), Bytes("1"));
        await using var client = await region.ConnectAsync(TimeoutMs);
        Assert.Equal("1", Encoding.UTF8.GetString((await client.GetDataAsync(region.Under("x"))).Data!));
        region.ToObserver.Cut(silent);
        await region.Eu.SetDataAsync(region.Under("x"), Bytes("2"));
        var since = Stopwatch.StartNew();
        await Eventually.Async(async () =>
        {
            try
            {
                return Encoding.UTF8.GetString((await client.GetDataAsync(region.Under("x"))).Data!) == "2";
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                return false;
            }
        }, "the voter's answer", TimeSpan.FromMilliseconds(2 * TimeoutMs));
        region.ToObserver.Heal();
    }

    [SkippableFact]
    public async Task A_write_caught_in_a_paused_proxy_cant_overtake_what_its_client_did_elsewhere_since()
    {
        await using var region = await MountedRegion.StartAsync(regions, "o-paused");
        await using var paused = await ProxyProcess.StartAsync(regions.Us, [regions.Eu]);
        await region.Eu.CreateAsync(region.Under("x"), Bytes("0"));
        using var before = await RawClient.ConnectAsync(paused.Address, TimeoutMs);
        var (header, _) = await before.CallAsync(OpCode.SetData, w => new SetDataRequest(region.Under("x"), Bytes("1"), -1).Write(w));
        Assert.Equal(ErrorCode.Ok, header.Error);
        paused.Pause();
        await before.SendAsync(OpCode.SetData, w => new SetDataRequest(region.Under("x"), Bytes("stale"), -1).Write(w));
        using var after = await RawClient.ConnectAsync(region.Proxy.Address(), TimeoutMs, before.SessionId, before.Password);
        Assert.Equal(before.SessionId, after.SessionId);
        var (done, _) = await after.CallAsync(OpCode.SetData, w => new SetDataRequest(region.Under("x"), Bytes("2"), -1).Write(w));
        Assert.Equal(ErrorCode.Ok, done.Error);
        paused.Resume();
        await before.WaitClosedAsync();
        await region.Eu.SyncAsync();
        Assert.Equal("2", Encoding.UTF8.GetString((await region.Eu.GetDataAsync(region.Under("x"))).Data!));
    }
}
