using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Tests.Telemetry;

public sealed class LogLimitTests
{
    [Fact]
    public void Of_each_kind_a_few_pass_in_ten_seconds_and_the_next_one_says_how_many_were_left_out()
    {
        var time = new StoppedTime();
        var limit = new LogLimit(2, time, burst: 3);

        Assert.Equal(3, Enumerable.Range(0, 100).Count(_ => limit.Allows(0, out var none) && none == 0));
        Assert.True(limit.Allows(1, out _));
        time.Seconds = 11;
        Assert.True(limit.Allows(0, out var leftOut));

        Assert.Equal(97, leftOut);
        Assert.True(limit.Allows(0, out leftOut));
        Assert.Equal(0, leftOut);
    }

    private sealed class StoppedTime : TimeProvider
    {
        public long Seconds { get; set; } = 1;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
