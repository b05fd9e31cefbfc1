using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Transport;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Integration.Quorum;

/// <summary>
/// The certificate that a client shows to the proxy is who it is in a mount, too, where the proxy itself observes the cluster: under the
/// name by which a real ensemble knows it when it comes directly.
/// </summary>
public sealed class ClientCertificatesTests : IDisposable
{
    private static readonly Acl[] Own = [new(Permissions.All, "auth", "")];

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-client-certificates-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public async Task What_a_client_keeps_for_itself_by_its_certificate_it_has_directly_and_through_an_observer_and_nobody_else_has_it()
    {
        Jars.Require();
        using var authority = await AuthorityAsync();
        // All that is written otherwise in such a name: separators, quotes, blanks at the ends, letters of others, kinds without a keyword.
        var name = new X500DistinguishedNameBuilder();
        name.AddDomainComponent("example");
        name.AddOrganizationName(" Zoo; \"Käfig\" #1+2 ");
        name.AddEmailAddress("app@example");
        name.AddCommonName("app, of <us> a=b\\c");
        Write(authority, "app", name.Build());
        Write(authority, "other", new X500DistinguishedName("CN=other"));
        var securePort = FreePorts.Take();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu", Secured(securePort));
        await using var proxy = await Proxies.StartAsync(us, eu, config => config with
        {
            Tls = new TlsConfig(FileOf("server.pem"), FileOf("server.key"))
            {
                Clients = ClientCertificates.Require,
                ClientAuthority = FileOf("authority.pem"),
            },
            Remotes =
            [
                config.Remotes[0] with
                {
                    Observers = [],
                    Servers = [],
                    Quorum = [.. eu.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))],
                },
            ],
        });
        await using var direct = await ConnectAsync(securePort, "app");
        await direct.CreateAsync("/apps");
        await direct.CreateAsync("/apps/direct", [1], acl: Own);
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await using var app = await ConnectAsync(proxy.ClientEndPoints[0].Port, "app");
        await using var other = await ConnectAsync(proxy.ClientEndPoints[0].Port, "other");

        Assert.Equal([1], (await app.GetDataAsync("/mnt/eu/direct")).Data!);
        await app.SetDataAsync("/mnt/eu/direct", [2]);
        await app.CreateAsync("/mnt/eu/proxied", [3], acl: Own);
        await direct.SyncAsync();
        Assert.Equal([2], (await direct.GetDataAsync("/apps/direct")).Data!);
        Assert.Equal([3], (await direct.GetDataAsync("/apps/proxied")).Data!);
        Assert.Equal((await direct.GetAclAsync("/apps/direct")).AccessControl, (await direct.GetAclAsync("/apps/proxied")).AccessControl);
        foreach (var path in new[] { "/mnt/eu/direct", "/mnt/eu/proxied" })
        {
            await RefusedAsync(() => other.GetDataAsync(path));
            await RefusedAsync(() => other.SetDataAsync(path, [9]));
        }
        // Naming oneself so is not enough.
        await Assert.ThrowsAnyAsync<KeeperException>(() => other.AddAuthAsync("x509", System.Text.Encoding.UTF8.GetBytes("CN=app")));

        await proxy.UnmountAsync("/mnt/eu");
        await proxy.MountAsync("eu:/apps", "/mnt/eu", "auth=none");
        await using var hidden = await ConnectAsync(proxy.ClientEndPoints[0].Port, "app");
        await RefusedAsync(() => hidden.GetDataAsync("/mnt/eu/direct"));
    }

    [SkippableFact]
    public async Task At_home_every_client_is_who_the_proxys_certificate_says_through_its_observer_as_through_the_servers()
    {
        Jars.Require();
        using var authority = await AuthorityAsync();
        Write(authority, "proxy", new X500DistinguishedName("CN=proxy, O=Zoo"));
        var securePort = FreePorts.Take();
        await using var home = await RealEnsemble.StartAsync("home", Secured(securePort));
        await using var direct = await ConnectAsync(securePort, "proxy");
        await direct.CreateAsync("/mine", [1], acl: Own);
        foreach (var observes in new[] { false, true })
        {
            await using var proxy = await Proxies.StartAsync(home, [], config => config with
            {
                Home = config.Home with
                {
                    Servers = [new HostPort("localhost", securePort)],
                    Tls = new UpstreamTls(
                        new UpstreamTlsConfig(FileOf("authority.pem"), FileOf("proxy.pem"), FileOf("proxy.key"), null, VerifyHost: true),
                        TimeProvider.System),
                    Quorum = observes ? [.. home.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))] : [],
                },
            });
            await Eventually.Async(() => observes == (proxy.Services.GetRequiredService<EmbeddedObservers>().Of(0)?.IsReady == true), "it follows");
            await using var client = await proxy.ConnectAsync();

            Assert.Equal([1], (await client.GetDataAsync("/mine")).Data!);
            await client.SetDataAsync("/mine", [1]);
            Assert.Equal(observes, proxy.Path.Pools[0].Current!.Address.StartsWith("observer@", StringComparison.Ordinal));
        }
    }

    private async Task<X509Certificate2> AuthorityAsync()
    {
        var authority = Certificates.Issue("CN=authority", null);
        await File.WriteAllTextAsync(FileOf("authority.pem"), authority.ExportCertificatePem());
        Write(authority, "server", new X500DistinguishedName("CN=server"));
        await File.WriteAllTextAsync(FileOf("both.pem"),
            await File.ReadAllTextAsync(FileOf("server.key")) + await File.ReadAllTextAsync(FileOf("server.pem")));
        return authority;
    }

    private RealEnsembleOptions Secured(int port) => new()
    {
        Config = [$"secureClientPort={port}"],
        Jvm =
        [
            "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            "-Dzookeeper.authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
            $"-Dzookeeper.ssl.keyStore.location={FileOf("both.pem")}",
            $"-Dzookeeper.ssl.trustStore.location={FileOf("authority.pem")}",
            "-Dzookeeper.ssl.clientAuth=need",
        ],
    };

    private static async Task RefusedAsync(Func<Task> work) =>
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(work)).Code);

    private Task<ZooKeeperClient> ConnectAsync(int port, string name) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = [new ServerAddress("localhost", port)],
        SessionTimeout = TimeSpan.FromSeconds(10),
        Tls = new UpstreamTls(
            new UpstreamTlsConfig(FileOf("authority.pem"), FileOf($"{name}.pem"), FileOf($"{name}.key"), null, VerifyHost: true),
            TimeProvider.System).OptionsFor,
    });

    private void Write(X509Certificate2 authority, string file, X500DistinguishedName name)
    {
        using var certificate = Certificates.Issue(name, authority);
        File.WriteAllText(FileOf($"{file}.pem"), certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(FileOf($"{file}.key"), certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private string FileOf(string name) => Path.Combine(_folder, name);
}
