using System.Net;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Server.Tests;

public sealed class EmbeddedServerTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private EmbeddedServer _server = null!;

    public async Task InitializeAsync() => _server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Time = _time });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task A_write_has_its_zxid_in_the_reply_and_in_the_stat()
    {
        await using var client = await ConnectAsync();
        var created = await client.CreateAsync("/a", "x"u8.ToArray(), withStat: true);
        Assert.Equal(created.Zxid, created.Stat!.Value.Czxid);
        var set = await client.SetDataAsync("/a", "y"u8.ToArray());
        Assert.Equal(created.Zxid + 1, set.Zxid);
        Assert.Equal((created.Zxid, set.Zxid, 1), (set.Stat.Czxid, set.Stat.Mzxid, set.Stat.Version));
        Assert.Equal(set.Zxid, (await client.GetDataAsync("/a")).Zxid);
    }

    [Fact]
    public async Task A_write_that_fails_takes_a_zxid_too()
    {
        await using var client = await ConnectAsync();
        var before = _server.LastZxid;
        var error = await Assert.ThrowsAsync<KeeperException>(() => client.DeleteAsync("/none"));
        Assert.Equal((ErrorCode.NoNode, before + 1), (error.Code, _server.LastZxid));
    }

    [Fact]
    public async Task Cversion_counts_creates_and_deletes_and_sequence_numbers_count_creates()
    {
        await using var client = await ConnectAsync();
        await client.CreateAsync("/p");
        await client.CreateAsync("/p/a");
        await client.DeleteAsync("/p/a");
        var sequential = await client.CreateAsync("/p/s-", flags: CreateFlags.PersistentSequential);
        Assert.Equal("/p/s-0000000001", sequential.Path);
        Assert.Equal(3, (await client.GetDataAsync("/p")).Stat.Cversion);
    }

    [Fact]
    public async Task A_failed_multi_changes_nothing_and_names_the_operation_that_failed()
    {
        await using var client = await ConnectAsync();
        var error = await Assert.ThrowsAsync<KeeperException>(() => client.MultiAsync(
            [MultiOp.Create("/m", null), MultiOp.SetData("/m", "1"u8.ToArray(), 0), MultiOp.Check("/m", 7), MultiOp.Delete("/m")]));
        Assert.Equal([ErrorCode.Ok, ErrorCode.Ok, ErrorCode.BadVersion, ErrorCode.RuntimeInconsistency], error.Results!.Select(r => r.Error));
        Assert.False((await client.ExistsAsync("/m")).Exists);
    }

    [Fact]
    public async Task The_operations_of_a_multi_see_each_other()
    {
        await using var client = await ConnectAsync();
        await client.MultiAsync([MultiOp.Create("/m", null), MultiOp.Create("/m/c", null), MultiOp.SetData("/m", "1"u8.ToArray(), 0),
            MultiOp.Check("/m", 1), MultiOp.Delete("/m/c"), MultiOp.Create("/m/s-", null, CreateFlags.PersistentSequential)]);
        Assert.Equal(["s-0000000001"], (await client.GetChildrenAsync("/m")).Names);
    }

    [Fact]
    public async Task Own_watch_events_come_before_the_reply_of_the_write_that_causes_them()
    {
        await using var client = await ConnectAsync();
        var seen = new List<string>();
        client.WatchFired += e => seen.Add($"{e.Type} {e.Path}");
        await client.ExistsAsync("/w", watch: true);
        await client.GetChildrenAsync("/", watch: true);
        await client.CreateAsync("/w");
        Assert.Equal(["Created /w", "ChildrenChanged /"], seen);
        await client.CreateAsync("/w2");
        Assert.Equal(2, seen.Count);
    }

    [Fact]
    public async Task A_recursive_watch_sees_all_descendants_again_and_again()
    {
        await using var client = await ConnectAsync();
        var seen = new List<string>();
        await client.CreateAsync("/r");
        client.WatchFired += e => seen.Add($"{e.Type} {e.Path}");
        await client.AddWatchAsync("/r", AddWatchMode.PersistentRecursive);
        await client.CreateAsync("/r/a");
        await client.CreateAsync("/r/a/b");
        await client.SetDataAsync("/r/a/b", "x"u8.ToArray());
        await client.SetDataAsync("/r/a/b", "y"u8.ToArray());
        await client.DeleteAsync("/r/a/b");
        await client.CreateAsync("/rr");
        Assert.Equal(["Created /r/a", "Created /r/a/b", "DataChanged /r/a/b", "DataChanged /r/a/b", "Deleted /r/a/b"], seen);
        await client.RemoveWatchesAsync("/r");
        await client.CreateAsync("/r/c");
        Assert.Equal(5, seen.Count);
    }

    [Fact]
    public async Task Ephemerals_go_when_their_session_is_closed()
    {
        await using var owner = await ConnectAsync();
        await using var other = await ConnectAsync();
        await owner.CreateAsync("/e", flags: CreateFlags.Ephemeral);
        Assert.Equal(owner.SessionId, (await other.ExistsAsync("/e")).Stat!.Value.EphemeralOwner);
        await owner.CloseAsync();
        Assert.False((await other.ExistsAsync("/e")).Exists);
    }

    [Fact]
    public async Task A_session_that_is_not_heard_of_expires_at_the_tick_after_its_timeout()
    {
        await using var other = await ConnectAsync(TimeSpan.FromSeconds(40));
        var owner = await ConnectAsync(TimeSpan.FromSeconds(5));
        await owner.CreateAsync("/e", flags: CreateFlags.Ephemeral);
        await owner.DetachAsync();
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.True((await other.ExistsAsync("/e")).Exists);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.False((await other.ExistsAsync("/e")).Exists);
        Assert.Equal(SessionState.Connected, other.State);
    }

    [Fact]
    public async Task A_session_can_be_attached_again_and_keeps_its_ephemerals()
    {
        var first = await ConnectAsync();
        await first.CreateAsync("/e", flags: CreateFlags.Ephemeral);
        await first.DetachAsync();
        await using var second = await ZooKeeperClient.ConnectAsync(Options() with { SessionId = first.SessionId, SessionPassword = first.SessionPassword });
        Assert.Equal(first.SessionId, second.SessionId);
        Assert.Equal(["/e"], (await second.GetEphemeralsAsync()).Value);
    }

    [Fact]
    public async Task Only_the_owner_of_an_acl_may_read_and_others_see_no_hashes()
    {
        await using var owner = await ConnectAsync();
        await using var other = await ConnectAsync();
        await owner.AddAuthAsync("digest", "jo:secret"u8.ToArray());
        await owner.CreateAsync("/s", "x"u8.ToArray(), acl: [new Acl(Permissions.All, "auth", ""), new Acl(Permissions.Read, "ip", "127.0.0.0/8")]);
        Assert.Equal("x"u8.ToArray(), (await other.GetDataAsync("/s")).Data);
        var denied = await Assert.ThrowsAsync<KeeperException>(() => other.SetDataAsync("/s", null));
        Assert.Equal(ErrorCode.NoAuth, denied.Code);
        Assert.Equal("jo:x", (await other.GetAclAsync("/s")).AccessControl[0].Id);
        Assert.StartsWith("jo:", (await owner.GetAclAsync("/s")).AccessControl[0].Id!);
        await owner.SetDataAsync("/s", null);
    }

    [Fact]
    public async Task Containers_go_once_they_are_empty_and_ttl_znodes_once_they_are_left_alone()
    {
        await using var client = await ConnectAsync(TimeSpan.FromSeconds(40));
        await client.CreateAsync("/never-used", flags: CreateFlags.Container);
        await client.CreateAsync("/used", flags: CreateFlags.Container);
        await client.CreateAsync("/used/child");
        await client.CreateAsync("/ttl", flags: CreateFlags.PersistentWithTtl, ttl: TimeSpan.FromSeconds(70));
        Assert.Equal(0, (await client.ExistsAsync("/ttl")).Stat!.Value.EphemeralOwner);
        await AdvanceAsync(client, 60);
        Assert.True((await client.ExistsAsync("/used")).Exists);
        await client.DeleteAsync("/used/child");
        await AdvanceAsync(client, 60);
        Assert.False((await client.ExistsAsync("/used")).Exists);
        Assert.False((await client.ExistsAsync("/ttl")).Exists);
        Assert.True((await client.ExistsAsync("/never-used")).Exists);
    }

    [Fact]
    public async Task An_address_in_use_is_a_clear_error()
    {
        var error = await Assert.ThrowsAsync<IOException>(() => EmbeddedServer.StartAsync(new EmbeddedServerOptions { Listen = _server.Address }));
        Assert.Contains(_server.Address.ToString(), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_servers_in_one_process_know_nothing_of_each_other()
    {
        await using var second = await EmbeddedServer.StartAsync();
        await using var client = await ConnectAsync();
        await using var other = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [At(second.Address)] });
        await client.CreateAsync("/a");
        Assert.False((await other.ExistsAsync("/a")).Exists);
    }

    internal static ServerAddress At(IPEndPoint address) => new(address.Address.ToString(), address.Port);

    private ZooKeeperClientOptions Options() => new() { Servers = [At(_server.Address)] };

    private Task<ZooKeeperClient> ConnectAsync(TimeSpan? timeout = null) =>
        ZooKeeperClient.ConnectAsync(Options() with { SessionTimeout = timeout ?? TimeSpan.FromSeconds(10) });

    /// <summary>Lets time pass in steps in which the client is heard of.</summary>
    private async Task AdvanceAsync(ZooKeeperClient client, int seconds)
    {
        for (var i = 0; i < seconds; i += 2)
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            await client.SyncAsync();
        }
    }
}
