using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Transport;
using ZooNet.Proxy.Upstream;
using ZooNet.Server;
using ZooNet.Server.Quorum;

namespace ZooNet.Integration.Quorum;

/// <summary>
/// Real ensembles whose servers speak TLS among themselves, ask for a login, or both: an observer of ours does as they do.
/// </summary>
public sealed class SecureQuorumTests : IDisposable
{
    private static readonly QuorumCredentials Login = new("observer", "of-the-tests");

    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-secure-quorum-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public async Task A_leader_with_TLS_is_followed_and_without_it_the_reason_is_said()
    {
        Jars.Require();
        var tls = WriteCertificates();
        await using var ensemble = await RealEnsemble.StartAsync("tls", new() { Voters = 3, Config = WithTls });

        await using var learner = await LearnerTests.ObserveAsync(ensemble, o => o with { Tls = tls.OptionsFor });
        await WorksAsync(learner, ensemble);

        await using var plain = await FailingAsync(ensemble, o => o);
        Assert.Contains("does it ask for TLS or SASL", plain.Problem, StringComparison.Ordinal);
        using var stranger = Certificates.Issue("CN=stranger", null);
        await File.WriteAllTextAsync(FileOf("stranger.pem"), stranger.ExportCertificatePem());
        var wrong = new UpstreamTls(tls.Config with { Authority = FileOf("stranger.pem") }, TimeProvider.System);
        await using var distrusting = await FailingAsync(ensemble, o => o with { Tls = wrong.OptionsFor });
        Assert.Contains("can't be spoken to by TLS", distrusting.Problem, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_leader_that_asks_for_a_login_is_followed_and_a_wrong_one_is_said_to_be_wrong()
    {
        Jars.Require();
        await using var ensemble = await RealEnsemble.StartAsync("sasl", new() { Voters = 3, Config = WithLogin, Jvm = Jaas() });

        await using var learner = await LearnerTests.ObserveAsync(ensemble, o => o with { Credentials = Login });
        await WorksAsync(learner, ensemble);

        await using var without = await FailingAsync(ensemble, o => o);
        Assert.Contains("does it ask for TLS or SASL", without.Problem, StringComparison.Ordinal);
        await using var wrong = await FailingAsync(ensemble, o => o with { Credentials = Login with { Password = "another" } });
        Assert.Contains("does not let in the user 'observer' by SASL", wrong.Problem, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_mount_is_served_through_quorum_ports_with_TLS_and_a_login()
    {
        Jars.Require();
        var tls = WriteCertificates();
        await using var home = await RealEnsemble.StartAsync("home");
        await using var remote = await RealEnsemble.StartAsync("far", new() { Config = [.. WithTls, .. WithLogin], Jvm = Jaas() });
        await using var far = await remote.ConnectAsync();
        await far.CreateAsync("/apps", [1]);
        await using var proxy = await Proxies.StartAsync(home, remote, config => config with
        {
            Remotes =
            [
                config.Remotes[0] with
                {
                    Observers = [],
                    Servers = [],
                    Quorum = [.. remote.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))],
                    Observer = new ObserverConfig(null, tls, Login),
                },
            ],
        });
        await proxy.MountAsync("far:/apps", "/mnt");
        await using var client = await proxy.ConnectAsync();

        await client.CreateAsync("/mnt/x", [2]);
        Assert.Equal([1], (await client.GetDataAsync("/mnt")).Data!);
        Assert.Equal([2], (await far.GetDataAsync("/apps/x")).Data!);
        Assert.Equal("following", proxy.Services.GetRequiredService<EmbeddedObservers>().Of(1)!.State);
    }

    private static readonly string[] WithLogin =
    [
        "quorum.auth.enableSasl=true",
        "quorum.auth.learnerRequireSasl=true",
        "quorum.auth.serverRequireSasl=true",
        "quorum.cnxn.threads.size=20",
    ];

    private string[] WithTls =>
    [
        "sslQuorum=true",
        $"ssl.quorum.keyStore.location={FileOf("server.pem")}",
        $"ssl.quorum.trustStore.location={FileOf("authority.pem")}",
    ];

    private string[] Jaas()
    {
        File.WriteAllText(FileOf("jaas.conf"), $$"""
            QuorumServer {
                org.apache.zookeeper.server.auth.DigestLoginModule required
                user_voter="of-the-voters"
                user_{{Login.Name}}="{{Login.Password}}";
            };
            QuorumLearner {
                org.apache.zookeeper.server.auth.DigestLoginModule required
                username="voter"
                password="of-the-voters";
            };
            """);
        return [$"-Djava.security.auth.login.config={FileOf("jaas.conf")}"];
    }

    private UpstreamTls WriteCertificates()
    {
        using var authority = Certificates.Issue("CN=authority", null);
        using var server = Certificates.Issue("CN=server", authority);
        using var own = Certificates.Issue("CN=observer", authority);
        File.WriteAllText(FileOf("authority.pem"), authority.ExportCertificatePem());
        // ZooKeeper wants key and certificate in one file.
        File.WriteAllText(FileOf("server.pem"),
            server.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n" + server.ExportCertificatePem());
        File.WriteAllText(FileOf("own.pem"), own.ExportCertificatePem());
        File.WriteAllText(FileOf("own.key"), own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        return new UpstreamTls(new UpstreamTlsConfig(FileOf("authority.pem"), FileOf("own.pem"), FileOf("own.key"), null, VerifyHost: true),
            TimeProvider.System);
    }

    private string FileOf(string name) => Path.Combine(_folder, name);

    private static async Task WorksAsync(LearningServer learner, RealEnsemble ensemble)
    {
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", learner.Address.Port)],
        });
        await using var direct = await ensemble.ConnectAsync();
        await client.CreateAsync("/here", new byte[300_000]);
        Assert.Equal(300_000, (await client.GetDataAsync("/here")).Data!.Length);
        await direct.CreateAsync("/there", [2]);
        await client.SyncAsync();
        Assert.Equal([2], (await client.GetDataAsync("/there")).Data!);
        await client.CloseAsync();
    }

    /// <summary>A learner that has tried the leader's port, and only that, and says why it does not follow.</summary>
    private static async Task<LearningServer> FailingAsync(RealEnsemble ensemble, Func<LearnerOptions, LearnerOptions> with)
    {
        var leader = (await ensemble.LeaderAsync())!;
        var learner = await LearningServer.StartAsync(new EmbeddedServerOptions(),
            with(new LearnerOptions { Quorum = [new("127.0.0.1", leader.QuorumPort)], ServerId = 201 }));
        await Eventually.Async(() => learner.Problem is not null, "it says why");
        return learner;
    }
}
