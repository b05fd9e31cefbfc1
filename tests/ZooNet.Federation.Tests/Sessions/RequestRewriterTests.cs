using System.Text;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Requests in a remote cluster's terms: every path is translated, and nothing else.</summary>
public sealed class RequestRewriterTests
{
    private static readonly Mount Apps = new("/mnt/eu", 1, "eu", "/apps", MountOptions.Default);
    private static readonly Mount Root = new("/all", 1, "eu", "/", MountOptions.Default);
    private static readonly Mount Other = new("/ap", 2, "ap", "/x", MountOptions.Default);
    private static readonly MountTable Mounts = new([Apps, Root, Other]);

    [Theory]
    [InlineData("/mnt/eu", "/apps")]
    [InlineData("/mnt/eu/", "/apps/")]
    [InlineData("/mnt/eu/a/b", "/apps/a/b")]
    [InlineData("/all", "/")]
    [InlineData("/all/a", "/a")]
    public void A_path_is_translated_and_the_rest_stays(string local, string remote)
    {
        var request = Frames.Request(7, OpCode.SetData, new SetDataRequest(local, "data"u8.ToArray(), 3).Write);
        var writer = new JuteWriter();
        RequestRewriter.WritePathRequest(writer, request, OpCode.SetData, Encoding.UTF8.GetBytes(local), Mounts.Find(local)!);
        Assert.Equal(Frames.Request(7, OpCode.SetData, new SetDataRequest(remote, "data"u8.ToArray(), 3).Write), writer.Written.ToArray());
    }

    [Fact]
    public void A_multi_is_translated_operation_by_operation_each_by_its_own_mount()
    {
        static void Operations(JuteWriter writer, string first, string second, string third, string fourth)
        {
            Part(writer, OpCode.Create, w => new CreateRequest(first, [1], [.. Acl.Open], CreateFlags.Ephemeral).Write(w, OpCode.Create));
            Part(writer, OpCode.CreateTtl,
                w => new CreateRequest(second, null, [.. Acl.Open], CreateFlags.PersistentWithTtl, 9).Write(w, OpCode.CreateTtl));
            Part(writer, OpCode.SetData, new SetDataRequest(third, [], -1).Write);
            Part(writer, OpCode.Delete, new PathVersionRequest(fourth, 5).Write);
            MultiHeader.End.Write(writer);
        }
        var request = Frames.Request(1, OpCode.Multi, w => Operations(w, "/mnt/eu/a", "/all/b", "/all", "/mnt/eu"));

        var scan = RequestRewriter.ScanMulti(request, Mounts);
        Assert.Equal((true, Apps, 4, -1, true), (scan.Valid, scan.Mount, scan.Count, scan.FirstForeign, scan.MakesEphemerals));
        Assert.Equal(["/mnt/eu/a", "/all/b", "/all", "/mnt/eu"], PathsOf(request));
        var writer = new JuteWriter();
        RequestRewriter.WriteMulti(writer, request, Mounts);
        Assert.Equal(Frames.Request(1, OpCode.Multi, w => Operations(w, "/apps/a", "/b", "/", "/apps")), writer.Written.ToArray());
    }

    [Fact]
    public void Reads_of_several_clusters_are_split_where_the_cluster_changes_and_in_order()
    {
        var request = Frames.Request(4, OpCode.MultiRead, w => Reads(w, "/h", "/g", "/all/a", "/mnt/eu/b", "/ap", "/h"));
        Assert.Equal(2, RequestRewriter.ScanMulti(request, Mounts).FirstForeign);
        Assert.Equal([Frames.Request(4, OpCode.MultiRead, w => Reads(w, "/h", "/g")),
            Frames.Request(4, OpCode.MultiRead, w => Reads(w, "/all/a", "/mnt/eu/b")),
            Frames.Request(4, OpCode.MultiRead, w => Reads(w, "/ap")), Frames.Request(4, OpCode.MultiRead, w => Reads(w, "/h"))],
            RequestRewriter.SplitMultiRead(request, Mounts));
    }

    [Fact]
    public void What_ends_early_or_has_an_operation_that_nobody_knows_is_not_valid_and_harms_nothing()
    {
        var request = Frames.Request(4, OpCode.Multi, w =>
        {
            Part(w, OpCode.SetData, new SetDataRequest("/mnt/eu/a", [1, 2, 3], -1).Write);
            MultiHeader.End.Write(w);
        });
        for (var length = 12; length < request.Length; length++)
        {
            Assert.False(RequestRewriter.ScanMulti(request.AsSpan(0, length), Mounts).Valid, $"{length}");
            Assert.InRange(MultiOperations.Count(request.AsSpan(0, length)), 0, 1);
        }
        var unknown = Frames.Request(4, OpCode.Multi, w => Part(w, OpCode.Sync, x => x.WriteString("/mnt/eu")));
        Assert.False(RequestRewriter.ScanMulti(unknown, Mounts).Valid);
        Assert.False(RequestRewriter.TryGetPath(Frames.Request(1, OpCode.GetData, w => w.WriteString(null)), out _));
        Assert.False(RequestRewriter.TryGetPath(Frames.Request(1, OpCode.GetData, w => w.WriteInt(50)), out _));
    }

    private static List<string> PathsOf(byte[] frame)
    {
        var paths = new List<string>();
        var operations = new MultiOperations(frame);
        while (operations.MoveNext())
        {
            paths.Add(Encoding.UTF8.GetString(operations.Path));
        }
        return paths;
    }

    private static void Part(JuteWriter writer, OpCode op, Action<JuteWriter> body)
    {
        new MultiHeader(op, false, -1).Write(writer);
        body(writer);
    }

    private static void Reads(JuteWriter writer, params string[] paths)
    {
        foreach (var path in paths)
        {
            Part(writer, OpCode.GetData, new PathWatchRequest(path, false).Write);
        }
        MultiHeader.End.Write(writer);
    }
}
