using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What a session has learned through a mount it knows when the mount is gone, and on another proxy too.</summary>
public sealed class ReturningSessionTests
{
    private readonly ScriptedHost _host = new();

    [Fact]
    public void A_session_that_returns_after_the_last_unmount_reads_home_behind_a_barrier()
    {
        _host.Region.Mounts = MountTable.Empty;
        _host.Attach();
        var home = _host.Links[0];

        _host.Request(1, OpCode.GetData, new PathWatchRequest("/x", false).Write);
        Assert.Empty(home.Operations);

        var (server, ticket) = Assert.Single(_host.Barriers);
        server.BarrierDone(ticket, succeeded: true);
        Assert.Equal([OpCode.GetData], home.Operations);
    }

    [Theory]
    [InlineData(long.MaxValue, false)]
    [InlineData(0, true)]
    public void A_server_that_refuses_a_client_which_claims_to_have_seen_more_is_not_held_to_have_lost_its_state(long seen,
        bool isForgotten)
    {
        var server = new UpstreamServer(_host.Region, 0, "a1", _host);
        server.Show(500);
        var writer = new JuteWriter();
        new ConnectRequest(0, seen, 10_000, 0, new byte[16], false).WriteFrame(writer);
        _host.Session.ClientFrame(writer.Written);
        _host.Session.LinkUp(_host.Links[0], server);
        _host.Session.LinkDown(_host.Links[0], "closed");

        Assert.Equal(isForgotten ? 0 : 500, server.Seen);
        Assert.Equal(isForgotten ? [server] : [], _host.Failed);
        // Another server gets its turn.
        Assert.Equal(2, _host.Links.Count);
    }

    [Fact]
    public void A_change_of_an_ACL_whose_answer_never_came_is_settled_when_its_session_has_ended_and_home_has_voted_since()
    {
        _host.Attach(session: 0);
        _host.Request(1, OpCode.SetAcl, new SetAclRequest("/x", [], -1).Write);
        _host.Session.ClientClosed();
        var positions = _host.Region.Positions;
        Assert.True(positions.IsUnwatchableAbove(1000));

        positions.SettleLost(_host.NowMs + 20_000, 900);
        Assert.True(positions.IsUnwatchableAbove(1000));
        positions.SettleLost(_host.NowMs + 20_001, 900);
        Assert.True(positions.IsUnwatchableAbove(899));
        Assert.False(positions.IsUnwatchableAbove(900));
    }

    [Fact]
    public void A_session_is_taken_over_when_mounts_may_be_used_and_not_through_a_server_that_may_have_to_be_left()
    {
        _host.Region.MountsUsableUntilMs = 0;
        _host.Records.Add(new RemoteSessionRecord(1, ScriptedHost.RemoteSession, new byte[16], Strict: true));
        _host.Attach();
        _host.NowMs += 1000;
        _host.Session.Tick();
        Assert.Single(_host.Links);
        Assert.False(_host.Session.IsEstablished);

        _host.Region.MountsUsableUntilMs = _host.NowMs + 5000;
        _host.Session.Tick();
        Assert.Equal(1, _host.Links[1].Link.Cluster);
        _host.Answer(_host.Links[1], ScriptedHost.RemoteSession);
        Assert.True(_host.Session.IsEstablished);
        Assert.Null(_host.Closed);
    }

    [Fact]
    public void A_new_session_has_learned_nothing_and_pays_nothing()
    {
        _host.Region.Mounts = MountTable.Empty;
        _host.Attach(session: 0);
        _host.Request(1, OpCode.GetData, new PathWatchRequest("/x", false).Write);
        Assert.Equal([OpCode.GetData], _host.Links[0].Operations);
        Assert.Empty(_host.Barriers);
    }
}
