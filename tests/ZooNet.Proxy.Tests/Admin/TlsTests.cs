using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ZooNet.Proxy.Configuration;

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

    private TlsConfig WriteCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=proxy", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var tls = new TlsConfig(Path.Combine(_folder, "server.pem"), Path.Combine(_folder, "server.key"));
        File.WriteAllText(tls.Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(tls.Key, key.ExportPkcs8PrivateKeyPem());
        return tls;
    }
}
