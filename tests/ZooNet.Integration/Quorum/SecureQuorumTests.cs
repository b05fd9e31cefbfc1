using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
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

    [SkippableFact]
    public async Task A_certificate_that_is_replaced_is_shown_with_the_next_connection_to_the_leader_and_nobody_is_disconnected_for_it()
    {
        Jars.Require();
        var tls = new UpstreamTls(WriteCertificates().Config, new Hurried());
        await using var home = await RealEnsemble.StartAsync("home");
        // Only in TLS 1.2 can be seen from outside which certificate is shown.
        await using var remote = await RealEnsemble.StartAsync("far", new() { Config = [.. WithTls, "ssl.quorum.enabledProtocols=TLSv1.2"] });
        await using var far = await remote.ConnectAsync();
        await far.CreateAsync("/apps", [1]);
        await using var between = new Eavesdropper(remote.QuorumPorts[0].Port);
        await using var proxy = await Proxies.StartAsync(home, remote, config => config with
        {
            Remotes =
            [
                config.Remotes[0] with
                {
                    Observers = [],
                    Servers = [],
                    Quorum = [new HostPort("127.0.0.1", between.Port)],
                    Observer = new ObserverConfig(null, tls, null),
                },
            ],
        });
        await proxy.MountAsync("far:/apps", "/mnt");
        var connections = new List<string>();
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress("127.0.0.1", proxy.ClientEndPoints[0].Port)],
            SessionTimeout = TimeSpan.FromSeconds(20),
            Diagnostics = line =>
            {
                lock (connections)
                {
                    connections.Add(line);
                }
            },
        });
        Assert.Equal([1], (await client.GetDataAsync("/mnt")).Data!);
        var observer = proxy.Services.GetRequiredService<EmbeddedObservers>();
        await Eventually.Async(() => observer.Of(1)!.IsReady, "the observer keeps what is mounted");
        var before = between.Shown("observer");
        Assert.All(before, Assert.True);

        WriteOwn("successor");
        await client.SetDataAsync("/mnt", [2]);
        Assert.Equal(before, between.Shown("observer"));
        between.Cut();
        await Eventually.Async(() => between.Shown("successor") is [.., true], "the observer has come back with its new certificate");
        Assert.DoesNotContain(true, between.Shown("successor").Take(before.Count));
        await Eventually.Async(() => observer.Of(1)!.IsReady, "it serves again");

        await client.SetDataAsync("/mnt", [3]);
        Assert.Equal([3], (await client.GetDataAsync("/mnt")).Data!);
        Assert.Equal([3], (await far.GetDataAsync("/apps")).Data!);
        Assert.Single(connections);
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
        File.WriteAllText(FileOf("authority.pem"), authority.ExportCertificatePem());
        File.WriteAllText(FileOf("authority.key"), authority.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        // ZooKeeper wants key and certificate in one file.
        File.WriteAllText(FileOf("server.pem"),
            server.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n" + server.ExportCertificatePem());
        WriteOwn("observer");
        return new UpstreamTls(new UpstreamTlsConfig(FileOf("authority.pem"), FileOf("own.pem"), FileOf("own.key"), null, VerifyHost: true),
            TimeProvider.System);
    }

    /// <summary>Writes the certificate that the proxy shows, or puts another in its place.</summary>
    private void WriteOwn(string name)
    {
        using var authority = X509Certificate2.CreateFromPemFile(FileOf("authority.pem"), FileOf("authority.key"));
        using var own = Certificates.Issue($"CN={name}", authority);
        File.WriteAllText(FileOf("own.pem"), own.ExportCertificatePem());
        File.WriteAllText(FileOf("own.key"), own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
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

    /// <summary>A clock of which a second passes between any two looks.</summary>
    private sealed class Hurried : TimeProvider
    {
        private long _now;

        public override long GetTimestamp() => Interlocked.Add(ref _now, TimestampFrequency * 2);
    }

    /// <summary>Stands between an observer and a quorum port, and reads what the observer sends.</summary>
    private sealed class Eavesdropper : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly List<(TcpClient Observer, StringBuilder Sent)> _connections = [];
        private readonly int _to;
        private readonly Task _accepting;

        public Eavesdropper(int to)
        {
            _to = to;
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        /// <summary>Of each connection so far on which anything was sent: whether it has shown a certificate with a name.</summary>
        public List<bool> Shown(string name)
        {
            lock (_connections)
            {
                return [.. _connections.Where(c => c.Sent.Length > 0).Select(c => c.Sent.ToString().Contains(name, StringComparison.Ordinal))];
            }
        }

        /// <summary>Ends the connections.</summary>
        public void Cut()
        {
            lock (_connections)
            {
                _connections.ForEach(c => c.Observer.Close());
            }
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            Cut();
            await _accepting;
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var observer = await _listener.AcceptTcpClientAsync();
                    var sent = new StringBuilder();
                    lock (_connections)
                    {
                        _connections.Add((observer, sent));
                    }
                    _ = RelayAsync(observer, sent);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task RelayAsync(TcpClient observer, StringBuilder sent)
        {
            using var leader = new TcpClient();
            using (observer)
            {
                try
                {
                    await leader.ConnectAsync(IPAddress.Loopback, _to);
                    var down = leader.GetStream().CopyToAsync(observer.GetStream());
                    var buffer = new byte[64 * 1024];
                    while (await observer.GetStream().ReadAsync(buffer) is > 0 and var count)
                    {
                        lock (_connections)
                        {
                            sent.Append(Encoding.Latin1.GetString(buffer, 0, count));
                        }
                        await leader.GetStream().WriteAsync(buffer.AsMemory(0, count));
                    }
                    leader.Close();
                    await down;
                }
                catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
                {
                    // One of the two has gone.
                }
            }
        }
    }
}
