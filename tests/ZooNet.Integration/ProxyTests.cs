using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Clients;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>The main job on real ZooKeeper: two clusters, two proxies, a mount each way.</summary>
[Collection(RegionsCollection.Name)]
public sealed class ProxyTests(RegionsFixture regions)
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [SkippableFact]
    public async Task A_client_of_the_proxy_works_at_home_as_if_it_were_the_ensemble()
    {
        Jars.Require();
        await using var proxy = await Proxies.StartAsync(regions.Us, regions.Eu);
        await using var client = await proxy.ConnectAsync();
        await client.CreateAsync("/home-works", Bytes("one"));
        var data = await client.GetDataAsync("/home-works");
        Assert.Equal("one", Encoding.UTF8.GetString(data.Data!));
        await using var direct = await regions.Us.ConnectAsync();
        Assert.Equal(data.Stat, (await direct.GetDataAsync("/home-works")).Stat);
        await client.DeleteAsync("/home-works");
        Assert.Null((await direct.ExistsAsync("/home-works")).Stat);
    }

    [SkippableFact]
    public async Task A_znode_written_under_a_mount_is_in_the_other_regions_ensemble_and_the_reverse()
    {
        Jars.Require();
        await using var us = await Proxies.StartAsync(regions.Us, regions.Eu);
        await using var eu = await Proxies.StartAsync(regions.Eu, regions.Us);
        await using var directUs = await regions.Us.ConnectAsync();
        await using var directEu = await regions.Eu.ConnectAsync();
        await directUs.CreateAsync("/both-us");
        await directEu.CreateAsync("/both-eu");
        await us.MountAsync("eu:/both-eu", "/both-mnt");
        await eu.MountAsync("us:/both-us", "/both-mnt");
        await using var clientUs = await us.ConnectAsync();
        await using var clientEu = await eu.ConnectAsync();

        var created = await clientUs.CreateAsync("/both-mnt/x", Bytes("from us"));
        Assert.Equal("/both-mnt/x", created.Path);
        Assert.Equal("from us", Encoding.UTF8.GetString((await directEu.GetDataAsync("/both-eu/x")).Data!));
        await clientEu.CreateAsync("/both-mnt/y", Bytes("from eu"));
        Assert.Equal("from eu", Encoding.UTF8.GetString((await directUs.GetDataAsync("/both-us/y")).Data!));
        Assert.Equal(["x"], (await clientUs.GetChildrenAsync("/both-mnt")).Names);
        Assert.Contains("both-mnt", (await clientUs.GetChildrenAsync("/")).Names);
        await us.UnmountAsync("/both-mnt");
        await eu.UnmountAsync("/both-mnt");
        var gone = await Assert.ThrowsAsync<KeeperException>(() => clientUs.GetDataAsync("/both-mnt/x"));
        Assert.Equal(ErrorCode.NoNode, gone.Code);
    }

    [SkippableFact]
    public async Task Kazoo_reads_the_version_of_homes_server_through_a_proxy_that_is_configured_with_the_defaults()
    {
        var kazoo = new ClientProgram("kazoo/server_version.py", ("/usr/lib/python3/dist-packages/kazoo/client.py", "python3-kazoo"));
        kazoo.Require();
        await using var proxy = await Proxies.StartAsync(regions.Us, regions.Eu);

        var versions = (await kazoo.RunAsync(regions.Us.Servers[0].Address.ToString(), proxy.Address().ToString())).Split('\n');

        Assert.Matches(@"^\d+\.\d+\.\d+$", versions[0]);
        Assert.Equal(versions[0], versions[1]);
    }
}
