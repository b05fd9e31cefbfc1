using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Tests;
using ZooNet.Server;
using ZooNet.Wan;

namespace ZooNet.WebConsole.Tests.Browsing;

/// <summary>
/// Three regions in this process with a WAN between each two, a proxy in each, a console over all of them, and a browser: set up once for
/// all tests of the collection. us and eu mount each other, ap mounts eu.
/// </summary>
public sealed class ThreeRegions : IAsyncLifetime
{
    private static readonly string[] Names = ["us", "eu", "ap"];

    private readonly List<IAsyncDisposable> _owned = [];
    private readonly Dictionary<string, EmbeddedServer> _servers = [];
    private readonly Dictionary<(string From, string To), WanRelay> _wan = [];
    private readonly Dictionary<string, RunningProxy> _proxies = [];

    /// <summary>The browser.</summary>
    public Browser Browser { get; private set; } = null!;

    /// <summary>Where the console is.</summary>
    public Uri Url { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (!Browser.IsThere)
        {
            return;
        }
        var browser = Browser.StartAsync();
        foreach (var (name, i) in Names.Select((name, i) => (name, i)))
        {
            var server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Epoch = 11 + i, ServerId = (byte)(1 + i) });
            _owned.Add(server);
            _servers[name] = server;
            await (await ConnectAsync(server.Address)).CreateAsync("/apps", "shared"u8.ToArray());
        }
        foreach (var (from, to) in Names.SelectMany(from => Names.Where(to => to != from).Select(to => (from, to))))
        {
            var wan = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), _servers[to].Address,
                new WanOptions { Rtt = TimeSpan.FromMilliseconds(20) });
            _owned.Add(wan);
            _wan[(from, to)] = wan;
        }
        await Task.WhenAll(Names.Select(StartProxyAsync));
        foreach (var (region, source, path) in new[] { ("us", "eu:/apps", "/mnt/eu"),
            ("eu", "us:/apps", "/mnt/us"), ("ap", "eu:/apps", "/mnt/eu") })
        {
            var (status, message) = await _proxies[region].MountAsync(source, path);
            Assert.True(status is 200 or 201 or 202, message);
        }
        foreach (var proxy in _proxies.Values)
        {
            await TwoRegions.Eventually(async () => (await proxy.MountsAsync()).All(m => m is { State: "active", Up: true }));
        }
        Url = await StartConsoleAsync(new ConsoleOptions { Proxies = [.. _proxies.Values.Select(p => p.Http.BaseAddress!)] });
        Browser = await browser;
        _owned.Add(Browser);
    }

    public async Task DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse())
        {
            await owned.DisposeAsync();
        }
    }

    /// <summary>Skips the test where there is no browser; else gives a page that shows a path of the console.</summary>
    public async Task<IPage> OpenAsync(string path, bool dark = false, int width = 1280, int height = 900, Uri? console = null)
    {
        Skip.IfNot(Browser.IsThere, "needs chromium (Debian: apt install chromium)");
        var page = await Browser.NewPageAsync(dark, width, height);
        await page.GotoAsync(new Uri(console ?? Url, path).ToString());
        return page;
    }

    /// <summary>The way from a region to the cluster of another one.</summary>
    public WanRelay Wan(string from, string to) => _wan[(from, to)];

    /// <summary>The proxy of a region.</summary>
    public RunningProxy Proxy(string region) => _proxies[region];

    /// <summary>A client of a region's proxy.</summary>
    public Task<ZooKeeperClient> ConnectAsync(string region, string? credentials = null) =>
        ConnectAsync(_proxies[region].Host.ClientEndPoints[0], credentials);

    /// <summary>Another console.</summary>
    public async Task<Uri> StartConsoleAsync(ConsoleOptions options)
    {
        var console = new ConsoleHost(options with { Listen = new IPEndPoint(IPAddress.Loopback, 0) });
        _owned.Add(console);
        await console.StartAsync();
        return new Uri($"http://{console.EndPoint}");
    }

    private async Task<ZooKeeperClient> ConnectAsync(IPEndPoint address, string? credentials = null)
    {
        var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress(address.Address.ToString(), address.Port)],
            // Long enough for a cut that somebody looks at.
            SessionTimeout = TimeSpan.FromSeconds(40),
            Auth = credentials is null ? [] : [new AuthCredentials("digest", System.Text.Encoding.UTF8.GetBytes(credentials))],
        });
        lock (_owned)
        {
            _owned.Add(client);
        }
        return client;
    }

    private async Task StartProxyAsync(string region)
    {
        static HostPort Of(IPEndPoint address) => new(address.Address.ToString(), address.Port);
        var host = new ProxyHost(
            new ProxyConfig
            {
                Region = region,
                ProxyId = $"{region}-1",
                Listen = [new HostPort("127.0.0.1", 0)],
                Admin = new HostPort("127.0.0.1", 0),
                Home = new ClusterConfig(region, 0, [], [Of(_servers[region].Address)]),
                Remotes = [.. Names.Where(other => other != region)
                    .Select((other, i) => new ClusterConfig(other, i + 1, [], [Of(_wan[(region, other)].LocalEndPoint)]))],
                Secret = "three:regions",
            },
            logging => logging.SetMinimumLevel(LogLevel.None));
        lock (_owned)
        {
            _owned.Add(host);
        }
        await host.StartAsync();
        var proxy = new RunningProxy(host);
        await TwoRegions.Eventually(async () =>
            (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode && proxy.IsUp(1) && proxy.IsUp(2));
        lock (_owned)
        {
            _proxies[region] = proxy;
        }
    }
}

/// <summary>Tests that share a federation and a browser, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class ThreeRegionsCollection : ICollectionFixture<ThreeRegions>
{
    public const string Name = "three regions and a browser";
}
