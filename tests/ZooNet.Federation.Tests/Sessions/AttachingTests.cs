using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>A client on its way in.</summary>
public sealed class AttachingTests
{
    [Theory]
    [InlineData(100, 4000)]
    [InlineData(10_000, 10_000)]
    [InlineData(90_000, 40_000)]
    public void It_asks_for_a_timeout_that_every_cluster_grants(int wish, int asked)
    {
        var attaching = Read(new ConnectRequest(0, 0, wish, 0, new byte[16], false));
        Assert.Equal(asked, attaching.TimeoutMs);
        Assert.Equal(asked, attaching.RequestTo(0).TimeoutMs);
        Assert.False(attaching.Returns);
    }

    [Fact]
    public void A_server_of_home_must_have_seen_what_the_client_saw_and_what_the_proxy_saw_of_it()
    {
        var attaching = Read(new ConnectRequest(0, 20, 10_000, 7, new byte[16], false));
        Assert.Equal(20, attaching.SeenZxid);
        Assert.Equal(20, attaching.RequestTo(5).LastZxidSeen);
        Assert.Equal(30, attaching.RequestTo(30).LastZxidSeen);
        Assert.Equal(7, attaching.RequestTo(30).SessionId);
        Assert.True(attaching.Returns);
    }

    [Fact]
    public void Servers_that_close_without_an_answer_are_tried_a_few_and_no_more()
    {
        var attaching = Read(new ConnectRequest(0, 0, 10_000, 0, new byte[16], false));
        for (var i = 1; i < Attaching.MaxServers; i++)
        {
            Assert.True(attaching.MayTryAnother());
        }
        Assert.False(attaching.MayTryAnother());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_refusal_has_the_form_of_the_answer_that_it_takes_the_place_of(bool readOnly)
    {
        var attaching = Read(new ConnectRequest(0, 0, 10_000, 0, new byte[16], readOnly));
        var answer = new JuteWriter();
        new ConnectResponse(0, 10_000, 7, new byte[16], readOnly).WriteFrame(answer);
        attaching.Granted(answer.Written);
        Assert.Equal(answer.Written, attaching.Response);
        var writer = new JuteWriter();
        attaching.WriteRefusal(writer);
        var refusal = ConnectResponse.TryRead(writer.Written[4..])!;
        Assert.Equal((0, 0, readOnly), (refusal.SessionId, refusal.TimeoutMs, refusal.ReadOnly));
    }

    [Fact]
    public void What_is_no_connect_request_is_not_taken_for_one() =>
        Assert.Null(Attaching.TryRead([0, 0, 0, 4, 1, 2, 3, 4], (4000, 40_000)));

    private static Attaching Read(ConnectRequest request)
    {
        var writer = new JuteWriter();
        request.WriteFrame(writer);
        return Attaching.TryRead(writer.Written, (4000, 40_000))!;
    }
}
