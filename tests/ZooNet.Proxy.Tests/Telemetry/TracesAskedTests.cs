using Microsoft.Extensions.Time.Testing;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Tests.Telemetry;

public sealed class TracesAskedTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TracesAsked _asked;

    public TracesAskedTests() => _asked = new TracesAsked(_time);

    [Fact]
    public async Task There_are_some_until_the_last_one_was_told_however_often_each_was_asked_for()
    {
        Assert.False(_asked.Any);
        Assert.True(_asked.TryAsk(1) && _asked.TryAsk(1) && _asked.TryAsk(2));

        await TellAsync(1);
        Assert.True(_asked.Any);
        Assert.NotNull(_asked.Take(2));
        // One request of a session is meant.
        Assert.Null(_asked.Take(2));

        _asked.TryAsk(2);
        await TellAsync(2);
        Assert.False(_asked.Any);
        Assert.Null(await _asked.ResultAsync(2, default));
    }

    [Fact]
    public void So_many_at_a_time_and_what_nobody_fetched_in_time_makes_room()
    {
        for (var session = 1; session <= TracesAsked.Most; session++)
        {
            Assert.True(_asked.TryAsk(session));
        }
        Assert.False(_asked.TryAsk(100));

        _time.Advance(TracesAsked.Patience + TimeSpan.FromSeconds(1));
        Assert.True(_asked.TryAsk(100));
        Assert.Null(_asked.Take(1));
        Assert.NotNull(_asked.Take(100));
    }

    private async Task TellAsync(long session)
    {
        var order = _asked.Take(session)!;
        order.Steps.SetResult([new TraceStep("answered", null, null, 1)]);
        Assert.Equal("answered", Assert.Single((await _asked.ResultAsync(session, default))!).What);
    }
}
