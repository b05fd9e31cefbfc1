using System.Text;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

public sealed class TextTests
{
    [Theory]
    [InlineData("/mnt/eu", "mnt%2Feu")]
    [InlineData("/a", "a")]
    [InlineData("/a%2Fb/c", "a%252Fb%2Fc")]
    [InlineData("/50%", "50%25")]
    [InlineData("/mnt/Zürich 1", "mnt%2FZürich 1")]
    public void A_mount_point_becomes_a_name_and_comes_back(string path, string name)
    {
        Assert.Equal(name, ZooNetTree.NameOf(path));
        Assert.Equal(path, ZooNetTree.MountPointOf(name));
    }

    [Theory]
    [InlineData(null, "rw")]
    [InlineData("", "rw")]
    [InlineData("ro", "ro")]
    [InlineData("rw,strict,auth=forward,consistency=region", "rw")]
    [InlineData("auth=address", "rw,auth=address")]
    [InlineData("consistency=none, auth=none ,relaxed,ro", "ro,relaxed,auth=none,consistency=none")]
    public void Options_are_read_and_written(string? text, string written)
    {
        Assert.Null(MountOptionsText.Parse(text, out var options, out var create));
        Assert.False(create);
        Assert.Equal(written, MountOptionsText.Format(options));
    }

    [Fact]
    public void Create_is_an_order_and_not_a_property()
    {
        Assert.Null(MountOptionsText.Parse("create,ro", out var options, out var create));
        Assert.True(create);
        Assert.Equal("ro", MountOptionsText.Format(options));
    }

    [Fact]
    public void A_record_survives_writing_and_reading_and_ignores_what_it_does_not_know()
    {
        var record = new MountRecord { Path = "/m", Cluster = "eu", RemotePath = "/ü", Options = "ro", State = MountState.Leaving, Placeholder = true };

        Assert.Equal(record, MountRecord.Parse(record.ToJson()));
        Assert.Contains("\"state\":\"leaving\"", Encoding.UTF8.GetString(record.ToJson()));
        Assert.Equal("eu", MountRecord.Parse("""{ "cluster": "eu", "added": { "later": 1 } }"""u8).Cluster);
    }

    [Fact]
    public void The_advertised_configuration_names_the_proxies_as_servers()
    {
        var text = Encoding.UTF8.GetString(AdvertisedConfig.Of([new HostPort("proxy-1", 2281), new HostPort("::1", 2282)]));

        Assert.Equal("server.1=proxy-1:2888:3888:participant;proxy-1:2281\nserver.2=[::1]:2888:3888:participant;[::1]:2282\nversion=0", text);
        Assert.Empty(AdvertisedConfig.Of([]));
    }
}
