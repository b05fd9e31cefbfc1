using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>Through which server of a remote cluster a proxy would like to read: a, b and c, in this order of preference.</summary>
public sealed class PreferredServersTests : TimeProvider, IRemoteServers
{
    private readonly HashSet<string> _answering = ["a", "b", "c"];
    private readonly PreferredServers _servers;
    private List<string> _addresses = ["a", "b", "c"];
    private TimeSpan _now = TimeSpan.FromHours(1);
    private string? _inUse;
    private int _resolved;

    public PreferredServersTests() => _servers = new PreferredServers(2, this, this, static () => { }, CancellationToken.None);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    [Fact]
    public void It_is_the_first_until_a_link_reaches_another_one()
    {
        Assert.Equal("a", Preferred());
        Pass(seconds: 3600);
        Assert.Equal("a", Preferred());
        Assert.Null(_servers.CheckAfter);
        _servers.Reached(1, "b");
        Assert.Equal("b", Preferred());
    }

    [Fact]
    public void A_better_one_is_gone_back_to_when_it_answers_and_not_before_half_a_minute()
    {
        _answering.Remove("a");
        Assert.Equal("a", Preferred());
        _servers.Reached(1, "c");
        Assert.Equal("c", Preferred());
        Assert.Equal(TimeSpan.FromSeconds(30), _servers.CheckAfter);
        Pass(seconds: 29);
        Assert.Equal("c", Preferred());
        Pass(seconds: 1);
        Assert.Equal("b", Preferred());
        Pass(seconds: 30);
        Assert.Equal("b", Preferred());
        _answering.Add("a");
        Pass(seconds: 30);
        Assert.Equal("a", Preferred());
    }

    [Fact]
    public void One_that_does_not_last_is_gone_back_to_at_growing_intervals()
    {
        Preferred();
        for (var seconds = 30; seconds <= 120; seconds *= 2)
        {
            _servers.Reached(1, "b");
            Assert.Equal("b", Preferred());
            Pass(seconds: seconds - 1);
            Assert.Equal("b", Preferred());
            Pass(seconds: 1);
            Assert.Equal("a", Preferred());
        }
        // This time it lasts.
        Pass(seconds: 600);
        Assert.Equal("a", Preferred());
        _servers.Reached(1, "b");
        Preferred();
        Pass(seconds: 30);
        Assert.Equal("a", Preferred());
    }

    [Fact]
    public void One_that_is_doubted_is_left_only_if_it_does_not_answer_and_for_the_first_that_does()
    {
        Preferred();
        _servers.Doubt(1);
        Assert.Equal("a", Preferred());
        _answering.ExceptWith(["a", "b"]);
        _servers.Doubt(1);
        Assert.Equal("c", Preferred());
        _answering.Clear();
        _servers.Doubt(1);
        Assert.Equal("c", Preferred());
    }

    [Fact]
    public void A_proxy_alone_servers_what_it_uses()
    {
        Assert.Equal("a", Preferred(alone: true));
        _inUse = "b";
        Assert.Equal("b", Preferred(alone: true));
        Pass(seconds: 3600);
        Assert.Equal("b", Preferred(alone: true));
    }

    [Fact]
    public void Names_that_can_not_be_resolved_are_asked_again_after_a_while()
    {
        _addresses = [];
        for (var i = 0; i < 5; i++)
        {
            Assert.Null(Preferred());
        }
        Assert.Equal(1, _resolved);
        Assert.Equal(TimeSpan.FromSeconds(5), _servers.CheckAfter);
        _addresses = ["a"];
        Pass(seconds: 5);
        Assert.Equal("a", Preferred());
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

    /// <summary>What is preferred, once what it asked has been answered.</summary>
    private string? Preferred(bool alone = false)
    {
        _servers.Current([("eu", 1)], alone);
        return _servers.Current([("eu", 1)], alone).GetValueOrDefault("eu");
    }

    event Action? IRemoteServers.Taken
    {
        add { }
        remove { }
    }

    bool IRemoteServers.IsTaking(int cluster, string path) => false;
}
