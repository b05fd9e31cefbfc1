using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ZooNet.Proxy.Transport;

/// <summary>How the proxy speaks TLS to a cluster: the files, as they are configured.</summary>
/// <param name="Authority">PEM file with the authorities that sign the servers' certificates; null for those that the system
/// trusts.</param>
/// <param name="Certificate">PEM file with the proxy's own certificate and its chain; null to show none.</param>
/// <param name="Key">PEM file with its private key; null if there is no certificate.</param>
/// <param name="KeyPasswordFile">A file with the password of an encrypted key; null for a key that is not.</param>
/// <param name="VerifyHost">Whether a server's certificate must be for the host that is configured.</param>
public sealed record UpstreamTlsConfig(string? Authority, string? Certificate, string? Key, string? KeyPasswordFile, bool VerifyHost);

/// <summary>
/// What the proxy shows to the servers of a cluster, and what it asks of them. Files that are replaced are used for the connections that
/// begin a second later or after; those that can't be read leave what was loaded before. Thread-safe.
/// </summary>
public sealed class UpstreamTls
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private Material _material;
    private string _stamp;
    private long _looked;

    /// <summary>Loads the files.</summary>
    /// <exception cref="CryptographicException">They hold no certificate and key that belong together.</exception>
    /// <exception cref="IOException">They can't be read.</exception>
    public UpstreamTls(UpstreamTlsConfig config, TimeProvider time)
    {
        (Config, _time) = (config, time);
        _stamp = Stamp();
        _material = Load();
        _looked = time.GetTimestamp();
    }

    /// <summary>What is configured.</summary>
    public UpstreamTlsConfig Config { get; }

    /// <summary>Why files that were replaced are not in use; null if nothing is wrong.</summary>
    public string? Problem { get; private set; }

    /// <summary>When the proxy's own certificate ends; null if it has none.</summary>
    public DateTime? End => Current().Leaf?.NotAfter.ToUniversalTime();

    /// <summary>The subject of the proxy's own certificate, as in an id of the scheme <c>x509</c>; null if it has none.</summary>
    public string? Subject => Current().Leaf is { } leaf ? CertificateSubject.Of(leaf) : null;

    /// <summary>What to ask of a server.</summary>
    /// <param name="host">Its host name or address as it is configured.</param>
    public SslClientAuthenticationOptions OptionsFor(string host)
    {
        var material = Current();
        var policy = new X509ChainPolicy
        {
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            ApplicationPolicy = { new Oid(ServerAuthentication) },
        };
        if (material.Authorities is { } authorities)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(authorities);
        }
        return new SslClientAuthenticationOptions
        {
            TargetHost = host,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CertificateChainPolicy = policy,
            ClientCertificateContext = material.Own,
            RemoteCertificateValidationCallback = Config.VerifyHost
                ? null
                : static (_, _, _, errors) => (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None,
        };
    }

    private Material Current()
    {
        lock (_lock)
        {
            if (_time.GetElapsedTime(_looked) >= LookAgain)
            {
                _looked = _time.GetTimestamp();
                Refresh();
            }
            return _material;
        }
    }

    private void Refresh()
    {
        try
        {
            var stamp = Stamp();
            if (stamp != _stamp)
            {
                _material = Load();
                _stamp = stamp;
            }
            Problem = null;
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Certificate and key are two files, and one of them is replaced first.
            Problem = $"the files of 'tls' have changed and can't be used, those before stay: {e.Message}";
        }
    }

    private string Stamp() => string.Join('|', new[] { Config.Certificate, Config.Key, Config.Authority }.OfType<string>()
        .Select(file => $"{File.GetLastWriteTimeUtc(file).Ticks}:{new FileInfo(file).Length}"));

    private Material Load()
    {
        X509Certificate2Collection? authorities = null;
        if (Config.Authority is { } file)
        {
            authorities = [];
            authorities.ImportFromPemFile(file);
            if (authorities.Count == 0)
            {
                throw new CryptographicException($"'{file}' has no certificate in it");
            }
        }
        if (Config.Certificate is not { } certificate)
        {
            return new(authorities, null, null);
        }
        var leaf = Config.KeyPasswordFile is { } password
            ? X509Certificate2.CreateFromEncryptedPemFile(certificate, File.ReadAllText(password).Trim(), Config.Key)
            : X509Certificate2.CreateFromPemFile(certificate, Config.Key);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificate);
        return new(authorities, leaf, SslStreamCertificateContext.Create(leaf, chain, offline: true));
    }

    private sealed record Material(X509Certificate2Collection? Authorities, X509Certificate2? Leaf, SslStreamCertificateContext? Own);
}
