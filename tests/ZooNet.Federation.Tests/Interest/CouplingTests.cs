using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

public sealed class CouplingTests
{
    [Theory]
    [InlineData("one way", "RA", false)]
    [InlineData("mutual", "RA", true)]
    [InlineData("ring", "RA", true)]
    public void The_topologies_of_the_design_are_coupled_as_they_must_be(string topology, string view, bool coupled)
    {
        var coupling = Views.Sequential(Topology(topology), view);
        Assert.Equal(coupled ? ClusterSet.Of(1) : default, coupling.CoupledTo(0));
        Assert.Equal(coupled ? ClusterSet.Of(0) : default, coupling.CoupledTo(1));
    }

    [Fact]
    public void Where_two_views_share_two_mounts_home_is_coupled_too_because_news_travels_through_it()
    {
        var coupling = Views.Sequential(Views.SharedMounts, "RA");
        Assert.Equal(ClusterSet.Of(1, 2), coupling.CoupledTo(0));
        Assert.Equal(ClusterSet.Of(0, 2), coupling.CoupledTo(1));
        Assert.Equal(ClusterSet.Of(0, 1), coupling.CoupledTo(2));
        Assert.Equal(CouplingKind.Free, Views.Sequential(Views.SharedMounts, "RC").Kind);
    }

    [Fact]
    public void Two_views_of_one_region_that_read_a_remote_through_different_observers_are_a_cycle()
    {
        var coupling = Views.Sequential([Views.View("us-1", "us", "eu"), Views.View("us-2", "us", "eu"), Views.View("eu", "eu")], "us-1");
        Assert.Equal(ClusterSet.Of(0), coupling.CoupledTo(1));
        Assert.Equal("coupled: a cycle runs through this view: view us-1 - cluster us - view us-2 - cluster eu - view us-1", coupling.Reason(1, 0));
    }

    [Fact]
    public void Home_read_through_several_servers_waits_for_remote_news_even_where_no_cycle_is()
    {
        var coupling = Views.Sequential(Views.OneWay, "RA", severalHomeServers: true);
        Assert.Equal(ClusterSet.Of(1), coupling.CoupledTo(0));
        Assert.Equal(default, coupling.CoupledTo(1));
        Assert.Contains("several servers", coupling.Reason(0, 1), StringComparison.Ordinal);
        Assert.Contains("no cycle", coupling.Reason(1, 0), StringComparison.Ordinal);
    }

    [Fact]
    public void Ordered_and_conservative_couple_all_but_exempt_clusters_and_none_couples_nothing()
    {
        string[] clusters = ["A", "B", "C"];
        foreach (var coupling in new[] { Coupling.Ordered(clusters, ClusterSet.Of(1)), Coupling.Conservative(clusters, "cut off", ClusterSet.Of(1)) })
        {
            Assert.Equal(ClusterSet.Of(2), coupling.CoupledTo(0));
            Assert.Equal(default, coupling.CoupledTo(1));
            Assert.Equal(ClusterSet.Of(0), coupling.CoupledTo(2));
        }
        Assert.Equal(default, Coupling.None(clusters).CoupledTo(0));
        Assert.Contains("cut off", Coupling.Conservative(clusters, "cut off").Reason(0, 2), StringComparison.Ordinal);
    }

    [Fact]
    public void As_many_clusters_fit_as_a_region_can_have_and_one_more_is_refused()
    {
        var clusters = Enumerable.Range(0, Region.MaxClusters).Select(i => $"c{i}").ToArray();
        Assert.Equal(ClusterSet.All.Without(Region.MaxClusters - 1), Coupling.Ordered(clusters).CoupledTo(Region.MaxClusters - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Coupling.Ordered([.. clusters, "one more"]));
    }

    [Fact]
    public void The_watermark_is_allowed_on_a_cycle_with_one_remote_only()
    {
        Assert.True(Views.Sequential(Views.Mutual, "RA").AllowsWatermark);
        Assert.False(Views.Sequential(Views.SharedMounts, "RA").AllowsWatermark);
        Assert.False(Coupling.Ordered(["A", "B"]).AllowsWatermark);
    }

    [Fact]
    public void The_interest_set_is_what_others_can_read()
    {
        ViewRecord[] records =
        [
            Views.View("RA", "A", "B"),
            Views.View("RB", "B") with { Mounts = [new("A", "/apps", PublishedState.Active), new("A", "/apps/x", PublishedState.Joining)] },
            Views.View("RC", "C") with { Mounts = [new("A", "/apps2", PublishedState.Leaving)] },
        ];
        Assert.Equal(["/apps", "/apps2"], InterestSet.Of(records, "A", "RA"));
        Assert.Equal(["/"], InterestSet.Of([.. records, Views.View("RA-2", "A")], "A", "RA"));
        Assert.Empty(InterestSet.Of(records, "C", "RC"));
    }

    private static ViewRecord[] Topology(string name) => name switch { "one way" => Views.OneWay, "mutual" => Views.Mutual, _ => Views.Ring };
}
