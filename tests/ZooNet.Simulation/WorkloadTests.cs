using Xunit.Abstractions;

namespace ZooNet.Simulation;

/// <summary>What barriers cost: the workload of the design's model, two regions that mount each other, 20 znodes, 16 clients.</summary>
public sealed class WorkloadTests(ITestOutputHelper output)
{
    private const int Seeds = 100;

    private static readonly Scenario Workload = new()
    {
        Topology = Topology.Mutual,
        Policy = Policy.Sequential,
        ClientsPerRegion = 8,
        Keys = 20,
        AllOperations = false,
        Steps = 12_000,
    };

    [Theory]
    [InlineData(0.40, 0.24)]
    [InlineData(0.10, 0.09)]
    [InlineData(0.02, 0.03)]
    public void Barriers_per_read_are_no_more_than_in_the_model(double writes, double most)
    {
        var outcome = Runner.Run(Workload with { Writes = writes }, Seeds);
        output.WriteLine($"{writes:P0} writes: {outcome.Reads} reads, {outcome.BarriersPerRead:0.000} barriers per read");
        Assert.True(outcome.BarriersPerRead <= most, $"{outcome.BarriersPerRead:0.000} barriers per read");
        Assert.Equal(0, outcome.SequentialViolations);
    }

    [Fact]
    public void A_barrier_at_every_switch_costs_a_multiple()
    {
        var ours = Runner.Run(Workload, Seeds);
        var everySwitch = Runner.Run(Workload with { Policy = Policy.EverySwitch }, Seeds);
        output.WriteLine($"{ours.BarriersPerRead:0.000} barriers per read, {everySwitch.BarriersPerRead:0.000} at every switch");
        Assert.True(everySwitch.BarriersPerRead > 1.5 * ours.BarriersPerRead, $"{ours.BarriersPerRead:0.000}, {everySwitch.BarriersPerRead:0.000}");
    }

    /// <summary>
    /// Whatever is read: also what is not there, though such a reply tells only where its server stands, and that moves without a change
    /// too.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    public void A_quiet_federation_sends_no_barriers_however_much_is_read_once_each_server_has_had_its_first(double absent)
    {
        var quiet = Workload with { Writes = 0, AbsentShare = absent, AllOperations = true, Steps = 8000 };
        var first = Runner.Run(quiet, 20);
        var later = Runner.Run(quiet with { Steps = 80_000 }, 20);
        output.WriteLine($"{first.Reads} reads, {first.Barriers} barriers; after {later.Reads} reads {later.Barriers} barriers");
        Assert.True(later.Reads > 5 * first.Reads);
        Assert.Equal(first.Barriers, later.Barriers);
        // Two proxies, each of which reads through two servers and knows nothing of them at first: one each, and for who came
        // meanwhile one more, or two where they overlap.
        Assert.True(first.Barriers <= 3 * 4 * first.Seeds, $"{first.Barriers} barriers");
    }
}
