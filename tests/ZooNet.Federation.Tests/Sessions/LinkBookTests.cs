using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// What a client has in a remote cluster, by what its replies say. Cluster 1 is mounted strictly on /mnt and loosely on /loose.
/// </summary>
public sealed class LinkBookTests
{
    private static readonly Mount Strict = new("/mnt", 1, "eu", "/apps", MountOptions.Default);
    private static readonly Mount Loose = new("/loose", 1, "eu", "/loose", new() { Order = MountOrder.Relaxed });
    private static readonly MountTable Mounts = new([Strict, Loose]);

    private readonly Ring<SentRequest> _pending = new();
    private LinkBook _book;

    [Theory]
    [InlineData(OpCode.GetData, ErrorCode.Ok, WatchEventType.DataChanged)]
    [InlineData(OpCode.Exists, ErrorCode.NoNode, WatchEventType.Created)]
    [InlineData(OpCode.GetChildren2, ErrorCode.Ok, WatchEventType.ChildrenChanged)]
    public void A_read_leaves_its_watch_once(OpCode op, ErrorCode error, WatchEventType fires)
    {
        Answer(new LeavesWatch(op, "/mnt/x"), error);
        Assert.True(_book.HasWatches);
        Assert.True(_book.Watches!.Fire(fires, "/mnt/x"));
        Assert.False(_book.Watches.Fire(fires, "/mnt/x"));
        Assert.False(_book.HasWatches);
    }

    [Fact]
    public void A_persistent_watch_is_there_if_the_server_said_so_until_it_is_taken_back()
    {
        Answer(new AddsWatch("/mnt/x", AddWatchMode.Persistent), ErrorCode.NoAuth);
        Assert.False(_book.HasWatches);
        Answer(new AddsWatch("/mnt/x", AddWatchMode.Persistent));
        Answer(new RemovesWatches("/mnt/x", WatcherType.Any), ErrorCode.NoWatcher);
        Assert.True(_book.HasWatches);
        Answer(new RemovesWatches("/mnt/x", WatcherType.Any));
        Assert.False(_book.HasWatches);
    }

    [Fact]
    public void What_was_watched_in_a_mount_that_has_gone_is_told_and_forgotten()
    {
        Assert.Empty(_book.Unmounted("/mnt"));
        Answer(new LeavesWatch(OpCode.GetData, "/mnt/x"));
        Answer(new LeavesWatch(OpCode.GetData, "/loose/y"), mount: Loose);
        Assert.Equal(["/mnt/x"], _book.Unmounted("/mnt"));
        Assert.Equal(1, _book.Watches!.Count);
    }

    [Fact]
    public void An_ephemeral_znode_may_exist_from_its_request_on_and_does_if_the_reply_names_it()
    {
        _book.Sent(MakesEphemeral.Instance, strict: true);
        Assert.True(_book.OwnsStrict);
        Answer(MakesEphemeral.Instance, body: w => w.WriteString("/apps/e"));
        Assert.True(_book.OwnsStrict);
        Assert.True(_book.MayOwn(path => path == "/mnt/e"));
        Answer(new Deletes("/mnt/e"), ErrorCode.BadVersion);
        Assert.True(_book.MayOwnAny);
        Answer(new Deletes("/mnt/e"));
        Assert.False(_book.OwnsStrict || _book.MayOwnAny);
    }

    [Fact]
    public void One_that_could_not_be_made_binds_nobody_unless_another_is_on_its_way()
    {
        _book.Sent(MakesEphemeral.Instance, strict: true);
        ref var next = ref _pending.Enqueue();
        next.Strict = true;
        next.Effect = MakesEphemeral.Instance;
        Answer(MakesEphemeral.Instance, ErrorCode.NodeExists);
        Assert.True(_book.OwnsStrict);
        _pending.Dequeue();
        Answer(MakesEphemeral.Instance, ErrorCode.NodeExists);
        Assert.False(_book.OwnsStrict);
    }

