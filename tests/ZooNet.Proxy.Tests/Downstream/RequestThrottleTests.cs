using System.Net;
using ZooNet.Proxy.Downstream;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>How many requests a second the clients of one address may make together.</summary>
public sealed class RequestThrottleTests
{
    private static readonly IPAddress Client = IPAddress.Parse("192.0.2.7");

    [Fact]
    public void A_second_s_worth_may_come_at_once_and_then_each_request_has_its_turn()
    {
        var share = new RequestThrottle(10).Enter(Client, 0);
        Assert.All(Enumerable.Range(0, 10), _ => Assert.Equal(5000, share.TakeTurn(5000)));
        Assert.Equal([5100, 5200, 5300], Enumerable.Range(0, 3).Select(_ => share.TakeTurn(5000)));
        // After a while at rest, a second's worth again, and not more.
        Assert.All(Enumerable.Range(0, 10), _ => Assert.Equal(60_000, share.TakeTurn(60_000)));
        Assert.Equal(60_100, share.TakeTurn(60_000));
    }

    [Fact]
    public void The_connections_of_an_address_take_turns_and_other_addresses_have_their_own()
    {
        var throttle = new RequestThrottle(2);
        var first = throttle.Enter(Client, 0);
        var second = throttle.Enter(Client, 0);
        var other = throttle.Enter(IPAddress.Parse("192.0.2.8"), 0);
        Assert.Equal([0, 0, 500, 1000], new[] { first, second, first, second }.Select(s => s.TakeTurn(0)));
        Assert.Equal(0, other.TakeTurn(0));
        Assert.Equal(2, throttle.Delayed);
    }

    [Fact]
    public void Who_comes_back_goes_on_where_it_was_and_who_stays_away_is_forgotten()
    {
        var throttle = new RequestThrottle(1);
        var share = throttle.Enter(Client, 0);
        share.TakeTurn(0);
        throttle.Leave(share);
        Assert.Equal(1000, throttle.Enter(Client, 0).TakeTurn(0));

        for (var i = 0; i < 5000; i++)
        {
            throttle.Leave(throttle.Enter(new IPAddress([10, 0, (byte)(i >> 8), (byte)i]), 10_000));
        }
        Assert.InRange(throttle.Count, 1, 2000);
    }

    [Fact]
    public async Task A_client_that_asks_for_more_than_it_may_waits_and_loses_nothing()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Throttle = 20 });
        var client = await regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        var replies = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => client.CreateAsync($"/throttled-{i:d2}")));

        Assert.Equal([.. Enumerable.Range(0, 60).Select(i => $"/throttled-{i:d2}")], replies.Select(r => r.Path));
        Assert.InRange(proxy.Host.Path.Throttle!.Delayed, 1, 61);
        Assert.Contains("zoonet_requests_delayed_total ", await proxy.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }
}
