using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Tests.Freshness;

public sealed class ClusterSetTests
{
    [Fact]
    public void It_holds_what_was_put_in_up_to_the_last_cluster_that_a_region_can_have()
    {
        var set = ClusterSet.Of(0, 5, Region.MaxClusters - 1);
        var walked = new List<int>();
        foreach (var cluster in set)
        {
            walked.Add(cluster);
        }
        Assert.Equal([0, 5, 63], walked);
        Assert.Equal((3, "{0, 5, 63}"), (set.Count, set.ToString()));
        Assert.True(set.Contains(5));
        Assert.False(set.Contains(4) || set.Without(5).Contains(5));
        Assert.True(default(ClusterSet).IsEmpty);
    }

    [Fact]
    public void Sets_are_compared_and_taken_from_each_other_by_what_is_in_them()
    {
        Assert.Equal(ClusterSet.Of(1, 2), ClusterSet.Of(2).With(1).With(1));
        Assert.Equal(ClusterSet.Of(2), ClusterSet.Of(1, 2).And(ClusterSet.Of(2, 3)));
        Assert.Equal(ClusterSet.Of(1), ClusterSet.Of(1, 2).Except(ClusterSet.Of(2, 3)));
        Assert.Equal(ClusterSet.Of(0, 1, 2), ClusterSet.First(3));
        Assert.Equal(ClusterSet.All, ClusterSet.First(Region.MaxClusters));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClusterSet.First(Region.MaxClusters + 1));
    }
}
