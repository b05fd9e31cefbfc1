using System.Security.Cryptography.X509Certificates;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Tests.Transport;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>The proxy's own connections by TLS: clients' links, control sessions, barriers, questions.</summary>
public sealed class UpstreamTlsTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-upstream-tls-").FullName;
    private readonly X509Certificate2 _authority = TestCertificates.Authority("CN=authority");
    private readonly X509Certificate2 _server;
    private TwoRegions _regions = null!;
    private TlsRelay _us = null!;
    private TlsRelay _eu = null!;

    public UpstreamTlsTests() => _server = TestCertificates.Issue("CN=server", _authority, dnsName: "localhost");

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _us = TlsRelay.Start(_regions.Us.Address, _server, _authority);
        _eu = TlsRelay.Start(_regions.Eu.Address, _server, _authority);
        await File.WriteAllTextAsync(FileOf("authority.pem"), _authority.ExportCertificatePem());
        WriteOwn("CN=first", _authority);
    }

    public async Task DisposeAsync()
    {
        await _regions.DisposeAsync();
        await _us.DisposeAsync();
        await _eu.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Links_control_sessions_and_barriers_go_by_TLS_to_home_and_to_a_remote()
    {
        // Every read after a write elsewhere needs a barrier.
        var proxy = await _regions.StartProxyAsync(c => Secured(c) with { Consistency = ConsistencyMode.Ordered });
        var eu = await _regions.ConnectAsync(_regions.Eu.Address);
        await eu.CreateAsync("/apps");
        Assert.Equal(201, (await proxy.MountAsync("eu:/apps", "/mnt/eu")).Status);
        var client = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);

        await client.CreateAsync("/mnt/eu/x", "1"u8.ToArray());
        await client.CreateAsync("/here", "2"u8.ToArray());

        Assert.Equal("1"u8.ToArray(), (await client.GetDataAsync("/mnt/eu/x")).Data);
        Assert.Equal("2"u8.ToArray(), (await client.GetDataAsync("/here")).Data);
        Assert.Equal("1"u8.ToArray(), (await eu.GetDataAsync("/apps/x")).Data);
        Assert.All([.. _us.Subjects, .. _eu.Subjects], s => Assert.Equal("CN=first", s));
        Assert.Matches("zoonet_barriers_inserted_total{[^}]*own[^}]*} [1-9]", await proxy.Http.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task Certificates_that_are_replaced_are_shown_by_new_connections_and_old_ones_stay()
    {
        var proxy = await _regions.StartProxyAsync(Secured);
        var old = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        var session = old.SessionId;

        WriteOwn("CN=second", _authority);
        await TwoRegions.Eventually(async () =>
        {
            var probe = await _regions.ConnectAsync(proxy.Host.ClientEndPoints[0]);
            await probe.CloseAsync();
            return _us.Subjects.Contains("CN=second");
        });

        await old.ExistsAsync("/");
        Assert.Equal(session, old.SessionId);
    }

    [Theory]
    [InlineData("foreign authority")]
    [InlineData("another host")]
    [InlineData("no certificate of its own")]
    [InlineData("a certificate of nobody")]
    public async Task A_cluster_that_can_not_be_trusted_or_does_not_trust_the_proxy_is_down(string what)
    {
        using var foreign = TestCertificates.Authority("CN=foreign");
        using var elsewhere = TestCertificates.Issue("CN=server", _authority, dnsName: "elsewhere");
        await using var relay = TlsRelay.Start(_regions.Eu.Address, what == "another host" ? elsewhere : _server, _authority);
        if (what == "foreign authority")
        {
            await File.WriteAllTextAsync(FileOf("foreign.pem"), foreign.ExportCertificatePem());
        }
        if (what == "a certificate of nobody")
        {
            using var nobodys = TestCertificates.Issue("CN=nobody", foreign);
            TestCertificates.Write(nobodys, FileOf("nobody.pem"), FileOf("nobody.key"));
        }
        var own = what switch { "no certificate of its own" => null, "a certificate of nobody" => "nobody", _ => "own" };
        var tls = new UpstreamTls(new UpstreamTlsConfig(FileOf(what == "foreign authority" ? "foreign.pem" : "authority.pem"),
            own is null ? null : FileOf($"{own}.pem"), own is null ? null : FileOf($"{own}.key"), null, VerifyHost: true), TimeProvider.System);

        var proxy = await _regions.StartProxyAsync(
            c => Secured(c) with { Remotes = [Remote(relay.Port, tls)] }, waitReady: false);

        // Home is served; the remote is down, and nothing was ever let in or said there.
        await TwoRegions.Eventually(async () => (await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        var told = what is "foreign authority" or "another host" ? "TLS failed" : "can't be reached";
        await TwoRegions.Eventually(async () =>
            (await proxy.StatusAsync()).Clusters.Single(c => c.Name == "eu").LastError?.Contains(told, StringComparison.Ordinal) == true);
        Assert.False(proxy.IsUp(1));
    }

    [Fact]
    public async Task The_host_of_a_certificate_is_not_looked_at_if_told_so()
    {
        using var elsewhere = TestCertificates.Issue("CN=server", _authority, dnsName: "elsewhere");
        await using var relay = TlsRelay.Start(_regions.Eu.Address, elsewhere, _authority);
        var tls = new UpstreamTls(Own() with { VerifyHost = false }, TimeProvider.System);

        // It waits until the remote is up.
        var proxy = await _regions.StartProxyAsync(c => Secured(c) with { Remotes = [Remote(relay.Port, tls)] });

        Assert.True(proxy.IsUp(1));
    }

    [Fact]
    public void What_is_wrong_in_the_configuration_is_told()
    {
        Assert.Contains("home.tls.authority: is missing", Errors(("home:tls:verifyHost", "false")), StringComparison.Ordinal);
        Assert.Contains("does not exist", Errors(("home:tls:authority", FileOf("none.pem"))), StringComparison.Ordinal);
        Assert.Contains("home.tls.key: is missing",
            Errors(("home:tls:authority", "system"), ("home:tls:certificate", FileOf("own.pem"))), StringComparison.Ordinal);
        Assert.Contains("can not be loaded", Errors(("home:tls:authority", FileOf("own.key"))), StringComparison.Ordinal);
        Assert.Equal("", Errors(("home:tls:authority", FileOf("authority.pem")), ("home:tls:certificate", FileOf("own.pem")),
            ("home:tls:key", FileOf("own.key"))));
        WriteOwn("CN=old", _authority, days: -1);
        Assert.Contains("ended at", Errors(("home:tls:authority", FileOf("authority.pem")), ("home:tls:certificate", FileOf("own.pem")),
            ("home:tls:key", FileOf("own.key"))), StringComparison.Ordinal);
    }

    private static string Errors(params (string Key, string Value)[] keys)
    {
        var all = new Dictionary<string, string>
        {
            ["region"] = "us",
            ["listen"] = "127.0.0.1:0",
            ["home:cluster"] = "us",
            ["home:servers"] = "h:1",
        };
        foreach (var (key, value) in keys)
        {
            all[key] = value;
        }
        return string.Join('\n', ProxyConfigLoader.Load(null, all, new Dictionary<string, string>()).Errors);
    }

    private string FileOf(string name) => Path.Combine(_folder, name);

    private void WriteOwn(string subject, X509Certificate2 issuer, int days = 30)
    {
        using var own = TestCertificates.Issue(subject, issuer, days: days);
        TestCertificates.Write(own, FileOf("own.pem"), FileOf("own.key"));
    }

    private UpstreamTlsConfig Own() => new(FileOf("authority.pem"), FileOf("own.pem"), FileOf("own.key"), null, VerifyHost: true);

    private static ClusterConfig Remote(int port, UpstreamTls tls) => new("eu", 1, [], [new HostPort("localhost", port)]) { Tls = tls };

    private ProxyConfig Secured(ProxyConfig config)
    {
        var tls = new UpstreamTls(Own(), TimeProvider.System);
        return config with
        {
            Home = new ClusterConfig("us", 0, [], [new HostPort("localhost", _us.Port)]) { Tls = tls },
            Remotes = [Remote(_eu.Port, tls)],
        };
    }
}
