using FsCheck;
using FsCheck.Fluent;
using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

public sealed class InterestGraphTests
{
    private static readonly Gen<(int View, int Cluster)[]> Edges =
        (from view in Gen.Choose(0, 4) from cluster in Gen.Choose(0, 4) select (view, cluster)).ArrayOf().Where(edges => edges.Length > 0);

    [Fact]
    public void Two_edges_are_in_one_block_exactly_where_a_simple_cycle_has_both() =>
        Prop.ForAll(Edges.ToArbitrary(), edges =>
        {
            var distinct = edges.Distinct().ToArray();
            var graph = new InterestGraph(Records(distinct));
            var cycles = SimpleCycles(distinct);
            return (from one in distinct
                    from other in distinct
                    where one != other
                    let same = graph.BlockOf($"v{one.View}", $"c{one.Cluster}") == graph.BlockOf($"v{other.View}", $"c{other.Cluster}")
                    select same == cycles.Any(cycle => cycle.Contains(one) && cycle.Contains(other))).All(right => right);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void A_view_is_on_a_cycle_exactly_where_a_simple_cycle_has_one_of_its_edges() =>
        Prop.ForAll(Edges.ToArbitrary(), edges =>
        {
            var distinct = edges.Distinct().ToArray();
            var graph = new InterestGraph(Records(distinct));
            var cycles = SimpleCycles(distinct);
            return distinct.Select(edge => edge.View).Distinct()
                .All(view => graph.IsOnCycle($"v{view}") == cycles.Any(cycle => cycle.Any(edge => edge.View == view)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void The_cycle_that_is_shown_is_a_simple_cycle_through_the_view() =>
        Prop.ForAll(Edges.ToArbitrary(), edges =>
        {
            var distinct = edges.Distinct().ToArray();
            var graph = new InterestGraph(Records(distinct));
            return distinct.Select(edge => edge.View).Distinct().All(view =>
            {
                var cycle = graph.CycleThrough($"v{view}");
                return cycle is null
                    ? !graph.IsOnCycle($"v{view}")
                    : cycle.Count >= 4 && cycle.Count % 2 == 0 && cycle[0] == $"v{view}" && cycle.Distinct().Count() == cycle.Count
                      && Enumerable.Range(0, cycle.Count).All(i => IsEdge(distinct, cycle[i], cycle[(i + 1) % cycle.Count]));
            });
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void Views_are_in_one_component_exactly_where_a_path_joins_them() =>
        Prop.ForAll(Edges.ToArbitrary(), edges =>
        {
            var distinct = edges.Distinct().ToArray();
            var graph = new InterestGraph(Records(distinct));
            var views = distinct.Select(edge => edge.View).Distinct().ToArray();
            return views.All(view =>
            {
                var reached = new HashSet<int> { view };
                while (distinct.Where(edge => reached.Contains(edge.View)).SelectMany(edge => distinct.Where(other => other.Cluster == edge.Cluster))
                    .ToList().FindAll(edge => reached.Add(edge.View)).Count > 0)
                {
                }
                return graph.ComponentOf($"v{view}").ToHashSet().SetEquals(reached.Select(number => $"v{number}"));
            });
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void A_chain_of_a_hundred_thousand_regions_closed_to_a_ring_is_one_block()
    {
        const int Regions = 100_000;
        var records = Enumerable.Range(0, Regions).Select(i => Views.View($"r{i}", $"c{i}", $"c{(i + 1) % Regions}"));
        var graph = new InterestGraph(records);
        Assert.Equal(graph.BlockOf("r0", "c0"), graph.BlockOf("r77777", "c77778"));
        Assert.True(graph.IsOnCycle("r50000"));
    }

    [Fact]
    public void Mounts_count_as_edges_from_joining_until_they_are_forgotten()
    {
        foreach (var state in Enum.GetValues<PublishedState>())
        {
            var graph = new InterestGraph([Views.View("RA", "A", "B"), Views.View("RB", "B") with { Mounts = [new("A", "/x", state)] }]);
            Assert.Equal(state != PublishedState.Forgotten, graph.IsOnCycle("RA"));
        }
    }

    [Fact]
    public void Two_mounts_of_one_cluster_are_one_edge_and_no_cycle()
    {
        var graph = new InterestGraph([Views.View("RA", "A", "B", "B"), Views.View("RB", "B")]);
        Assert.False(graph.IsOnCycle("RA"));
    }

    [Fact]
    public void A_view_and_a_cluster_of_the_same_name_are_two_things()
    {
        var graph = new InterestGraph([Views.View("us", "us", "eu"), Views.View("eu", "eu")]);
        Assert.Equal(2, graph.Views.Count);
        Assert.Equal(2, graph.Clusters.Count);
        Assert.False(graph.IsOnCycle("us"));
    }

    private static IEnumerable<ViewRecord> Records((int View, int Cluster)[] edges) => edges.GroupBy(edge => edge.View)
        .Select(group => Views.View($"v{group.Key}", $"c{group.First().Cluster}", [.. group.Skip(1).Select(edge => $"c{edge.Cluster}")]));

    private static bool IsEdge((int View, int Cluster)[] edges, string a, string b) =>
        edges.Any(edge => ($"v{edge.View}" == a && $"c{edge.Cluster}" == b) || ($"v{edge.View}" == b && $"c{edge.Cluster}" == a));

    // By definition: walk from each vertex along unused vertices, and note the edges of the walk whenever it closes.
    private static List<HashSet<(int View, int Cluster)>> SimpleCycles((int View, int Cluster)[] edges)
    {
        var cycles = new List<HashSet<(int, int)>>();
        void Walk(int start, int at, List<(int View, int Cluster)> used, HashSet<int> seen)
        {
            foreach (var edge in edges)
            {
                var (view, cluster) = (edge.View, edge.Cluster + 100);
                if ((view != at && cluster != at) || used.Contains(edge))
                {
                    continue;
                }
                var next = view == at ? cluster : view;
                if (next == start)
                {
                    cycles.Add([.. used, edge]);
                }
                else if (next > start && seen.Add(next))
                {
                    used.Add(edge);
                    Walk(start, next, used, seen);
                    used.RemoveAt(used.Count - 1);
                    seen.Remove(next);
                }
            }
        }
        foreach (var view in edges.Select(edge => edge.View).Distinct())
        {
            Walk(view, view, [], [view]);
        }
        return cycles;
    }
}
