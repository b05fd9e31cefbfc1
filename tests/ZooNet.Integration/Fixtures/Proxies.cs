using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Integration.Fixtures;

/// <summary>Starts proxies in this process, on free ports, in front of real ensembles.</summary>
public static class Proxies
{
    /// <summary>A proxy of region <paramref name="home"/> that can mount <paramref name="remote"/> through its observer there.</summary>
    public static Task<ProxyHost> StartAsync(RealEnsemble home, RealEnsemble remote, Func<ProxyConfig, ProxyConfig>? change = null) =>
        StartAsync(home, [remote], change);

    /// <summary>A proxy of region <paramref name="home"/> that can mount the others.</summary>
    public static async Task<ProxyHost> StartAsync(RealEnsemble home, IReadOnlyList<RealEnsemble> remotes, Func<ProxyConfig, ProxyConfig>? change = null)
    {
        static HostPort Of(ServerAddress address) => new(address.Host, address.Port);
        var config = new ProxyConfig
        {
            Region = home.Name,
            Listen = [new HostPort("127.0.0.1", 0)],
            Admin = new HostPort("127.0.0.1", 0),
            Home = new ClusterConfig(home.Name, 0, [], [.. home.Addresses.Select(Of)]),
            Remotes = [.. remotes.OrderBy(r => r.Name, StringComparer.Ordinal).Select((r, i) => new ClusterConfig(r.Name, i + 1,
                [.. r.Observers.Where(o => o.Relays.Count > 0).Select(o => Of(o.Address))], [.. r.Addresses.Select(Of)]))],
        };
        config = change?.Invoke(config) ?? config;
        var log = Environment.GetEnvironmentVariable("ZOONET_TEST_LOG");
        var proxy = new ProxyHost(config, logging =>
        {
            if (log is not null)
            {
                logging.AddSimpleConsole(o => o.SingleLine = true).SetMinimumLevel(LogLevel.Debug);
            }
        });
        await proxy.StartAsync();
        return proxy;
    }

    /// <summary>Mounts, and fails the test where that is refused.</summary>
    public static async Task MountAsync(this ProxyHost proxy, string source, string path, string? options = null)
    {
        await proxy.Services.GetRequiredService<MountStore>().FirstRead.WaitAsync(TimeSpan.FromSeconds(30));
        // A proxy serves before it has reached the other clusters; a mount asks the other cluster.
        var cluster = source.Split(':')[0];
        var control = proxy.Services.GetRequiredService<ClusterControls>().All.FirstOrDefault(c => c.Cluster.Name == cluster);
        await Eventually.Async(() => control?.Health.IsUp != false, $"the proxy has reached {cluster}");
        var outcome = await proxy.Services.GetRequiredService<MountCommands>().MountAsync(new MountRequest(source, path, options), CancellationToken.None);
        Assert.True(outcome.Refusal is null, outcome.Message);
        await Eventually.Async(() => proxy.Path.Region.Mounts.At(path) is not null, $"{path} in the table");
    }

    /// <summary>Unmounts, and fails the test where that is refused.</summary>
    public static async Task UnmountAsync(this ProxyHost proxy, string path)
    {
        var outcome = await proxy.Services.GetRequiredService<MountCommands>().UnmountAsync(path, false, CancellationToken.None);
        Assert.True(outcome.Refusal is null, outcome.Message);
        await Eventually.Async(() => proxy.Path.Region.Mounts.At(path) is null, $"{path} gone from the table");
    }

    /// <summary>A client of a proxy.</summary>
    public static Task<ZooKeeperClient> ConnectAsync(this ProxyHost proxy, TimeSpan? timeout = null) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = [proxy.Address()],
        SessionTimeout = timeout ?? TimeSpan.FromSeconds(6),
    });

    /// <summary>Where a proxy's clients connect.</summary>
    public static ServerAddress Address(this ProxyHost proxy) => new("127.0.0.1", proxy.ClientEndPoints[0].Port);
}