    [Fact]
    public void In_a_relaxed_mount_an_ephemeral_znode_is_known_and_binds_nobody()
    {
        _book.Sent(MakesEphemeral.Instance, strict: false);
        Answer(MakesEphemeral.Instance, body: w => w.WriteString("/loose/e"), mount: Loose);
        Assert.Equal((1, false), (_book.EphemeralCount, _book.OwnsStrict));
    }

    [Fact]
    public void A_multi_makes_and_deletes_by_its_own_results()
    {
        _book.Own("/mnt/old");
        var frame = Frames.Request(OpCode.Multi, w =>
        {
            new MultiHeader(OpCode.Create, false, -1).Write(w);
            new CreateRequest("/mnt/e-", [], [.. Acl.Open], CreateFlags.EphemeralSequential).Write(w, OpCode.Create);
            new MultiHeader(OpCode.SetData, false, -1).Write(w);
            new SetDataRequest("/mnt/x", [], -1).Write(w);
            new MultiHeader(OpCode.Delete, false, -1).Write(w);
            new PathVersionRequest("/mnt/old", -1).Write(w);
            MultiHeader.End.Write(w);
        });
        var multi = new MultiEffect(frame, Mounts, true, true);
        Answer(multi, body: w =>
        {
            new MultiHeader(OpCode.Create, false, 0).Write(w);
            w.WriteString("/apps/e-0000000007");
            new MultiHeader(OpCode.SetData, false, 0).Write(w);
            new Stat(1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1).Write(w);
            new MultiHeader(OpCode.Delete, false, 0).Write(w);
            MultiHeader.End.Write(w);
        });
        Assert.Equal(1, _book.EphemeralCount);
        Assert.True(_book.MayOwn(path => path == "/mnt/e-0000000007"));
    }

    [Fact]
    public void A_multi_that_failed_changed_nothing()
    {
        _book.Own("/mnt/old");
        var frame = Frames.Request(OpCode.Multi, w =>
        {
            new MultiHeader(OpCode.Delete, false, -1).Write(w);
            new PathVersionRequest("/mnt/old", -1).Write(w);
            MultiHeader.End.Write(w);
        });
        var multi = new MultiEffect(frame, Mounts, true, false);
        Answer(multi, body: w => MultiHeader.WriteErrorResult(w, ErrorCode.BadVersion));
        Assert.Equal(1, _book.EphemeralCount);
    }

    [Fact]
    public void What_a_session_that_was_taken_over_owns_is_unknown_until_its_cluster_has_said_it()
    {
        _book.TakeOver(strict: true);
        Assert.True(_book.OwnsStrict && _book.MayOwnAny && _book.MayOwn(_ => false));
        // A deletion meanwhile says nothing of the rest.
        Answer(new Deletes("/mnt/x"));
        Assert.True(_book.OwnsStrict);
        _book.Complete(["/loose/e", "/elsewhere"], 1, Mounts, _pending);
        Assert.Equal((1, false), (_book.EphemeralCount, _book.OwnsStrict));
        _book.Complete(["/apps/e"], 1, Mounts, _pending);
        Assert.True(_book.OwnsStrict);
    }

    [Fact]
    public void With_its_session_everything_ends_but_the_watches()
    {
        Answer(new LeavesWatch(OpCode.GetData, "/mnt/x"));
        _book.TakeOver(strict: true);
        _book.Own("/mnt/e");
        _book.SessionEnded();
        Assert.False(_book.OwnsStrict || _book.MayOwnAny);
        Assert.True(_book.HasWatches);
    }

    private void Answer(ReplyEffect effect, ErrorCode error = ErrorCode.Ok, Action<JuteWriter>? body = null, Mount? mount = null)
    {
        var writer = new JuteWriter();
        body?.Invoke(writer);
        _book.Answered(new SentRequest { Effect = effect, Mount = mount ?? Strict }, error, writer.Written, Mounts, _pending);
    }
}
