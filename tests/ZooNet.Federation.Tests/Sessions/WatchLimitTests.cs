using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What the watches of one client in mounts may cost: their number, and the length of their paths.</summary>
public sealed class WatchLimitTests
{
    private readonly ScriptedHost _host = new();

    public WatchLimitTests()
    {
        _host.Region.Limits.WatchBytes = 1000;
        _host.Attach(session: 0);
    }

    [Fact]
    public void A_client_whose_watched_paths_are_too_long_is_closed_and_one_that_names_the_same_again_is_not()
    {
        var path = "/" + new string('x', 400);
        for (var xid = 1; xid <= 5; xid++)
        {
            AddRecursive(xid, path);
        }
        Assert.Null(_host.Closed);
        AddRecursive(6, path + new string('y', 99));
        Assert.Contains("limits.watchBytes", _host.Closed);
        Assert.Equal(1, _host.Region.Limits.Reached(ClientLimit.Watches));
    }

    [Fact]
    public void What_a_set_of_paths_takes_is_what_was_put_in_and_not_taken_out()
    {
        var set = new PathSet();
        Assert.True(set.Add("/ab"));
        Assert.False(set.Add("/ab"));
        set.UnionWith(["/ab", "/c"]);
        Assert.Equal((2, 10L), (set.Count, set.Bytes));
        Assert.True(set.Remove("/ab"));
        Assert.False(set.Remove("/ab"));
        Assert.Equal((1, 4L), (set.Count, set.Bytes));
        Assert.Equal(["/c"], set);
    }

    [Fact]
    public void Each_kind_of_watch_counts_with_its_path_until_it_fires_or_its_mount_goes()
    {
        var book = new WatchBook();
        book.AddAll(["/m/a"], ["/m/b"], ["/m/c"], ["/m/d"], ["/m/e"]);
        Assert.Equal(40, book.Bytes);
        book.Fire(WatchEventType.DataChanged, "/m/a");
        book.Fire(WatchEventType.DataChanged, "/m/d");
        Assert.Equal(32, book.Bytes);
        Assert.Equal(["/m/b", "/m/c", "/m/d", "/m/e"], book.RemoveUnder("/m"));
        Assert.Equal(0, book.Bytes);
    }

    private void AddRecursive(int xid, string path) =>
        _host.Request(xid, OpCode.AddWatch, new PathKindRequest(path, (int)AddWatchMode.PersistentRecursive).Write);
}
