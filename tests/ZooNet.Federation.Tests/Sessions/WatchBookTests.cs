using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Which watches a client has in a mount, and which events are for it: as a server keeps them.</summary>
public sealed class WatchBookTests
{
    private readonly WatchBook _watches = new();

    [Theory]
    [InlineData(OpCode.GetData, ErrorCode.Ok, 1)]
    [InlineData(OpCode.GetData, ErrorCode.NoNode, 0)]
    [InlineData(OpCode.Exists, ErrorCode.Ok, 1)]
    [InlineData(OpCode.Exists, ErrorCode.NoNode, 1)]
    [InlineData(OpCode.Exists, ErrorCode.ConnectionLoss, 0)]
    [InlineData(OpCode.GetChildren, ErrorCode.Ok, 1)]
    [InlineData(OpCode.GetChildren2, ErrorCode.NoNode, 0)]
    public void A_read_leaves_a_watch_where_a_server_leaves_one(OpCode op, ErrorCode error, int count)
    {
        _watches.AddFromRead(op, "/a", error);
        Assert.Equal(count, _watches.Count);
    }

    [Theory]
    [InlineData(OpCode.GetData, ErrorCode.Ok, WatchEventType.DataChanged, true)]
    [InlineData(OpCode.GetData, ErrorCode.Ok, WatchEventType.Deleted, true)]
    [InlineData(OpCode.GetData, ErrorCode.Ok, WatchEventType.ChildrenChanged, false)]
    [InlineData(OpCode.Exists, ErrorCode.NoNode, WatchEventType.Created, true)]
    [InlineData(OpCode.GetChildren, ErrorCode.Ok, WatchEventType.ChildrenChanged, true)]
    [InlineData(OpCode.GetChildren, ErrorCode.Ok, WatchEventType.Deleted, true)]
    [InlineData(OpCode.GetChildren, ErrorCode.Ok, WatchEventType.DataChanged, false)]
    public void A_one_time_watch_fires_once_and_for_its_kind_only(OpCode op, ErrorCode error, WatchEventType type, bool fires)
    {
        _watches.AddFromRead(op, "/a", error);
        Assert.False(_watches.Fire(type, "/b"));
        Assert.Equal(fires, _watches.Fire(type, "/a"));
        Assert.False(_watches.Fire(type, "/a"));
        Assert.Equal(fires, _watches.IsEmpty);
    }

    [Fact]
    public void Persistent_watches_fire_again_and_again_and_recursive_ones_for_all_below_but_not_for_lists()
    {
        _watches.Add(AddWatchMode.Persistent, "/p");
        _watches.Add(AddWatchMode.PersistentRecursive, "/r");
        for (var i = 0; i < 2; i++)
        {
            Assert.True(_watches.Fire(WatchEventType.ChildrenChanged, "/p"));
            Assert.False(_watches.Fire(WatchEventType.DataChanged, "/p/below"));
            Assert.True(_watches.Fire(WatchEventType.Created, "/r/below/it"));
            Assert.True(_watches.Fire(WatchEventType.DataChanged, "/r"));
            Assert.False(_watches.Fire(WatchEventType.ChildrenChanged, "/r"));
            Assert.False(_watches.Fire(WatchEventType.DataChanged, "/rest"));
        }
    }

    [Fact]
    public void Each_kind_is_taken_back_alone_or_all_at_once()
    {
        _watches.AddAll(["/a"], ["/a"], ["/a"], ["/a"], ["/a"]);
        _watches.Remove(WatcherType.Children, "/a");
        Assert.Equal(4, _watches.Count);
        _watches.Remove(WatcherType.Data, "/a");
        Assert.Equal(2, _watches.Count);
        _watches.Remove(WatcherType.PersistentRecursive, "/a");
        Assert.True(_watches.Fire(WatchEventType.DataChanged, "/a"));
        _watches.Remove(WatcherType.Persistent, "/a");
        Assert.True(_watches.IsEmpty);
        _watches.AddAll(["/a"], ["/a"], ["/a"], ["/a"], ["/a"]);
        _watches.Remove(WatcherType.Any, "/a");
        Assert.True(_watches.IsEmpty);
        Assert.Equal(0, _watches.Bytes);
    }

    [Fact]
    public void What_is_watched_below_a_mount_that_goes_is_told_once_and_what_lies_beside_it_stays()
    {
        _watches.AddAll(["/m/b", "/mm"], ["/m/a"], ["/m", "/m/b"], [], ["/m/b"]);
        Assert.Equal(["/m", "/m/a", "/m/b"], _watches.RemoveUnder("/m"));
        Assert.Equal(1, _watches.Count);
        Assert.True(_watches.Fire(WatchEventType.DataChanged, "/mm"));
    }

    [Fact]
    public void They_are_armed_again_in_the_cluster_s_own_terms_each_kind_by_itself()
    {
        _watches.AddAll(["/m/d"], ["/m/e"], ["/m/c"], ["/m/p"], ["/m/r", "/n/r"]);
        var request = _watches.ToRequest(42, path => "/apps" + path[2..]);
        Assert.Equal(42, request.RelativeZxid);
        Assert.Equal(["/apps/d"], request.Data);
        Assert.Equal(["/apps/e"], request.Exist);
        Assert.Equal(["/apps/c"], request.Child);
        Assert.Equal(["/apps/p"], request.Persistent);
        // Two local paths of one znode are one watch there.
        Assert.Equal(["/apps/r"], request.PersistentRecursive);
    }
}
