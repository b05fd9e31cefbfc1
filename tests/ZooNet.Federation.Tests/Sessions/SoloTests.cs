using System.Buffers.Binary;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Federation.Sessions.Solo;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Requests that are carried out alone, each without a session around it. Cluster 1, eu, is mounted on /mnt.</summary>
public sealed class SoloTests : ISoloSession
{
    private readonly List<SessionLink> _links = [new(0), new(1) { Phase = LinkPhase.Ready }];
    private readonly List<(int Cluster, OpCode Op, Action<ReplyHeader, ReadOnlyMemory<byte>> Then)> _asked = [];
    private readonly List<SessionLink> _opened = [];
    private readonly List<AuthRequest> _kept = [];
    private readonly PathSet _recursive = [];
    private MountTable _mounts = new([new Mount("/mnt", 1, "eu", "/apps", MountOptions.Default)]);
    private readonly List<byte[]> _ran = [];
    private readonly List<(int Cluster, bool Asked)> _tried = [];
    private bool _isFresh = true;
    private bool _runs = true;
    private long _nowMs;

    [Fact]
    public void Digest_credentials_go_to_the_clusters_whose_mounts_forward_them()
    {
        _mounts = new([new Mount("/mnt", 1, "eu", "/apps", new() { Auth = MountAuth.None })]);
        var alone = new SoloAuth(Xids.Auth, Request(w => new AuthRequest(0, "digest", [1]).Write(w)));
        alone.Begin(this);
        Assert.Empty(_asked);
        _mounts = new([new Mount("/mnt", 1, "eu", "/apps", new() { Auth = MountAuth.Forward })]);
        var forwarded = new SoloAuth(Xids.Auth, Request(w => new AuthRequest(0, "digest", [1]).Write(w)));
        forwarded.Begin(this);
        Assert.Equal((1, OpCode.Auth, 1), (_asked[0].Cluster, _asked[0].Op, forwarded.Waiting));
        Assert.Equal(2, _kept.Count);
        new SoloAuth(Xids.Auth, Request(w => new AuthRequest(0, "ip", [1]).Write(w))).Begin(this);
        Assert.Single(_asked);
    }

    [Fact]
    public void Watches_are_set_where_their_znodes_are_and_late_where_nobody_answers()
    {
        _links[1].Phase = LinkPhase.Closed;
        var request = new SetWatchesRequest(5, ["/h", "/mnt/x"], [], [], [], ["/"]);
        var solo = new SoloSetWatches(1, OpCode.SetWatches2, Request(w => request.Write(w, OpCode.SetWatches2)));
        solo.Begin(this);
        var reader = new JuteReader(solo.Steps.Peek().AsSpan(12));
        var home = SetWatchesRequest.Read(ref reader, OpCode.SetWatches2);
        Assert.Equal(["/h"], home.Data);
        Assert.Equal(["/"], home.PersistentRecursive);
        Assert.Equal([_links[1]], _opened);
        Assert.True(_links[1].Book.WatchesUnarmed);
        Assert.Contains("/", _recursive);
    }

    [Fact]
    public void Ephemeral_znodes_are_asked_for_where_the_client_may_have_some_and_not_before_the_server_is_fresh()
    {
        _links[1].Book.Own("/mnt/e");
        var solo = new SoloEphemerals(1, Request(w => w.WriteString("/")));
        solo.Begin(this);
        _isFresh = false;
        Assert.False(solo.TryAsk(this, solo.Links.Peek()));
        Assert.Empty(_asked);
        _isFresh = true;
        Assert.True(solo.TryAsk(this, solo.Links.Peek()));
        solo.Replies.Add(Reply(w => w.WriteStrings(["/h"])));
        var there = new JuteWriter();
        there.WriteStrings(["/apps/e", "/elsewhere/e"]);
        _asked[0].Then(new ReplyHeader(0, 7, ErrorCode.Ok), there.Written.ToArray());
        var writer = new JuteWriter();
        Assert.True(solo.TryWrite(writer));
        Assert.Equal(["/h", "/mnt/e"], new JuteReader(writer.Written).ReadStrings());
    }

    [Fact]
    public void Ephemeral_znodes_that_can_t_be_asked_for_are_not_said_to_be_gone()
    {
        _links[1].Book.Own("/mnt/e");
        _links[1].Phase = LinkPhase.Closed;
        var solo = new SoloEphemerals(1, Request(w => w.WriteString("/")));
        solo.Begin(this);
        Assert.True(solo.TryAsk(this, solo.Links.Peek()));
        Assert.Equal(ErrorCode.ConnectionLoss, solo.Outcome());
        var elsewhere = new SoloEphemerals(1, Request(w => w.WriteString("/home")));
        elsewhere.Begin(this);
        Assert.Empty(elsewhere.Links);
    }

