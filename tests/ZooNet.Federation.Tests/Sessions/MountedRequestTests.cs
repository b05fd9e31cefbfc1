using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What must be known of a request on its way to a mounted cluster. Cluster 1 is mounted on /mnt, /ro and /loose.</summary>
public sealed class MountedRequestTests
{
    private static readonly Mount Strict = new("/mnt", 1, "eu", "/apps", MountOptions.Default);
    private static readonly Mount ReadOnly = new("/ro", 1, "eu", "/apps", new() { ReadOnly = true });
    private static readonly Mount Loose = new("/loose", 1, "eu", "/loose", new() { Order = MountOrder.Relaxed, Barriers = false });
    private static readonly MountTable Mounts = new([Strict, ReadOnly, Loose]);

    [Theory]
    [InlineData(OpCode.SetData, "/ro/x", "/ro")]
    [InlineData(OpCode.GetData, "/ro/x", null)]
    [InlineData(OpCode.Sync, "/ro/x", null)]
    [InlineData(OpCode.Delete, "/mnt", "/mnt")]
    [InlineData(OpCode.Delete, "/mnt/x", null)]
    [InlineData(OpCode.SetData, "/mnt", null)]
    public void A_mount_refuses_writes_if_it_is_read_only_and_its_own_deletion(OpCode op, string path, string? refusedBy)
    {
        var mounted = Of(Frames.Request(op, w => w.WriteString(path)));
        Assert.Equal(refusedBy, mounted.RefusedBy?.Path);
        Assert.Null(mounted.Refusal);
    }

    [Fact]
    public void Its_mount_says_whether_it_is_strict_and_waits_for_barriers()
    {
        var strict = Of(Frames.Request(OpCode.GetData, w => w.WriteString("/mnt/x")));
        Assert.True(strict.IsStrict && strict.Barriers);
        var loose = Of(Frames.Request(OpCode.GetData, w => w.WriteString("/loose/x")));
        Assert.False(loose.IsStrict || loose.Barriers);
    }

    [Theory]
    [InlineData(OpCode.Create, 1, true)]
    [InlineData(OpCode.Create2, 3, true)]
    [InlineData(OpCode.Create, 0, false)]
    [InlineData(OpCode.CreateContainer, 4, false)]
    public void A_create_makes_an_ephemeral_znode_by_its_flags(OpCode op, int flags, bool ephemeral)
    {
        var frame = Frames.Request(op, w => WriteCreate(w, "/mnt/e", flags));
        var mounted = Of(frame);
        Assert.Equal(ephemeral, mounted.MakesEphemerals);
        Assert.Equal(ephemeral ? MakesEphemeral.Instance : null, mounted.Effect(new ClientRequest(frame), ownsEphemerals: true));
    }

    [Fact]
    public void Only_what_changes_the_book_has_an_effect()
    {
        Assert.IsType<LeavesWatch>(EffectOf(Frames.Request(OpCode.GetData, new PathWatchRequest("/mnt/x", true).Write)));
        Assert.Null(EffectOf(Frames.Request(OpCode.GetData, new PathWatchRequest("/mnt/x", false).Write)));
        Assert.IsType<AddsWatch>(EffectOf(Frames.Request(OpCode.AddWatch, new PathKindRequest("/mnt/x", 0).Write)));
        Assert.IsType<RemovesWatches>(EffectOf(Frames.Request(OpCode.RemoveWatches, new PathKindRequest("/mnt/x", 3).Write)));
        var delete = Frames.Request(OpCode.Delete, w => WriteDelete(w, "/mnt/x"));
        Assert.Null(EffectOf(delete));
        Assert.IsType<Deletes>(EffectOf(delete, owns: true));
    }

