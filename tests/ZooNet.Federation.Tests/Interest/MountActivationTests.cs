using ZooNet.Federation.Interest;
using Mutation = ZooNet.Federation.Tests.Interest.ActivationWorld.Mutation;

namespace ZooNet.Federation.Tests.Interest;

public sealed class MountActivationTests
{
    [Theory]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(4, 1)]
    [InlineData(5, 1)]
    public void Whatever_the_order_of_steps_no_cycle_in_use_goes_uncounted(int regions, int proxies)
    {
        var activations = 0;
        var drops = 0;
        for (var seed = 0; seed < 30; seed++)
        {
            var world = new ActivationWorld(seed, regions, proxies);
            var error = world.Run(4000);
            Assert.True(error is null, $"seed {seed}: {error}");
            activations += world.Activations;
            drops += world.Drops;
        }
        Assert.True(activations >= 10, $"only {activations} mounts went into use");
        Assert.True(drops >= 1, $"only {drops} mounts were forgotten");
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    [InlineData(5, 1)]
    public void Once_faults_and_commands_end_every_command_is_carried_out(int regions, int proxies)
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var world = new ActivationWorld(seed, regions, proxies);
            Assert.Null(world.Run(2000));
            Assert.True(world.Settles(), $"seed {seed}");
        }
    }

    [Theory]
    [InlineData(nameof(Mutation.UseWithoutAcknowledgements))]
    [InlineData(nameof(Mutation.ForgetAtOnce))]
    [InlineData(nameof(Mutation.AcknowledgeBeforeApplying))]
    [InlineData(nameof(Mutation.OwnPairsOnly))]
    [InlineData(nameof(Mutation.UseBeforeAdmitted))]
    public void Each_ingredient_is_needed(string removed)
    {
        var mutation = Enum.Parse<Mutation>(removed);
        for (var seed = 0; seed < 3000; seed++)
        {
            if (new ActivationWorld(seed, 2 + seed % 3, 2) { Broken = mutation }.Run(3000) is not null)
            {
                return;
            }
        }
        Assert.Fail("3000 seeds found nothing wrong");
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(2, 3)]
    public void Whatever_the_order_of_steps_proxies_that_are_not_coupled_read_one_copy(int regions, int proxies)
    {
        var shared = 0;
        for (var seed = 0; seed < 1000; seed++)
        {
            var world = new ActivationWorld(seed, regions, proxies) { ChoosesServers = true };
            var error = world.Run(3000);
            Assert.True(error is null, $"seed {seed}, {error}");
            shared += world.SharedCopies;
        }
        Assert.True(shared > 0);
    }

    [Theory]
    [InlineData(nameof(Mutation.TrustCopies))]
    [InlineData(nameof(Mutation.ReadAtOnce))]
    [InlineData(nameof(Mutation.PublishAtOnce))]
    public void Each_ingredient_of_the_agreement_on_one_copy_is_needed(string removed)
    {
        var mutation = Enum.Parse<Mutation>(removed);
        for (var seed = 0; seed < 3000; seed++)
        {
            if (new ActivationWorld(seed, 2, 2) { ChoosesServers = true, Broken = mutation }.Run(3000) is not null)
            {
                return;
            }
        }
        Assert.Fail("3000 seeds found nothing wrong");
    }

    [Fact]
    public void A_record_is_not_believed_before_what_it_acknowledges_is_known()
    {
        var machine = new MountActivation("us", "us", "p");
        var eu = Views.View("eu", "eu") with { Proxies = [new("e", new Dictionary<string, long> { ["asia"] = 4 })] };
        machine.EndScan(machine.BeginScan("us"), [eu]);
        Assert.Empty(machine.Known);
        machine.EndScan(machine.BeginScan("us"), [Views.View("asia", "asia") with { Version = 4 }]);
        Assert.Equal(2, machine.Known.Count);
    }

    [Fact]
    public void A_waiting_mount_names_the_proxies_that_have_not_acknowledged()
    {
        var machine = new MountActivation("us", "us", "p");
        var us = Views.View("us", "us") with
        {
            Mounts = [new("eu", "/x", PublishedState.Joining)],
            Proxies = [new("p", new Dictionary<string, long> { ["us"] = 1, ["eu"] = 1 })],
        };
        var eu = Views.View("eu", "eu") with { Proxies = [new("e1", new Dictionary<string, long> { ["eu"] = 1, ["us"] = 0 })] };
        foreach (var cluster in new[] { "us", "eu" })
        {
            machine.Stored(cluster, us);
            machine.EndScan(machine.BeginScan(cluster), [us, eu]);
        }
        Assert.Equal(["proxy e1 of region eu"], machine.WaitingToJoin("eu", "/x"));
        var acknowledged = eu with { Revision = 2, Proxies = [new("e1", new Dictionary<string, long> { ["eu"] = 1, ["us"] = 1 })] };
        machine.EndScan(machine.BeginScan("eu"), [us, acknowledged]);
        Assert.Empty(machine.WaitingToJoin("eu", "/x"));
    }

    [Fact]
    public void A_record_that_somebody_else_has_copied_calls_for_one_more_look()
    {
        var machine = new MountActivation("us", "us", "p");
        var us = Views.View("us", "us") with
        {
            Mounts = [new("eu", "/x", PublishedState.Joining)],
            Proxies = [new("p", new Dictionary<string, long> { ["us"] = 1 })],
        };
        machine.EndScan(machine.BeginScan("us"), [us]);
        machine.EndScan(machine.BeginScan("us"), [us]);
        Assert.False(machine.IsScanDue("eu"));
        machine.EndScan(machine.BeginScan("eu"), [us]);
        Assert.Empty(machine.ToStore("eu"));
        Assert.Equal(["cluster eu: the records there could not be written and read"], machine.WaitingToJoin("eu", "/x"));
        Assert.True(machine.IsScanDue("eu"));
        machine.EndScan(machine.BeginScan("eu"), [us]);
        Assert.False(machine.IsScanDue("eu"));
        Assert.Empty(machine.WaitingToJoin("eu", "/x"));
    }

    [Fact]
    public void Two_hundred_regions_in_a_ring_learn_of_each_other_by_flooding()
    {
        const int Regions = 200;
        var machine = new MountActivation("r0", "c0", "p");
        var ring = Enumerable.Range(0, Regions).Select(i => Views.View($"r{i}", $"c{i}", $"c{(i + 1) % Regions}")).ToArray();
        machine.EndScan(machine.BeginScan("c0"), ring);
        machine.EndScan(machine.BeginScan("c1"), []);
        var directive = machine.Decide([("c1", "/shared")]);
        Assert.True(directive.Coupled);
        Assert.Equal(Regions, directive.Graph.Views.Count);
        Assert.Equal(Regions, machine.ToStore("c1").Count);
    }
}
