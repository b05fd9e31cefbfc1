using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>A remote cluster's replies in the client's terms. Cluster 1's /apps is mounted on /mnt, its root on /all.</summary>
public sealed class ReplyRewriterTests
{
    private const long RemoteSession = 0x52;
    private const long HomeSession = 0x51;
    private static readonly Mount Mnt = new("/mnt", 1, "eu", "/apps", MountOptions.Default);
    private static readonly Mount All = new("/all", 1, "eu", "/", MountOptions.Default);

    private readonly SessionOwners _owners = new();

    [Theory]
    [InlineData("/apps/a0000000001", "/mnt/a0000000001", "/all/apps/a0000000001")]
    [InlineData("/apps", "/mnt", "/all/apps")]
    [InlineData("/", "/", "/all")]
    public void A_path_that_a_server_made_up_is_told_as_the_client_knows_it(string remote, string below, string fromRoot)
    {
        Assert.Equal(below, PathOf(OpCode.Create, w => w.WriteString(remote), Mnt));
        Assert.Equal(fromRoot, PathOf(OpCode.Create, w => w.WriteString(remote), All));
        Assert.Equal(below, PathOf(OpCode.Create2, w => { w.WriteString(remote); Owned(0).Write(w); }, Mnt));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(RemoteSession, HomeSession)]
    [InlineData(0x99, 0x77)]
    [InlineData(0x1234, 0x1234)]
    public void An_owner_is_told_by_the_session_at_home_where_that_is_known(long remote, long shown)
    {
        _owners.Add(1, 0x99, 0x77);
        foreach (var op in (OpCode[])[OpCode.Exists, OpCode.SetData, OpCode.SetAcl])
        {
            var reader = Body(Rewrite(op, Owned(remote).Write, Mnt));
            Assert.Equal(Owned(shown), Stat.Read(ref reader));
            Assert.Equal(0, reader.Rest.Length);
        }
    }

    [Fact]
    public void The_header_shows_home_s_zxid_and_the_client_s_xid_and_an_error_has_no_body()
    {
        var frame = Rewrite(OpCode.GetData, w => w.WriteRaw([1, 2, 3]), Mnt, ErrorCode.NoNode);
        Assert.Equal(new ReplyHeader(5, 77, ErrorCode.NoNode), ReplyHeader.Read(frame.AsSpan(Framing.PrefixLength)));
        Assert.Equal(Framing.PrefixLength + ReplyHeader.WireLength, frame.Length);
    }

    [Fact]
    public void A_listing_that_was_asked_for_with_its_Stat_is_told_without_it_where_the_client_asked_for_none()
    {
        void Listing(JuteWriter w)
        {
            w.WriteStrings(["a", "b"]);
            Owned(0).Write(w);
        }
        var stripped = Body(Rewrite(OpCode.GetChildren2, Listing, Mnt, strip: true));
        Assert.Equal(["a", "b"], stripped.ReadStrings());
        Assert.Equal(0, stripped.Rest.Length);
        var whole = Body(Rewrite(OpCode.GetChildren2, Listing, Mnt));
        whole.ReadStrings();
        Assert.Equal(Stat.WireLength, whole.Rest.Length);
    }

    [Fact]
    public void Each_result_of_a_multi_is_told_by_its_own_mount()
    {
        var frame = Rewrite(OpCode.Multi, w =>
        {
            new MultiHeader(OpCode.Create, false, 0).Write(w);
            w.WriteString("/apps/x");
            new MultiHeader(OpCode.Delete, false, 0).Write(w);
            new MultiHeader(OpCode.SetData, false, 0).Write(w);
            Owned(RemoteSession).Write(w);
            new MultiHeader(OpCode.Create, false, 0).Write(w);
            w.WriteString("/apps/y");
            MultiHeader.End.Write(w);
        }, Mnt, mounts: [Mnt, Mnt, Mnt, All]);
        var reader = Body(frame);
        Assert.Equal(OpCode.Create, MultiHeader.Read(ref reader).Type);
        Assert.Equal("/mnt/x", reader.ReadString());
        Assert.Equal(OpCode.Delete, MultiHeader.Read(ref reader).Type);
        Assert.Equal(OpCode.SetData, MultiHeader.Read(ref reader).Type);
        Assert.Equal(HomeSession, Stat.Read(ref reader).EphemeralOwner);
        MultiHeader.Read(ref reader);
        Assert.Equal("/all/apps/y", reader.ReadString());
        Assert.True(MultiHeader.Read(ref reader).Done);
        Assert.Equal(0, reader.Rest.Length);
    }

    private static Stat Owned(long session) => new(1, 2, 3, 4, 5, 6, 7, session, 8, 9, 10);

    private string? PathOf(OpCode op, Action<JuteWriter> body, Mount mount)
    {
        var reader = Body(Rewrite(op, body, mount));
        return reader.ReadString();
    }

    private byte[] Rewrite(OpCode op, Action<JuteWriter> body, Mount mount, ErrorCode error = ErrorCode.Ok, bool strip = false,
        IReadOnlyList<Mount?>? mounts = null)
    {
        var remote = new JuteWriter();
        body(remote);
        var writer = new JuteWriter();
        new ReplyRewriter(writer, _owners, 1, RemoteSession, HomeSession).Write(5, 77, op, error, remote.Written, mount, strip,
            mounts ?? []);
        return writer.Written.ToArray();
    }

    private static JuteReader Body(byte[] frame) => new(frame.AsSpan(Framing.PrefixLength + ReplyHeader.WireLength));
}
