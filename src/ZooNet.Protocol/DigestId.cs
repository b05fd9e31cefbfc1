using System.Security.Cryptography;
using System.Text;

namespace ZooNet.Protocol;

/// <summary>Ids of the scheme digest (source: <c>DigestAuthenticationProvider.generateDigest</c>, by SHA-1). Thread-safe.</summary>
public static class DigestId
{
    /// <summary>
    /// The id of "user:password": <c>user:base64(sha1(user:password))</c>. Anything is accepted, also without a colon.
    /// </summary>
    public static string Of(ReadOnlySpan<byte> credentials)
    {
        // Java makes a string of the bytes first, so bytes that are no UTF-8 hash as their replacement does.
        var text = Encoding.UTF8.GetString(credentials);
#pragma warning disable CA5350 // ZooKeeper's scheme, whose ids lie in every ensemble's ACLs.
        return text.Split(':')[0] + ":" + Convert.ToBase64String(SHA1.HashData(Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5350
    }
}
