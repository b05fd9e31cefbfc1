using ZooNet.Protocol;

namespace ZooNet.Tree.Requests;

/// <summary>Who a connection is: what an ACL entry's scheme and id are compared with.</summary>
/// <param name="Scheme">ip, digest or x509.</param>
/// <param name="Id">The address, user and hash, or a certificate's subject.</param>
internal readonly record struct Identity(string Scheme, string Id)
{
    /// <summary>Who may do anything.</summary>
    public static Identity Super { get; } = new("super", "");

    /// <summary>The name that whoAmI shows: a digest's user without the hash.</summary>
    public string UserName => Scheme == "digest" ? Id.Split(':')[0] : Id;

    /// <summary>The identity of "user:password".</summary>
    public static Identity OfDigest(ReadOnlySpan<byte> credentials) => new("digest", DigestId.Of(credentials));
}
