using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What a proxy that ensembles know by its certificate makes of <c>auth</c> in an ACL.</summary>
public sealed class OwnIdsTests
{
    /// <summary>The id of "bob:secret", as ZooKeeper's DigestAuthenticationProvider prints it.</summary>
    private const string Bob = "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=";
    private const string Ann = "ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=";

    private static readonly Acl Auth = new(Permissions.All, "auth", "");
    private static readonly Acl World = new(Permissions.Read, "world", "anyone");

    private static readonly MountTable Mounts = new([
        new Mount("/mnt/eu", 1, "eu", "/apps", MountOptions.Default),
        new Mount("/mnt/ap", 2, "ap", "/apps", new MountOptions(Auth: MountAuth.None))], 1);

    private readonly KeptCredentials _credentials = new();

    [Theory]
    [InlineData(OpCode.Create)]
    [InlineData(OpCode.Create2)]
    [InlineData(OpCode.CreateContainer)]
    [InlineData(OpCode.CreateTtl)]
    [InlineData(OpCode.SetAcl)]
    public void It_is_written_out_as_the_clients_own_digest_ids_and_all_else_stays(OpCode op)
    {
        Give("bob:secret");
        Give("ann:secret");

        var written = Written(op, Single(op, "/x", World, Auth))!;

        Assert.Equal(Single(op, "/x", World, new Acl(Permissions.All, "digest", Bob), new Acl(Permissions.All, "digest", Ann)), written);
    }

    [Theory]
    [InlineData("/x", false)]
    [InlineData("/mnt/ap/x", true)]
    public void A_client_that_has_given_nothing_or_whose_credentials_are_not_shown_there_is_nobody(string path, bool gives)
    {
        if (gives)
        {
            Give("bob:secret");
        }

        var written = Written(OpCode.Create, Single(OpCode.Create, path, Auth))!;

        Assert.Equal(Single(OpCode.Create, path, new Acl(Permissions.All, "none", "")), written);
    }

    [Fact]
    public void Of_a_multi_every_create_is_written_out_by_its_own_path()
    {
        Give("bob:secret");
        var bob = new Acl(Permissions.All, "digest", Bob);

        Assert.Equal(Multi(bob, World, bob), Written(OpCode.Multi, Multi(Auth, World, Auth)));
    }

    [Fact]
    public void What_asks_for_nothing_of_the_kind_is_sent_as_it_came()
    {
        Give("bob:secret");
        Assert.Null(Written(OpCode.Create, Single(OpCode.Create, "/x", World)));
        Assert.Null(Written(OpCode.Multi, Multi(World, World, World)));
        // The word in the data, as an entry would have it.
        Assert.Null(Written(OpCode.Create, Frame(OpCode.Create, w => Create(w, "/x", "\0\0\0\u0004auth"u8.ToArray(), World))));
        var data = new SetDataRequest("/x", "\0\0\0\u0004auth"u8.ToArray(), -1);
        Assert.Null(Written(OpCode.SetData, Frame(OpCode.SetData, data.Write)));
    }

    [Fact]
    public void A_request_that_would_grow_beyond_what_servers_take_is_one_of_nobody_and_no_longer_than_it_came()
    {
        Give("bob:secret");
        Give("ann:secret");
        var frame = Single(OpCode.Create, "/x", [.. Enumerable.Repeat(Auth, 100)]);
        var grown = Single(OpCode.Create, "/x", [.. Enumerable.Range(0, 100).SelectMany(_ => (Acl[])
            [new Acl(Permissions.All, "digest", Bob), new Acl(Permissions.All, "digest", Ann)])]);

        Assert.Equal(grown, Written(OpCode.Create, frame, maxFrame: grown.Length + 1600));
        Assert.Equal(Single(OpCode.Create, "/x", [.. Enumerable.Repeat(new Acl(Permissions.All, "none", ""), 100)]),
            Written(OpCode.Create, frame, maxFrame: grown.Length - 5));
        // Of a multi the lists share what room there is.
        var multi = Multi(Auth, Auth, Auth);
        Assert.InRange(Written(OpCode.Multi, multi, multi.Length + 150)!.Length, multi.Length + 1, multi.Length + 150);
    }

    [Fact]
    public void What_can_not_be_decoded_is_the_servers_to_refuse()
    {
        Give("bob:secret");
        var whole = Single(OpCode.Create, "/x", Auth);
        Assert.Null(Written(OpCode.Create, whole[..^2]));
        Assert.Null(Written(OpCode.Multi, Multi(Auth, Auth, Auth)[..^9]));
    }

    private byte[]? Written(OpCode op, byte[] frame, int maxFrame = 1_000_000)
    {
        Assert.Equal(op, new ClientRequest(frame).Op);
        return OwnIds.WrittenOut(new ClientRequest(frame), _credentials, Mounts, maxFrame);
    }

    private void Give(string text) =>
        Assert.True(_credentials.TryAdd(new AuthRequest(0, "digest", System.Text.Encoding.UTF8.GetBytes(text)), new ClientLimits(), out _));

    private static byte[] Single(OpCode op, string path, params Acl[] acl) => Frame(op, w =>
    {
        if (op == OpCode.SetAcl)
        {
            w.WriteString(path);
            Acl.WriteList(w, acl);
            w.WriteInt(7);
            return;
        }
        Create(w, path, [1, 2], acl);
        if (op == OpCode.CreateTtl)
        {
            w.WriteLong(5000);
        }
    });

    private static byte[] Multi(Acl first, Acl second, Acl third) => Frame(OpCode.Multi, w =>
    {
        new MultiHeader(OpCode.Create, false, -1).Write(w);
        Create(w, "/a", [], first);
        new MultiHeader(OpCode.Delete, false, -1).Write(w);
        w.WriteString("/gone");
        w.WriteInt(-1);
        new MultiHeader(OpCode.Create2, false, -1).Write(w);
        Create(w, "/b", [3], second);
        new MultiHeader(OpCode.CreateTtl, false, -1).Write(w);
        Create(w, "/mnt/eu/c", [], third);
        w.WriteLong(9);
        MultiHeader.End.Write(w);
    });

    private static void Create(JuteWriter writer, string path, byte[] data, params Acl[] acl)
    {
        writer.WriteString(path);
        writer.WriteBytes(data);
        Acl.WriteList(writer, acl);
        writer.WriteInt(0);
    }

    private static byte[] Frame(OpCode op, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(4, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }
}
