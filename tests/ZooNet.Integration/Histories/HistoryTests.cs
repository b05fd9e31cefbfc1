using System.Diagnostics;
using Xunit.Abstractions;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Histories;

/// <summary>
/// Real clients on real ensembles, recorded and judged by the simulator's checker, while proxies, observers, followers and leaders are
/// killed and paused and the WAN is cut. ZOONET_LONG=300 makes it last five minutes; ZOONET_SEED chooses the faults and what the clients
/// do; ZOONET_VOTERS the size of the ensembles.
/// </summary>
public abstract class HistoryTests(HistoryFixture fixture, ITestOutputHelper output)
{
    /// <summary>The regions.</summary>
    protected HistoryFixture Fixture => fixture;

    /// <summary>What people read.</summary>
    protected ITestOutputHelper Output => output;

    /// <summary>What the clients do and which faults there are.</summary>
    protected static readonly int Seed = HistoryFixture.FromEnvironment("ZOONET_SEED", 7);

    /// <summary>Records a history under faults, tells about it, and fails where no order explains it or where it is hardly one.</summary>
    protected async Task JudgeUnderFaultsAsync(string consistency)
    {
        Jars.Require();
        var length = TimeSpan.FromSeconds(HistoryFixture.FromEnvironment("ZOONET_LONG", 15));
        await using var run = await HistoryRun.StartAsync(Fixture, consistency, Seed);
        try
        {
            var began = Stopwatch.GetTimestamp();
            var faults = await run.SufferAsync(length, Seed);
            var lasted = Stopwatch.GetElapsedTime(began);
            var history = await run.JudgeAsync();
            var counted = await run.Barriers.StopAsync();
            Output.WriteLine($"{consistency}, seed {Seed}, {lasted.TotalSeconds:F0} s, {faults.Count} faults");
            Tell(history);
            Output.WriteLine($"{counted.Needed} reads needed a barrier, {counted.Sent} barriers were made for them, {counted.Failed} reads failed with theirs");
            foreach (var fault in faults)
            {
                Output.WriteLine(fault);
            }
            AssertExplained(history, realTime: consistency == "ordered");
            // It could not pass empty.
            Assert.NotEmpty(faults);
            Assert.True(history.Writes > 100 && history.Placed > 300, "there is hardly anything to judge");
            Assert.True(history.Placed > history.Reads / 2, "too many reads could not be judged");
            Assert.True(history.ReadsInMounts > 100, "hardly any read was in a mount");
        }
        catch
        {
            foreach (var (proxy, index) in run.Proxies.Select((p, i) => (p, i)))
            {
                Output.WriteLine($"proxy {index}:\n{string.Join('\n', proxy.Log.Split('\n').TakeLast(40))}");
            }
            throw;
        }
    }

    /// <summary>Writes how much was judged.</summary>
    private protected void Tell(RecordedHistory history) => Output.WriteLine(
        $"{history.Operations} operations in {history.Sessions} sessions: {history.Writes} writes took effect, {history.Unanswered} of them unanswered; {history.Placed} of {history.Reads} reads judged, {history.ReadsInMounts} of all in mounts");

    private static void AssertExplained(RecordedHistory history, bool realTime)
    {
        Assert.True(history.Contradictions.Count == 0, string.Join('\n', history.Contradictions.Take(20)));
        foreach (var ordered in realTime ? [false, true] : (bool[])[false])
        {
            var cycle = history.FindCycle(ordered);
            Assert.True(cycle.Count == 0, $"no order explains this{(ordered ? " and agrees with real time between writes" : "")}:\n{history.Describe(cycle)}");
        }
    }
}

/// <summary>Regions whose interest closes a cycle, so that what no order explains can happen at all.</summary>
public abstract class CycleHistoryTests(HistoryFixture fixture, ITestOutputHelper output) : HistoryTests(fixture, output)
{
    [SkippableTheory]
    [InlineData("ordered")]
    [InlineData("sequential")]
    public Task Under_faults_one_order_explains_what_all_clients_saw(string consistency) => JudgeUnderFaultsAsync(consistency);

    [SkippableFact]
    public async Task Without_barriers_the_checker_sees_what_no_order_explains()
    {
        Jars.Require();
        await using var run = await HistoryRun.StartAsync(Fixture, "none", Seed, writeFar: false);
        // Everybody writes at home and reads in the mount what was there before the WAN held everything back: no luck is needed.
        for (var round = 1; ; round++)
        {
            await run.HoldWanAsync(400);
            await run.WorkAsync(200, TimeSpan.FromSeconds(60));
            var history = await run.JudgeAsync();
            Assert.Empty(history.Contradictions);
            var cycle = history.FindCycle(realTime: false);
            if (cycle.Count > 0)
            {
                Tell(history);
                Output.WriteLine(history.Describe(cycle));
                return;
            }
            Assert.True(round < 5, $"no violation in {history.Operations} operations: the checker would not see one");
            run.StartClients(Seed + round);
        }
    }
}

/// <summary>Two regions that mount each other.</summary>
public sealed class TwoRegionHistoryTests(TwoRegions fixture, ITestOutputHelper output) : CycleHistoryTests(fixture, output), IClassFixture<TwoRegions>;

/// <summary>Three regions in a ring.</summary>
public sealed class RingHistoryTests(Ring fixture, ITestOutputHelper output) : CycleHistoryTests(fixture, output), IClassFixture<Ring>;

/// <summary>
/// A region that mounts another one, which mounts nothing: mounted reads need no barriers there, and home is read through several
/// servers.
/// </summary>
public sealed class OneWayHistoryTests(OneWay fixture, ITestOutputHelper output) : HistoryTests(fixture, output), IClassFixture<OneWay>
{
    [SkippableFact]
    public Task Under_faults_one_order_explains_what_all_clients_saw() => JudgeUnderFaultsAsync("sequential");
}

/// <summary>
/// The same with two proxies per region, which are one copy as long as they agree on a server, and leave it one after the other.
/// </summary>
public sealed class OneWayPairHistoryTests(OneWayPair fixture, ITestOutputHelper output) : HistoryTests(fixture, output), IClassFixture<OneWayPair>
{
    [SkippableFact]
    public Task Under_faults_one_order_explains_what_all_clients_saw() => JudgeUnderFaultsAsync("sequential");
}
