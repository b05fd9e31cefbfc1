using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Federation.Sessions.Solo;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Where requests go, and when, without a session around it. Cluster 1, eu, is mounted on /mnt and, read-only, on /ro.</summary>
public sealed class DispatcherTests : IDispatchOwner, ISessionHost, IBarrierTransport
{
    private static readonly Mount Mnt = new("/mnt", 1, "eu", "/apps", MountOptions.Default);
    private static readonly Mount ReadOnly = new("/ro", 1, "eu", "/apps", new() { ReadOnly = true });

    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Ordered) { Mounts = new MountTable([Mnt, ReadOnly]) };
    private readonly SessionLink _home = new(0);
    private readonly LinkSet _links;
    private readonly ScriptedLink _atHome;
    private readonly List<(int Xid, ErrorCode Error)> _answered = [];
    private readonly List<SoloRequest> _begun = [];
    private readonly List<SessionLink> _opened = [];
    private readonly List<(SessionLink Link, bool Strict)> _saved = [];
    private readonly List<OpCode> _forbidden = [];
    private readonly List<string> _told = [];
    private readonly Dispatcher _dispatcher;
    private bool _hasUnanswered;
    private bool _knowsHomeZxid = true;
    private bool _holdsMuch;
    private long _places;

    public DispatcherTests()
    {
        _links = new LinkSet(_home);
        _atHome = Connect(_home);
        _dispatcher = new Dispatcher(_region, this, _links, this);
        _dispatcher.Attached(returns: false);
    }

    [Fact]
    public void What_is_under_no_mount_goes_home_as_it_came()
    {
        var frame = Request(OpCode.SetData, "/x");
        Assert.True(Dispatch(frame));
        Assert.Equal(frame, Assert.Single(_atHome.Sent));
        Assert.Equal((1, 0L), (_home.Outstanding, _home.Pending.Peek().Place));
    }

    [Fact]
    public void The_first_request_for_a_cluster_opens_a_link_and_waits_for_it_and_then_goes_in_the_cluster_s_own_terms()
    {
        Assert.False(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        var link = Assert.Single(_opened);
        Assert.Same(link, _dispatcher.Head.On);
        var there = Connect(link);
        Assert.True(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.Equal("/apps/x", there.LastPath);
        Assert.Equal((1, 1), (link.Outstanding, link.StrictOutstanding));
        Assert.Empty(_atHome.Sent);
    }

    [Fact]
    public void No_request_leaves_for_a_mount_before_a_zxid_of_home_is_known_that_its_reply_can_show()
    {
        Connect(_links.To(1));
        _knowsHomeZxid = false;
        Assert.False(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.False(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.Equal([OpCode.Ping], _atHome.Operations);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void A_recursive_watch_above_a_mount_spans_it_whatever_stands_behind_the_request(int behind)
    {
        Assert.True(Dispatch(Request(OpCode.AddWatch, "/", w =>
        {
            w.WriteInt((int)AddWatchMode.PersistentRecursive);
            w.WriteRaw(new byte[behind]);
        })));
        Assert.IsType<SoloWatchBelow>(Assert.Single(_begun));
        Assert.Equal(["/"], _dispatcher.Recursive);
    }

    [Fact]
    public void A_persistent_watch_on_a_null_path_is_answered_here_for_it_costs_a_server_a_socket()
    {
        var frame = Frames.Request(OpCode.AddWatch, new PathKindRequest(null, 0).Write);
        Assert.True(Dispatch(frame));
        Assert.Equal([(1, ErrorCode.MarshallingError)], _answered);
        Assert.Empty(_atHome.Sent);

        Assert.True(Dispatch(Frames.Request(OpCode.AddWatch, new PathKindRequest("", 0).Write)));
        Assert.Single(_atHome.Sent);
    }

    [Fact]
    public void A_strict_request_waits_until_other_clusters_have_answered()
    {
        var there = Connect(_links.To(1));
        Dispatch(Request(OpCode.SetData, "/x"));
        Assert.False(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.Empty(there.Sent);
    }

    [Fact]
    public void A_request_that_waits_for_its_turn_is_not_looked_at_again_before_it_has_it_or_other_mounts_are_in_use()
    {
        var link = _links.To(1);
        Connect(link);
        Dispatch(Request(OpCode.SetData, "/x"));
        Assert.False(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.Same(link, _dispatcher.Head.Turn);
        // That another request stands there now is not even seen.
        Assert.False(Dispatch(Request(OpCode.SetData, "/y")));
        Assert.Single(_atHome.Sent);

        _region.Mounts = MountTable.Empty;
        Assert.True(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.Null(_dispatcher.Head.Turn);
    }

    [Fact]
    public void While_much_is_held_back_for_the_client_nothing_is_sent_that_may_be_answered_out_of_its_turn()
    {
        var relaxed = new Mount("/mnt", 1, "eu", "/apps", new() { Order = MountOrder.Relaxed, Barriers = false });
        _region.Mounts = new MountTable([relaxed]);
        Connect(_links.To(1));
        Assert.True(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        _holdsMuch = true;
        Assert.False(Dispatch(Request(OpCode.SetData, "/x")));
        _holdsMuch = false;
        Assert.True(Dispatch(Request(OpCode.SetData, "/x")));
    }

    [Fact]
    public void While_another_request_is_carried_out_alone_nothing_else_is_sent() =>
        Assert.False(_dispatcher.TryDispatch(new ClientRequest(Request(OpCode.SetData, "/x")), isAlone: true));

    [Fact]
    public void A_write_in_a_read_only_mount_is_answered_here()
    {
        Assert.True(Dispatch(Request(OpCode.SetData, "/ro/x")));
        Assert.Equal([(1, ErrorCode.NoAuth)], _answered);
        Assert.Equal(1, ReadOnly.Counters.Refused);
        Assert.Empty(_opened);
    }

    [Fact]
    public void The_session_in_a_cluster_is_on_record_before_the_first_write_and_the_write_fails_if_it_can_t_be()
    {
        var link = _links.To(1);
        var there = Connect(link);
        Assert.True(Dispatch(Request(OpCode.GetData, "/mnt/x")));
        Assert.Empty(_saved);
        Assert.False(Dispatch(Request(OpCode.SetData, "/mnt/x")));
        Assert.Equal([(link, false)], _saved);
        link.Record.Written(saved: false);
        Assert.True(Dispatch(Request(OpCode.SetData, "/mnt/x")));
        Assert.Equal([(1, ErrorCode.SystemError)], _answered);
        Dispatch(Request(OpCode.SetData, "/mnt/x"));
        link.Record.Written(saved: true);
        Assert.True(Dispatch(Request(OpCode.SetData, "/mnt/x")));
        Assert.Equal(OpCode.SetData, there.Operations.Last());
    }

    [Fact]
    public void Before_an_ACL_is_changed_through_a_mount_the_cluster_s_own_region_is_told_on_the_same_connection()
    {
        var link = _links.To(1);
        var there = Connect(link);
        var setAcl = Request(OpCode.SetAcl, "/mnt/x", w => w.WriteInt(0));
        Assert.False(Dispatch(setAcl));
        link.Record.Written(saved: true);

        Assert.True(Dispatch(setAcl));

        Assert.Equal([OpCode.SetData, OpCode.SetAcl], there.Operations);
        Assert.Equal("/apps/x", there.LastPath);
        Assert.Equal((2, 1), (link.Pending.Count, link.Outstanding));
    }

    [Fact]
    public void What_nobody_knows_is_answered_in_its_turn_and_ends_the_connection()
    {
        _hasUnanswered = true;
        Assert.False(Dispatch(Request((OpCode)77, "/x")));
        _hasUnanswered = false;
        Assert.True(Dispatch(Request((OpCode)77, "/x")));
        Assert.Equal([(1, ErrorCode.Unimplemented)], _answered);
        Assert.Equal([(OpCode)77], _forbidden);
        Assert.Empty(_atHome.Sent);
    }

    [Fact]
    public void A_reconfig_that_can_t_be_decoded_never_gets_to_a_server()
    {
        Assert.True(Dispatch(Request(OpCode.Reconfig, "/x")));
        Assert.Equal([(1, ErrorCode.MarshallingError)], _answered);
        Assert.Empty(_atHome.Sent);
    }

    [Theory]
    [InlineData(OpCode.Multi)]
    [InlineData(OpCode.MultiRead)]
    public void A_multi_with_an_operation_that_nobody_knows_is_answered_here_for_it_may_be_a_mount_s(OpCode op)
    {
        var frame = Frames.Request(op, writer =>
        {
            new MultiHeader((OpCode)77, false, -1).Write(writer);
            writer.WriteString("/mnt/x");
            MultiHeader.End.Write(writer);
        });
        Assert.True(Dispatch(frame));
        Assert.Equal([(1, ErrorCode.MarshallingError)], _answered);
        Assert.Empty(_atHome.Sent);
    }

    [Fact]
    public void What_several_clusters_have_to_answer_is_carried_out_alone()
    {
        _links.To(1);
        Assert.True(Dispatch(Request(OpCode.GetEphemerals, "/")));
        Assert.IsType<SoloEphemerals>(Assert.Single(_begun));
        // Its step at home is a request like any other.
        Assert.True(_dispatcher.TryDispatch(new ClientRequest(Request(OpCode.GetEphemerals, "/"), isPart: true), isAlone: false));
        Assert.Equal([OpCode.GetEphemerals], _atHome.Operations);
    }

    [Fact]
    public void A_mount_that_comes_is_watched_if_it_lies_below_a_recursive_watch_and_what_was_watched_in_one_that_goes_is_told()
    {
        _region.Mounts = MountTable.Empty;
        _dispatcher.FollowMounts();
        _dispatcher.Recursive.Add("/");
        Assert.True(_dispatcher.WatchesRecursively);
        var there = Connect(_links.To(1));
        _region.Mounts = new MountTable([Mnt]);
        _dispatcher.FollowMounts();
        Assert.Equal([OpCode.AddWatch], there.Operations);
        Assert.Equal(1, _links.To(1).Book.Watches!.Count);
        Assert.Empty(_told);
        _region.Mounts = MountTable.Empty;
        _dispatcher.FollowMounts();
        Assert.Equal(["/mnt"], _told);
        Assert.Same(MountTable.Empty, _dispatcher.Mounts);
    }

    [Fact]
    public void A_session_learns_from_its_first_mount_on_and_a_returning_one_at_once()
    {
        var region = new Region(["us", "eu"], ConsistencyMode.Ordered);
        var fresh = new Dispatcher(region, this, _links, this);
        fresh.Attached(returns: false);
        Assert.Null(fresh.Frontier);
        region.Mounts = new MountTable([Mnt]);
        fresh.FollowMounts();
        Assert.NotNull(fresh.Frontier);
        var returning = new Dispatcher(new Region(["us", "eu"], ConsistencyMode.Ordered), this, _links, this);
        returning.Attached(returns: true);
        Assert.True(returning.Frontier!.MayGoBack(_links.To(1).Server ?? new UpstreamServer(region, 1, "b", this)));
    }

    bool IDispatchOwner.HasUnanswered => _hasUnanswered;

    bool IDispatchOwner.KnowsHomeZxid => _knowsHomeZxid;

    bool IDispatchOwner.HoldsMuch => _holdsMuch;

    KeptCredentials? IDispatchOwner.Credentials => null;

    long ISessionHost.NowMs => 1000;

    long IDispatchOwner.PlaceOf(in ClientRequest request) => _places++;

    void IDispatchOwner.Answer(in ClientRequest request, ErrorCode error, FailedMulti? results) => _answered.Add((request.Xid, error));

    void IDispatchOwner.Forbid(OpCode op) => _forbidden.Add(op);

    bool IDispatchOwner.TryBegin(SoloRequest solo)
    {
        _begun.Add(solo);
        return true;
    }

    void IDispatchOwner.Open(SessionLink link) => _opened.Add(link);

    void IDispatchOwner.DropSuperseded(SessionLink link) => link.Lost();

    void IDispatchOwner.SaveRecord(SessionLink link, bool strict) => _saved.Add((link, strict));

    void IDispatchOwner.Tell(SessionLink link, ReadOnlySpan<byte> watchEvent)
    {
        var reader = new JuteReader(watchEvent[(Framing.PrefixLength + ReplyHeader.WireLength)..]);
        _told.Add(WatcherEvent.Read(ref reader).Path!);
    }

    void ISessionHost.SendToClient(ReadOnlySpan<byte> frames) =>
        Assert.Fail("replies are the session's");

    void ISessionHost.CloseClient(CloseReason reason, string detail) =>
        Assert.Fail("to close is the session's");

    ILinkConnection ISessionHost.OpenLink(SessionLink link) => throw new InvalidOperationException("links are opened by the session");

    void ISessionHost.FindRecords(HomeSession session) =>
        Assert.Fail("records are found by the session");

    void ISessionHost.SaveRecord(HomeSession session, RemoteSessionRecord record) =>
        Assert.Fail("records are saved by the session");

    void IBarrierWaiter.BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded)
    {
    }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket)
    {
    }

    private bool Dispatch(byte[] frame) => _dispatcher.TryDispatch(new ClientRequest(frame), isAlone: false);

    private ScriptedLink Connect(SessionLink link)
    {
        var connection = new ScriptedLink(link);
        link.Connection = connection;
        link.Server = new UpstreamServer(_region, link.Cluster, $"server of {link.Cluster}", this);
        link.Phase = LinkPhase.Ready;
        return connection;
    }

    private static byte[] Request(OpCode op, string path, Action<JuteWriter> rest) => Frames.Request(op, writer =>
    {
        writer.WriteString(path);
        rest(writer);
    });

    private static byte[] Request(OpCode op, string path) => Request(op, path, writer =>
    {
        switch (op)
        {
            case OpCode.GetData:
                writer.WriteBool(false);
                break;
            case OpCode.SetData:
                writer.WriteBytes([]);
                writer.WriteInt(-1);
                break;
        }
    });
}
