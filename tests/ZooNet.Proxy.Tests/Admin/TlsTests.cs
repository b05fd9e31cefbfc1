using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Tests.Transport;

namespace ZooNet.Proxy.Tests.Admin;

public sealed class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-tls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_listener_with_a_certificate_speaks_TLS()
    {
        var tls = WriteCertificate();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Tls = tls });
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        await using var stream = new SslStream(tcp.GetStream(), false, (_, certificate, _, _) => certificate!.Subject == "CN=proxy");
        await stream.AuthenticateAsClientAsync("proxy");

        await stream.WriteAsync("ruok"u8.ToArray());

        using var reader = new StreamReader(stream);
        Assert.Equal("imok", await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_word_whose_sender_ends_its_TLS_stream_with_it_is_answered()
    {
        var tls = WriteCertificate();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Tls = tls });
        for (var i = 0; i < 20; i++)
        {
            using var tcp = new TcpClient();
            await tcp.ConnectAsync(proxy.Host.ClientEndPoints[0]);
            await using var stream = new SslStream(tcp.GetStream(), false, (_, certificate, _, _) => certificate!.Subject == "CN=proxy");
            await stream.AuthenticateAsClientAsync("proxy");

            await stream.WriteAsync("ruok"u8.ToArray());
            await stream.ShutdownAsync();

            using var reader = new StreamReader(stream);
            Assert.Equal("imok", await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10)));
        }
    }

    [Fact]
    public async Task Many_requests_over_TLS_are_all_answered_in_order()
    {
        const int Requests = 2_000;
        var tls = WriteCertificate();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Tls = tls });
        await using var stream = await ConnectAsync(proxy, null);
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 6000, 0, new byte[16], false).WriteFrame(writer);
        await stream.WriteAsync(writer.WrittenMemory);
        Assert.NotEqual(0, ConnectResponse.TryRead(await FrameAsync(stream))!.SessionId);
        for (var xid = 1; xid <= Requests; xid++)
        {
            // One at a time, then all at once.
            writer.Clear();
            var mark = writer.BeginFrame();
            new RequestHeader(xid, OpCode.Exists).Write(writer);
            new PathWatchRequest("/", false).Write(writer);
            writer.EndFrame(mark);
            await stream.WriteAsync(writer.WrittenMemory);
            if (xid < Requests / 2)
            {
                Assert.Equal(xid, ReplyHeader.Read(await FrameAsync(stream)).Xid);
            }
        }
        for (var xid = Requests / 2; xid <= Requests; xid++)
        {
            Assert.Equal(xid, ReplyHeader.Read(await FrameAsync(stream)).Xid);
        }
    }

    private static async Task<byte[]> FrameAsync(SslStream stream)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var prefix = new byte[4];
        await stream.ReadExactlyAsync(prefix, limit.Token);
        var frame = new byte[System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(prefix)];
        await stream.ReadExactlyAsync(frame, limit.Token);
        return frame;
    }

    [Fact]
    public async Task The_whole_chain_is_sent_so_that_a_client_that_knows_only_the_root_can_verify_it()
    {
        using var root = TestCertificates.Authority("CN=root");
        using var intermediate = TestCertificates.Authority("CN=intermediate", root);
        var tls = WriteCertificate(intermediate, also: intermediate);
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Tls = tls });

        await using var stream = await ConnectAsync(proxy, root);

        Assert.Equal("imok", await AskAsync(stream));
    }

    [Fact]
    public async Task A_certificate_that_is_replaced_is_the_one_of_new_connections_and_old_ones_stay()
    {
        var tls = WriteCertificate();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Tls = tls });
        await using var old = await ConnectAsync(proxy, null);
        var before = old.RemoteCertificate!.GetCertHashString();

        WriteCertificate();
        await TwoRegions.Eventually(async () =>
        {
            await using var probe = await ConnectAsync(proxy, null);
            return probe.RemoteCertificate!.GetCertHashString() != before;
        });

        Assert.Equal("imok", await AskAsync(old));
    }

    [Theory]
    [InlineData(ClientCertificates.Require, "good", true)]
    [InlineData(ClientCertificates.Require, "foreign", false)]
    [InlineData(ClientCertificates.Require, null, false)]
    [InlineData(ClientCertificates.Accept, "good", true)]
    [InlineData(ClientCertificates.Accept, "foreign", false)]
    [InlineData(ClientCertificates.Accept, null, true)]
    public async Task Client_certificates_are_demanded_or_accepted_and_must_be_of_the_authority(
        ClientCertificates mode, string? shown, bool served)
    {
        using var authority = TestCertificates.Authority("CN=clients", null);
        using var foreign = TestCertificates.Authority("CN=clients", null);
        using var certificate = shown is null ? null : TestCertificates.Issue("CN=a client", shown == "good" ? authority : foreign);
        var file = Path.Combine(_folder, "clients.pem");
        await File.WriteAllTextAsync(file, authority.ExportCertificatePem());
        var tls = WriteCertificate() with { Clients = mode, ClientAuthority = file };
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { Tls = tls });
        string answer;
        try
        {
            await using var stream = await ConnectAsync(proxy, null, certificate);
            answer = await AskAsync(stream);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            answer = "";
        }

        Assert.Equal(served ? "imok" : "", answer);
    }

    [Fact]
    public void An_encrypted_key_needs_its_password_and_an_ended_certificate_is_an_error()
    {
        var tls = WriteCertificate();
        using var key = RSA.Create();
        key.ImportFromPem(File.ReadAllText(tls.Key));
        var password = Path.Combine(_folder, "password");
        var encryption = new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000);
        File.WriteAllText(tls.Key, key.ExportEncryptedPkcs8PrivateKeyPem("open", encryption));

        Assert.Contains("has an encrypted key", Assert.Single(Load(tls).Errors).Message);
        File.WriteAllText(password, "wrong\n");
        Assert.Contains("can not be loaded with its key and the password given", Assert.Single(Load(tls, password).Errors).Message);
        File.WriteAllText(password, "open\n");
        Assert.Equal(password, Load(tls, password).Config!.Tls!.KeyPasswordFile);
        tls = WriteCertificate(days: -1);
        Assert.Contains("the other side would refuse it", Assert.Single(Load(tls).Errors).Message);
        tls = WriteCertificate(days: 3);
        Assert.Contains(Load(tls).Warnings, w => w.Contains("ends at", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_admin_endpoint_with_a_certificate_speaks_TLS_only_and_takes_a_new_one_without_a_restart()
    {
        var tls = WriteCertificate();
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { AdminTls = tls }, waitReady: false);
        string? shown = null;
        using var handler = new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => (shown = certificate!.GetCertHashString()) is not null;
        using var http = new HttpClient(handler) { BaseAddress = new Uri($"https://{proxy.Host.AdminEndPoint}") };

        Assert.Contains("ok", await http.GetStringAsync("/live"), StringComparison.Ordinal);
        await Assert.ThrowsAsync<HttpRequestException>(() => proxy.Http.GetStringAsync("/live"));
        var before = shown;
        WriteCertificate();
        await TwoRegions.Eventually(async () =>
        {
            await http.GetStringAsync("/live");
            return shown != before;
        });
    }

    [Theory]
    [InlineData("CN=ops", "admin", HttpStatusCode.OK, HttpStatusCode.BadRequest)]
    [InlineData("CN=dashboard", "view", HttpStatusCode.OK, HttpStatusCode.Forbidden)]
    // From the loopback a name without a role is like none at all.
    [InlineData("CN=somebody", "admin", HttpStatusCode.OK, HttpStatusCode.BadRequest)]
    [InlineData(null, "admin", HttpStatusCode.OK, HttpStatusCode.BadRequest)]
    public async Task The_name_of_a_client_certificate_has_a_role_at_the_admin_endpoint(
        string? name, string role, HttpStatusCode look, HttpStatusCode change)
    {
        using var authority = TestCertificates.Authority("CN=operators", null);
        using var certificate = name is null ? null : TestCertificates.Issue(name, authority);
        var file = Path.Combine(_folder, "operators.pem");
        await File.WriteAllTextAsync(file, authority.ExportCertificatePem());
        var tls = WriteCertificate() with { Clients = ClientCertificates.Accept, ClientAuthority = file };
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(
            c => c with { AdminTls = tls, AdminNames = ["ops"], ViewNames = ["dashboard"] }, waitReady: false);
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Subject == "CN=proxy";
        handler.SslOptions.ClientCertificates = certificate is null ? null : [certificate];
        using var http = new HttpClient(handler) { BaseAddress = new Uri($"https://{proxy.Host.AdminEndPoint}") };

        using var status = await http.GetAsync("/api/v1/status");
        using var mount = await http.PostAsync("/api/v1/mounts", new StringContent("{}", null, "application/json"));

        Assert.Equal((look, change), (status.StatusCode, mount.StatusCode));
        Assert.Equal(role == "view", (await mount.Content.ReadAsStringAsync()).Contains("is one to look", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_client_certificate_of_a_foreign_authority_gets_no_connection_to_the_admin_endpoint()
    {
        using var authority = TestCertificates.Authority("CN=operators", null);
        using var foreign = TestCertificates.Authority("CN=operators", null);
        using var certificate = TestCertificates.Issue("CN=ops", foreign);
        var file = Path.Combine(_folder, "operators.pem");
        await File.WriteAllTextAsync(file, authority.ExportCertificatePem());
        var tls = WriteCertificate() with { Clients = ClientCertificates.Accept, ClientAuthority = file };
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync(c => c with { AdminTls = tls, AdminNames = ["ops"] }, waitReady: false);
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Subject == "CN=proxy";
        handler.SslOptions.ClientCertificates = [certificate];
        handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        using var http = new HttpClient(handler) { BaseAddress = new Uri($"https://{proxy.Host.AdminEndPoint}") };

        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync("/api/v1/status"));
    }

    [Fact]
    public void Names_with_roles_need_an_authority_that_signs_their_certificates()
    {
        var tls = WriteCertificate();
        var result = ProxyConfigLoader.Load(null, new Dictionary<string, string>
        {
            ["region"] = "us",
            ["listen"] = "127.0.0.1:0",
            ["home:cluster"] = "us",
            ["home:servers"] = "h:1",
            ["adminTls:certificate"] = tls.Certificate,
            ["adminTls:key"] = tls.Key,
            ["adminNames:admin:0"] = "ops",
        }, new Dictionary<string, string>());

        Assert.Contains("nobody is asked for one", Assert.Single(result.Errors).Message);
    }

    private static ConfigResult Load(TlsConfig tls, string? password = null)
    {
        var keys = new Dictionary<string, string>
        {
            ["region"] = "us",
            ["listen"] = "127.0.0.1:0",
            ["home:cluster"] = "us",
            ["home:servers"] = "h:1",
            ["tls:certificate"] = tls.Certificate,
            ["tls:key"] = tls.Key,
        };
        if (password is not null)
        {
            keys["tls:keyPasswordFile"] = password;
        }
        return ProxyConfigLoader.Load(null, keys, new Dictionary<string, string>());
    }

    private static async Task<SslStream> ConnectAsync(RunningProxy proxy, X509Certificate2? root, X509Certificate2? own = null)
    {
        var tcp = new TcpClient();
        await tcp.ConnectAsync(proxy.Host.ClientEndPoints[0]);
        var stream = new SslStream(tcp.GetStream());
        var options = new SslClientAuthenticationOptions { TargetHost = "proxy", ClientCertificates = own is null ? null : [own] };
        if (root is null)
        {
            options.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate!.Subject == "CN=proxy";
        }
        else
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
                CustomTrustStore = { root },
            };
        }
        await stream.AuthenticateAsClientAsync(options);
        return stream;
    }

    private static async Task<string> AskAsync(SslStream stream)
    {
        await stream.WriteAsync("ruok"u8.ToArray());
        using var reader = new StreamReader(stream, leaveOpen: true);
        return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void A_key_that_does_not_belong_to_the_certificate_is_a_configuration_error()
    {
        var tls = WriteCertificate();
        using var other = RSA.Create(2048);
        File.WriteAllText(tls.Key, other.ExportPkcs8PrivateKeyPem());
        var result = ProxyConfigLoader.Load(null, new Dictionary<string, string>
        {
            ["region"] = "us",
            ["listen"] = "127.0.0.1:0",
            ["home:cluster"] = "us",
            ["home:servers"] = "h:1",
            ["tls:certificate"] = tls.Certificate,
            ["tls:key"] = tls.Key,
        }, new Dictionary<string, string>());

        Assert.Contains("can not be loaded with its key", Assert.Single(result.Errors).Message);
    }

    private TlsConfig WriteCertificate(X509Certificate2? issuer = null, X509Certificate2? also = null, int days = 30)
    {
        using var certificate = TestCertificates.Issue("CN=proxy", issuer, days: days);
        var tls = new TlsConfig(Path.Combine(_folder, "server.pem"), Path.Combine(_folder, "server.key"));
        File.WriteAllText(tls.Certificate, certificate.ExportCertificatePem() + "\n" + also?.ExportCertificatePem());
        File.WriteAllText(tls.Key, certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        return tls;
    }
}
