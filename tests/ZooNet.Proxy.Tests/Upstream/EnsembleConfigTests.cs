using System.Text;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Upstream;

public sealed class EnsembleConfigTests
{
    [Fact]
    public void Participants_come_before_observers_and_a_server_on_every_address_is_reached_where_the_others_reach_it()
    {
        var config = Parse("""
            server.9=10.0.0.9:2888:3888:observer;10.0.0.9:2181
            server.2=zk2:2888:3888:participant;0.0.0.0:2182
            server.1=zk1:2888:3888;2181
            server.3=[fe80::3]:2888:3888:participant;[::]:2183
            server.4=zk4a:2888:3888|zk4b:2888:3888;2184
            version=10000000f
            """);

        Assert.Equal([new("zk1", 2181), new("zk2", 2182), new("fe80::3", 2183), new("zk4a", 2184), new("10.0.0.9", 2181)], config.Servers);
        Assert.Equal(0x10000000f, config.Version);
    }

    [Fact]
    public void The_quorum_ports_are_those_of_the_participants_by_their_numbers_whether_they_take_clients_or_not()
    {
        var config = Parse("""
            server.9=10.0.0.9:2888:3888:observer;10.0.0.9:2181
            server.10=zk10:2898:3888:participant
            server.2=[fe80::3]:2889:3888:participant;[::]:2183
            server.4=zk4a:2888:3888|zk4b:2890:3888:participant;2184
            server.5=zk5
            server.6=zk6:
            server.7=[::1
            """);

        Assert.Equal([new("fe80::3", 2889), new("zk4a", 2888), new("zk4b", 2890), new("zk10", 2898)], config.Quorum);
    }

    [Theory]
    [InlineData("")]
    [InlineData("server.1=zk1:2888:3888:participant")]
    [InlineData("server.x=zk1:2888:3888;2181\nserver.1=;\nserver.2=zk2:2888:3888;0\nnonsense\nserver.3=[::1;2181")]
    public void What_is_not_understood_is_no_server(string text) => Assert.Empty(Parse(text).Servers);

    private static EnsembleConfig Parse(string text) => EnsembleConfig.Parse(Encoding.UTF8.GetBytes(text));
}
