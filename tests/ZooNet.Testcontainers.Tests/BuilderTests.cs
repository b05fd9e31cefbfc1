namespace ZooNet.Testcontainers.Tests;

/// <summary>What the builders refuse before an engine is asked for anything.</summary>
public sealed class BuilderTests
{
    [Fact]
    public void A_proxy_without_a_region_or_a_home_is_refused_before_anything_starts()
    {
        var builder = new ZooNetBuilder("zoonet");
        var refused = Assert.Throws<ArgumentException>(builder.Build).Message;
        Assert.Contains("WithRegion", refused, StringComparison.Ordinal);
        refused = Assert.Throws<ArgumentException>(builder.WithRegion("us").Build).Message;
        Assert.Contains("WithHome", refused, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("eu-1")]
    public void A_cluster_whose_name_can_be_no_variable_is_refused(string cluster) =>
        Assert.Throws<ArgumentException>(() => new ZooNetBuilder("zoonet").WithRemote(cluster, "eu-zk:2181"));

    [Fact]
    public void A_cluster_without_servers_is_refused() =>
        Assert.Throws<ArgumentException>(() => new ZooNetBuilder("zoonet").WithHome("us"));
}
