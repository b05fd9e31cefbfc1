using System.Collections.Concurrent;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Integration.Quorum;

/// <summary>
/// An observer of ours in a real ensemble: it holds what the others hold, and its clients notice no more of an election than theirs.
/// </summary>
public sealed class LearnerTests
{
    private static readonly RealEnsembleOptions ThreeVoters = new() { Voters = 3 };

    /// <summary>Writes in the random test; <c>ZOONET_WRITES</c> for more.</summary>
    private static readonly int Writes = int.TryParse(Environment.GetEnvironmentVariable("ZOONET_WRITES"), out var writes) ? writes : 1000;

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task After_random_writes_and_elections_every_znode_is_the_same_as_at_a_real_observer(int seed)
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("diff", ThreeVoters with { LocalObservers = 1 });
        await using var real = await ensemble.ConnectAsync(ensemble.Observers.Single());
        foreach (var path in (string[])["/p", "/q", "/q/r"])
        {
            await real.CreateAsync(path);
        }
        await using var whole = await ObserveAsync(ensemble);
        await using var part = await ObserveAsync(ensemble, 201, "/p", "/q/r");
        await using var a = new RandomWrites(seed, () => ConnectAsync(whole));
        await using var b = new RandomWrites(seed + 1000, ensemble.ConnectAsync);
        await using var p = new RandomWrites(seed + 2000, () => ConnectAsync(part), "/p");
        await using var r = new RandomWrites(seed + 3000, ensemble.ConnectAsync, "/q/r");
        var rounds = Math.Max(3, Writes / 300);
        for (var round = 1; round <= rounds; round++)
        {
            var each = Writes / rounds / 4;
            var work = Task.WhenAll(a.DoAsync(each), b.DoAsync(each), p.DoAsync(each), r.DoAsync(each));
            if (round < rounds)
            {
                // The leader dies in the middle of them.
                var leader = (await ensemble.LeaderAsync())!;
                await leader.KillAsync();
                await work;
                await leader.RestartAsync();
            }
            await work;
        }

