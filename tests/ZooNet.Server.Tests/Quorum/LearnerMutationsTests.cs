using ZooNet.Protocol;
using ZooNet.Server.Quorum;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// Each ingredient of the learner's rules is needed: what goes wrong without it does, and does not with it. Both sides of each are one
/// scenario, with a leader in a script.
/// </summary>
public sealed class LearnerMutationsTests
{
    private static readonly LearnerOmissions All = LearnerOmissions.None;

    [Fact]
    public async Task Without_the_vote_clients_come_in_before_it_is_known_that_nothing_is_missing()
    {
        Assert.False(await ScenarioAsync(All, Scenario));
        Assert.True(await ScenarioAsync(All with { ServesAtOnce = true }, Scenario));

        // The leader was deposed and does not know: whatever it sends, no vote comes back from it.
        static async Task<bool> Scenario(ScriptedLeader script, LearningServer learner)
        {
            await using var deposed = await script.AcceptAsync();
            await deposed.HandshakeAsync();
            deposed.Send(new QuorumPacket(QuorumPacketType.Diff, 0));
            await deposed.CatchUpWithoutSessionAsync();
            await deposed.ReadAsync();
            await deposed.RequestAsync();
            return learner.IsServing;
        }
    }

    [Fact]
    public async Task Without_a_leader_answers_would_be_of_the_past()
    {
        Assert.False(await ScenarioAsync(All, Scenario));
        Assert.True(await ScenarioAsync(All with { AnswersWithoutLeader = true }, Scenario));

        // The next leader has committed something already when a client reads here.
        static async Task<bool> Scenario(ScriptedLeader script, LearningServer learner)
        {
            using var client = new PipeClient(learner);
            var first = await script.AcceptAsync();
            await first.LeadAsync();
            await OpenAsync(client, first, learner);
            await first.DisposeAsync();
            await using var second = await script.AcceptAsync();
            await second.HandshakeAsync();
            return await client.PingAsync();
        }
    }

    [Fact]
    public async Task Without_word_of_it_an_observer_behind_what_it_covered_is_believed()
    {
        Assert.False(await ScenarioAsync(All, Scenario));
        Assert.True(await ScenarioAsync(All with { TellsNobodyOfGoingBack = true }, Scenario));

        // It serves again, behind what it had shown, and nobody was told before.
        static async Task<bool> Scenario(ScriptedLeader script, LearningServer learner)
        {
            var told = false;
            learner.WentBack += () => told = !learner.IsServing;
            var first = await script.AcceptAsync();
            await first.LeadAsync();
            first.Commit(0, 0, Create("/lost", ZnodeKind.Persistent));
            using var client = new PipeClient(learner);
            await OpenAsync(client, first, learner);
            var shown = learner.LastZxid;
            await first.DisposeAsync();
            await using (var behind = await script.AcceptAsync())
            {
                await behind.HandshakeAsync();
                behind.Send(new QuorumPacket(QuorumPacketType.Trunc, 1L << 32));
                await behind.EndAsync();
            }
            await using var again = await script.AcceptAsync();
            await again.LeadAsync();
            await ServesAsync(learner);
            Assert.True(learner.LastZxid < shown);
            return !told;
        }
    }

    [Fact]
    public async Task Without_waiting_a_session_reads_what_was_there_before_its_own_write()
    {
        Assert.False(await ScenarioAsync(All, Scenario));
        Assert.True(await ScenarioAsync(All with { ReadsAtOnce = true }, Scenario));

        static async Task<bool> Scenario(ScriptedLeader script, LearningServer learner)
        {
            await using var leader = await script.AcceptAsync();
            await leader.LeadAsync();
            using var client = new PipeClient(learner);
            var session = await OpenAsync(client, leader, learner);
            await client.SendAsync(1, OpCode.Create, CreateRequest("/x"));
            await client.SendAsync(2, OpCode.Exists, ExistsRequest);
            await client.SendAsync(3, OpCode.Create, CreateRequest("/y"));
            Assert.Equal(1, (await leader.RequestAsync()).Xid);
            // The read is behind it: it was answered, or waits.
            Assert.Equal(3, (await leader.RequestAsync()).Xid);
            leader.Commit(session, 1, Create("/x", ZnodeKind.Persistent));
            return ReplyHeader.Read((await client.ReplyAsync()).AsSpan()).Xid != 1;
        }
    }

    [Fact]
    public async Task Without_the_client_its_session_would_be_told_to_live()
    {
        Assert.False(await ScenarioAsync(All, Scenario));
        Assert.True(await ScenarioAsync(All with { TouchesForEver = true }, Scenario));

        static async Task<bool> Scenario(ScriptedLeader script, LearningServer learner)
        {
            await using var leader = await script.AcceptAsync();
            await leader.LeadAsync();
            using var other = new PipeClient(learner);
            var lives = await OpenAsync(other, leader, learner);
            long gone;
            using (var client = new PipeClient(learner))
            {
                gone = await OpenAsync(client, leader, learner);
                Assert.True(await client.PingAsync());
                while (!(await leader.PingAsync()).Contains(gone))
                {
                    await Task.Delay(10);
                }
            }
            // Each time the other client is told of is a tick. What was heard before the end is told in the first.
            var told = new HashSet<long>();
            for (var ticks = 0; ticks < 3; ticks += told.Contains(lives) ? 1 : 0)
            {
                Assert.True(await other.PingAsync());
                told = await leader.PingAsync();
                await Task.Delay(10);
            }
            return told.Contains(gone);
        }
    }

    private static CreateTxn Create(string path, ZnodeKind kind) => new(OpCode.Create, path, [], Acl.Open, kind, 0, -1);

    private static byte[] CreateRequest(string path)
    {
        var writer = new JuteWriter();
        writer.WriteString(path);
        writer.WriteBuffer([]);
        Acl.WriteList(writer, Acl.Open);
        writer.WriteInt(0);
        return writer.Written.ToArray();
    }

    private static byte[] ExistsRequest
    {
        get
        {
            var writer = new JuteWriter();
            writer.WriteString("/x");
            writer.WriteBool(false);
            return writer.Written.ToArray();
        }
    }

    private static async Task<bool> ScenarioAsync(LearnerOmissions omissions, Func<ScriptedLeader, LearningServer, Task<bool>> scenario)
    {
        using var script = new ScriptedLeader();
        await using var learner = await LearningServer.StartAsync(
            new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(100), MaxSessionTimeout = TimeSpan.FromMinutes(1) },
            new LearnerOptions
            {
                Quorum = [script.Address],
                ServerId = 200,
                Silence = ScriptedLeader.Limit * 2,
                Pause = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20)),
                Omissions = omissions,
            });
        return await scenario(script, learner).WaitAsync(ScriptedLeader.Limit);
    }

    private static async Task<long> OpenAsync(PipeClient client, ScriptedLeader.Learner leader, LearningServer learner)
    {
        await ServesAsync(learner);
        var opening = client.ConnectAsync();
        leader.CommitNext(await leader.RequestAsync());
        return await opening;
    }

    private static async Task ServesAsync(LearningServer learner)
    {
        while (!learner.IsServing)
        {
            await Task.Delay(5);
        }
    }
}
