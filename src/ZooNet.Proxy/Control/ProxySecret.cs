using System.Security.Cryptography;
using System.Text;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// What the proxies' secret is good for: it is a digest credential that owns their znodes, and keys for what is kept in them are derived
/// from it. Two secrets may be known while one takes the other's place: the first is used for all that is written, and what was written
/// with either is read. Immutable and thread-safe (docs/adr/0005-the-proxies-own-znodes.md).
/// </summary>
public sealed class ProxySecret
{
    /// <summary>Slow on purpose: a sealed record can be read by everybody, and so be tried against guesses.</summary>
    private const int Iterations = 100_000;

    private const byte Format = 1;
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private readonly Known[] _known;

    /// <summary>Makes it of a configuration.</summary>
    public ProxySecret(ProxyConfig config) : this(config.Secret, config.AcceptedSecret)
    {
    }

    /// <summary>Makes it.</summary>
    /// <param name="used">The secret that is used, <c>user:password</c>.</param>
    /// <param name="accepted">One that is accepted, too; null for none.</param>
    public ProxySecret(string used, string? accepted = null)
    {
        _known = [.. new[] { used, accepted }.OfType<string>().Distinct(StringComparer.Ordinal).Select(s => new Known(s))];
        Credentials = [.. _known.Select(k => new AuthCredentials("digest", Encoding.UTF8.GetBytes(k.Secret)))];
    }

    /// <summary>What the proxies' own sessions authenticate with.</summary>
    public IReadOnlyList<AuthCredentials> Credentials { get; }

    /// <summary>The ACL of a znode of the proxies: everything to them, reading to everybody, for what must not be read is sealed.</summary>
    public IReadOnlyList<Acl> Acl => [new Acl(Permissions.All, "digest", _known[0].Digest), new Acl(Permissions.Read, "world", "anyone")];

    /// <summary>Whether an entry of an ACL stands for the proxies.</summary>
    public bool IsOurs(Acl entry) => entry.Scheme == "digest" && _known.Any(k => k.Digest == entry.Id);

    /// <summary>Whether an ACL is the one that proxies give to their znodes, with either secret.</summary>
    public bool IsOwnAcl(IReadOnlyList<Acl> acl) => acl is { Count: 2 }
        && acl.Any(a => a.Perms == Permissions.All && IsOurs(a)) && acl.Contains(new Acl(Permissions.Read, "world", "anyone"));

    /// <summary>The ACL of a folder of the tree: <see cref="Acl"/>, but for the one that clients write.</summary>
    public IReadOnlyList<Acl> AclOf(string folder) => folder == ZooNetTree.Acls ? [Acl[0], ForClients] : Acl;

    /// <summary>Whether an ACL is the one that proxies give to a folder of the tree, with either secret.</summary>
    public bool IsOwnAcl(string folder, IReadOnlyList<Acl> acl) => folder != ZooNetTree.Acls ? IsOwnAcl(acl)
        : acl is { Count: 2 } && acl.Any(a => a.Perms == Permissions.All && IsOurs(a)) && acl.Contains(ForClients);

    private static Acl ForClients => new(Permissions.Read | Permissions.Write, "world", "anyone");

    /// <summary>Whether an ACL lets nobody but the proxies do anything but read.</summary>
    public bool KeepsOthersOut(IReadOnlyList<Acl> acl) => acl.All(a => (a.Perms & ~Permissions.Read) == 0 || IsOurs(a));

    /// <summary>The identity of a secret in an ACL.</summary>
    /// <param name="secret"><c>user:password</c>.</param>
    public static string DigestOf(string secret) => DigestId.Of(Encoding.UTF8.GetBytes(secret));

    /// <summary>Encrypts, so that only holders of the secret can read it, or make it.</summary>
    /// <param name="purpose">What it is; a key of its own belongs to each purpose.</param>
    /// <param name="context">What it belongs to: it can't be opened anywhere else.</param>
    /// <param name="plaintext">What is to be sealed.</param>
    public byte[] Seal(string purpose, string context, ReadOnlySpan<byte> plaintext)
    {
        var result = new byte[1 + NonceLength + plaintext.Length + TagLength];
        result[0] = Format;
        var nonce = result.AsSpan(1, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(_known[0].KeyFor(purpose), TagLength);
        cipher.Encrypt(nonce, plaintext, result.AsSpan(1 + NonceLength, plaintext.Length), result.AsSpan(result.Length - TagLength), Encoding.UTF8.GetBytes(context));
        return result;
    }

    /// <summary>
    /// Opens what was sealed. Null where it was not sealed with a secret that is known, for this purpose and this context.
    /// </summary>
    /// <param name="purpose">As in <see cref="Seal"/>.</param>
    /// <param name="context">As in <see cref="Seal"/>.</param>
    /// <param name="content">What was sealed.</param>
    public byte[]? Open(string purpose, string context, ReadOnlySpan<byte> content)
    {
        if (content.Length < 1 + NonceLength + TagLength || content[0] != Format)
        {
            return null;
        }
        var plaintext = new byte[content.Length - 1 - NonceLength - TagLength];
        foreach (var known in _known)
        {
            using var cipher = new AesGcm(known.KeyFor(purpose), TagLength);
            try
            {
                cipher.Decrypt(content.Slice(1, NonceLength), content.Slice(1 + NonceLength, plaintext.Length), content[^TagLength..], plaintext, Encoding.UTF8.GetBytes(context));
                return plaintext;
            }
            catch (AuthenticationTagMismatchException)
            {
                // Sealed with the other secret, or by somebody else.
            }
        }
        return null;
    }

    /// <summary>Signs a text, so that holders of the secret know that one of them has written it.</summary>
    /// <param name="purpose">What it is.</param>
    /// <param name="text">The text.</param>
    public string Sign(string purpose, string text) => Signature(_known[0], purpose, text);

    /// <summary>Whether a signature is of this text, made by a holder of a secret that is known.</summary>
    /// <param name="purpose">What it is.</param>
    /// <param name="text">The text.</param>
    /// <param name="signature">What <see cref="Sign"/> returned; null for none.</param>
    public bool IsSigned(string purpose, string text, string? signature) => signature is not null
        && _known.Any(k => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Signature(k, purpose, text)), Encoding.ASCII.GetBytes(signature)));

    private static string Signature(Known known, string purpose, string text) =>
        Convert.ToBase64String(HMACSHA256.HashData(known.KeyFor(purpose), Encoding.UTF8.GetBytes(text)));

    /// <summary>One secret, and what is derived from it.</summary>
    private sealed class Known(string secret)
    {
        private readonly Lazy<byte[]> _master = new(() =>
            Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(secret), "the secret of ZooNet's proxies"u8, Iterations, HashAlgorithmName.SHA256, 32));

        public string Secret => secret;

        public string Digest { get; } = DigestOf(secret);

        public byte[] KeyFor(string purpose) => HKDF.Expand(HashAlgorithmName.SHA256, _master.Value, 32, Encoding.UTF8.GetBytes(purpose));
    }
}
