using System.Text;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;
using DotNet.Testcontainers.Networks;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Testcontainers.Tests;

/// <summary>The modules as a user's tests use them.</summary>
[Collection(OwnEngine.Collection)]
public sealed class ContainerTests
{
    [SkippableFact]
    public async Task A_write_through_the_proxy_in_a_container_is_in_the_other_cluster()
    {
        OwnEngine.Require();
        await using var network = new NetworkBuilder().Build();
        await using var usServer = Server(network, "us-zk");
        await using var euServer = Server(network, "eu-zk");
        await Task.WhenAll(usServer.StartAsync(), euServer.StartAsync());
        await using var us = Proxy(network).WithRegion("us").WithHome("us", "us-zk:2181").WithRemote("eu", "eu-zk:2181").Build();
        await us.StartAsync();

        await us.MountAsync("eu:/apps", "/mnt/eu", create: true);
        await using (var client = await ConnectAsync(us.GetConnectionString()))
        {
            await client.CreateAsync("/mnt/eu/x", "from us"u8.ToArray());
            await client.CreateAsync("/y", "at home"u8.ToArray());
        }

        Assert.Equal("from us", await ReadAsync(euServer, "/apps/x"));
        Assert.Equal("at home", await ReadAsync(usServer, "/y"));

        await us.UnmountAsync("/mnt/eu");
        await using var later = await ConnectAsync(us.GetConnectionString());
        Assert.Equal(ErrorCode.NoNode, (await Assert.ThrowsAsync<KeeperException>(() => later.GetDataAsync("/mnt/eu/x"))).Code);
    }

    [SkippableFact]
    public async Task What_the_proxy_refuses_is_said_in_its_own_words()
    {
        OwnEngine.Require();
        await using var network = new NetworkBuilder().Build();
        await using var server = Server(network, "us-zk");
        await server.StartAsync();
        await using var us = Proxy(network).WithRegion("us").WithHome("us", "us-zk:2181").Build();
        await us.StartAsync();

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => us.MountAsync("eu:/apps", "/mnt/eu"));

        Assert.Contains("eu", refused.Message, StringComparison.Ordinal);
        Assert.Contains("zoonet mount", refused.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task The_tick_bounds_what_session_timeout_a_client_gets()
    {
        OwnEngine.Require();
        await using var network = new NetworkBuilder().Build();
        await using var server = Server(network, "zk", builder => builder.WithTickTime(TimeSpan.FromMilliseconds(200)));
        await server.StartAsync();
        await using var client = await ConnectAsync(server.GetConnectionString());
        Assert.Equal(TimeSpan.FromSeconds(4), client.SessionTimeout);
    }

    private static ZooKeeperContainer Server(INetwork network, string alias, Func<ZooKeeperBuilder, ZooKeeperBuilder>? more = null)
    {
        var entry = new ZooKeeperBuilder(OwnEngine.ZooKeeperImage).WithNetwork(network).WithNetworkAliases(alias)
            .WithBindMount(AppContext.BaseDirectory, "/entry", AccessMode.ReadOnly);
        var builder = OwnEngine.Shared.Aggregate(entry, (b, folder) => b.WithBindMount(folder, folder, AccessMode.ReadOnly));
        return (more?.Invoke(builder) ?? builder).Build();
    }

    private static ZooNetBuilder Proxy(INetwork network)
    {
        var builder = new ZooNetBuilder(OwnEngine.ZooNetImage).WithNetwork(network)
            .WithBindMount(AppContext.BaseDirectory, "/zoonet", AccessMode.ReadOnly);
        return OwnEngine.Shared.Aggregate(builder, (b, folder) => b.WithBindMount(folder, folder, AccessMode.ReadOnly));
    }

    private static Task<ZooKeeperClient> ConnectAsync(string address) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = ServerAddress.ParseList(address),
        SessionTimeout = TimeSpan.FromSeconds(30),
    });

    private static async Task<string> ReadAsync(ZooKeeperContainer server, string path)
    {
        await using var client = await ConnectAsync(server.GetConnectionString());
        return Encoding.UTF8.GetString((await client.GetDataAsync(path)).Data!);
    }
}
