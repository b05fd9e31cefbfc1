using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Clients;

/// <summary>
/// kazoo's own test suite by TLS on both sides: its clients show certificates to the proxy, and the proxy shows one to the ensembles, which
/// it reaches at their secure ports. A part of it in each run; all of it with ZOONET_LONG.
/// </summary>
public sealed class KazooTlsTests : IDisposable
{
    private const string Part = "KazooQueueTests or KazooCounterTests or makepath_incompatible_acls";

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-kazoo-tls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public async Task Kazoos_suite_has_the_same_results_by_TLS_with_certificates_on_both_sides_as_directly()
    {
        KazooSuiteTests.Suite.Require();
        using var authority = Certificates.Issue("CN=authority", null);
        await File.WriteAllTextAsync(FileOf("authority.pem"), authority.ExportCertificatePem());
        foreach (var name in new[] { "server", "proxy", "client" })
        {
            using var own = Certificates.Issue($"CN={name}", authority);
            var key = own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem();
            await File.WriteAllTextAsync(FileOf($"{name}.pem"), own.ExportCertificatePem());
            await File.WriteAllTextAsync(FileOf($"{name}.key"), key);
            // ZooKeeper wants key and certificate in one file.
            await File.WriteAllTextAsync(FileOf($"{name}-both.pem"), key + "\n" + own.ExportCertificatePem());
        }
        var (usPort, euPort) = (FreePorts.Take(), FreePorts.Take());
        await using var us = await RealEnsemble.StartAsync("us", Secured(usPort));
        await using var eu = await RealEnsemble.StartAsync("eu", Secured(euPort));
        await using var proxy = await ProxyProcess.StartAsync(
            new ProxyCluster("us", [new ServerAddress("localhost", usPort)], []),
            [new ProxyCluster("eu", [new ServerAddress("localhost", euPort)], [])],
            new JsonObject
            {
                ["home"] = new JsonObject { ["cluster"] = "us", ["servers"] = new JsonArray($"localhost:{usPort}"), ["tls"] = Shown() },
                ["remotes"] = new JsonObject
                {
                    ["eu"] = new JsonObject { ["servers"] = new JsonArray($"localhost:{euPort}"), ["tls"] = Shown() },
                },
                ["tls"] = new JsonObject
                {
                    ["certificate"] = FileOf("proxy.pem"),
                    ["key"] = FileOf("proxy.key"),
                    ["clients"] = "require",
                    ["clientAuthority"] = FileOf("authority.pem"),
                },
                ["fourLetterWords"] = new JsonArray("*"),
            });
        await proxy.MountAsync("eu:/apps", ClientsFixture.Mount, "create");
        string[] tls =
            ["--tls-authority", FileOf("authority.pem"), "--tls-certificate", FileOf("client.pem"), "--tls-key", FileOf("client.key")];

        var direct = await RunAsync("direct", us.ConnectString, "/");

        await KazooSuiteTests.Compare.RunAsync(direct, await RunAsync("home", proxy.Address.ToString(), "/", tls));
        await KazooSuiteTests.Compare.RunAsync(direct, await RunAsync("mount", proxy.Address.ToString(), ClientsFixture.Mount, tls));
        Assert.NotEmpty(await File.ReadAllLinesAsync(direct));
    }

    private JsonObject Shown() => new()
    {
        ["authority"] = FileOf("authority.pem"),
        ["certificate"] = FileOf("proxy.pem"),
        ["key"] = FileOf("proxy.key"),
    };

    private async Task<string> RunAsync(string name, string hosts, string chroot, params IEnumerable<string> tls)
    {
        var part = Environment.GetEnvironmentVariable("ZOONET_LONG") is null ? ["-k", Part] : Array.Empty<string>();
        await KazooSuiteTests.Suite.RunAsync(["--hosts", hosts, "--chroot-prefix", chroot, "--results", FileOf(name), .. part, .. tls]);
        return FileOf(name);
    }

    private string FileOf(string name) => Path.Combine(_folder, name);

    private RealEnsembleOptions Secured(int port) => new()
    {
        TickTimeMs = 1000,
        Config = ["reconfigEnabled=true", $"secureClientPort={port}"],
        Jvm =
        [
            $"-Dzookeeper.DigestAuthenticationProvider.superDigest={ClientsFixture.SuperDigest}",
            "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            $"-Dzookeeper.ssl.keyStore.location={FileOf("server-both.pem")}",
            $"-Dzookeeper.ssl.trustStore.location={FileOf("authority.pem")}",
            "-Dzookeeper.ssl.clientAuth=need",
        ],
    };
}
