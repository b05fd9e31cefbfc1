using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ZooNet.Integration.Fixtures;

/// <summary>Certificates for servers and clients on this machine.</summary>
internal static class Certificates
{
    /// <summary>One for localhost, for a month.</summary>
    /// <param name="name">Its subject.</param>
    /// <param name="issuer">Who signs it; null for an authority that signs itself.</param>
    /// <param name="days">For how long, from now on.</param>
    public static X509Certificate2 Issue(string name, X509Certificate2? issuer, int days = 30) =>
        Issue(new X500DistinguishedName(name), issuer, days);

    /// <inheritdoc cref="Issue(string, X509Certificate2?, int)"/>
    public static X509Certificate2 Issue(X500DistinguishedName name, X509Certificate2? issuer, int days = 30)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(issuer is null, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(days));
        if (issuer is null)
        {
            return request.CreateSelfSigned(from, to);
        }
        using var signed = request.Create(issuer, issuer.NotBefore, issuer.NotAfter, Guid.NewGuid().ToByteArray());
        return signed.CopyWithPrivateKey(key);
    }
}
