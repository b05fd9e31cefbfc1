using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>Since when something has been so that a reply showed without telling: what is asked for it, and what the answer says.</summary>
public sealed class UndatedTests
{
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);

    [Theory]
    [InlineData("/a/b", "/a")]
    [InlineData("/a", "/")]
    public void What_is_not_there_is_dated_by_its_parents_list_and_is_the_same_for_all_of_its_absent_children(string path, string parent)
    {
        var seen = Seen(path, Undated.Absence, 10);
        Assert.Equal(parent, seen.Path);
        var sibling = System.Text.Encoding.UTF8.GetBytes(parent == "/" ? "/z" : $"{parent}/z");
        Assert.True(seen.Is(1, sibling, new ReplyEvidence(11, true, Undated.Absence)));
        Assert.True(seen.Is(1, System.Text.Encoding.UTF8.GetBytes(parent), new ReplyEvidence(11, true, Undated.Children)));
        Assert.False(seen.Is(0, sibling, new ReplyEvidence(11, true, Undated.Absence)));
        Assert.False(seen.Is(1, "/other/z"u8, new ReplyEvidence(11, true, Undated.Absence)));
        // The list of the parent changed at 4; what came after it was seen says nothing of it.
        Assert.Equal(4, seen.Since(Stat(czxid: 2, pzxid: 4), _region, parent, position: 20));
        Assert.Equal(10, seen.Since(Stat(czxid: 2, pzxid: 15), _region, parent, position: 20));
        seen.Again(12);
        seen.Again(11);
        Assert.Equal(12, seen.Since(Stat(czxid: 2, pzxid: 15), _region, parent, position: 20));
    }

    [Fact]
    public void A_refusal_is_dated_by_the_znodes_creation_and_its_ACL()
    {
        var seen = Seen("/a/b", Undated.Refusal, 30);
        Assert.Equal("/a/b", seen.Path);
        Assert.Equal(5, seen.Since(Stat(czxid: 5, pzxid: 20), _region, "/a/b", position: 40));
        // An ancestor tells of it only by its list.
        Assert.Equal(20, seen.Since(Stat(czxid: 5, pzxid: 20), _region, "/a", position: 40));
        // An ACL that has been changed is dated by when it was first seen so.
        Assert.Equal(30, seen.Since(Stat(czxid: 5, pzxid: 20, aversion: 1), _region, "/a/b", position: 40));
        Assert.Equal(25, seen.Since(Stat(czxid: 5, pzxid: 20, aversion: 1), _region, "/a/b", position: 25));
        Assert.Equal(25, seen.Since(Stat(czxid: 5, pzxid: 20, aversion: 1), _region, "/a/b", position: 90));
    }

    [Fact]
    public void An_ACL_is_as_old_as_the_first_position_at_which_this_znode_was_seen_with_this_count()
    {
        var memory = new AclMemory();
        Assert.Equal(50, memory.FirstSeen(1, "/x", 5, 1, 50));
        Assert.Equal(50, memory.FirstSeen(1, "/x", 5, 1, 60));
        // A server that lags shows the same at an earlier position.
        Assert.Equal(40, memory.FirstSeen(1, "/x", 5, 1, 40));
        Assert.Equal(40, memory.FirstSeen(1, "/x", 5, 1, 70));
        // Another count, another znode of that name, another cluster: not the same ACL.
        Assert.Equal(70, memory.FirstSeen(1, "/x", 5, 2, 70));
        Assert.Equal(71, memory.FirstSeen(1, "/x", 6, 1, 71));
        Assert.Equal(72, memory.FirstSeen(0, "/x", 5, 1, 72));
    }

    [Fact]
    public void More_ACLs_than_are_kept_cost_what_was_known_and_nothing_else()
    {
        var memory = new AclMemory();
        for (var i = 0; i < AclMemory.Capacity; i++)
        {
            Assert.Equal(10, memory.FirstSeen(1, $"/{i}", 5, 1, 10));
        }
        Assert.Equal(10, memory.FirstSeen(1, "/0", 5, 1, 20));
        Assert.Equal(20, memory.FirstSeen(1, "/one-more", 5, 1, 20));
        Assert.Equal(30, memory.FirstSeen(1, "/0", 5, 1, 30));
        Assert.Equal(20, memory.FirstSeen(1, "/one-more", 5, 1, 30));
    }

    private static UndatedObservation Seen(string path, Undated undated, long zxid) =>
        UndatedObservation.Of(1, System.Text.Encoding.UTF8.GetBytes(path), new ReplyEvidence(zxid, true, undated));

    private static Stat Stat(long czxid, long pzxid, int aversion = 0) => new(czxid, czxid, 0, 0, 0, 0, aversion, 0, 0, 0, pzxid);
}
