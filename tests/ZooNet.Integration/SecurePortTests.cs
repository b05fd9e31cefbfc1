using System.Security.Cryptography.X509Certificates;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Transport;

namespace ZooNet.Integration;

/// <summary>Real ensembles that are reached by their secure client port only, with client certificates, home and mounted.</summary>
public sealed class SecurePortTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-secure-port-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public async Task A_proxy_serves_home_and_a_mount_through_the_secure_client_ports_of_real_ensembles()
    {
        Jars.Require();
        using var authority = Certificates.Issue("CN=authority", null);
        using var server = Certificates.Issue("CN=server", authority);
        using var own = Certificates.Issue("CN=proxy", authority);
        await File.WriteAllTextAsync(FileOf("authority.pem"), authority.ExportCertificatePem());
        // ZooKeeper wants key and certificate in one file.
        await File.WriteAllTextAsync(FileOf("server.pem"),
            server.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n" + server.ExportCertificatePem());
        await File.WriteAllTextAsync(FileOf("own.pem"), own.ExportCertificatePem());
        await File.WriteAllTextAsync(FileOf("own.key"), own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        var (usPort, euPort) = (FreePorts.Take(), FreePorts.Take());
        await using var us = await RealEnsemble.StartAsync("us", Secured(usPort));
        await using var eu = await RealEnsemble.StartAsync("eu", Secured(euPort));
        var tls = new UpstreamTls(
            new UpstreamTlsConfig(FileOf("authority.pem"), FileOf("own.pem"), FileOf("own.key"), null, VerifyHost: true), TimeProvider.System);
        await using var direct = await eu.ConnectAsync();
        await direct.CreateAsync("/apps");

        await using var proxy = await Proxies.StartAsync(us, eu, c => c with
        {
            Consistency = ConsistencyMode.Ordered,
            Home = new ClusterConfig("us", 0, [], [new HostPort("localhost", usPort)]) { Tls = tls },
            Remotes = [new ClusterConfig("eu", 1, [], [new HostPort("localhost", euPort)]) { Tls = tls }],
        });
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await using var client = await proxy.ConnectAsync();
        await client.CreateAsync("/mnt/eu/x", new byte[200_000]);
        await client.CreateAsync("/here", [2]);

        Assert.Equal(200_000, (await client.GetDataAsync("/mnt/eu/x")).Data!.Length);
        Assert.Equal([2], (await client.GetDataAsync("/here")).Data);
        Assert.Equal(200_000, (await direct.GetDataAsync("/apps/x")).Data!.Length);
        await WhatIsOnesOwnIsNobodyElsesAsync(proxy, client);
    }

    /// <summary>The ensembles know all clients by the proxy's certificate, and yet each has what it keeps for itself.</summary>
    private static async Task WhatIsOnesOwnIsNobodyElsesAsync(ProxyHost proxy, ZooKeeperClient other)
    {
        Acl[] own = [new(Permissions.All, "auth", "")];
        await using var owner = await proxy.ConnectAsync();
        await owner.AddAuthAsync("digest", "bob:secret"u8.ToArray());
        foreach (var parent in new[] { "", "/mnt/eu" })
        {
            await owner.CreateAsync($"{parent}/mine", [3], acl: own);
            await owner.MultiAsync([MultiOp.Create($"{parent}/mine/too", [], acl: own)]);
            Assert.Equal([3], (await owner.GetDataAsync($"{parent}/mine")).Data);
            foreach (var path in new[] { $"{parent}/mine", $"{parent}/mine/too" })
            {
                Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => other.GetDataAsync(path))).Code);
            }
            Assert.Equal(ErrorCode.InvalidAcl,
                (await Assert.ThrowsAsync<KeeperException>(() => other.CreateAsync($"{parent}/whose", [], acl: own))).Code);
        }
    }

    private string FileOf(string name) => Path.Combine(_folder, name);

    private RealEnsembleOptions Secured(int port) => new()
    {
        Config = [$"secureClientPort={port}"],
        Jvm =
        [
            "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            $"-Dzookeeper.ssl.keyStore.location={FileOf("server.pem")}",
            $"-Dzookeeper.ssl.trustStore.location={FileOf("authority.pem")}",
            "-Dzookeeper.ssl.clientAuth=need",
        ],
    };
}
