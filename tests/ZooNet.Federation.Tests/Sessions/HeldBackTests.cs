using System.Buffers.Binary;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// Replies that wait for an earlier one, as a relaxed mount lets them: which zxids the client sees meanwhile, and how much may wait.
/// </summary>
public sealed class HeldBackTests
{
    private static readonly MountOptions Relaxed = new() { Order = MountOrder.Relaxed, Barriers = false };

    [Fact]
    public void The_reply_of_a_mount_shows_no_zxid_of_home_whose_event_has_not_left()
    {
        var host = Waiting();
        var (home, eu) = (host.Links[0], host.Links[1]);
        host.Reply(home, 3, Data, zxid: 40);
        host.Reply(home, Xids.Notification, w => Changed(w, "/b"), zxid: 41);
        Ping(host, zxid: 41);
        Assert.Equal((Xids.Ping, 7), Assert.Single(Shown(host)));

        host.ToClient.Clear();
        host.Reply(eu, 2, Data, zxid: 900);
        Assert.Equal([(2, 7), (3, 40), (Xids.Notification, 41)], Shown(host));

        host.ToClient.Clear();
        Get(host, 4, "/mnt/x");
        host.Reply(eu, 4, Data, zxid: 901);
        Ping(host, zxid: 41);
        Assert.Equal([(4, 41), (Xids.Ping, 41)], Shown(host));
    }

    [Fact]
    public void What_the_client_is_shown_never_goes_back()
    {
        var host = Waiting();
        Get(host, 4, "/mnt/y");
        host.Reply(host.Links[0], 3, Data, zxid: 40);
        host.Reply(host.Links[1], 2, Data, zxid: 900);
        host.Reply(host.Links[1], 4, Data, zxid: 901);
        Assert.Equal([(2, 7), (3, 40), (4, 40)], Shown(host));

        // One that the proxy itself answers, before home has answered what was asked before.
        host.ToClient.Clear();
        Get(host, 5, "/mnt/x");
        Set(host, 6, "/b");
        host.Request(7, OpCode.Delete, new PathVersionRequest("/mnt", -1).Write);
        host.Reply(host.Links[0], 6, Data, zxid: 50);
        host.Reply(host.Links[1], 5, Data, zxid: 902);
        Assert.Equal([(5, 40), (6, 50), (7, 50)], Shown(host));
    }

    [Fact]
    public void While_much_is_held_back_the_client_is_not_read_and_what_it_sent_goes_in_its_turn()
    {
        var host = Waiting();
        var home = host.Links[0];
        host.Reply(home, 3, w => w.WriteRaw(new byte[ClientReplies.MuchBytes]), zxid: 40);
        Assert.False(host.Session.WantsClientFrames);
        home.Sent.Clear();
        Set(host, 4, "/b");
        Assert.Empty(home.Sent);

        host.Reply(host.Links[1], 2, Data);
        Assert.True(host.Session.WantsClientFrames);
        Assert.Equal([OpCode.SetData], home.Operations);
        Assert.Equal(0, host.Region.Limits.Collected);
    }

    [Fact]
    public void A_client_for_which_more_would_be_held_back_than_may_be_is_disconnected_and_nothing_stays_counted()
    {
        var host = Waiting(new ClientLimits { Reply = 1000 });
        host.Reply(host.Links[0], 3, w => w.WriteRaw(new byte[900]), zxid: 40);
        Assert.InRange(host.Region.Limits.Collected, 900, 1000);
        Assert.Null(host.Closed);
        host.Reply(host.Links[0], Xids.Notification, w => Changed(w, "/" + new string('b', 100)));
        Assert.StartsWith("LimitReached: replies of 10", host.Closed);
        Assert.Equal(0, host.Region.Limits.Collected);
        Assert.Equal(1, host.Region.Limits.Reached(ClientLimit.Reply));
    }

    /// <summary>A client that waits for 2 in the mount and has asked for 3 at home, which has shown it 7 so far.</summary>
    private static ScriptedHost Waiting(ClientLimits? limits = null)
    {
        var host = new ScriptedHost(Relaxed, limits);
        host.Attach(session: 0);
        Get(host, 1, "/a");
        host.Reply(host.Links[0], 1, Data);
        Get(host, 2, "/mnt/x");
        host.Answer(host.Links[1], ScriptedHost.RemoteSession);
        Get(host, 3, "/b");
        host.ToClient.Clear();
        return host;
    }

    private static void Get(ScriptedHost host, int xid, string path) =>
        host.Request(xid, OpCode.GetData, new PathWatchRequest(path, false).Write);

    private static void Set(ScriptedHost host, int xid, string path) =>
        host.Request(xid, OpCode.SetData, new SetDataRequest(path, [], -1).Write);

    private static void Ping(ScriptedHost host, long zxid)
    {
        host.Request(Xids.Ping, OpCode.Ping, _ => { });
        host.Reply(host.Links[0], Xids.Ping, zxid: zxid);
    }

    private static void Changed(JuteWriter writer, string path)
    {
        writer.WriteInt((int)WatchEventType.DataChanged);
        writer.WriteInt(WatcherEvent.SyncConnected);
        writer.WriteString(path);
    }

    private static void Data(JuteWriter writer)
    {
        writer.WriteBuffer([1]);
        new Stat(1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1).Write(writer);
    }

    private static List<(int Xid, long Zxid)> Shown(ScriptedHost host) => host.ToClient.ConvertAll(f =>
        (BinaryPrimitives.ReadInt32BigEndian(f.AsSpan(4)), BinaryPrimitives.ReadInt64BigEndian(f.AsSpan(8))));
}
