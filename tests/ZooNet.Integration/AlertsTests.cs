using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Hosting;
using ZooNet.Wan;

namespace ZooNet.Integration;

/// <summary>
/// The rules that config/ has for Prometheus, in a real Prometheus over proxies of real ensembles, to which happens what each rule is for.
/// How long it must have lasted is left out of them, and what they look at is the last ten seconds.
/// </summary>
public sealed partial class AlertsTests : IAsyncLifetime
{
    /// <summary>A round trip of which a barrier takes longer than the rule allows.</summary>
    private static readonly TimeSpan SlowRtt = TimeSpan.FromMilliseconds(1200);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly List<IAsyncDisposable> _owned = [];
    private readonly List<ProxyHost> _proxies = [];
    private readonly string _folder = OwnedFolder.Create("alerts");
    private RealEnsemble _us = null!;
    private RealEnsemble _eu = null!;
    private RunningPrometheus _prometheus = null!;

    /// <summary>Two ensembles with a znode each.</summary>
    public async Task InitializeAsync()
    {
        Skip.IfNot(RunningPrometheus.IsThere, "needs prometheus (Debian: apt install prometheus)");
        Jars.Require();
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us"), RealEnsemble.StartAsync("eu"));
        (_us, _eu) = (ensembles[0], ensembles[1]);
        _owned.AddRange(ensembles);
        foreach (var ensemble in ensembles)
        {
            await using var client = await ensemble.ConnectAsync();
            await client.CreateAsync("/apps");
        }
    }

