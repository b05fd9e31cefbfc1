using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>Servers answer auth ahead of what was asked before: the session must see to it that nothing was.</summary>
public sealed class CredentialTests
{
    private const int GetEphemeralsXid = 0;
    private readonly ScriptedHost _host = new();

    [Fact]
    public void Credentials_wait_for_the_answer_to_what_the_proxy_itself_asks_a_server()
    {
        _host.Records.Add(new RemoteSessionRecord(1, ScriptedHost.RemoteSession, new byte[16], Strict: false));
        _host.Attach();
        var (home, remote) = (_host.Links[0], _host.Links[1]);
        _host.Answer(remote, ScriptedHost.RemoteSession);
        // The proxy asks what a session that it has taken over owns, and the client is let in meanwhile.
        Assert.Equal([OpCode.GetEphemerals], remote.Operations);

        _host.Request(Xids.Auth, OpCode.Auth, new AuthRequest(0, "digest", "ann:secret"u8.ToArray()).Write);
        Assert.DoesNotContain(OpCode.Auth, remote.Operations);
        Assert.DoesNotContain(OpCode.Auth, home.Operations);

        _host.Reply(remote, GetEphemeralsXid, static writer => writer.WriteStrings([]));
        Assert.Contains(OpCode.Auth, remote.Operations);
        _host.Reply(remote, Xids.Auth);
        Assert.Contains(OpCode.Auth, home.Operations);
        _host.Reply(home, Xids.Auth);
        Assert.Null(_host.Closed);
        Assert.Equal(Xids.Auth, ReplyHeader.Read(_host.ToClient[^1].AsSpan(4)).Xid);
    }

    [Fact]
    public void A_link_that_comes_up_later_gets_the_credentials_before_anything_else()
    {
        _host.Records.Add(new RemoteSessionRecord(1, ScriptedHost.RemoteSession, new byte[16], Strict: false));
        _host.Attach();
        var (home, remote) = (_host.Links[0], _host.Links[1]);
        _host.Request(Xids.Auth, OpCode.Auth, new AuthRequest(0, "digest", "ann:secret"u8.ToArray()).Write);
        _host.Reply(home, Xids.Auth);

        _host.Answer(remote, ScriptedHost.RemoteSession);

        Assert.Null(_host.Closed);
        Assert.Equal([OpCode.Auth, OpCode.GetEphemerals], remote.Operations);
        _host.Reply(remote, Xids.Auth);
        _host.Reply(remote, GetEphemeralsXid, static writer => writer.WriteStrings([]));
        Assert.Null(_host.Closed);
    }
}