    [Fact]
    public void A_count_is_the_sum_of_all_parts_and_home_must_have_the_znode()
    {
        var solo = new SoloCount(1, Request(w => w.WriteString("/")), _mounts.Below("/"));
        solo.Begin(this);
        Assert.Equal(2, solo.Steps.Count);
        solo.Replies.AddRange([Reply(w => w.WriteInt(4)), Reply(_ => { }, ErrorCode.NoNode)]);
        Assert.Equal(ErrorCode.Ok, solo.Outcome());
        var writer = new JuteWriter();
        Assert.True(solo.TryWrite(writer));
        Assert.Equal(4, BinaryPrimitives.ReadInt32BigEndian(writer.Written));
        solo.Replies[0] = Reply(_ => { }, ErrorCode.NoNode);
        Assert.Equal(ErrorCode.NoNode, solo.Outcome());
    }

    [Fact]
    public void A_recursive_watch_is_taken_back_below_unless_another_one_spans_it()
    {
        _recursive.UnionWith(["/", "/mn"]);
        var watch = new PathKindRequest("/", (int)AddWatchMode.PersistentRecursive);
        var add = new SoloWatchBelow(1, OpCode.AddWatch, Request(watch.Write));
        add.Begin(this);
        Assert.False(_links[1].Book.Watches!.IsEmpty);
        var remove = new SoloWatchBelow(2, OpCode.RemoveWatches, Request(w => new PathKindRequest("/", (int)WatcherType.Any).Write(w)));
        remove.Begin(this);
        Assert.True(_links[1].Book.Watches!.IsEmpty);
        Assert.Equal([OpCode.AddWatch, OpCode.RemoveWatches], _asked.Select(a => a.Op));
        Assert.Equal(["/mn"], _recursive);
    }

    [Fact]
    public void The_end_of_a_session_goes_to_all_its_clusters_before_home()
    {
        _links[1].Book.Sent(MakesEphemeral.Instance, strict: true);
        _links[1].SessionId = 7;
        var solo = new SoloClose(1, Request(_ => { }));
        solo.Begin(this);
        Assert.Equal((1, OpCode.CloseSession), (_asked[0].Cluster, _asked[0].Op));
        // What it owned there goes with it: losing that link now is no reason to end the client's connection.
        Assert.False(_links[1].Book.OwnsStrict);
        Assert.False(solo.MayRun(this));
        _asked[0].Then(new ReplyHeader(0, 1, ErrorCode.Ok), default);
        Assert.True(solo.MayRun(this));
    }

    [Fact]
    public void A_session_whose_end_was_not_answered_is_ended_on_the_next_link()
    {
        _links[1].SessionId = 7;
        var solo = new SoloClose(1, Request(_ => { }));
        solo.Begin(this);
        _links[1].Phase = LinkPhase.Closed;
        _links[1].RetryAtMs = 100;
        _asked[0].Then(new ReplyHeader(0, 0, ErrorCode.ConnectionLoss), default);
        Assert.False(solo.MayRun(this));
        Assert.Empty(_opened);
        _nowMs = 100;
        Assert.False(solo.MayRun(this));
        Assert.Equal([_links[1]], _opened);
        _links[1].Phase = LinkPhase.Ready;
        Assert.False(solo.MayRun(this));
        Assert.Equal(2, _asked.Count);
        _asked[1].Then(new ReplyHeader(0, 1, ErrorCode.Ok), default);
        Assert.True(solo.MayRun(this));
    }

    [Fact]
    public void A_session_that_its_server_does_not_know_any_more_has_ended()
    {
        _links[1].SessionId = 7;
        var solo = new SoloClose(1, Request(_ => { }));
        solo.Begin(this);
        _asked[0].Then(new ReplyHeader(0, 0, ErrorCode.ConnectionLoss), default);
        _links[1].SessionId = 0;
        Assert.True(solo.MayRun(this));
        Assert.Single(_asked);
    }

    [Fact]
    public void A_close_waits_for_a_link_that_is_down_only_for_what_the_session_owns_there_and_not_for_ever()
    {
        _links[1].Phase = LinkPhase.Closed;
        _links[1].SessionId = 7;
        var nothing = new SoloClose(1, Request(_ => { }));
        nothing.Begin(this);
        Assert.True(nothing.MayRun(this));
        _links[1].Book.Own("/mnt/lock");
        var owner = new SoloClose(1, Request(_ => { }));
        owner.Begin(this);
        Assert.False(owner.MayRun(this));
        Assert.Equal([_links[1]], _opened);
        _nowMs = 9999 / 3;
        Assert.True(owner.MayRun(this));
        Assert.Empty(_asked);
    }

