using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What a client adds to be somebody in other clusters too.</summary>
public sealed class KeptCredentialsTests
{
    private readonly KeptCredentials _kept = new();
    private readonly ClientLimits _limits = new() { Credentials = 2, CredentialBytes = 10 };

    [Fact]
    public void They_are_kept_once_each_and_given_to_every_link_that_comes_up()
    {
        Assert.True(Add("a:b") && Add("a:b") && Add("c:d"));
        var link = new SessionLink(1);
        var connection = new ScriptedLink(link);
        link.Connection = connection;
        _kept.Send(link, nowMs: 1000);
        Assert.Equal([OpCode.Auth, OpCode.Auth], connection.Operations);
    }

    [Fact]
    public void There_are_no_more_of_them_than_one_client_may_have()
    {
        Assert.True(Add("a:b") && Add("c:d"));
        Assert.False(Add("e:f"));
        Assert.Equal(1, _limits.Reached(ClientLimit.Credentials));
    }

    [Fact]
    public void Together_they_are_no_longer_than_one_client_may_have() => Assert.False(Add("user:password"));

    private bool Add(string credentials)
    {
        var added = _kept.TryAdd(new AuthRequest(0, "digest", System.Text.Encoding.UTF8.GetBytes(credentials)), _limits, out var why);
        Assert.Equal(added, why.Length == 0);
        return added;
    }
}
