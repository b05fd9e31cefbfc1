using System.Buffers.Binary;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Where requests go, and what becomes of those whose cluster can't be reached.</summary>
public sealed class RoutingTests
{
    private readonly ScriptedHost _host = new();

    public RoutingTests() => _host.Region.Coupling = UniformCoupling.None;

    [Theory]
    [InlineData(OpCode.Create, CreateFlags.PersistentSequential, true)]
    [InlineData(OpCode.Create2, CreateFlags.EphemeralSequential, true)]
    [InlineData(OpCode.CreateTtl, CreateFlags.PersistentSequentialWithTtl, true)]
    [InlineData(OpCode.Create, CreateFlags.Persistent, false)]
    [InlineData(OpCode.CreateContainer, CreateFlags.Container, false)]
    [InlineData(OpCode.Create, CreateFlags.Ephemeral, false)]
    public void A_create_whose_name_gets_a_counter_is_for_the_cluster_of_the_parent(OpCode op, int flags, bool home)
    {
        var mount = _host.Region.Mounts.At("/mnt");
        Assert.Equal(home ? null : mount, Routing.MountOf(_host.Region.Mounts, op, "/mnt"u8, flags));
        Assert.Equal(mount, Routing.MountOf(_host.Region.Mounts, op, "/mnt/x"u8, flags));
        Assert.Equal(mount, Routing.MountOf(_host.Region.Mounts, op, "/mnt/"u8, flags));
        Assert.Null(Routing.MountOf(_host.Region.Mounts, op, "/mn"u8, flags));
    }

    [Fact]
    public void A_create_beside_the_mount_point_is_sent_home_alone_and_in_a_multi()
    {
        _host.Attach(session: 0);
        var create = new CreateRequest("/mnt", [], [.. Acl.Open], CreateFlags.PersistentSequential);
        _host.Request(1, OpCode.Create, w => create.Write(w, OpCode.Create));
        _host.Request(2, OpCode.Multi, w =>
        {
            new MultiHeader(OpCode.Create, false, -1).Write(w);
            create.Write(w, OpCode.Create);
            new MultiHeader(OpCode.Create, false, -1).Write(w);
            (create with { Path = "/other" }).Write(w, OpCode.Create);
            MultiHeader.End.Write(w);
        });
        Assert.Equal([OpCode.Create, OpCode.Multi], _host.Links[0].Operations.Where(op => op != OpCode.Ping));
        Assert.Single(_host.Links);
    }

    [Fact]
    public void Checks_alone_are_carried_out_in_a_read_only_mount()
    {
        Mount(new() { ReadOnly = true });
        Reach();
        _host.Request(2, OpCode.Multi, w => Check(w, "/mnt/x"));
        _host.Session.RecordSaved(1, saved: true);
        Assert.Equal(OpCode.Multi, _host.Links[1].Operations.Last());
    }

    [Theory]
    [InlineData(OpCode.Multi)]
    [InlineData(OpCode.MultiRead)]
    public void What_asks_of_a_relaxed_mount_only_fails_alone(OpCode op)
    {
        Mount(new() { Order = MountOrder.Relaxed });
        _host.Attach(session: 0);
        _host.Request(1, op, w => Write(w, op, "/mnt/x", "/mnt/y"));
        GiveUp();
        Assert.Null(_host.Closed);
        Assert.Equal((1, ErrorCode.ConnectionLoss), Last);
    }

    [Fact]
    public void What_asks_of_a_strict_mount_takes_the_connection_with_it()
    {
        _host.Attach(session: 0);
        _host.Request(1, OpCode.MultiRead, w => Write(w, OpCode.MultiRead, "/mnt/x"));
        GiveUp();
        Assert.NotNull(_host.Closed);
    }

