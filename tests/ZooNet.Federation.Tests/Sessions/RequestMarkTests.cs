using ZooNet.Federation.Sessions;

namespace ZooNet.Federation.Tests.Sessions;

public sealed class RequestMarkTests
{
    private readonly SessionLink _eu = new(3);
    private RequestMark _mark;

    [Fact]
    public void It_tells_who_answered_the_request_that_is_followed_and_no_other()
    {
        _mark.Set(2);
        _mark.Answered(_eu, ReplyOrder.Unasked);
        _mark.Answered(_eu, 0);
        Assert.Equal(-1, _mark.AnsweredBy);

        _mark.Answered(_eu, 1);
        _mark.Answered(new SessionLink(0), 2);
        Assert.Equal(3, _mark.AnsweredBy);

        _mark.Set(4);
        Assert.Equal(-1, _mark.AnsweredBy);
        _mark.Answered(null, 3);
        Assert.Equal(-1, _mark.AnsweredBy);
    }

    [Fact]
    public void What_is_never_set_follows_nothing()
    {
        _mark.Answered(_eu, 0);
        _mark.Answered(_eu, ReplyOrder.Unasked);
        Assert.Equal(-1, _mark.AnsweredBy);
    }
}
