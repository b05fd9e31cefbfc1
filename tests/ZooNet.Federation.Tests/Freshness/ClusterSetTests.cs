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
        Assert.Equal([0, 5, 1023], walked);
        Assert.Equal((3, "{0, 5, 1023}"), (set.Count, set.ToString()));
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

    [Fact]
    public void What_it_says_is_what_a_list_says_whatever_is_put_in_taken_out_and_put_together()
    {
        var random = new Random(1);
        for (var round = 0; round < 200; round++)
        {
            var (a, listA) = Some(random);
            var (b, listB) = Some(random);
            Same(listA.Intersect(listB), a.And(b));
            Same(listA.Except(listB), a.Except(b));
            var cluster = random.Next(Region.MaxClusters);
            Same(listA.Append(cluster), a.With(cluster));
            Same(listA.Where(c => c != cluster), a.Without(cluster));
            Assert.Equal(a, ClusterSet.Of([.. listA.OrderDescending()]));
            Assert.Equal(listA.SequenceEqual(listB), a == b);
        }

        static (ClusterSet Set, int[] List) Some(Random random)
        {
            // Some sets hold low ordinals only.
            var end = random.Next(2) == 0 ? 64 : Region.MaxClusters;
            int[] list = [.. Enumerable.Range(0, random.Next(8)).Select(_ => random.Next(end)).Distinct().Order()];
            return (ClusterSet.Of(list), list);
        }

        static void Same(IEnumerable<int> expected, ClusterSet set)
        {
            int[] sorted = [.. expected.Distinct().Order()];
            var walked = new List<int>();
            foreach (var cluster in set)
            {
                walked.Add(cluster);
                Assert.True(set.Contains(cluster));
            }
            Assert.Equal(sorted, walked);
            Assert.Equal((sorted.Length, sorted.Length == 0), (set.Count, set.IsEmpty));
            Assert.Equal(ClusterSet.Of(sorted), set);
            Assert.Equal(ClusterSet.Of(sorted).GetHashCode(), set.GetHashCode());
        }
    }
}
