using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server.Cluster;
using ZooNet.Server.Quorum;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// An observer that keeps a part of its cluster: it knows all of that, forgets the rest as it comes, and takes on more while it serves.
/// </summary>
public sealed class PartialReplicaTests : IAsyncLifetime, IDisposable
{
    private const long Start = 0x1_0000_0007;

    private static readonly (string Path, byte[] Data)[] Znodes =
    [
        ("", []), ("/apps", [1]), ("/apps/a", [2]), ("/apps/a/x", [3]), ("/apps/ab", [4]), ("/other", [5]), ("/other/y", [6]),
    ];

    private readonly ScriptedLeader _leader = new();
    private readonly List<ZooKeeperClient> _clients = [];
    private LearningServer _learner = null!;
    private ScriptedLeader.Learner _first = null!;

    public async Task InitializeAsync()
    {
        _learner = await LearningServer.StartAsync(new EmbeddedServerOptions { MaxSessionTimeout = TimeSpan.FromMinutes(1) }, new LearnerOptions
        {
            Quorum = [_leader.Address],
            ServerId = 200,
            Roots = ["/apps/a"],
            Silence = ScriptedLeader.Limit * 2,
            Pause = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20)),
        });
        _first = await _leader.AcceptAsync();
        await SnapshotAsync(_first, Start);
        await _first.CatchUpAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DetachAsync();
        }
        await _first.DisposeAsync();
        await _learner.DisposeAsync();
    }

    public void Dispose() => _leader.Dispose();

    [Fact]
    public async Task It_holds_what_is_at_and_below_its_roots_and_refuses_to_speak_of_anything_else()
    {
        var client = await ConnectAsync();

        Assert.Equal([2], (await client.GetDataAsync("/apps/a")).Data!);
        Assert.Equal([3], (await client.GetDataAsync("/apps/a/x")).Data!);
        Assert.False((await client.ExistsAsync("/apps/a/none")).Exists);
        // Of those above, that they are there.
        Assert.True((await client.ExistsAsync("/apps")).Exists);
        // Its root, and the two above it.
        Assert.Equal(4, _learner.Znodes.Count);
        foreach (var path in (string[])["/other", "/other/y", "/apps/ab", "/none", "/apps", "/"])
        {
            await RefusedAsync(() => client.GetDataAsync(path));
            await RefusedAsync(() => client.GetChildrenAsync(path));
        }
        await RefusedAsync(() => client.ExistsAsync("/other"));
        await RefusedAsync(() => client.SetDataAsync("/other", []));
    }

    [Fact]
    public async Task Transactions_elsewhere_are_forgotten_as_they_come()
    {
        var client = await ConnectAsync();
        Create("/other/z", new byte[1000]);
        Create("/apps/c", new byte[1000]);
        _first.Commit(0, 0, new SetDataTxn("/apps", new byte[1000], 1));
        Create("/apps/a/w", [7]);
        Create("/apps/a/z", [7]);
        await ThereAsync(client, "/apps/a/z");

        Assert.Equal(4 + 2, _learner.Znodes.Count);
        Assert.InRange(_learner.Znodes.Bytes, 0, 500);
        Assert.True((await client.ExistsAsync("/apps/a/w")).Exists);
    }

    [Fact]
    public async Task A_new_root_is_taken_beside_the_one_that_is_served_and_what_comes_meanwhile_is_not_lost()
    {
        var client = await ConnectAsync();
        var keeping = _learner.KeepAsync(["/apps/a", "/other"]);
        await using var second = await _leader.AcceptAsync();
        await SnapshotAsync(second, _first.Tree.LastZxid);
        // It goes on serving meanwhile.
        Create("/apps/a/z", [7]);
        Create("/other/z", [8]);
        await ThereAsync(client, "/apps/a/z");
        Assert.False(keeping.IsCompleted);
        await RefusedAsync(() => client.GetDataAsync("/other"));

        await second.CatchUpWithoutSessionAsync();
        await keeping.WaitAsync(ScriptedLeader.Limit);

        Assert.Equal([6], (await client.GetDataAsync("/other/y")).Data!);
        Assert.Equal([8], (await client.GetDataAsync("/other/z")).Data!);
        Assert.Equal([7], (await client.GetDataAsync("/apps/a/z")).Data!);
        Create("/other/later", [9]);
        await ThereAsync(client, "/other/later");
        await RefusedAsync(() => client.GetDataAsync("/apps/ab"));
    }

    [Fact]
    public async Task A_second_snapshot_that_breaks_off_changes_nothing_and_is_taken_again()
    {
        var client = await ConnectAsync();
        var keeping = _learner.KeepAsync(["/other"]);
        await using (var broken = await _leader.AcceptAsync())
        {
            await broken.HandshakeAsync();
            await broken.SendRawAsync(Snapshots.Of(Start, Znodes).AsMemory()[..^30]);
        }
        await using var again = await _leader.AcceptAsync();
        Assert.Equal([2], (await client.GetDataAsync("/apps/a")).Data!);
        await SnapshotAsync(again, _first.Tree.LastZxid);
        await again.CatchUpWithoutSessionAsync();
        await keeping.WaitAsync(ScriptedLeader.Limit);

        Assert.Equal([6], (await client.GetDataAsync("/other/y")).Data!);
        await RefusedAsync(() => client.GetDataAsync("/apps/a"));
    }

    [Fact]
    public async Task A_second_snapshot_from_a_server_that_is_behind_is_not_taken()
    {
        var client = await ConnectAsync();
        Create("/other/late", [7]);
        Create("/apps/a/late", [7]);
        await ThereAsync(client, "/apps/a/late");
        var keeping = _learner.KeepAsync(["/other"]);
        await using (var behind = await _leader.AcceptAsync())
        {
            await SnapshotAsync(behind, Start);
            await behind.CatchUpWithoutSessionAsync();
            await behind.EndAsync();
        }
        await using var again = await _leader.AcceptAsync();

        Assert.False(keeping.IsCompleted);
        Assert.Equal([2], (await client.GetDataAsync("/apps/a")).Data!);
    }

    [Fact]
    public async Task What_is_no_longer_wanted_is_forgotten_without_asking_the_leader()
    {
        var client = await ConnectAsync();

        await _learner.KeepAsync(["/apps/a/x"]);

        Assert.Equal([3], (await client.GetDataAsync("/apps/a/x")).Data!);
        await RefusedAsync(() => client.GetDataAsync("/apps/a"));
        Assert.Equal(["/apps/a/x", "/zookeeper"], _learner.Roots!);
    }

    [Fact]
    public void What_came_during_a_snapshot_that_was_given_up_is_not_kept()
    {
        using var observer = new Observer(new EmbeddedServerOptions());
        Assert.Null(observer.Record());
        observer.Serve();

        Assert.NotNull(observer.Record());
        observer.StopRecording();

        Assert.False(observer.TryAdopt(new DataTree()));
    }

    private static async Task RefusedAsync(Func<Task> request) =>
        Assert.Equal(ErrorCode.Unimplemented, (await Assert.ThrowsAsync<KeeperException>(request)).Code);

    private static async Task ThereAsync(ZooKeeperClient client, string path)
    {
        using var limit = new CancellationTokenSource(ScriptedLeader.Limit);
        while (!(await client.ExistsAsync(path).WaitAsync(ScriptedLeader.Limit)).Exists)
        {
            await Task.Delay(1, limit.Token);
        }
    }

    private void Create(string path, byte[] data) => _first.Commit(0, 0, new CreateTxn(OpCode.Create, path, data, Acl.Open, ZnodeKind.Persistent, 0, -1));

    private static async Task SnapshotAsync(ScriptedLeader.Learner learner, long zxid)
    {
        await learner.HandshakeAsync();
        learner.Tree.LastZxid = zxid;
        await learner.SendRawAsync(Snapshots.Of(zxid, Znodes));
    }

    private async Task<ZooKeeperClient> ConnectAsync()
    {
        var connecting = ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", _learner.Address.Port)],
            SessionTimeout = TimeSpan.FromSeconds(30),
            AttemptTimeout = ScriptedLeader.Limit,
        });
        _first.CommitNext(await _first.RequestAsync());
        _clients.Add(await connecting);
        return _clients[^1];
    }
}
