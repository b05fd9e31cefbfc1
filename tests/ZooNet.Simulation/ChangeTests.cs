using Xunit.Abstractions;

namespace ZooNet.Simulation;

/// <summary>Federations whose mounts come and go under load, while proxies start, die and are cut off.</summary>
public sealed class ChangeTests(ITestOutputHelper output)
{
    private static Scenario Changing(Policy policy) => new()
    {
        Topology = new Topology("random", []),
        Policy = policy,
        Changes = true,
        Faults = true,
        HomeServers = 2,
        ProxiesPerRegion = 2,
        ObserversPerRemote = 2,
        ClientsPerRegion = 2,
        Pipeline = 2,
        Steps = 6000,
    };

    [Fact]
    public void Sequential_holds_whatever_is_mounted_meanwhile()
    {
        var outcome = Run(Changing(Policy.Sequential), 400, o => o.SequentialViolations > 0);
        Assert.True(outcome.SequentialViolations == 0, outcome.ShortestSequential);
        Assert.True(outcome.MountsJoined > outcome.Seeds / 2 && outcome.MountsLeft > outcome.Seeds / 20);
    }

    [Fact]
    public void Ordered_holds_whatever_is_mounted_meanwhile()
    {
        var outcome = Run(Changing(Policy.Ordered), 400, o => o.OrderedViolations > 0);
        Assert.True(outcome.OrderedViolations == 0, outcome.ShortestOrdered);
        Assert.True(outcome.MountsJoined > outcome.Seeds / 2 && outcome.MountsLeft > outcome.Seeds / 20);
    }

    private Outcome Run(Scenario scenario, int seeds, Func<Outcome, bool> until)
    {
        var outcome = Runner.Run(scenario, Runner.Seeds(seeds), until);
        output.WriteLine($"{scenario.Policy}: {outcome.Seeds} seeds, SC violated {outcome.SequentialViolations}, OSC violated {outcome.OrderedViolations}, "
            + $"{outcome.Operations} operations, {outcome.Reads} reads, barriers per read {outcome.BarriersPerRead:0.000}, {outcome.AgreedCopies} times free beside others, {outcome.MountsJoined} mounts joined, {outcome.MountsLeft} left");
        return outcome;
    }
}
