using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Transport;

/// <summary>
/// The client listener's certificate with its whole chain, and which client certificates are taken. The files are looked at again when
/// somebody connects, a second after the last look at the earliest: new connections get the new certificate, old ones keep theirs.
/// Thread-safe.
/// </summary>
internal sealed class ServerCertificates
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly TlsConfig _config;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly LogLimit _warnings;
    private readonly Lock _lock = new();
    private SslServerAuthenticationOptions _options;
    private string _stamp;
    private long _looked;

    /// <summary>Loads the files.</summary>
    /// <exception cref="CryptographicException">They hold no certificate and key that belong together.</exception>
    /// <exception cref="IOException">They can't be read.</exception>
    public ServerCertificates(TlsConfig config, ILogger logger, TimeProvider time)
    {
        (_config, _logger, _time) = (config, logger, time);
        _warnings = new LogLimit(1, time, burst: 1);
        _stamp = Stamp();
        _options = Load();
        _looked = time.GetTimestamp();
    }

    /// <summary>What a connection that begins now is to be greeted with.</summary>
    public SslServerAuthenticationOptions Current
    {
        get
        {
            lock (_lock)
            {
                if (_time.GetElapsedTime(_looked) >= LookAgain)
                {
                    _looked = _time.GetTimestamp();
                    Refresh();
                }
                return _options;
            }
        }
    }

    /// <summary>When a certificate file's own certificate ends.</summary>
    /// <exception cref="CryptographicException">The files hold no certificate and key that belong together.</exception>
    public static DateTime EndOf(TlsConfig config)
    {
        using var leaf = LoadLeaf(config);
        return leaf.NotAfter.ToUniversalTime();
    }

    private void Refresh()
    {
        try
        {
            var stamp = Stamp();
            if (stamp != _stamp)
            {
                _options = Load();
                _stamp = stamp;
                _logger.CertificateLoaded(_config.Certificate);
            }
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Certificate and key are two files, and one of them is replaced first.
            if (_warnings.Allows(0, out _))
            {
                _logger.CertificateNotLoaded(_config.Certificate, e.Message);
            }
        }
    }

    private string Stamp() => string.Join('|', new[] { _config.Certificate, _config.Key, _config.ClientAuthority }.OfType<string>()
        .Select(file => $"{File.GetLastWriteTimeUtc(file).Ticks}:{new FileInfo(file).Length}"));

    private SslServerAuthenticationOptions Load()
    {
        var leaf = LoadLeaf(_config);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(_config.Certificate);
        var options = new SslServerAuthenticationOptions
        {
            // The intermediate certificates too: a client knows the root only.
            ServerCertificateContext = SslStreamCertificateContext.Create(leaf, chain, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ClientCertificateRequired = _config.Clients != ClientCertificates.None,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (_config.ClientAuthority is { } authority)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            policy.CustomTrustStore.ImportFromPemFile(authority);
            policy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
            options.CertificateChainPolicy = policy;
            var mayBeMissing = _config.Clients == ClientCertificates.Accept;
            options.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                errors == SslPolicyErrors.None || (mayBeMissing && certificate is null);
        }
        return options;
    }

    private static X509Certificate2 LoadLeaf(TlsConfig config) => config.KeyPasswordFile is { } file
        ? X509Certificate2.CreateFromEncryptedPemFile(config.Certificate, File.ReadAllText(file).Trim(), config.Key)
        : X509Certificate2.CreateFromPemFile(config.Certificate, config.Key);
}
