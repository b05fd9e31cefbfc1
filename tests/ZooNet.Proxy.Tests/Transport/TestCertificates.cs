using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ZooNet.Proxy.Tests.Transport;

/// <summary>Certificates for tests.</summary>
internal static class TestCertificates
{
    public static X509Certificate2 Authority(string name, X509Certificate2? issuer = null) => Issue(name, issuer, isAuthority: true);

    /// <summary>A certificate with its key; self-signed without an issuer.</summary>
    public static X509Certificate2 Issue(string name, X509Certificate2? issuer, bool isAuthority = false, int days = 30, string dnsName = "proxy")
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(dnsName);
        request.CertificateExtensions.Add(names.Build());
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-20), DateTimeOffset.UtcNow.AddDays(days));
        if (issuer is null)
        {
            return request.CreateSelfSigned(from, to);
        }
        var end = to < issuer.NotAfter ? to : issuer.NotAfter;
        using var signed = request.Create(issuer, issuer.NotBefore, end, Guid.NewGuid().ToByteArray());
        return signed.CopyWithPrivateKey(key);
    }

    /// <summary>Writes certificate and key as PEM files.</summary>
    public static void Write(X509Certificate2 certificate, string file, string keyFile)
    {
        File.WriteAllText(file, certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(keyFile, certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
    }
}
