using System.Net.Http.Json;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests;

/// <summary>Two clusters in this process, and proxies of region us that may mount the cluster eu.</summary>
public sealed class TwoRegions : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _owned = [];

    private static EmbeddedServerOptions Options =>
        new() { Tick = TimeSpan.FromMilliseconds(500), SuperDigest = ProxySecret.DigestOf("super:test") };

    private TwoRegions(EmbeddedServer us, EmbeddedServer eu) => (Us, Eu) = (us, eu);

    public EmbeddedServer Us { get; private set; }

    public EmbeddedServer Eu { get; private set; }

    public static async Task<TwoRegions> StartAsync()
    {
        var regions = new TwoRegions(await EmbeddedServer.StartAsync(Options with { Epoch = 11 }),
            await EmbeddedServer.StartAsync(Options with { Epoch = 12 }));
        regions._owned.AddRange([regions.Us, regions.Eu]);
        return regions;
    }

    /// <summary>One more cluster, of which no proxy knows unless its configuration says so.</summary>
    public async Task<EmbeddedServer> StartClusterAsync(int epoch)
    {
        var made = await EmbeddedServer.StartAsync(Options with { Epoch = epoch });
        _owned.Insert(0, made);
        return made;
    }

    /// <summary>An empty cluster at the address of one that ends.</summary>
    public async Task<EmbeddedServer> ReplaceAsync(EmbeddedServer old, int epoch)
    {
        await old.DisposeAsync();
        var made = await EmbeddedServer.StartAsync(Options with { Epoch = epoch, Listen = old.Address });
        _owned.Insert(0, made);
        return old == Us ? Us = made : Eu = made;
    }

    public ProxyConfig Config() => new()
    {
        Region = "us",
        Listen = [new HostPort("127.0.0.1", 0)],
        Admin = new HostPort("127.0.0.1", 0),
        Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", Us.Address.Port)]),
        Remotes = [new ClusterConfig("eu", 1, [], [new HostPort("127.0.0.1", Eu.Address.Port)])],
        SessionTimeout = TimeSpan.FromSeconds(6),
        DrainTimeout = TimeSpan.FromSeconds(2),
    };

    /// <summary>Does what <c>zoonet repair</c> does, in both clusters.</summary>
    /// <param name="config">Of a proxy of us.</param>
    /// <param name="dryRun">True to change nothing.</param>
    /// <param name="trustTrees">True to take roaming trees that others could write for the proxies' own.</param>
    /// <param name="auth">Further credentials, of the scheme digest.</param>
    public async Task<IReadOnlyList<RepairStep>> RepairAsync(ProxyConfig config, bool dryRun = false, bool trustTrees = false,
        string? auth = null)
    {
        var secret = new ProxySecret(config);
        var steps = new List<RepairStep>();
        foreach (var (cluster, server) in new[] { (config.Home, Us), (config.Remotes[0], Eu) })
        {
            var client = await ConnectAsync(server.Address, auth);
            foreach (var credentials in secret.Credentials)
            {
                await client.AddAuthAsync(credentials.Scheme, credentials.Secret);
            }
            steps.AddRange(await new TreeRepair(client, cluster, config, secret, dryRun, trustTrees).RunAsync(CancellationToken.None));
        }
        return steps;
    }

    /// <summary>Turns the configuration of a proxy of us into that of one of eu, which may mount the cluster us.</summary>
    public static ProxyConfig InEu(ProxyConfig us) => us with
    {
        Region = "eu",
        Home = us.Remotes[0] with { Ordinal = 0 },
        Remotes = [us.Home with { Ordinal = 1 }],
    };

    /// <summary>Starts a proxy and waits until it is ready.</summary>
    public async Task<RunningProxy> StartProxyAsync(Func<ProxyConfig, ProxyConfig>? change = null, Action<IServiceCollection>? services = null, bool waitReady = true)
    {
        var config = Config();
        var host = new ProxyHost(change?.Invoke(config) ?? config, logging => logging.SetMinimumLevel(LogLevel.None), services);
        _owned.Add(host);
        await host.StartAsync();
        var proxy = new RunningProxy(host);
        if (waitReady)
        {
            await Eventually(async () => (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode && proxy.IsUp(1));
        }
        return proxy;
    }

    /// <summary>Starts a proxy that may mount a third cluster, ap, as its first remote, and eu; waits until it reaches both.</summary>
    public async Task<RunningProxy> StartProxyAsync(EmbeddedServer ap)
    {
        var proxy = await StartProxyAsync(c => c with
        {
            Remotes = [new ClusterConfig("ap", 1, [], [new HostPort("127.0.0.1", ap.Address.Port)]), c.Remotes[0] with { Ordinal = 2 }],
        });
        await Eventually(() => Task.FromResult(proxy.IsUp(2)));
        return proxy;
    }

    public async Task<ZooKeeperClient> ConnectAsync(System.Net.IPEndPoint server, string? secret = null)
    {
        var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress(server.Address.ToString(), server.Port)],
            Auth = secret is null ? [] : [new AuthCredentials("digest", Encoding.UTF8.GetBytes(secret))],
        });
        _owned.Add(client);
        return client;
    }

    public static async Task Eventually(Func<Task<bool>> condition, double seconds = 60)
    {
        var deadline = DateTime.UtcNow.AddSeconds(seconds);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "not in time");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Proxies and clients before the servers that they talk to.
        foreach (var owned in _owned.AsEnumerable().Reverse())
        {
            await owned.DisposeAsync();
        }
    }
}

/// <summary>A proxy as its admin sees it.</summary>
public sealed class RunningProxy
{
    public RunningProxy(ProxyHost host)
    {
        Host = host;
        Http = new HttpClient { BaseAddress = new Uri($"http://{host.AdminEndPoint}") };
    }

    public ProxyHost Host { get; }

    public HttpClient Http { get; }

    public bool IsUp(int cluster) => Host.Services.GetRequiredService<ClusterControls>()[cluster].Health.IsUp;

    public async Task<(int Status, string Message)> MountAsync(string source, string path, string? options = null, bool force = false) =>
        await ReadAsync(await Http.PostAsJsonAsync("/api/v1/mounts", new MountBody(source, path, options, force)));

    public async Task<(int Status, string Message)> UnmountAsync(string path, bool force = false) =>
        await ReadAsync(await Http.DeleteAsync($"/api/v1/mounts{path}{(force ? "?force=true" : "")}"));

    public async Task<IReadOnlyList<MountInfo>> MountsAsync() => (await Http.GetFromJsonAsync<MountList>("/api/v1/mounts"))!.Mounts;

    public async Task<StatusReply> StatusAsync() => (await Http.GetFromJsonAsync<StatusReply>("/api/v1/status"))!;

    private static async Task<(int, string)> ReadAsync(HttpResponseMessage response)
    {
        var json = (await response.Content.ReadFromJsonAsync<System.Text.Json.JsonElement>())!;
        var name = response.IsSuccessStatusCode ? "message" : "detail";
        if (!response.IsSuccessStatusCode)
        {
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        }
        return ((int)response.StatusCode, json.GetProperty(name).GetString()!);
    }
}