    [Fact]
    public void Only_what_is_lost_fails_alone_in_reads_of_several_clusters()
    {
        var solo = new SoloMultiRead(1, Request(_ => { }), [Reads("/h"), Reads("/mnt/x")]);
        solo.Begin(this);
        solo.Replies.AddRange([Reply(MultiHeader.End.Write), Reply(_ => { }, ErrorCode.ConnectionLoss)]);
        Assert.Equal(ErrorCode.Ok, solo.Outcome());
        var writer = new JuteWriter();
        Assert.True(solo.TryWrite(writer));
        var reader = new JuteReader(writer.Written);
        Assert.Equal(OpCode.Error, MultiHeader.Read(ref reader).Type);
        solo.Replies[1] = Reply(_ => { }, ErrorCode.MarshallingError);
        Assert.Equal(ErrorCode.MarshallingError, solo.Outcome());
    }

    [Fact]
    public void It_begins_when_nothing_of_the_client_is_outstanding_and_credentials_overtake_nothing_of_the_proxy_either()
    {
        var close = new SoloClose(1, Request(_ => { }));
        var auth = new SoloAuth(1, Request(_ => { }));
        Assert.True(close.MayBegin(_links) && auth.MayBegin(_links));
        _links[1].Pending.Enqueue();
        Assert.True(close.MayBegin(_links));
        Assert.False(auth.MayBegin(_links));
        _links[1].Outstanding = 1;
        Assert.False(close.MayBegin(_links));
    }

    [Fact]
    public void A_close_waits_for_a_link_that_is_just_coming_up()
    {
        _links[1].Phase = LinkPhase.Handshaking;
        Assert.True(new SoloClose(1, Request(_ => { })).MayBegin(_links));
        _links[1].SessionId = 7;
        Assert.False(new SoloClose(1, Request(_ => { })).MayBegin(_links));
        Assert.True(new SoloEphemerals(1, Request(_ => { })).MayBegin(_links));
    }

    [Fact]
    public void Its_steps_run_one_after_the_other_and_then_the_clusters_are_asked()
    {
        _links[1].Book.Own("/mnt/e");
        var solo = new SoloEphemerals(1, Request(w => w.WriteString("/")));
        solo.Begin(this);
        _runs = false;
        Assert.False(solo.Advance(this));
        Assert.Empty(_ran);
        _runs = true;
        _isFresh = false;
        Assert.False(solo.Advance(this));
        Assert.Single(_ran);
        Assert.Equal([(1, false)], _tried);
        _isFresh = true;
        Assert.False(solo.Advance(this));
        Assert.Equal((1, true), _tried[^1]);
        _asked[0].Then(new ReplyHeader(0, 7, ErrorCode.NoAuth), default);
        Assert.True(solo.Advance(this));
        Assert.Equal(ErrorCode.NoAuth, ReplyHeader.Read(solo.Reply(new JuteWriter(), shownZxid: 9)[4..]).Error);
    }

    [Fact]
    public void A_cluster_that_can_t_be_asked_fails_the_request_alone_unless_a_strict_mount_is_concerned()
    {
        _links[1].Book.Own("/mnt/e");
        var solo = new SoloEphemerals(1, Request(w => w.WriteString("/")));
        solo.Begin(this);
        Assert.False(solo.TryDoWithout(_mounts));
        Assert.True(solo.TryDoWithout(new([new Mount("/mnt", 1, "eu", "/apps", new() { Order = MountOrder.Relaxed })])));
        Assert.Empty(solo.Links);
        Assert.Equal(ErrorCode.ConnectionLoss, solo.Outcome());
    }

    [Fact]
    public void One_reply_is_the_answer_as_it_came_and_none_is_no_answer()
    {
        var solo = new SoloAtHome(1, OpCode.Sasl, Request(_ => { }));
        Assert.True(solo.Reply(new JuteWriter(), shownZxid: 9).IsEmpty);
        solo.Replies.Add(Reply(w => w.WriteInt(5)));
        Assert.Equal(solo.Replies[0], solo.Reply(new JuteWriter(), shownZxid: 9).ToArray());
    }

