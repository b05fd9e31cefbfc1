using System.Security.Cryptography;
using System.Text;

namespace ZooNet.Tree.Requests;

/// <summary>Who a connection is: what an ACL entry's scheme and id are compared with.</summary>
/// <param name="Scheme">ip or digest.</param>
/// <param name="Id">The address, or user and hash.</param>
internal readonly record struct Identity(string Scheme, string Id)
{
    /// <summary>Who may do anything.</summary>
    public static Identity Super { get; } = new("super", "");

    /// <summary>The name that whoAmI shows: a digest's user without the hash.</summary>
    public string UserName => Scheme == "digest" ? Id.Split(':')[0] : Id;

    /// <summary>
    /// The identity of "user:password": <c>user:base64(sha1(user:password))</c>. Anything is accepted, also without a colon.
    /// </summary>
    public static Identity OfDigest(ReadOnlySpan<byte> credentials)
    {
        // Java makes a string of the bytes first, so bytes that are no UTF-8 hash as their replacement does.
        var text = Encoding.UTF8.GetString(credentials);
#pragma warning disable CA5350 // ZooKeeper's scheme, whose ids lie in every ensemble's ACLs.
        var hash = Convert.ToBase64String(SHA1.HashData(Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5350
        return new Identity("digest", text.Split(':')[0] + ":" + hash);
    }
}
