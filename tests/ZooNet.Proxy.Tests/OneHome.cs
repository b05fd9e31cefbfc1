using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests;

/// <summary>A home cluster us in this process, and the control sessions of proxies there, for tests of one part of a proxy.</summary>
public sealed class OneHome : IAsyncDisposable
{
    private const string TheSecret = "zoonet:the-secret";

    private readonly List<IAsyncDisposable> _owned = [];

    private OneHome(EmbeddedServer server)
    {
        Server = server;
        Config = new ProxyConfig
        {
            Region = "us",
            ProxyId = "us-1",
            Listen = [],
            Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", server.Address.Port)]),
            Remotes = [new ClusterConfig("eu", 1, [], [new HostPort("127.0.0.1", 9)])],
            Secret = TheSecret,
            SessionTimeout = TimeSpan.FromSeconds(6),
        };
        Secret = new ProxySecret(Config);
        _owned.Add(server);
    }

    public EmbeddedServer Server { get; }

    public ProxyConfig Config { get; }

    public ProxySecret Secret { get; }

    public static async Task<OneHome> StartAsync() =>
        new(await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(500) }));

    /// <summary>Ends something before the server ends.</summary>
    public void Own(IAsyncDisposable owned) => _owned.Add(owned);

    /// <summary>The control sessions of one more proxy; home's is up.</summary>
    public async Task<ClusterControls> ControlsAsync()
    {
        var clusters = new ClusterControls(Config, Secret, TimeProvider.System, NullLogger<ClusterControl>.Instance);
        _owned.Add(clusters);
        clusters.Home.Start();
        await TwoRegions.Eventually(() => Task.FromResult(clusters.Home.Health.IsUp));
        return clusters;
    }

    /// <summary>A client that may do what the proxies may.</summary>
    public async Task<ZooKeeperClient> ConnectAsync(long session = 0, byte[]? password = null)
    {
        var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", Server.Address.Port)],
            Auth = [new AuthCredentials("digest", Encoding.UTF8.GetBytes(TheSecret))],
            SessionId = session,
            SessionPassword = password,
        });
        _owned.Add(client);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse())
        {
            await owned.DisposeAsync();
        }
    }
}