    [Theory]
    [InlineData(OpCode.GetEphemerals, false, true)]
    [InlineData(OpCode.CloseSession, false, true)]
    [InlineData(OpCode.GetEphemerals, true, false)]
    [InlineData(OpCode.CloseSession, true, false)]
    [InlineData(OpCode.Auth, true, true)]
    [InlineData(OpCode.Sasl, true, true)]
    [InlineData(OpCode.SetWatches2, true, true)]
    [InlineData(OpCode.Multi, false, false)]
    public void What_concerns_several_clusters_is_carried_out_alone_once_there_are_several(OpCode op, bool usesHomeOnly, bool alone) =>
        Assert.Equal(alone, SoloChoice.Of(new ClientRequest(Frame(new RequestHeader(1, op).Write, _ => { })), _mounts, usesHomeOnly, true) is not null);

    [Theory]
    [InlineData(3, true)]
    [InlineData(4, true)]
    [InlineData(0, false)]
    public void A_persistent_watch_on_a_null_path_is_not_set_again_also_where_there_is_home_alone(int kind, bool alone)
    {
        var frame = Frame(new RequestHeader(1, OpCode.SetWatches2).Write, w =>
        {
            w.WriteLong(5);
            for (var i = 0; i < 5; i++)
            {
                w.WriteInt(i == kind ? 2 : 0);
                if (i == kind)
                {
                    w.WriteString("/x");
                    w.WriteString(null);
                }
            }
        });
        _mounts = new MountTable([]);
        var solo = SoloChoice.Of(new ClientRequest(frame), _mounts, usesHomeOnly: true, hasRemotes: false);
        Assert.Equal(alone, solo is SoloSetWatches);
        if (solo is null)
        {
            return;
        }
        solo.Begin(this);
        var reader = new JuteReader(solo.Steps.Peek().AsSpan(12));
        var home = SetWatchesRequest.Read(ref reader, OpCode.SetWatches2);
        Assert.False(home.EndsInNull);
        Assert.Equal(["/x"], [.. home.Persistent, .. home.PersistentRecursive]);
    }

    [Fact]
    public void A_recursive_watch_is_remembered_also_if_nothing_is_mounted_below_yet()
    {
        PathSet? recursive = null;
        var watch = Frame(new RequestHeader(1, OpCode.AddWatch).Write, new PathKindRequest("/a", (int)AddWatchMode.PersistentRecursive).Write);
        Assert.Null(SoloChoice.Below(new ClientRequest(watch), "/a"u8, _mounts, ref recursive));
        Assert.Equal(["/a"], recursive!);
        Assert.NotNull(SoloChoice.Below(new ClientRequest(watch), "/"u8, _mounts, ref recursive));
        var remove = Frame(new RequestHeader(1, OpCode.RemoveWatches).Write, new PathKindRequest("/a", (int)WatcherType.Any).Write);
        Assert.Null(SoloChoice.Below(new ClientRequest(remove), "/a"u8, _mounts, ref recursive));
        Assert.Equal(["/"], recursive!);
    }

    long ISoloSession.NowMs => _nowMs;

    int ISoloSession.TimeoutMs => 9999;

    IReadOnlyList<SessionLink> ISoloSession.Links => _links;

    MountTable ISoloSession.Mounts => _mounts;

    PathSet ISoloSession.Recursive => _recursive;

    SessionLink ISoloSession.LinkTo(int cluster) => _links[cluster];

    void ISoloSession.Open(SessionLink link) => _opened.Add(link);

    bool ISoloSession.TryKeep(AuthRequest credentials)
    {
        _kept.Add(credentials);
        return true;
    }

    void ISoloSession.Ask(SessionLink link, int xid, OpCode op, Action<JuteWriter> body, Action<ReplyHeader, ReadOnlyMemory<byte>> then) =>
        _asked.Add((link.Cluster, op, then));

    int ISoloSession.SetWatches(SessionLink link, SetWatchesRequest request, Action then) => 1;

    bool ISoloSession.TryRun(ReadOnlySpan<byte> step)
    {
        if (_runs)
        {
            _ran.Add(step.ToArray());
        }
        return _runs;
    }

    void ISoloSession.Tried(SessionLink link, bool asked) => _tried.Add((link.Cluster, asked));

    bool ISoloSession.Freshen(SessionLink link, MountCounters counters, bool barriers) => _isFresh;

    private static byte[] Reads(string path) => Request(w =>
    {
        new MultiHeader(OpCode.GetData, false, -1).Write(w);
        new PathWatchRequest(path, false).Write(w);
        MultiHeader.End.Write(w);
    });

    private static byte[] Request(Action<JuteWriter> body) => Frame(w => new RequestHeader(1, OpCode.GetData).Write(w), body);

    private static byte[] Reply(Action<JuteWriter> body, ErrorCode error = ErrorCode.Ok) => Frame(new ReplyHeader(1, 9, error).Write, body);

    private static byte[] Frame(Action<JuteWriter> header, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        header(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }
}
