using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server.Quorum;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// An observer of ours whose leader does what no healthy one does, or stops in the middle: it serves nobody, says why, and tries again.
/// </summary>
public sealed class LearnerFaultsTests : IAsyncLifetime, IDisposable
{
    private const long Snapshot = 0x1_0000_0007;

    private readonly ScriptedLeader _leader = new();
    private readonly List<ZooKeeperClient> _clients = [];
    private LearningServer _learner = null!;

    public async Task InitializeAsync() => _learner = await StartAsync(_leader, ScriptedLeader.Limit * 2);

    public async Task DisposeAsync()
    {
        foreach (var client in _clients)
        {
            // Its session's end would wait for a leader that commits nothing by itself.
            await client.DetachAsync();
        }
        await _learner.DisposeAsync();
    }

    private static Task<LearningServer> StartAsync(ScriptedLeader leader, TimeSpan silence) => LearningServer.StartAsync(
        new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(100), MinSessionTimeout = TimeSpan.FromSeconds(1), MaxSessionTimeout = TimeSpan.FromMinutes(1) },
        new LearnerOptions
        {
            Quorum = [leader.Address],
            ServerId = 200,
            Silence = silence,
            Pause = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20)),
        });

    public void Dispose() => _leader.Dispose();

    // ---------------------------------------------------------------- nobody is answered before it has caught up

    [Fact]
    public async Task Nobody_is_served_before_the_learners_own_session_has_come_back_from_a_vote()
    {
        await using var session = await _leader.AcceptAsync();
        await session.HandshakeAsync();
        session.Send(new QuorumPacket(QuorumPacketType.Diff, 0));
        session.Send(new QuorumPacket(QuorumPacketType.NewLeader, 1L << 32));
        await session.ReadAsync();
        session.Send(new QuorumPacket(QuorumPacketType.UpToDate, -1));
        await session.ReadAsync();
        var own = await session.RequestAsync();

        await RefusedAsync(0);
        Assert.Equal(LearnerState.CatchingUp, _learner.State);
        session.Tree.LastZxid = 1L << 32;
        session.CommitNext(own);

        var client = await ConnectAsync(session);
        Assert.False((await client.ExistsAsync("/x")).Exists);
    }

    [Fact]
    public async Task After_its_leader_is_lost_it_serves_nobody_until_the_next_one_has_brought_it_up_to_date()
    {
        var first = await _leader.AcceptAsync();
        await first.LeadAsync();
        Create(first, "/x", [1]);
        var client = await ConnectAsync(first);
        Assert.Equal([1], (await client.GetDataAsync("/x")).Data!);

        await first.DisposeAsync();
        await using var second = await _leader.AcceptAsync();
        await second.HandshakeAsync();
        await RefusedAsync(0);

        // It has all that it had, and asks for the rest.
        Assert.Equal(first.Tree.LastZxid, second.LastZxid);
        await second.LeadFromAsync(new QuorumPacket(QuorumPacketType.Diff, second.LastZxid));
        var other = await ConnectAsync(second);
        Assert.Equal([1], (await other.GetDataAsync("/x")).Data!);
    }

    [Fact]
    public async Task A_leader_that_has_lost_what_was_shown_makes_it_begin_anew_and_whoever_has_seen_more_is_refused()
    {
        var wentBack = 0;
        _learner.WentBack += () => wentBack++;
        var first = await _leader.AcceptAsync();
        await first.LeadAsync();
        Create(first, "/lost", [1]);
        var client = await ConnectAsync(first);
        var seen = (await client.GetDataAsync("/lost")).Zxid;

        await first.DisposeAsync();
        await using (var behind = await _leader.AcceptAsync())
        {
            await behind.HandshakeAsync();
            behind.Send(new QuorumPacket(QuorumPacketType.Trunc, 1L << 32));
            await behind.EndAsync();
        }
        await using var again = await _leader.AcceptAsync();
        await again.HandshakeAsync();
        Assert.Equal(0, again.LastZxid);
        await again.LeadFromAsync(new QuorumPacket(QuorumPacketType.Diff, 0));

        await RefusedAsync(seen);
        var other = await ConnectAsync(again);
        Assert.False((await other.ExistsAsync("/lost")).Exists);
        Assert.Equal(1, wentBack);
    }

    // ---------------------------------------------------------------- a session's own writes, and its life

    [Fact]
    public async Task A_read_waits_behind_its_own_sessions_write_and_another_sessions_does_not()
    {
        await using var leader = await _leader.AcceptAsync();
        await leader.LeadAsync();
        Create(leader, "/x", [1]);
        var writer = await ConnectAsync(leader);
        var reader = await ConnectAsync(leader);
        Assert.Equal([1], (await reader.GetDataAsync("/x")).Data!);

        var write = writer.SetDataAsync("/x", [2]);
        var own = writer.GetDataAsync("/x");
        var request = await leader.RequestAsync();
        Assert.Equal(OpCode.SetData, request.Op);
        Assert.Equal([1], (await reader.GetDataAsync("/x")).Data!);
        Assert.False(own.IsCompleted);

        leader.Commit(request.Session, request.Xid, new SetDataTxn("/x", [2], 1));
        await write;
        Assert.Equal([2], (await own).Data!);
    }

    [Fact]
    public async Task A_close_is_answered_when_its_transaction_has_come_and_not_before()
    {
        await using var leader = await _leader.AcceptAsync();
        await leader.LeadAsync();
        var client = await ConnectAsync(leader);
        leader.Commit(client.SessionId, 1, Ephemeral("/mine"));
        var other = await ConnectAsync(leader);
        await ThereAsync(other, "/mine");

        var closing = client.CloseAsync();
        var request = await leader.RequestAsync();
        Assert.Equal(OpCode.CloseSession, request.Op);
        // Transactions of others come in between.
        Create(leader, "/between", []);
        await ThereAsync(other, "/between");
        Assert.False(closing.IsCompleted);
        Assert.True((await other.ExistsAsync("/mine")).Exists);

        leader.CommitNext(request);
        await closing;
        Assert.False((await other.ExistsAsync("/mine")).Exists);
    }

    [Fact]
    public async Task A_close_whose_leader_is_lost_is_not_answered_and_its_session_lives()
    {
        var first = await _leader.AcceptAsync();
        await first.LeadAsync();
        await ServesAsync();
        using var pipe = new PipeClient(_learner);
        var opening = pipe.ConnectAsync();
        first.CommitNext(await first.RequestAsync());
        var session = await opening;
        first.Commit(session, 1, Ephemeral("/mine"));
        // Its session comes down the stream behind the znode, which is there then.
        await (await ConnectAsync(first)).DetachAsync();
        await pipe.SendAsync(7, OpCode.CloseSession);
        Assert.Equal(OpCode.CloseSession, (await first.RequestAsync()).Op);

        await first.DisposeAsync();

        Assert.Equal(0, await pipe.BytesUntilTheEndAsync());
        await using var second = await _leader.AcceptAsync();
        await second.LeadAsync();
        var other = await ConnectAsync(second);
        Assert.True((await other.ExistsAsync("/mine")).Exists);
    }

    [Fact]
    public async Task A_session_is_told_to_live_only_while_its_client_is_heard()
    {
        await using var leader = await _leader.AcceptAsync();
        await leader.LeadAsync();
        var client = await ConnectAsync(leader);
        var id = client.SessionId;
        await client.ExistsAsync("/");
        await TouchedAsync(leader, id);

        await client.DetachAsync();
        // What was heard before the end may still be told, in the ticks that were under way.
        await NotTouchedAnyMoreAsync(leader, id);
    }

    // ---------------------------------------------------------------- leaders that fail in the middle, or lie

    [Fact]
    public async Task A_snapshot_that_is_cut_off_is_taken_again()
    {
        await using (var first = await _leader.AcceptAsync())
        {
            await first.HandshakeAsync();
            await first.SendRawAsync(Snapshots.Of(Snapshot, ("", []), ("/a", [1]), ("/b", [2])).AsMemory()[..^40]);
        }
        await using var second = await _leader.AcceptAsync();
        await second.HandshakeAsync();
        // Half a state is none.
        Assert.Equal(0, second.LastZxid);
        await RefusedAsync(0);
        Assert.Contains("closed", _learner.Problem, StringComparison.Ordinal);
        await second.SendRawAsync(Snapshots.Of(Snapshot, ("", []), ("/a", [1]), ("/b", [2])));
        second.Tree.LastZxid = Snapshot;
        await second.CatchUpAsync();

        var client = await ConnectAsync(second);
        Assert.Equal([2], (await client.GetDataAsync("/b")).Data!);
    }

    [Fact]
    public async Task A_leader_that_falls_silent_is_given_up_and_the_next_one_is_asked()
    {
        using var leader = new ScriptedLeader();
        await using var learner = await StartAsync(leader, TimeSpan.FromMilliseconds(500));
        await using var silent = await leader.AcceptAsync();
        await silent.HandshakeAsync();

        await using var next = await leader.AcceptAsync();

        Assert.Contains("silent for 0.5 s", learner.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_leader_of_the_past_is_not_followed()
    {
        _leader.Epoch = 5;
        var first = await _leader.AcceptAsync();
        await first.LeadAsync();
        _leader.Epoch = 4;
        await first.DisposeAsync();

        await using (var past = await _leader.AcceptAsync())
        {
            await past.ReadAsync();
            past.Send(new QuorumPacket(QuorumPacketType.LeaderInfo, 4L << 32, [0, 1, 0, 0]));
            await past.EndAsync();
        }

        await SaysAsync("leads epoch 4, but the ensemble has had epoch 5");
        await RefusedAsync(0);
    }

    [Theory]
    [InlineData("a packet whose data are 2 GB", "0000000f 0000000100000007 7fffffff")]
    [InlineData("a packet with a negative length", "0000000f 0000000100000007 fffffff0")]
    [InlineData("a packet with a billion identities", "0000000f 0000000100000007 ffffffff 3b9aca00")]
    [InlineData("a type that is none", "00000063 0000000100000007 ffffffff 00000000")]
    [InlineData("a snapshot with -5 sessions", "0000000f 0000000100000007 ffffffff 00000000  fffffffb")]
    [InlineData("a snapshot with 2 billion lists", "0000000f 0000000100000007 ffffffff 00000000  00000000 77359400")]
    [InlineData("a list of 2 billion ACLs", "0000000f 0000000100000007 ffffffff 00000000  00000000 00000001 0000000000000001 77359400")]
    [InlineData("a path of 1 GB", "0000000f 0000000100000007 ffffffff 00000000  00000000 00000000 40000000")]
    [InlineData("an ACL that is not there", "0000000f 0000000100000007 ffffffff 00000000  00000000 00000000 00000000 00000000 0000000000000009"
        + " 0000000000000000 0000000000000000 0000000000000000 0000000000000000 00000000 00000000 00000000 0000000000000000 0000000000000000")]
    [InlineData("an inform without data", "0000000d 0000000100000007 ffffffff 00000000  00000008 0000000100000008 ffffffff 00000000")]
    [InlineData("a transaction that is cut", "0000000d 0000000100000007 ffffffff 00000000  00000008 0000000100000008 00000004 00000001 00000000")]
    public async Task What_can_not_be_read_costs_that_connection_and_nothing_else(string what, string hex)
    {
        await using (var first = await _leader.AcceptAsync())
        {
            await first.HandshakeAsync();
            await first.SendRawAsync(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));
            // It has given up at the bytes as they are, and does not wait for what a length promised.
            await first.EndAsync();
        }
        await using var second = await _leader.AcceptAsync();

        Assert.True(_learner.Problem is not null, what);
        await second.LeadAsync();
        var client = await ConnectAsync(second);
        Assert.False((await client.ExistsAsync("/x")).Exists);
    }

    [Fact]
    public async Task A_snapshot_that_is_cut_off_after_it_had_followed_leaves_nothing_behind()
    {
        var first = await _leader.AcceptAsync();
        await first.LeadAsync();
        Create(first, "/x", [1]);
        await ThereAsync(await ConnectAsync(first), "/x");
        await first.DisposeAsync();
        await using (var second = await _leader.AcceptAsync())
        {
            await second.HandshakeAsync();
            Assert.NotEqual(0, second.LastZxid);
            await second.SendRawAsync(Snapshots.Of(Snapshot, ("", []), ("/a", [1]), ("/b", [2])).AsMemory()[..^40]);
        }

        await using var third = await _leader.AcceptAsync();
        await third.HandshakeAsync();

        // A leader that believed in what was there before would send no more than what came since.
        Assert.Equal(0, third.LastZxid);
    }

    [Fact]
    public async Task A_znode_without_a_parent_is_no_snapshot()
    {
        await using (var first = await _leader.AcceptAsync())
        {
            await first.HandshakeAsync();
            await first.SendRawAsync(Snapshots.Of(Snapshot, ("", []), ("/a/b", [1])));
            await first.EndAsync();
        }
        await using var second = await _leader.AcceptAsync();
        await SaysAsync("a znode without a parent, /a/b");
    }

    [Fact]
    public async Task A_leader_of_a_version_before_3_4_is_said_to_be_one()
    {
        await using (var first = await _leader.AcceptAsync())
        {
            await first.ReadAsync();
            first.Send(new QuorumPacket(QuorumPacketType.LeaderInfo, 1L << 32, [0, 0, 0, 1]));
            await first.EndAsync();
        }
        await SaysAsync("speaks a version of the quorum protocol from before ZooKeeper 3.4");
    }

    [Theory]
    [InlineData("server.200=eu1:2888:3888:participant;2181", "the number 200 is taken: the ensemble of")]
    [InlineData("server.200=eu1:2888:3888", "has a voter server.200=eu1:2888:3888")]
    [InlineData("server.200=us1:2888:3888:observer;2181", null)]
    [InlineData("server.20=eu1:2888:3888:participant;2181", null)]
    public async Task A_number_that_a_voter_has_is_refused_before_the_leader_counts_on_it(string line, string? problem)
    {
        await using var leader = await _leader.AcceptAsync();
        await leader.HandshakeAsync();
        leader.Send(new QuorumPacket(QuorumPacketType.Diff, 0));
        var config = System.Text.Encoding.UTF8.GetBytes($"server.1=eu1:2888:3888:participant;2181\n{line}\nversion=0");
        leader.Send(new QuorumPacket(QuorumPacketType.NewLeader, 1L << 32, config));

        if (problem is null)
        {
            Assert.Equal(QuorumPacketType.Ack, (await leader.ReadAsync()).Type);
            return;
        }
        await Assert.ThrowsAnyAsync<IOException>(leader.ReadAsync);
        await SaysAsync(problem);
    }

    // ---------------------------------------------------------------- digests

    [Fact]
    public async Task A_digest_that_is_not_the_leaders_throws_the_replica_away_and_it_is_taken_anew()
    {
        var first = await _leader.AcceptAsync();
        await first.LeadAsync();
        Create(first, "/x", [1]);
        first.Commit(0, 0, new SetDataTxn("/x", [2], 1), 12345);

        await first.EndAsync();
        await using var second = await _leader.AcceptAsync();
        await second.HandshakeAsync();

        Assert.Equal(0, second.LastZxid);
        Assert.Equal(1, _learner.Divergences);
        Assert.Contains("digests differ", _learner.Divergence, StringComparison.Ordinal);
        await second.LeadFromAsync(new QuorumPacket(QuorumPacketType.Diff, 0));
        var client = await ConnectAsync(second);
        Assert.False((await client.ExistsAsync("/x")).Exists);
    }

    [Fact]
    public async Task A_digest_that_is_the_leaders_or_of_an_unknown_kind_changes_nothing()
    {
        await using var leader = await _leader.AcceptAsync();
        await leader.LeadAsync();
        leader.Tree.KeepDigest();
        var before = new CreateTxn(OpCode.Create, "/x", [1], Acl.Open, ZnodeKind.Persistent, 0, -1);
        Create(leader, "/first", []);
        // What the sum will be is known only afterwards: a tree of the same transactions tells.
        var twin = new DataTree();
        twin.CopyFrom(leader.Tree);
        twin.KeepDigest();
        twin.Apply(new TxnHeader(0, 0, leader.Tree.LastZxid + 1, 1000), before);

        leader.Commit(0, 0, before, twin.Digest);

        var client = await ConnectAsync(leader);
        await ThereAsync(client, "/x");
        Assert.Equal(0, _learner.Divergences);
    }

    // ---------------------------------------------------------------- helpers

    private static void Create(ScriptedLeader.Learner leader, string path, byte[] data) =>
        leader.Commit(0, 0, new CreateTxn(OpCode.Create, path, data, Acl.Open, ZnodeKind.Persistent, 0, -1));

    private static CreateTxn Ephemeral(string path) => new(OpCode.Create, path, [], Acl.Open, ZnodeKind.Ephemeral, 0, -1);

    /// <summary>A client of the learner whose session the scripted leader commits.</summary>
    private async Task<ZooKeeperClient> ConnectAsync(ScriptedLeader.Learner leader)
    {
        var connecting = ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", _learner.Address.Port)],
            SessionTimeout = TimeSpan.FromSeconds(30),
            AttemptTimeout = ScriptedLeader.Limit,
        });
        var request = await leader.RequestAsync();
        Assert.Equal(OpCode.CreateSession, request.Op);
        leader.CommitNext(request);
        _clients.Add(await connecting);
        return _clients[^1];
    }

    /// <summary>Whoever connects is closed without an answer.</summary>
    private async Task RefusedAsync(long lastZxidSeen)
    {
        using var client = new PipeClient(_learner);
        await Assert.ThrowsAsync<EndOfStreamException>(() => client.ConnectAsync(lastZxidSeen));
    }

    private static async Task ThereAsync(ZooKeeperClient client, string path)
    {
        using var limit = new CancellationTokenSource(ScriptedLeader.Limit);
        while (!(await client.ExistsAsync(path).WaitAsync(ScriptedLeader.Limit)).Exists)
        {
            await Task.Delay(1, limit.Token);
        }
    }

    /// <summary>What the leader has sent may still be on its way.</summary>
    private async Task ServesAsync()
    {
        using var limit = new CancellationTokenSource(ScriptedLeader.Limit);
        while (!_learner.IsServing)
        {
            await Task.Delay(5, limit.Token);
        }
    }

    private async Task SaysAsync(string what)
    {
        using var limit = new CancellationTokenSource(ScriptedLeader.Limit);
        while (_learner.Problem?.Contains(what, StringComparison.Ordinal) != true)
        {
            Assert.False(limit.IsCancellationRequested, $"it says: {_learner.Problem}");
            await Task.Delay(5);
        }
    }

    private static async Task TouchedAsync(ScriptedLeader.Learner leader, long session)
    {
        while (!(await leader.PingAsync()).Contains(session))
        {
            await Task.Delay(20);
        }
    }

    /// <summary>
    /// Pings until the session was missing ten times in a row: a tick, in which it may be told once more, is half of that.
    /// </summary>
    private static async Task NotTouchedAnyMoreAsync(ScriptedLeader.Learner leader, long session)
    {
        using var limit = new CancellationTokenSource(ScriptedLeader.Limit);
        for (var missing = 0; missing < 10; missing++)
        {
            missing = (await leader.PingAsync()).Contains(session) ? -1 : missing;
            Assert.False(limit.IsCancellationRequested, "the session is kept alive though its client is gone");
            await Task.Delay(20);
        }
    }
}
