using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>One link: what is sent on it, what is remembered of it, and what becomes of that.</summary>
public sealed class SessionLinkTests : IBarrierTransport
{
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Ordered);
    private readonly SessionLink _link = new(1) { Phase = LinkPhase.Ready };
    private readonly ScriptedLink _connection;

    public SessionLinkTests()
    {
        _connection = new ScriptedLink(_link);
        _link.Connection = _connection;
        _link.Server = new UpstreamServer(_region, 1, "b1", this);
    }

    [Theory]
    [InlineData(5, 5)]
    [InlineData(-1, 0)]
    [InlineData(-2, 0)]
    [InlineData(-4, -4)]
    public void A_request_goes_under_an_xid_that_is_no_event_s_and_no_ping_s_and_its_reply_is_matched(int xid, int sent)
    {
        _link.Enqueue(0, xid, OpCode.GetData, PendingKind.Forward);
        _link.SendRequest(Frames.Request(xid, OpCode.GetData, new PathWatchRequest("/apps/x", false).Write), nowMs: 1000);
        Assert.Equal(sent, new ClientRequest(_connection.Sent[^1]).Xid);
        Assert.True(_link.IsNext(sent));
        Assert.False(_link.IsNext(77));
        Assert.Equal((1, 1000, 1000), (_link.Outstanding, _link.LastSentMs, _link.WaitingSinceMs));
    }

    [Theory]
    [InlineData(OpCode.CreateTtl, 5, false)]
    [InlineData(OpCode.AddWatch, 5, true)]
    [InlineData(OpCode.GetEphemerals, 5, true)]
    [InlineData(OpCode.CreateTtl, 6, false)]
    [InlineData(OpCode.GetEphemerals, 6, true)]
    public void A_server_is_old_if_it_does_not_know_what_came_with_3_6_and_not_if_it_has_no_TTL_znodes(OpCode op, int answered, bool isOld)
    {
        _link.Enqueue(0, 5, op, PendingKind.Forward);

        _link.Shown(new ReplyHeader(answered, -1, ErrorCode.Unimplemented), _region, 1000);

        Assert.Equal(isOld, _link.IsOld(1001));
        Assert.False(_link.IsOld(1000 + UpstreamServer.OldForMs));
    }

    [Fact]
    public void A_server_is_silent_if_it_owes_an_answer_and_says_nothing_for_too_long()
    {
        Assert.False(_link.IsSilent(90_000, 100));
        _link.Ping(1000);
        Assert.False(_link.IsSilent(1100, 100));
        Assert.True(_link.IsSilent(1101, 100));
        Assert.Equal([OpCode.Ping], _connection.Operations);
        // While the client is so slow that nothing is read of the server, that says nothing of the server.
        _link.Excuse(1101);
        Assert.False(_link.IsSilent(1201, 100));
        Assert.True(_link.IsSilent(1202, 100));
        // Nor is a server silent of whose long reply a part has come.
        _link.Heard(1202);
        Assert.False(_link.IsSilent(1302, 100));
        _link.Phase = LinkPhase.Handshaking;
        _link.LastHeardMs = 1000;
        Assert.False(_link.IsSilent(1101, 100));
        Assert.True(_link.IsSilentHandshake(1101, 100));
    }

    [Fact]
    public void What_was_unanswered_is_told_when_the_link_is_lost_the_proxy_s_own_first_of_all()
    {
        var told = new List<ErrorCode>();
        _link.Ask(1000, 0, OpCode.Exists, PendingKind.Own, new PathWatchRequest("/apps", false).Write, (header, _) => told.Add(header.Error));
        _link.Enqueue(4, xid: 9, OpCode.SetData, PendingKind.Forward);
        Assert.True(_link.TryTakeLost(out var lost));
        Assert.Equal((4L, 9), (lost.Place, lost.Xid));
        Assert.Equal([ErrorCode.ConnectionLoss], told);
        Assert.False(_link.TryTakeLost(out _));
        Assert.Equal((0, 0), (_link.Outstanding, _link.Pending.Count));
    }

    [Fact]
    public void Many_watches_are_armed_in_several_requests_and_count_as_armed_when_the_last_is_answered()
    {
        _link.Book.WatchesUnarmed = true;
        var paths = Enumerable.Range(0, 300).Select(i => $"/{i}/" + new string('x', 1000)).ToArray();
        var answered = 0;
        var requests = _link.SetWatches(1000, new SetWatchesRequest(0, paths, [], [], [], []), PendingKind.Own, () => answered++);
        Assert.InRange(requests, 2, 10);
        Assert.Equal(requests, _connection.Operations.Count(o => o == OpCode.SetWatches));
        for (var i = 1; i <= requests; i++)
        {
            Assert.True(_link.Book.WatchesUnarmed);
            var pending = _link.Pending.Peek();
            _link.Pending.Dequeue();
            pending.Then!(new ReplyHeader(Xids.SetWatches, 0, ErrorCode.Ok), default);
        }
        Assert.Equal((requests, false), (answered, _link.Book.WatchesUnarmed));
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void A_remote_session_is_ended_with_its_client_s_connection_unless_it_is_on_record(bool recorded, bool ended)
    {
        _link.SessionId = 7;
        _region.Owners.Add(1, 7, 5);
        if (recorded)
        {
            _link.Record.Require(strict: false);
        }
        _link.End(_region, nowMs: 1);
        Assert.Equal(ended, _connection.Operations.Contains(OpCode.CloseSession));
        Assert.Equal(ended ? 7 : 5, _region.Owners.HomeOf(1, 7));
        Assert.Null(_link.Transport);
    }

    [Fact]
    public void What_reads_ask_for_is_kept_in_order_as_far_as_there_is_room()
    {
        var asked = new AskedPaths();
        ReadOnlySpan<byte> read = Frames.Request(1, OpCode.GetData, new PathWatchRequest("/apps/x", false).Write);
        Assert.True(AskedPaths.TryCut(OpCode.GetData, ref read));
        Assert.True(asked.TryAdd(read));
        ReadOnlySpan<byte> several = Frames.Request(2, OpCode.MultiRead, MultiHeader.End.Write);
        Assert.True(AskedPaths.TryCut(OpCode.MultiRead, ref several));
        Assert.True(asked.TryAdd(several));
        Assert.Equal("/apps/x"u8, asked.Path);
        asked.Drop();
        Assert.Equal(several, asked.MultiRead);
        ReadOnlySpan<byte> write = Frames.Request(3, OpCode.SetData, w => w.WriteString("/apps/x"));
        Assert.False(AskedPaths.TryCut(OpCode.SetData, ref write));
        ReadOnlySpan<byte> longest = Frames.Request(4, OpCode.GetData, new PathWatchRequest("/" + new string('x', Frontier.MaxPathLength), false).Write);
        Assert.False(AskedPaths.TryCut(OpCode.GetData, ref longest));
        var kept = 0;
        while (asked.TryAdd(read))
        {
            kept++;
        }
        Assert.InRange(kept, 1, AskedPaths.MaxBytes / read.Length);
    }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket)
    {
    }
}
