namespace ZooNet.Protocol.Tests;

public sealed class ZnodePathTests
{
    /// <summary>What Java's <c>String.format("%010d", n)</c> gives; a parent's counter overflows after 2^31 children.</summary>
    [Theory]
    [InlineData(0, "0000000000")]
    [InlineData(int.MaxValue, "2147483647")]
    [InlineData(-5, "-000000005")]
    [InlineData(int.MinValue, "-2147483648")]
    public void A_counter_takes_ten_characters_and_more_only_if_it_must(int counter, string name) => Assert.Equal(name, ZnodePath.Counter(counter));
}