    [Fact]
    public void Reads_that_span_a_relaxed_mount_fail_for_their_part_there()
    {
        Mount(new() { Order = MountOrder.Relaxed });
        _host.Attach(session: 0);
        _host.Request(1, OpCode.MultiRead, w => Write(w, OpCode.MultiRead, "/home", "/mnt/x", "/mnt/y"));
        _host.Reply(_host.Links[0], 1, w =>
        {
            new MultiHeader(OpCode.GetData, false, 0).Write(w);
            w.WriteBytes("at home"u8);
            default(Stat).Write(w);
            MultiHeader.End.Write(w);
        });
        GiveUp();
        Assert.Null(_host.Closed);
        Assert.Equal((1, ErrorCode.Ok), Last);
        var reader = new JuteReader(_host.ToClient[^1].AsSpan(20));
        Assert.Equal(OpCode.GetData, MultiHeader.Read(ref reader).Type);
        reader.ReadBytes(out _);
        reader.Skip(Stat.WireLength);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(OpCode.Error, MultiHeader.Read(ref reader).Type);
            Assert.Equal((int)ErrorCode.ConnectionLoss, reader.ReadInt());
        }
        Assert.True(MultiHeader.Read(ref reader).Done);
        // The rest is in order.
        _host.Request(2, OpCode.GetData, w => new PathWatchRequest("/home", false).Write(w));
        _host.Reply(_host.Links[0], 2, error: ErrorCode.NoNode);
        Assert.Equal((2, ErrorCode.NoNode), Last);
    }

    [Fact]
    public void A_mount_whose_root_has_gone_has_nothing_below_it()
    {
        Reach();
        _host.Request(2, OpCode.GetAllChildrenNumber, w => w.WriteString("/"));
        _host.Reply(_host.Links[0], 2, w => w.WriteInt(7));
        _host.Reply(_host.Links[1], 2, error: ErrorCode.NoNode);
        Assert.Equal((2, ErrorCode.Ok), Last);
        Assert.Equal(7, BinaryPrimitives.ReadInt32BigEndian(_host.ToClient[^1].AsSpan(20)));
    }

    [Fact]
    public void Ephemeral_znodes_in_a_mount_are_listed_as_freshly_as_a_read()
    {
        Reach();
        _host.Request(2, OpCode.Create, w => new CreateRequest("/mnt/e", [], [.. Acl.Open], CreateFlags.Ephemeral).Write(w, OpCode.Create));
        _host.Session.RecordSaved(1, saved: true);
        _host.Reply(_host.Links[1], 2, w => w.WriteString("/apps/e"), zxid: 9);
        _host.Region.Coupling = UniformCoupling.All;
        _host.Request(3, OpCode.GetEphemerals, w => w.WriteString("/"));
        _host.FinishBarrier();
        _host.Reply(_host.Links[0], 3, w => w.WriteStrings(["/h"]), zxid: 20);
        var barriers = _host.Barriers.Count;
        Assert.Same(_host.Links[1].Link.Server, _host.Barriers[^1].Server);
        Assert.NotEqual(OpCode.GetEphemerals, _host.Links[1].Operations.Last());
        _host.FinishBarrier();
        Assert.Equal(OpCode.GetEphemerals, _host.Links[1].Operations.Last());
        _host.Reply(_host.Links[1], 0, w => w.WriteStrings(["/apps/e"]), zxid: 10);
        Assert.Equal(barriers, _host.Barriers.Count);
        var reader = new JuteReader(_host.ToClient[^1].AsSpan(20));
        Assert.Equal(["/h", "/mnt/e"], reader.ReadStrings());
    }

    [Theory]
    [InlineData("/home", Xids.Notification)]
    [InlineData("/home", Xids.Ping)]
    [InlineData("/mnt/x", Xids.Notification)]
    [InlineData("/mnt/x", Xids.Ping)]
    public void A_request_under_an_xid_of_events_or_pings_is_answered_under_it(string path, int xid)
    {
        Reach();
        _host.Request(xid, OpCode.Exists, w => new PathWatchRequest(path, false).Write(w));
        _host.Reply(_host.Links[path == "/home" ? 0 : 1], 0, error: ErrorCode.NoNode);
        Assert.Null(_host.Closed);
        Assert.Equal((xid, ErrorCode.NoNode), Last);
    }

    private (int Xid, ErrorCode Error) Last
    {
        get
        {
            var header = ReplyHeader.Read(_host.ToClient[^1].AsSpan(4));
            return (header.Xid, header.Error);
        }
    }

    private void Mount(MountOptions options) => _host.Region.Mounts = new MountTable([new Mount("/mnt", 1, "eu", "/apps", options)]);

    /// <summary>The client is let in, and has read the mount.</summary>
    private void Reach()
    {
        _host.Attach(session: 0);
        _host.Request(1, OpCode.Exists, w => new PathWatchRequest("/mnt/x", false).Write(w));
        _host.Reply(_host.Links[0], Xids.Ping);
        _host.Answer(_host.Links[1], ScriptedHost.RemoteSession);
        _host.Reply(_host.Links[1], 1, zxid: 3, error: ErrorCode.NoNode);
    }

    /// <summary>The mount's cluster can't be reached for as long as a request waits.</summary>
    private void GiveUp()
    {
        _host.Reply(_host.Links[0], Xids.Ping);
        _host.Session.LinkDown(_host.Links[^1], "nobody listens");
        _host.NowMs += 8000;
        _host.Session.Tick();
    }

    private static void Write(JuteWriter writer, OpCode op, params string[] paths)
    {
        foreach (var path in paths)
        {
            if (op == OpCode.Multi)
            {
                new MultiHeader(OpCode.Check, false, -1).Write(writer);
                new PathVersionRequest(path, -1).Write(writer);
            }
            else
            {
                new MultiHeader(OpCode.GetData, false, -1).Write(writer);
                new PathWatchRequest(path, false).Write(writer);
            }
        }
        MultiHeader.End.Write(writer);
    }

    private static void Check(JuteWriter writer, string path) => Write(writer, OpCode.Multi, path);
}