    [Theory]
    [InlineData(OpCode.GetData)]
    [InlineData(OpCode.Exists)]
    [InlineData(OpCode.GetChildren)]
    [InlineData(OpCode.GetChildren2)]
    public void The_watch_of_a_read_is_the_flag_behind_its_path_whatever_follows(OpCode op)
    {
        foreach (var behind in new byte[][] { [], [0], [1], [0, 0, 0, 1] })
        {
            Assert.IsType<LeavesWatch>(EffectOf(Frames.Request(op, w => WriteFlag(w, watch: true, behind))));
            Assert.Null(EffectOf(Frames.Request(op, w => WriteFlag(w, watch: false, behind))));
        }
        // The flag is missing: the server refuses it, and its last byte is one of the path.
        Assert.Null(EffectOf(Frames.Request(op, w => w.WriteString("/mnt/x"))));

        static void WriteFlag(JuteWriter writer, bool watch, byte[] behind)
        {
            new PathWatchRequest("/mnt/x", watch).Write(writer);
            writer.WriteRaw(behind);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public void The_kind_of_a_watch_is_what_stands_behind_its_path_whatever_follows(int behind)
    {
        var book = new LinkBook();
        Apply(OpCode.AddWatch, (int)AddWatchMode.Persistent);
        Assert.True(book.Watches!.Fire(WatchEventType.ChildrenChanged, "/mnt/x"));
        Apply(OpCode.RemoveWatches, (int)WatcherType.Any);
        Assert.False(book.HasWatches);
        Apply(OpCode.AddWatch, (int)AddWatchMode.PersistentRecursive);
        Assert.True(book.Watches!.Fire(WatchEventType.Created, "/mnt/x/y"));

        void Apply(OpCode op, int kind) => EffectOf(Frames.Request(op, w =>
        {
            new PathKindRequest("/mnt/x", kind).Write(w);
            w.WriteRaw(new byte[behind]);
        }))!.Apply(ref book, Strict, ErrorCode.Ok, default);
    }

    [Fact]
    public void A_listing_is_asked_for_with_its_Stat()
    {
        var request = new ClientRequest(Frames.Request(OpCode.GetChildren, new PathWatchRequest("/mnt/x", false).Write));
        var writer = new JuteWriter();
        var op = MountedRequest.Of(request, "/mnt/x"u8, Strict).Rewrite(request, writer, Mounts, out var kind);
        Assert.Equal((OpCode.GetChildren2, PendingKind.StripStat), (op, kind));
        var sent = new ClientRequest(writer.Written);
        Assert.Equal(OpCode.GetChildren2, sent.Op);
        Assert.Equal("/apps/x", new JuteReader(sent.Body).ReadString());
    }

    [Fact]
    public void A_multi_is_as_strict_as_its_strictest_mount_and_waits_for_barriers_if_one_does()
    {
        var multi = OfMulti(Multi(OpCode.Multi, (OpCode.Delete, "/loose/x"), (OpCode.Delete, "/mnt/x")));
        Assert.True(multi.IsWrite && multi.IsStrict && multi.Barriers);
        Assert.Equal("/loose", multi.Mount.Path);
        var loose = OfMulti(Multi(OpCode.Multi, (OpCode.Delete, "/loose/x")));
        Assert.False(loose.IsStrict || loose.Barriers);
    }

    [Fact]
    public void A_multi_is_refused_by_the_operation_that_may_not_be()
    {
        var readOnly = OfMulti(Multi(OpCode.Multi, (OpCode.Delete, "/mnt/x"), (OpCode.Delete, "/ro/x"), (OpCode.Check, "/mnt/y")));
        Assert.Equal("/ro", readOnly.RefusedBy?.Path);
        Assert.Equal(new FailedMulti(3, 1, ErrorCode.NoAuth), readOnly.Refusal);
        var mountPoint = OfMulti(Multi(OpCode.Multi, (OpCode.Delete, "/mnt/x"), (OpCode.Delete, "/mnt")));
        Assert.Equal(new FailedMulti(2, 1, ErrorCode.NoAuth), mountPoint.Refusal);
        Assert.Null(OfMulti(Multi(OpCode.Multi, (OpCode.Check, "/ro/x"))).RefusedBy);
        // A check writes nothing, wherever the others write.
        Assert.Null(OfMulti(Multi(OpCode.Multi, (OpCode.Check, "/ro/x"), (OpCode.Delete, "/mnt/x"))).RefusedBy);
        var behind = OfMulti(Multi(OpCode.Multi, (OpCode.Check, "/ro/x"), (OpCode.Delete, "/mnt/x"), (OpCode.Delete, "/ro/x")));
        Assert.Equal(new FailedMulti(3, 2, ErrorCode.NoAuth), behind.Refusal);
        Assert.Null(OfMulti(Multi(OpCode.MultiRead, (OpCode.GetData, "/ro/x"))).RefusedBy);
    }

    [Fact]
    public void A_failed_multi_tells_which_operation_it_was()
    {
        var writer = new JuteWriter();
        new FailedMulti(3, 1, ErrorCode.BadArguments).Write(writer);
        var reader = new JuteReader(writer.Written);
        foreach (var expected in (ErrorCode[])[ErrorCode.Ok, ErrorCode.BadArguments, ErrorCode.RuntimeInconsistency])
        {
            Assert.Equal(OpCode.Error, MultiHeader.Read(ref reader).Type);
            Assert.Equal(expected, (ErrorCode)reader.ReadInt());
        }
        Assert.True(MultiHeader.Read(ref reader).Done);
    }

    private static MountedRequest Of(byte[] frame)
    {
        var request = new ClientRequest(frame);
        var mount = Routing.MountOf(Mounts, request.Op, request.Frame, out var path)!;
        return MountedRequest.Of(request, path, mount);
    }

    private static MountedRequest OfMulti(byte[] frame) =>
        MountedRequest.OfMulti(new ClientRequest(frame), RequestRewriter.ScanMulti(frame, Mounts), Mounts);

    private static ReplyEffect? EffectOf(byte[] frame, bool owns = false) => Of(frame).Effect(new ClientRequest(frame), owns);

    private static byte[] Multi(OpCode op, params (OpCode Op, string Path)[] operations) => Frames.Request(op, w =>
    {
        foreach (var (part, path) in operations)
        {
            new MultiHeader(part, false, -1).Write(w);
            if (part == OpCode.GetData)
            {
                new PathWatchRequest(path, false).Write(w);
            }
            else
            {
                WriteDelete(w, path);
            }
        }
        MultiHeader.End.Write(w);
    });

    private static void WriteDelete(JuteWriter writer, string path)
    {
        writer.WriteString(path);
        writer.WriteInt(-1);
    }

    private static void WriteCreate(JuteWriter writer, string path, int flags)
    {
        writer.WriteString(path);
        writer.WriteBytes([]);
        writer.WriteInt(0);
        writer.WriteInt(flags);
    }
}
