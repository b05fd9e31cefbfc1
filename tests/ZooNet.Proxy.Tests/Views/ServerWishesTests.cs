using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>Through which server of a remote cluster a proxy would like to read: a, b and c, in this order of preference.</summary>
public sealed class ServerWishesTests : TimeProvider, IRemoteServers
{
    private readonly HashSet<string> _answering = ["a", "b", "c"];
    private readonly ServerWishes _wishes;
    private List<string> _addresses = ["a", "b", "c"];
    private TimeSpan _now = TimeSpan.FromHours(1);
    private string? _inUse;
    private int _resolved;

    public ServerWishesTests() => _wishes = new ServerWishes(2, this, this, static () => { }, CancellationToken.None);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    [Fact]
    public void It_is_the_first_until_a_link_reaches_another_one()
    {
        Assert.Equal("a", Wish());
        Pass(seconds: 3600);
        Assert.Equal("a", Wish());
        Assert.Null(_wishes.LookAgain);
        _wishes.Reached(1, "b");
        Assert.Equal("b", Wish());
    }

    [Fact]
    public void A_better_one_is_gone_back_to_when_it_answers_and_not_before_half_a_minute()
    {
        _answering.Remove("a");
        Assert.Equal("a", Wish());
        _wishes.Reached(1, "c");
        Assert.Equal("c", Wish());
        Assert.Equal(TimeSpan.FromSeconds(30), _wishes.LookAgain);
        Pass(seconds: 29);
        Assert.Equal("c", Wish());
        Pass(seconds: 1);
        Assert.Equal("b", Wish());
        Pass(seconds: 30);
        Assert.Equal("b", Wish());
        _answering.Add("a");
        Pass(seconds: 30);
        Assert.Equal("a", Wish());
    }

    [Fact]
    public void One_that_does_not_last_is_gone_back_to_at_growing_intervals()
    {
        Wish();
        for (var seconds = 30; seconds <= 120; seconds *= 2)
        {
            _wishes.Reached(1, "b");
            Assert.Equal("b", Wish());
            Pass(seconds: seconds - 1);
            Assert.Equal("b", Wish());
            Pass(seconds: 1);
            Assert.Equal("a", Wish());
        }
        // This time it lasts.
        Pass(seconds: 600);
        Assert.Equal("a", Wish());
        _wishes.Reached(1, "b");
        Wish();
        Pass(seconds: 30);
        Assert.Equal("a", Wish());
    }

    [Fact]
    public void A_proxy_alone_wishes_what_it_uses()
    {
        Assert.Equal("a", Wish(alone: true));
        _inUse = "b";
        Assert.Equal("b", Wish(alone: true));
        Pass(seconds: 3600);
        Assert.Equal("b", Wish(alone: true));
    }

    [Fact]
    public void Names_that_can_not_be_resolved_are_asked_again_after_a_while()
    {
        _addresses = [];
        for (var i = 0; i < 5; i++)
        {
            Assert.Null(Wish());
        }
        Assert.Equal(1, _resolved);
        Assert.Equal(TimeSpan.FromSeconds(5), _wishes.LookAgain);
        _addresses = ["a"];
        Pass(seconds: 5);
        Assert.Equal("a", Wish());
    }

    public override long GetTimestamp() => _now.Ticks;

    string? IRemoteServers.InUse(int cluster) => _inUse;

    Task<IReadOnlyList<string>> IRemoteServers.AddressesAsync(int cluster, CancellationToken cancellationToken)
    {
        _resolved++;
        return Task.FromResult<IReadOnlyList<string>>([.. _addresses]);
    }

    Task<bool> IRemoteServers.AnswersAsync(int cluster, string address, CancellationToken cancellationToken) => Task.FromResult(_answering.Contains(address));

    private void Pass(int seconds) => _now += TimeSpan.FromSeconds(seconds);

    /// <summary>The wish, once what it asked has been answered.</summary>
    private string? Wish(bool alone = false)
    {
        _wishes.Of([("eu", 1)], alone);
        return _wishes.Of([("eu", 1)], alone).GetValueOrDefault("eu");
    }
}