    /// <summary>Clients and proxies end before the servers that they talk to.</summary>
    public async Task DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse())
        {
            await owned.DisposeAsync();
        }
        Directory.Delete(_folder, recursive: true);
    }

    [SkippableFact]
    public async Task A_federation_without_trouble_alerts_nobody_and_a_proxy_whose_clusters_are_cut_off_fires_what_that_costs()
    {
        var (home, wan) = (Relay(_us.Addresses[0]), Relay(_eu.Addresses[0]));
        var well = await StartAsync(c => c);
        await well.MountAsync("eu:/apps", "/mnt/eu");
        var cut = await StartAsync(c => c with
        {
            Home = c.Home with { Servers = [Of(home)] },
            Remotes = [c.Remotes[0] with { Servers = [Of(wan)] }],
            // So a barrier is given up before the links of clients with longer sessions are.
            SessionTimeout = TimeSpan.FromSeconds(6),
        });
        await WatchAsync();
        var client = await ConnectAsync(cut);
        await ReadAsync(client);
        // Everything has been seen more than once by then.
        const string served = "count_over_time(zoonet_mount_up[30s]) > 5 and zoonet_mount_up == 1";
        await Eventually.Async(async () => await _prometheus.CountAsync(served) == 2,
            "both proxies serve the mount", Limit);
        Assert.Empty(await _prometheus.FiringAsync());

        // What is silent is found out by who waits; what is refused at once asks for no barrier.
        wan.Cut(silent: true);
        await FireAsync(() => ReadAsync(client), "ZooNetBarriersFail");
        await FireAsync(() => Task.CompletedTask, "ZooNetRemoteDown", "ZooNetMountDown");
        Assert.DoesNotContain("ZooNetHomeDown", await _prometheus.FiringAsync());
        wan.Heal();
        await Eventually.Async(async () => await ReadAsync(client), "the mount is served again", Limit);

        home.Cut();
        await FireAsync(() => Task.CompletedTask, "ZooNetNotReady", "ZooNetHomeDown", "ZooNetMountsHeld");

        // It has not heard of this one.
        await well.MountAsync("eu:/apps", "/mnt/other");
        await FireAsync(() => Task.CompletedTask, "ZooNetTablesDiffer");
        Assert.DoesNotContain("ZooNetProxyDown", await _prometheus.FiringAsync());
        await cut.StopAsync();
        await FireAsync(() => Task.CompletedTask, "ZooNetProxyDown");

        // Somebody who has the secret takes from the proxies what is theirs.
        await using (var owner = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = _us.Addresses,
            Auth = [new AuthCredentials("digest", Encoding.UTF8.GetBytes(ProxyConfig.DefaultSecret))],
        }))
        {
            foreach (var folder in (await owner.GetChildrenAsync(ZooNetTree.Sessions)).Names
                .Select(name => $"{ZooNetTree.Sessions}/{name}").Append(ZooNetTree.Sessions))
            {
                await owner.SetAclAsync(folder, [new Acl(1, "world", "anyone")]);
            }
        }
        await FireAsync(async () =>
        {
            await using var another = await well.ConnectAsync();
            await Assert.ThrowsAsync<KeeperException>(() => another.SetDataAsync("/mnt/eu", []));
        }, "ZooNetSessionRecordsFail");
    }

    [SkippableFact]
    public async Task What_is_slow_late_full_or_about_to_end_fires()
    {
        var (slow, quorum) = (Relay(_eu.Addresses[0], SlowRtt), Relay(new("127.0.0.1", _eu.QuorumPorts[0].Port)));
        var certificate = Certificates.Issue("CN=proxy", null, days: 13);
        await File.WriteAllTextAsync(Path.Combine(_folder, "proxy.pem"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(_folder, "proxy.key"), certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        var observing = await StartAsync(c => c with
        {
            Remotes = [c.Remotes[0] with { Quorum = [new HostPort("127.0.0.1", quorum.LocalEndPoint.Port)] }],
        });
        await observing.MountAsync("eu:/apps", "/mnt/eu");
        var far = await StartAsync(c => c with { Remotes = [c.Remotes[0] with { Servers = [Of(slow)] }] });
        var ending = await StartAsync(c => c with
        {
            Tls = new TlsConfig(Path.Combine(_folder, "proxy.pem"), Path.Combine(_folder, "proxy.key")),
            MaxConnections = 1,
        });
        await WatchAsync();
        await FireAsync(() => Task.CompletedTask, "ZooNetCertificateEnds");

        await FireAsync(async () =>
        {
            for (var i = 0; i < 3; i++)
            {
                using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await silent.ConnectAsync(ending.ClientEndPoints[0]);
                using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await other.ConnectAsync(ending.ClientEndPoints[0]);
            }
        }, "ZooNetConnectionsRefused");

        var reader = await ConnectAsync(far);
        await FireAsync(() => ReadAsync(reader), "ZooNetBarriersSlow");

        // Nothing new reaches the observer, and others write a thousand times and more.
        var client = await ConnectAsync(observing);
        await ReadAsync(client);
        quorum.Cut(silent: true);
        await using (var writer = await _eu.ConnectAsync())
        {
            await Task.WhenAll(Enumerable.Range(0, 1100).Select(i => writer.SetDataAsync("/apps", [(byte)i])));
        }
        await FireAsync(() => ReadAsync(client), "ZooNetObserverLags");
    }

    private static HostPort Of(WanRelay relay) => new("127.0.0.1", relay.LocalEndPoint.Port);

    private WanRelay Relay(ServerAddress target, TimeSpan rtt = default)
    {
        var relay = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.Loopback, target.Port),
            new WanOptions { Rtt = rtt });
        _owned.Add(relay);
        return relay;
    }

    /// <summary>A proxy of us in which a read of the mount waits for a barrier after any write at home.</summary>
    private async Task<ProxyHost> StartAsync(Func<ProxyConfig, ProxyConfig> change)
    {
        var proxy = await Proxies.StartAsync(_us, _eu, c => change(c with { Consistency = ConsistencyMode.Ordered }));
        _owned.Add(proxy);
        _proxies.Add(proxy);
        return proxy;
    }

    private async Task<ZooKeeperClient> ConnectAsync(ProxyHost proxy)
    {
        await Eventually.Async(() => proxy.Path.Region.Mounts.At("/mnt/eu") is not null, "the proxy knows the mount", Limit);
        var client = await proxy.ConnectAsync(TimeSpan.FromSeconds(30));
        _owned.Add(client);
        return client;
    }

    /// <summary>Looks at the proxies by the rules that are shipped.</summary>
    private async Task WatchAsync()
    {
        var rules = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "config", "alerts.yml"));
        var file = Path.Combine(_folder, "alerts.yml");
        await File.WriteAllTextAsync(file, Window().Replace(Lasting().Replace(rules, "for: 0s"), "[10s]"));
        _prometheus = await RunningPrometheus.StartAsync(_proxies.Select(p => ("us", new Uri($"http://{p.AdminEndPoint}"))), file);
        _owned.Add(_prometheus);
    }

    /// <summary>Does something again and again until alerts fire.</summary>
    private async Task FireAsync(Func<Task> again, params string[] alerts)
    {
        using var fired = new CancellationTokenSource();
        var doing = Task.Run(async () =>
        {
            for (; !fired.IsCancellationRequested; await Task.Delay(100))
            {
                await again();
            }
        });
        foreach (var alert in alerts)
        {
            await Eventually.Async(async () => (await _prometheus.FiringAsync()).Contains(alert), alert, Limit);
        }
        await fired.CancelAsync();
        await doing;
    }

    /// <summary>A read of the mount that needs a barrier.</summary>
    /// <returns>Whether it succeeded.</returns>
    private static async Task<bool> ReadAsync(ZooKeeperClient client)
    {
        try
        {
            await client.SetDataAsync("/apps", []);
            await client.GetDataAsync("/mnt/eu");
            return true;
        }
        catch (KeeperException)
        {
            return false;
        }
    }

    [GeneratedRegex("for: [0-9]+[sm]")]
    private static partial Regex Lasting();

    [GeneratedRegex(@"\[5m\]")]
    private static partial Regex Window();
}
