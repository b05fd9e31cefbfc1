using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Server.Quorum;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// An observer that keeps its state on disk: it asks for what came since, and believes in what it has only when the leader shows the same
/// history.
/// </summary>
public sealed class LearnerStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-learner-store-").FullName;
    private readonly ConcurrentQueue<string> _said = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string FileOf => Path.Combine(_folder, "replica");

    [Fact]
    public async Task After_a_restart_it_asks_for_what_came_since_and_serves_all()
    {
        var (history, last) = await RunAsync();
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script);
        await using var leader = await script.AcceptAsync();
        await leader.HandshakeAsync();
        // The last transaction is asked for once more.
        Assert.Equal(last.Zxid - 1, leader.LastZxid);

        await LeadOnAsync(leader, history, last);

        Assert.Equal([1], await DataAsync(learner, leader, "/x"));
        Assert.Equal([2], await DataAsync(learner, leader, "/y"));
        Assert.Equal(0, learner.Snapshots);
        Assert.Null(learner.Divergence);
        Assert.Contains(_said, s => s.Contains("Going on from the state in", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(40)]
    [InlineData(-1)]
    [InlineData(-20)]
    [InlineData(-200)]
    public async Task A_damaged_state_is_thrown_away_loudly_and_everything_is_asked_for(int at)
    {
        await RunAsync();
        var bytes = await File.ReadAllBytesAsync(FileOf);
        bytes[at < 0 ? bytes.Length + at : at] ^= 0x10;
        await File.WriteAllBytesAsync(FileOf, bytes);

        await AsksForAllAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(100)]
    [InlineData(-1)]
    [InlineData(-8)]
    public async Task A_state_that_ends_too_early_is_thrown_away_loudly_and_everything_is_asked_for(int length)
    {
        await RunAsync();
        var bytes = await File.ReadAllBytesAsync(FileOf);
        await File.WriteAllBytesAsync(FileOf, bytes[..(length < 0 ? bytes.Length + length : length)]);

        await AsksForAllAsync();
    }

    [Fact]
    public async Task A_length_that_lies_is_not_believed()
    {
        await RunAsync();
        var bytes = await File.ReadAllBytesAsync(FileOf);
        (bytes[8], bytes[9], bytes[10], bytes[11]) = (0x7f, 0xff, 0xff, 0xff);
        await File.WriteAllBytesAsync(FileOf, bytes);

        await AsksForAllAsync();
    }

    [Fact]
    public async Task A_leader_whose_transaction_of_that_number_is_another_one_has_another_history()
    {
        var (_, last) = await RunAsync();
        Assert.Equal(LastIsForeign, await FirstProblemAsync(async leader =>
        {
            leader.Send(new QuorumPacket(QuorumPacketType.Diff, last.Zxid));
            leader.Tree.LastZxid = last.Zxid - 1;
            leader.Commit(77, 1, new CreateTxn(OpCode.Create, "/other", [], Acl.Open, ZnodeKind.Persistent, 0, -1));
            await leader.EndAsync();
        }));
    }

    [Fact]
    public async Task A_leader_that_has_no_such_transaction_has_another_history()
    {
        var (_, last) = await RunAsync();
        Assert.Equal(LastIsForeign, await FirstProblemAsync(async leader =>
        {
            leader.Send(new QuorumPacket(QuorumPacketType.Diff, last.Zxid - 1));
            await leader.CatchUpWithoutSessionAsync();
            await leader.EndAsync();
        }));
    }

    [Fact]
    public async Task A_leader_that_wants_it_truncated_has_another_history()
    {
        await RunAsync();
        Assert.Equal(LastIsForeign, await FirstProblemAsync(async leader =>
        {
            leader.Send(new QuorumPacket(QuorumPacketType.Trunc, 1));
            await leader.EndAsync();
        }));
    }

    /// <summary>The ingredient is needed: without it two histories become one.</summary>
    [Fact]
    public async Task Without_that_proof_a_state_of_another_ensemble_would_be_served()
    {
        var (_, last) = await RunAsync();
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script, o => o with { Omissions = new LearnerOmissions { TrustsTheDisk = true } });
        await using var leader = await script.AcceptAsync();
        await leader.HandshakeAsync();
        leader.Send(new QuorumPacket(QuorumPacketType.Diff, last.Zxid - 1));
        leader.Tree.LastZxid = last.Zxid - 1;
        await leader.CatchUpAsync();

        Assert.Equal([1], await DataAsync(learner, leader, "/x"));
    }

    [Fact]
    public async Task A_state_that_lacks_what_is_wanted_now_is_not_used()
    {
        await RunAsync("/x");
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script, o => o with { Roots = ["/y"] });
        await using var leader = await script.AcceptAsync();
        await leader.HandshakeAsync();
        Assert.Equal(0, leader.LastZxid);
    }

    [Fact]
    public async Task A_state_with_more_than_is_wanted_is_used()
    {
        var (_, last) = await RunAsync();
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script, o => o with { Roots = ["/y"] });
        await using var leader = await script.AcceptAsync();
        await leader.HandshakeAsync();
        Assert.Equal(last.Zxid - 1, leader.LastZxid);
        Assert.Equal(["/y", "/zookeeper"], learner.Roots);
    }

    [Fact]
    public async Task A_folder_that_another_learner_uses_is_refused_by_name()
    {
        using var script = new ScriptedLeader();
        await using var first = await StartAsync(script);
        var e = await Assert.ThrowsAsync<IOException>(() => StartAsync(script));
        Assert.Contains($"{_folder} is used by another server", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Half_a_snapshot_does_not_take_the_place_of_the_state()
    {
        await RunAsync();
        var before = await File.ReadAllBytesAsync(FileOf);
        using (var script = new ScriptedLeader())
        {
            await using var learner = await StartAsync(script);
            await using var leader = await script.AcceptAsync();
            await leader.HandshakeAsync();
            await leader.SendRawAsync(Snapshots.Of(0x1_0000_0007, ("", []), ("/a", [1])).AsMemory()[..^20]);
            while (learner.Snapshots == 0)
            {
                await Task.Delay(5);
            }
        }
        Assert.Equal(before, await File.ReadAllBytesAsync(FileOf));
    }

    private const string LastIsForeign =
        "is not in its history: the state is of another ensemble, or the ensemble has lost it. The state is thrown away";

    /// <summary>A learner lives, learns /x and /y, and ends.</summary>
    /// <returns>The transactions, and the last one's header.</returns>
    private async Task<(IReadOnlyList<Txn> History, TxnHeader Last)> RunAsync(params string[] roots)
    {
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script, o => o with { Roots = roots.Length > 0 ? roots : null });
        await using var leader = await script.AcceptAsync();
        await leader.LeadAsync();
        Txn[] history = [Create("/x", [1]), Create("/y", [2])];
        foreach (var txn in history)
        {
            leader.Commit(5, 6, txn);
        }
        while (learner.LastZxid < leader.Tree.LastZxid)
        {
            await Task.Delay(5);
        }
        return (history, new TxnHeader(5, 6, leader.Tree.LastZxid, 1000));
    }

    /// <summary>The leader sends the last transaction again, as one that has the same history does, and goes on.</summary>
    private static async Task LeadOnAsync(ScriptedLeader.Learner leader, IReadOnlyList<Txn> history, TxnHeader last)
    {
        leader.Send(new QuorumPacket(QuorumPacketType.Diff, last.Zxid));
        leader.Tree.LastZxid = last.Zxid - 1;
        leader.Commit(last.SessionId, last.Xid, history[^1]);
        await leader.CatchUpAsync();
    }

    private static async Task<byte[]?> DataAsync(LearningServer learner, ScriptedLeader.Learner leader, string path)
    {
        while (!learner.IsServing)
        {
            await Task.Delay(5);
        }
        using var client = new PipeClient(learner);
        var opening = client.ConnectAsync();
        leader.CommitNext(await leader.RequestAsync());
        await opening;
        return await client.GetDataAsync(path);
    }

    private async Task AsksForAllAsync()
    {
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script);
        await using var leader = await script.AcceptAsync();
        await leader.HandshakeAsync();
        Assert.Equal(0, leader.LastZxid);
        Assert.Contains(_said, s => s.StartsWith("Error: The state in ", StringComparison.Ordinal));
        Assert.False(File.Exists(FileOf));
    }

    /// <summary>What the learner says of a leader that does something, without the first words; then it asks for everything.</summary>
    private async Task<string> FirstProblemAsync(Func<ScriptedLeader.Learner, Task> what)
    {
        using var script = new ScriptedLeader();
        await using var learner = await StartAsync(script);
        await using (var leader = await script.AcceptAsync())
        {
            await leader.HandshakeAsync();
            Assert.NotEqual(0, leader.LastZxid);
            await what(leader);
        }
        await using var next = await script.AcceptAsync();
        await next.HandshakeAsync();
        Assert.Equal(0, next.LastZxid);
        Assert.Contains(_said, s => s.StartsWith("Error: The state in ", StringComparison.Ordinal));
        return learner.Problem![learner.Problem!.IndexOf("is not in its history", StringComparison.Ordinal)..];
    }

    private Task<LearningServer> StartAsync(ScriptedLeader script, Func<LearnerOptions, LearnerOptions>? with = null) =>
        LearningServer.StartAsync(
        new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(100), Logging = new Heard(_said) },
        (with ?? (o => o))(new LearnerOptions
        {
            Quorum = [script.Address],
            ServerId = 200,
            Silence = ScriptedLeader.Limit * 2,
            Pause = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20)),
            DataDirectory = _folder,
        }));

    private static CreateTxn Create(string path, byte[] data) => new(OpCode.Create, path, data, Acl.Open, ZnodeKind.Persistent, 0, -1);

    /// <summary>Keeps what is logged.</summary>
    private sealed class Heard(ConcurrentQueue<string> said) : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider) => Assert.Fail("a learner only logs; it adds no provider");

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            said.Enqueue($"{logLevel}: {formatter(state, exception)}");

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
