using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>The client library against a real ensemble.</summary>
[Collection(RegionsCollection.Name)]
public sealed class ClientTests(RegionsFixture regions)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [SkippableFact]
    public async Task A_znode_can_be_created_read_changed_listed_and_deleted()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var root = await NewRootAsync(client);

        var created = await client.CreateAsync($"{root}/a", "one"u8.ToArray(), withStat: true);
        Assert.Equal($"{root}/a", created.Path);
        Assert.Equal(created.Zxid, created.Stat!.Value.Czxid);

        var read = await client.GetDataAsync($"{root}/a");
        Assert.Equal("one", Encoding.UTF8.GetString(read.Data!));
        Assert.Equal(0, read.Stat.Version);

        var changed = await client.SetDataAsync($"{root}/a", null, 0);
        Assert.Equal(1, changed.Stat.Version);
        Assert.Equal(changed.Zxid, changed.Stat.Mzxid);
        Assert.Null((await client.GetDataAsync($"{root}/a")).Data);

        Assert.Equal(["a"], (await client.GetChildrenAsync(root)).Names);
        var sequential = await client.CreateAsync($"{root}/s-", flags: CreateFlags.PersistentSequential);
        Assert.Equal($"{root}/s-0000000001", sequential.Path);
        Assert.Equal(2, (await client.GetAllChildrenNumberAsync(root)).Value);

        var deleted = await client.DeleteAsync($"{root}/a", 1);
        Assert.True(deleted > changed.Zxid);
        Assert.False((await client.ExistsAsync($"{root}/a")).Exists);
        Assert.True(client.LastZxid >= deleted);
    }

    [SkippableFact]
    public async Task An_error_names_its_code_and_its_path()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var root = await NewRootAsync(client);

        var missing = await Assert.ThrowsAsync<KeeperException>(() => client.GetDataAsync($"{root}/missing"));
        Assert.Equal((ErrorCode.NoNode, $"{root}/missing"), (missing.Code, missing.Path));
        Assert.Contains("no such znode", missing.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.BadVersion, (await Assert.ThrowsAsync<KeeperException>(() => client.SetDataAsync(root, [], 7))).Code);
    }

    [SkippableFact]
    public async Task A_multi_is_all_or_none_and_says_which_operation_failed()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var root = await NewRootAsync(client);

        var done = await client.MultiAsync([MultiOp.Check(root), MultiOp.Create($"{root}/a", [1]), MultiOp.Create($"{root}/b", [2], CreateFlags.Container), MultiOp.SetData($"{root}/a", [3])]);
        Assert.Equal([OpCode.Check, OpCode.Create, OpCode.Create2, OpCode.SetData], done.Results.Select(result => result.Op));
        Assert.Equal(done.Zxid, done.Results[3].Stat!.Value.Mzxid);

        var failed = await Assert.ThrowsAsync<KeeperException>(() => client.MultiAsync([MultiOp.Delete($"{root}/a"), MultiOp.Delete($"{root}/none"), MultiOp.Delete($"{root}/b")]));
        Assert.Equal((ErrorCode.NoNode, $"{root}/none"), (failed.Code, failed.Path));
        Assert.Equal([ErrorCode.Ok, ErrorCode.NoNode, ErrorCode.RuntimeInconsistency], failed.Results!.Select(result => result.Error));

        var reads = await client.MultiReadAsync([MultiOp.GetData($"{root}/a"), MultiOp.GetChildren($"{root}/none"), MultiOp.GetChildren(root)]);
        Assert.Equal([3], reads.Results[0].Data!);
        Assert.Equal(ErrorCode.NoNode, reads.Results[1].Error);
        Assert.Equal(["a", "b"], reads.Results[2].Names!.Order());
    }

    [SkippableFact]
    public async Task The_quorum_barrier_takes_a_zxid_and_changes_nothing()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var before = (await client.ExistsAsync("/")).Stat!.Value;
        var first = await client.QuorumBarrierAsync();
        Assert.True(await client.QuorumBarrierAsync() > first);
        Assert.Equal(before, (await client.ExistsAsync("/")).Stat!.Value with { NumChildren = before.NumChildren });
    }

    [SkippableFact]
    public async Task Pipelined_requests_are_answered_in_order_beyond_the_window()
    {
        Jars.Require();
        await using var client = await ZooKeeperClient.ConnectAsync(regions.Us.ClientOptions() with { Window = 4 });
        var root = await NewRootAsync(client);
        await client.CreateAsync($"{root}/n", "x"u8.ToArray());
        var versions = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => client.SetDataAsync($"{root}/n", [])));
        Assert.Equal(Enumerable.Range(1, 200), versions.Select(version => version.Stat.Version));
    }

    [SkippableFact]
    public async Task Access_control_follows_the_credentials()
    {
        Jars.Require();
        var credentials = "ada:secret"u8.ToArray();
        await using var owner = await ZooKeeperClient.ConnectAsync(regions.Us.ClientOptions() with { Auth = [new AuthCredentials("digest", credentials)] });
        await using var other = await regions.Us.ConnectAsync();
        var root = await NewRootAsync(owner);
        await owner.CreateAsync($"{root}/mine", [1], acl: [new Acl(Permissions.All, "auth", "")]);

        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => other.GetDataAsync($"{root}/mine"))).Code);
        await other.AddAuthAsync("digest", credentials);
        Assert.Equal([1], (await other.GetDataAsync($"{root}/mine")).Data!);
        await other.ReconnectAsync();
        Assert.Equal([1], (await other.GetDataAsync($"{root}/mine")).Data!);
        Assert.Contains(("digest", "ada"), (await other.WhoAmIAsync()).Value);

        await owner.SetAclAsync($"{root}/mine", [new Acl(Permissions.Read, "world", "anyone")]);
        Assert.Equal([new Acl(Permissions.Read, "world", "anyone")], (await owner.GetAclAsync($"{root}/mine")).AccessControl);
    }

    [SkippableFact]
    public async Task Refused_credentials_end_the_session_for_the_client()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var refused = await Assert.ThrowsAsync<KeeperException>(() => client.AddAuthAsync("no-such-scheme", []));
        Assert.Equal(ErrorCode.AuthFailed, refused.Code);
        await WaitStateAsync(client, SessionState.AuthFailed);
        Assert.Equal(ErrorCode.AuthFailed, (await Assert.ThrowsAsync<KeeperException>(() => client.ExistsAsync("/"))).Code);
    }

    [SkippableFact]
    public async Task Watches_survive_a_reconnect_and_tell_what_was_missed()
    {
        Jars.Require();
        await using var watcher = await regions.Us.ConnectAsync();
        await using var writer = await regions.Us.ConnectAsync();
        var root = await NewRootAsync(writer);
        await writer.CreateAsync($"{root}/data");
        var events = new EventLog(watcher);
        await watcher.SyncAsync();
        await watcher.GetDataAsync($"{root}/data", watch: true);
        await watcher.ExistsAsync($"{root}/absent", watch: true);
        await watcher.GetChildrenAsync(root, watch: true);
        await watcher.AddWatchAsync($"{root}/data", AddWatchMode.PersistentRecursive);
        var session = watcher.SessionId;

        await watcher.ReconnectAsync();
        Assert.Equal(session, watcher.SessionId);
        await writer.SetDataAsync($"{root}/data", [1]);
        await writer.CreateAsync($"{root}/absent");
        await writer.CreateAsync($"{root}/data/below");

        await events.WaitAsync(new(WatchEventType.DataChanged, $"{root}/data", -1), new(WatchEventType.Created, $"{root}/absent", -1),
            new(WatchEventType.ChildrenChanged, root, -1), new(WatchEventType.Created, $"{root}/data/below", -1));
    }

    [SkippableFact]
    public async Task Requests_in_flight_fail_when_the_connection_is_lost_and_the_session_goes_on()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("loss");
        await using var client = await ensemble.ConnectAsync();
        await client.CreateAsync("/mine", flags: CreateFlags.Ephemeral);
        var session = client.SessionId;
        var server = ensemble.Voters.Single();

        server.Pause();
        var pending = client.GetDataAsync("/mine");
        await server.KillAsync();
        var lost = await Assert.ThrowsAsync<KeeperException>(() => pending);
        Assert.Equal(ErrorCode.ConnectionLoss, lost.Code);
        Assert.NotEqual(SessionState.Connected, client.State);

        await server.RestartAsync();
        await client.WaitConnectedAsync().WaitAsync(Patience);
        Assert.Equal(session, client.SessionId);
        Assert.Equal(["/mine"], (await client.GetEphemeralsAsync()).Value);
    }

    [SkippableFact]
    public async Task An_expired_session_is_reported_and_can_be_replaced()
    {
        Jars.Require();
        await using var client = await regions.Us.ConnectAsync();
        var old = client.SessionId;
        var states = new List<SessionState>();
        client.StateChanged += state => { lock (states) { states.Add(state); } };
        // A second holder of the session ends it.
        await using (var thief = await ZooKeeperClient.ConnectAsync(regions.Us.ClientOptions() with { SessionId = client.SessionId }))
        {
            Assert.Equal(old, thief.SessionId);
        }
        await WaitStateAsync(client, SessionState.Expired);
        Assert.Equal(ErrorCode.SessionExpired, (await Assert.ThrowsAsync<KeeperException>(() => client.ExistsAsync("/"))).Code);

        await client.ReconnectAsync();
        Assert.NotEqual(old, client.SessionId);
        Assert.True((await client.ExistsAsync("/")).Exists);
        lock (states)
        {
            Assert.Equal([SessionState.Disconnected, SessionState.Expired, SessionState.Connecting, SessionState.Connected], states);
        }
    }

    [SkippableFact]
    public async Task Closing_ends_the_session_and_detaching_does_not()
    {
        Jars.Require();
        await using var observer = await regions.Us.ConnectAsync();
        var root = await NewRootAsync(observer);
        var closing = await regions.Us.ConnectAsync();
        await closing.CreateAsync($"{root}/closed", flags: CreateFlags.Ephemeral);
        var detaching = await regions.Us.ConnectAsync();
        await detaching.CreateAsync($"{root}/detached", flags: CreateFlags.Ephemeral);

        await closing.CloseAsync();
        await detaching.DetachAsync();

        await observer.SyncAsync();
        Assert.Equal(["detached"], (await observer.GetChildrenAsync(root)).Names);
        Assert.Equal((SessionState.Closed, SessionState.Closed), (closing.State, detaching.State));
        await using var heir = await ZooKeeperClient.ConnectAsync(regions.Us.ClientOptions() with { SessionId = detaching.SessionId });
        Assert.Equal([$"{root}/detached"], (await heir.GetEphemeralsAsync()).Value);
    }

    [SkippableFact]
    public async Task An_idle_session_is_kept_alive()
    {
        Jars.Require();
        // Long enough for a busy machine to get a ping through in time, and waited for three times over.
        var timeout = TimeSpan.FromSeconds(3);
        await using var client = await ZooKeeperClient.ConnectAsync(regions.Us.ClientOptions() with { SessionTimeout = timeout });
        Assert.Equal(timeout, client.SessionTimeout);
        var session = client.SessionId;
        var ephemeral = (await client.CreateAsync($"/idle-{Guid.NewGuid():n}", flags: CreateFlags.Ephemeral)).Path;
        await Task.Delay(3 * timeout);
        var read = await client.ExistsAsync(ephemeral);
        Assert.Equal((session, true), (client.SessionId, read.Exists));
    }

    [SkippableFact]
    public async Task A_request_without_a_reachable_server_fails_in_bounded_time()
    {
        Jars.Require();
        await using var client = new ZooKeeperClient(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", FreePorts.Take())],
            ConnectionWait = TimeSpan.FromMilliseconds(300),
        });
        var lost = await Assert.ThrowsAsync<KeeperException>(() => client.ExistsAsync("/").WaitAsync(Patience));
        Assert.Equal(ErrorCode.ConnectionLoss, lost.Code);
    }

    [SkippableFact]
    public async Task A_read_at_the_remote_observer_sees_what_a_sync_there_brought()
    {
        Jars.Require();
        await using var home = await regions.Eu.ConnectAsync();
        await using var remote = await regions.Eu.ConnectAsync(regions.Eu.RemoteObserver);
        Assert.Equal(regions.Eu.RemoteObserver.ClientPort, remote.Server!.Port);
        var root = await NewRootAsync(home);
        var barrier = await remote.QuorumBarrierAsync();
        var read = await remote.ExistsAsync(root);
        Assert.True(read.Exists);
        Assert.True(read.Zxid >= barrier);
    }

    private static async Task<string> NewRootAsync(ZooKeeperClient client) => (await client.CreateAsync($"/client-{Guid.NewGuid():n}")).Path;

    private static async Task WaitStateAsync(ZooKeeperClient client, SessionState state)
    {
        var reached = new TaskCompletionSource();
        client.StateChanged += next => { if (next == state) { reached.TrySetResult(); } };
        if (client.State != state)
        {
            await reached.Task.WaitAsync(Patience);
        }
    }

    private sealed class EventLog
    {
        private readonly List<WatchNotification> _events = [];
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public EventLog(ZooKeeperClient client) => client.WatchFired += one =>
        {
            lock (_events)
            {
                _events.Add(one with { Zxid = -1 }); // Servers tell it from 3.9 on.
                _more.TrySetResult();
                _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        };

        public async Task WaitAsync(params WatchNotification[] expected)
        {
            using var limit = new CancellationTokenSource(Patience);
            while (true)
            {
                Task more;
                lock (_events)
                {
                    if (expected.All(_events.Contains))
                    {
                        return;
                    }
                    more = _more.Task;
                }
                await more.WaitAsync(limit.Token);
            }
        }
    }
}