        await real.SyncAsync();
        foreach (var (learner, roots) in ((LearningServer, string[])[])[(whole, ["/"]), (part, ["/p", "/q/r"])])
        {
            await using var mine = await ConnectAsync(learner);
            await mine.SyncAsync();
            foreach (var root in roots)
            {
                var differences = Namespace.Differences(await Namespace.ReadAsync(real, root), await Namespace.ReadAsync(mine, root));
                Assert.True(!differences.Any(), string.Join('\n', differences));
            }
            Assert.True(learner.Divergence is null, learner.Divergence);
        }
        // A write that was refused has no digest.
        Assert.True(whole.DigestsCompared > Writes / 4, $"{whole.DigestsCompared} transactions were compared with the leader's tree");
    }

    [SkippableFact]
    public async Task A_partial_replica_is_the_same_as_a_real_server_below_its_roots_also_below_one_that_it_takes_on_later()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("part", ThreeVoters);
        await using var real = await ensemble.ConnectAsync();
        foreach (var path in (string[])["/a", "/b", "/c", "/c/d"])
        {
            await real.CreateAsync(path);
        }
        await using var learner = await ObserveAsync(ensemble, "/a", "/c/d");
        await using var a = new RandomWrites(1, () => ConnectAsync(learner), "/a");
        await using var b = new RandomWrites(2, ensemble.ConnectAsync, "/b");
        await using var d = new RandomWrites(3, ensemble.ConnectAsync, "/c/d");
        var work = Task.WhenAll(a.DoAsync(200), b.DoAsync(200), d.DoAsync(200));
        var leader = (await ensemble.LeaderAsync())!;
        await leader.KillAsync();
        await work;
        await leader.RestartAsync();

        // Nothing is known of what is not kept.
        await using var mine = await ConnectAsync(learner);
        Assert.Equal(ErrorCode.Unimplemented, (await Assert.ThrowsAsync<KeeperException>(() => mine.GetDataAsync("/b"))).Code);
        work = Task.WhenAll(a.DoAsync(200), b.DoAsync(200), d.DoAsync(200));
        await learner.KeepAsync(["/a", "/b", "/c/d"]);
        await work;

        await mine.SyncAsync();
        await real.SyncAsync();
        foreach (var root in (string[])["/a", "/b", "/c/d"])
        {
            var differences = Namespace.Differences(await Namespace.ReadAsync(real, root), await Namespace.ReadAsync(mine, root));
            Assert.True(!differences.Any(), string.Join('\n', differences));
        }
        var before = learner.Znodes.Count;
        await learner.KeepAsync(["/a"]);
        Assert.True(learner.Znodes.Count < before);
        Assert.Empty(Namespace.Differences(await Namespace.ReadAsync(real, "/a"), await Namespace.ReadAsync(mine, "/a")));
    }

    [SkippableFact]
    public async Task A_client_of_the_learner_keeps_its_session_its_ephemerals_and_its_watches_when_the_leader_dies()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("keep", ThreeVoters);
        await using var learner = await ObserveAsync(ensemble);
        await using var client = await ConnectAsync(learner);
        var fired = new ConcurrentQueue<string>();
        client.WatchFired += e => fired.Enqueue($"{e.Type} {e.Path}");
        await client.CreateAsync("/mine", flags: CreateFlags.Ephemeral);
        await client.ExistsAsync("/awaited", watch: true);
        var session = client.SessionId;

        for (var i = 0; i < 2; i++)
        {
            var leader = (await ensemble.LeaderAsync())!;
            await leader.KillAsync();
            Assert.Equal(session, (await Eventually.AgainAsync(() => client.SetDataAsync("/mine", [1]))).Stat.EphemeralOwner);
            await leader.RestartAsync();
        }

        Assert.Equal(session, client.SessionId);
        await using var direct = await ensemble.ConnectAsync();
        await direct.CreateAsync("/awaited");
        await Eventually.Async(() => fired.Contains("Created /awaited"), "the watch that was set before the first leader died");
        await client.CloseAsync();
        await direct.SyncAsync(); // Its server may learn of the end later than the learner.
        Assert.False((await direct.ExistsAsync("/mine")).Exists);
    }

    [SkippableFact]
    public async Task A_session_moves_from_a_real_server_to_the_learner_and_back_with_what_it_owns()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("move", new() { Voters = 1 });
        await using var learner = await ObserveAsync(ensemble);
        await using var first = await ensemble.ConnectAsync();
        await first.CreateAsync("/mine", flags: CreateFlags.Ephemeral);

        await first.DetachAsync();
        await using var second = await ConnectAsync(learner, first);
        Assert.Equal(first.SessionId, second.SessionId);
        Assert.Equal(first.SessionId, (await second.SetDataAsync("/mine", [2])).Stat.EphemeralOwner);

        await second.DetachAsync();
        await using var third = await ZooKeeperClient.ConnectAsync(Of(ensemble.Addresses[0], second));
        Assert.Equal(first.SessionId, third.SessionId);
        Assert.Equal([2], (await third.GetDataAsync("/mine")).Data!);
        await third.CloseAsync();
        await using var other = await ConnectAsync(learner);
        await other.SyncAsync();
        Assert.False((await other.ExistsAsync("/mine")).Exists);
    }

    [SkippableFact]
    public async Task While_there_is_no_leader_the_learner_serves_nobody_and_says_why()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("none", new() { Voters = 1 });
        await using var learner = await ObserveAsync(ensemble);
        await using var client = await ConnectAsync(learner);
        await client.CreateAsync("/x", [1]);

        await ensemble.Servers[0].KillAsync();

        await Eventually.Async(() => learner.State == LearnerState.Looking, "the leader's end was noticed");
        await Assert.ThrowsAsync<IOException>(() => RawClient.ConnectAsync(new("127.0.0.1", learner.Address.Port), readOnly: false));
        await Eventually.Async(() => learner.Problem is not null, "it says why");
        Assert.Contains($"127.0.0.1:{ensemble.Servers[0].QuorumPort}", learner.Problem, StringComparison.Ordinal);

        await ensemble.Servers[0].RestartAsync();
        Assert.Equal([1], (await Eventually.AgainAsync(() => client.GetDataAsync("/x"))).Data!);
    }

    [SkippableFact]
    public async Task An_observer_that_keeps_its_state_asks_for_what_came_since_and_has_the_same_as_a_real_one()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("disk", ThreeVoters with { LocalObservers = 1 });
        var folder = OwnedFolder.Create("disk-state");
        try
        {
            await using var writes = new RandomWrites(1, ensemble.ConnectAsync);
            await using var part = new RandomWrites(2, ensemble.ConnectAsync, "/p");
            await using var real = await ensemble.ConnectAsync(ensemble.Observers.Single());
            await real.CreateAsync("/p");
            for (var start = 0; start < 4; start++)
            {
                await using var whole = await ObserveAsync(ensemble, o => o with { DataDirectory = Path.Combine(folder, "whole") });
                await using var partial = await ObserveAsync(ensemble,
                    o => o with { ServerId = 201, Roots = ["/p"], DataDirectory = Path.Combine(folder, "part") });
                // The first time there is nothing to go on from. Later a leader has all that came since, also one elected meanwhile.
                Assert.Equal((start == 0 ? 1 : 0, start == 0 ? 1 : 0), (whole.Snapshots, partial.Snapshots));
                await Task.WhenAll(writes.DoAsync(50), part.DoAsync(50));
                await real.SyncAsync();
                foreach (var (learner, root) in ((LearningServer, string)[])[(whole, "/"), (partial, "/p")])
                {
                    await using var mine = await ConnectAsync(learner);
                    await mine.SyncAsync();
                    var differences = Namespace.Differences(await Namespace.ReadAsync(real, root), await Namespace.ReadAsync(mine, root));
                    Assert.True(!differences.Any(), string.Join('\n', differences));
                    Assert.True(learner.Divergence is null, learner.Divergence);
                }
                await whole.DisposeAsync();
                await partial.DisposeAsync();
                if (start == 2)
                {
                    var leader = (await ensemble.LeaderAsync())!;
                    await leader.KillAsync();
                    await writes.DoAsync(10);
                    await leader.RestartAsync();
                }
                await Task.WhenAll(writes.DoAsync(50), part.DoAsync(50));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SkippableFact]
    public async Task A_state_of_another_ensemble_is_thrown_away_and_the_right_one_is_served()
    {
        Jars.Require();
        await using var one = await RealEnsemble.StartAsync("one", new() { Voters = 1 });
        await using var other = await RealEnsemble.StartAsync("other", new() { Voters = 1 });
        var folder = OwnedFolder.Create("foreign-state");
        try
        {
            await using var atOne = await one.ConnectAsync();
            await using var atOther = await other.ConnectAsync();
            await atOne.CreateAsync("/one");
            // The same zxids, and more of them.
            for (var i = 0; i < 50; i++)
            {
                await atOther.CreateAsync($"/other{i}");
            }
            await using (var learner = await ObserveAsync(one, o => o with { DataDirectory = folder }))
            {
                Assert.Equal(1, learner.Snapshots);
            }
            await using var again = await ObserveAsync(other, o => o with { DataDirectory = folder });

            Assert.Equal(1, again.Snapshots);
            await using var client = await ConnectAsync(again);
            Assert.True((await client.ExistsAsync("/other49")).Exists);
            Assert.False((await client.ExistsAsync("/one")).Exists);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SkippableFact]
    public async Task What_is_wrong_with_an_address_or_a_number_is_said_in_a_sentence()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("wrong", new() { Voters = 1 });
        var server = ensemble.Servers[0];
        var nobody = FreePorts.Take();

        await SaysAsync(server.ClientPort, 200, $"127.0.0.1:{server.ClientPort} ", "is it the quorum port (2888 in server.N=");
        await SaysAsync(nobody, 200, $"127.0.0.1:{nobody}: Connection refused");
        await SaysAsync(server.QuorumPort, 1, "the number 1 is taken", "has a voter server.1=",
            "give the observer a 'sid' that no server there has");

        static async Task SaysAsync(int port, byte sid, params string[] parts)
        {
            await using var learner = await LearningServer.StartAsync(new EmbeddedServerOptions(),
                new LearnerOptions { Quorum = [new("127.0.0.1", port)], ServerId = sid });
            await Eventually.Async(() => learner.Problem is not null, "it says why it does not follow");
            Assert.All(parts, part => Assert.Contains(part, learner.Problem, StringComparison.Ordinal));
            Assert.False(learner.IsServing);
        }
    }

    internal static Task<LearningServer> ObserveAsync(RealEnsemble ensemble, params string[] roots) => ObserveAsync(ensemble, 200, roots);

    private static Task<LearningServer> ObserveAsync(RealEnsemble ensemble, byte sid, params string[] roots) =>
        ObserveAsync(ensemble, o => o with { ServerId = sid, Roots = roots.Length > 0 ? roots : null });

    internal static async Task<LearningServer> ObserveAsync(RealEnsemble ensemble, Func<LearnerOptions, LearnerOptions> with)
    {
        var learner = await LearningServer.StartAsync(
            new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(500) },
            with(new LearnerOptions { Quorum = ensemble.QuorumPorts, ServerId = 200 }));
        await Eventually.Async(() => learner.State == LearnerState.Following, $"it follows ({learner.Problem})");
        return learner;
    }

    private static Task<ZooKeeperClient> ConnectAsync(LearningServer learner, ZooKeeperClient? session = null) =>
        ZooKeeperClient.ConnectAsync(Of(new ServerAddress("127.0.0.1", learner.Address.Port), session));

    private static ZooKeeperClientOptions Of(ServerAddress server, ZooKeeperClient? session) => new()
    {
        Servers = [server],
        SessionTimeout = TimeSpan.FromSeconds(10),
        SessionId = session?.SessionId ?? 0,
        SessionPassword = session?.SessionPassword,
    };
}
