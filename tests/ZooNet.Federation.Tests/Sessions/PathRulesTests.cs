using System.Text;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What a client may do where, by the proxy's own rules.</summary>
public sealed class PathRulesTests
{
    private static readonly PathRules Rules = new([
        ("/a", PathAccess.Read), ("/a/open", PathAccess.Write), ("/a/open/closed", PathAccess.None), ("/secret", PathAccess.None)]);

    [Theory]
    [InlineData("/", PathAccess.Write)]
    [InlineData("/a", PathAccess.Read)]
    [InlineData("/a/x/y", PathAccess.Read)]
    [InlineData("/ab", PathAccess.Write)]
    [InlineData("/a/open", PathAccess.Write)]
    [InlineData("/a/openly", PathAccess.Read)]
    [InlineData("/a/open/closed/x", PathAccess.None)]
    public void The_rule_of_the_longest_path_that_holds_a_znode_decides(string path, PathAccess allowed) =>
        Assert.Equal(allowed, Rules.At(Encoding.UTF8.GetBytes(path)));

    [Fact]
    public void A_rule_for_the_root_is_for_everything() => Assert.Equal(PathAccess.None, new PathRules([("/", PathAccess.None)]).At("/x/y"u8));

    [Theory]
    [InlineData(OpCode.GetData, "/a/x", true)]
    [InlineData(OpCode.SetData, "/a/x", false)]
    [InlineData(OpCode.Delete, "/a/x", false)]
    [InlineData(OpCode.SetAcl, "/a", false)]
    [InlineData(OpCode.GetAcl, "/a", true)]
    [InlineData(OpCode.Exists, "/secret/x", false)]
    [InlineData(OpCode.GetChildren, "/secret", false)]
    [InlineData(OpCode.GetChildren2, "/", true)]
    [InlineData(OpCode.Sync, "/secret", true)]
    // It counts what must not be seen.
    [InlineData(OpCode.GetAllChildrenNumber, "/", false)]
    [InlineData(OpCode.GetAllChildrenNumber, "/a", false)]
    [InlineData(OpCode.GetAllChildrenNumber, "/b", true)]
    public void Each_operation_is_judged_by_what_it_does_with_its_path(OpCode op, string path, bool allowed) =>
        Assert.Equal(allowed, Rules.Allow(op, Frames.Request(op, w => w.WriteString(path)), out _));

    [Theory]
    [InlineData("/secret/x", CreateFlags.Persistent, false)]
    [InlineData("/a/open/x", CreateFlags.Ephemeral, true)]
    [InlineData("/a/open", CreateFlags.Persistent, true)]
    // What is made is a sibling of the path.
    [InlineData("/a/open", CreateFlags.PersistentSequential, false)]
    [InlineData("/secret", CreateFlags.PersistentSequential, true)]
    public void A_create_is_judged_by_where_the_znode_will_be(string path, int flags, bool allowed) => Assert.Equal(
        allowed, Rules.Allow(OpCode.Create, Frames.Request(OpCode.Create, w => new CreateRequest(path, [], [.. Acl.Open], flags).Write(w, OpCode.Create)), out _));

    [Theory]
    [InlineData("/a", AddWatchMode.Persistent, true)]
    [InlineData("/a", AddWatchMode.PersistentRecursive, false)]
    [InlineData("/a/x", AddWatchMode.PersistentRecursive, true)]
    [InlineData("/", AddWatchMode.PersistentRecursive, false)]
    public void A_recursive_watch_must_not_see_what_is_closed(string path, AddWatchMode mode, bool allowed) =>
        Assert.Equal(allowed, Rules.Allow(OpCode.AddWatch, Frames.Request(OpCode.AddWatch, new PathKindRequest(path, (int)mode).Write), out _));

    [Theory]
    [InlineData(AddWatchMode.Persistent, true)]
    [InlineData(AddWatchMode.PersistentRecursive, false)]
    public void What_stands_behind_a_request_is_ignored_as_servers_do(AddWatchMode mode, bool allowed)
    {
        foreach (var behind in new byte[] { 0, 1, 2 })
        {
            var frame = Frames.Request(OpCode.AddWatch, w =>
            {
                new PathKindRequest("/a", (int)mode).Write(w);
                w.WriteRaw([behind]);
            });
            Assert.Equal(allowed, Rules.Allow(OpCode.AddWatch, frame, out _));
        }
        var create = Frames.Request(OpCode.Create, w =>
        {
            new CreateRequest("/a/open", [], [.. Acl.Open], CreateFlags.PersistentSequential).Write(w, OpCode.Create);
            w.WriteInt(CreateFlags.Persistent);
        });
        Assert.False(Rules.Allow(OpCode.Create, create, out _));
    }

    [Fact]
    public void Watches_that_are_set_again_are_judged_as_when_they_were_set()
    {
        Assert.True(Allow(new SetWatchesRequest(0, ["/a/x"], [], ["/a/open"], [], ["/a/x"])));
        Assert.False(Allow(new SetWatchesRequest(0, ["/a/x"], ["/secret/y"], [], [], [])));
        Assert.False(Allow(new SetWatchesRequest(0, [], [], [], [], ["/"])));

        static bool Allow(SetWatchesRequest request) =>
            Rules.Allow(OpCode.SetWatches2, Frames.Request(OpCode.SetWatches2, w => request.Write(w, OpCode.SetWatches2)), out _);
    }

    [Fact]
    public void A_multi_that_can_t_be_decoded_to_its_end_is_forbidden_whatever_is_seen_of_it()
    {
        var frame = Frames.Request(OpCode.Multi, w =>
        {
            new MultiHeader((OpCode)77, false, -1).Write(w);
            w.WriteString("/a/open");
            new MultiHeader(OpCode.Delete, false, -1).Write(w);
            new PathVersionRequest("/secret/x", -1).Write(w);
            MultiHeader.End.Write(w);
        });
        Assert.False(Rules.Allow(OpCode.Multi, frame, out var refused));
        Assert.Equal(-1, refused);
    }

    [Fact]
    public void What_speaks_of_no_path_is_allowed()
    {
        foreach (var op in new[] { OpCode.Auth, OpCode.Sasl, OpCode.CloseSession, OpCode.WhoAmI, OpCode.GetEphemerals })
        {
            Assert.True(Rules.Allow(op, Frames.Request(op, w => w.WriteString("/secret")), out _));
        }
    }
}
