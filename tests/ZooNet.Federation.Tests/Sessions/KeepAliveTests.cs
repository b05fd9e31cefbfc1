using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>A client lives in all of its sessions or in none, whatever it sends and wherever.</summary>
public sealed class KeepAliveTests
{
    private const int Timeout = 12_000;

    private readonly ScriptedHost _host = new();

    [Fact]
    public void A_link_that_has_just_carried_something_is_left_alone()
    {
        var lease = new KeepAlive();
        lease.Heard(5000);
        Assert.False(lease.IsDue(5000, lastSentMs: 5000, Timeout, Timeout, waiting: false));
        Assert.False(lease.IsDue(5999, lastSentMs: 5000, Timeout, Timeout, waiting: false));
    }

    [Fact]
    public void A_link_is_told_within_a_small_part_of_its_own_timeout_after_the_client_was_heard()
    {
        var lease = new KeepAlive();
        lease.Heard(5000);
        Assert.False(lease.IsDue(5000, lastSentMs: 4500, Timeout, Timeout, waiting: false));
        Assert.True(lease.IsDue(5500, lastSentMs: 4500, Timeout, Timeout, waiting: false));
        // A cluster that granted less is told earlier.
        Assert.True(lease.IsDue(5000, lastSentMs: 4500, Timeout / 4, Timeout, waiting: false));
    }

    [Fact]
    public void A_silent_client_renews_nothing()
    {
        var lease = new KeepAlive();
        lease.Heard(5000);
        Assert.False(lease.IsDue(50_000, lastSentMs: 5000, Timeout, Timeout, waiting: false));
        Assert.True(lease.IsSilent(17_001, Timeout));
        Assert.False(lease.IsSilent(17_000, Timeout));
    }

    [Fact]
    public void A_client_that_waits_and_does_not_ping_meanwhile_lives()
    {
        var lease = new KeepAlive();
        lease.Heard(5000);
        Assert.False(lease.IsDue(8999, lastSentMs: 5000, Timeout, Timeout, waiting: true));
        Assert.True(lease.IsDue(9000, lastSentMs: 5000, Timeout, Timeout, waiting: true));
        Assert.True(lease.WantsSign(9000, Timeout));
    }

    [Fact]
    public void A_client_that_waits_and_may_be_dead_is_believed_in_for_one_timeout_more_and_no_longer()
    {
        var lease = new KeepAlive();
        lease.Heard(5000);
        Assert.True(lease.IsDue(17_000, lastSentMs: 13_000, Timeout, Timeout, waiting: true));
        Assert.False(lease.IsDue(17_001, lastSentMs: 13_000, Timeout, Timeout, waiting: true));
        Assert.True(lease.IsGivenUp(17_001, Timeout, waiting: false));
        Assert.False(lease.IsGivenUp(29_000, Timeout, waiting: true));
        Assert.True(lease.IsGivenUp(29_001, Timeout, waiting: true));
        // It is told no more either: if it lives, it finds out and comes back before its sessions end.
        Assert.False(lease.WantsSign(17_001, Timeout));
    }

    [Fact]
    public void A_cluster_that_granted_less_than_home_is_told_between_the_signs_of_life_and_its_session_ends_with_home_s()
    {
        var lease = new KeepAlive();
        lease.Heard(0);
        var last = 0L;
        for (var now = 0L; now < 3 * Timeout; now += 10)
        {
            if (lease.IsDue(now, last, Timeout / 4, Timeout, waiting: false))
            {
                last = now;
            }
            Assert.True(now > Timeout * 11 / 12 || now - last < Timeout / 4, $"the session there ended {now} ms after the client was heard");
        }
        Assert.InRange(last + (Timeout / 4), Timeout * 11 / 12, Timeout);
    }

    [Theory]
    [InlineData(OpCode.GetData)]
    [InlineData(OpCode.SetData)]
    [InlineData(OpCode.Sync)]
    public void Whatever_a_client_sends_to_a_mount_keeps_its_home_session(OpCode op)
    {
        UseTheMount();
        var (home, last) = (_host.Links[0], _host.NowMs);
        for (var xid = 2; xid < 200; xid++)
        {
            _host.NowMs += 100;
            home.Sent.Clear();
            Use("/mnt/x", op, xid);
            if (op == OpCode.SetData && xid == 2)
            {
                // Before its first write there the session in eu goes on record.
                _host.Session.RecordSaved(1, saved: true);
            }
            _host.Reply(_host.Links[1], xid, zxid: 3, error: ErrorCode.NoNode);
            _host.Session.Tick();
            last = home.Operations.Contains(OpCode.Ping) ? _host.NowMs : last;
            Assert.Null(_host.Closed);
            Assert.InRange(_host.NowMs - last, 0, 10_000 / 12 + 200);
        }
    }

    [Fact]
    public void Requests_that_the_proxy_answers_itself_keep_the_home_session()
    {
        _host.Region.Mounts = new([new("/ro", 1, "eu", "/apps", new() { ReadOnly = true })]);
        _host.Attach(session: 0);
        _host.Links[0].Sent.Clear();
        for (var xid = 1; xid <= 20; xid++)
        {
            _host.NowMs += 100;
            Use("/ro/x", OpCode.SetData, xid);
        }
        Assert.Contains(OpCode.Ping, _host.Links[0].Operations);
    }

    [Fact]
    public void The_last_thing_that_a_client_sent_reaches_every_session_although_nothing_follows()
    {
        UseTheMount();
        _host.NowMs += 5000;
        Use("/home", OpCode.GetData, xid: 2);
        _host.Reply(_host.Links[0], 2, zxid: 8, error: ErrorCode.NoNode);
        // Too early after the ping that went with the request before.
        _host.NowMs += 100;
        Use("/home", OpCode.GetData, xid: 3);
        _host.Reply(_host.Links[0], 3, zxid: 8, error: ErrorCode.NoNode);
        var remote = _host.Links[1];
        remote.Sent.Clear();
        Assert.True(_host.Session.NeedsTicks);
        for (var i = 0; i < 10; i++)
        {
            _host.NowMs += 100;
            _host.Session.Tick();
        }
        Assert.Equal([OpCode.Ping], remote.Operations);
        for (var i = 0; i < 80; i++)
        {
            _host.NowMs += 100;
            _host.Session.Tick();
        }
        Assert.Single(remote.Sent);
    }

    /// <summary>The client is let in, and has read the mount once.</summary>
    private void UseTheMount()
    {
        _host.Region.Coupling = UniformCoupling.None;
        _host.Attach(session: 0);
        Use("/mnt/x", OpCode.GetData, xid: 1);
        _host.Reply(_host.Links[0], Xids.Ping);
        _host.Answer(_host.Links[1], ScriptedHost.RemoteSession);
        _host.Reply(_host.Links[1], 1, zxid: 3, error: ErrorCode.NoNode);
    }

    private void Use(string path, OpCode op, int xid) => _host.Request(xid, op, writer =>
    {
        writer.WriteString(path);
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
