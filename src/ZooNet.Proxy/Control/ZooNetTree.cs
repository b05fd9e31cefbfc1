using System.Security.Cryptography;
using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>
/// The proxy's own znodes: where they are, how they are named, and who may do what with them. The layout is shared by all
/// proxies of a federation and written down in docs/operations.md, for those who mount by writing there.
/// </summary>
public static class ZooNetTree
{
    /// <summary>What everything of ours lies under.</summary>
    public const string Root = "/zookeeper/zoonet";

    /// <summary>One child per mount of the cluster's own region.</summary>
    public const string Mounts = Root + "/mounts";

    /// <summary>One ephemeral child per live proxy of the cluster's own region, made by its control session.</summary>
    public const string Proxies = Root + "/proxies";

    /// <summary>One child per view (region) of the federation, as far as it has become known in the cluster.</summary>
    public const string Views = Root + "/views";

    /// <summary>One ephemeral child per client session that has remote sessions, made by that session itself.</summary>
    public const string Sessions = Root + "/sessions";

    /// <summary>The identity of a secret in an ACL (source: <c>DigestAuthenticationProvider.generateDigest</c>).</summary>
    /// <param name="secret"><c>user:password</c>.</param>
    public static string DigestOf(string secret)
    {
        var user = secret[..secret.IndexOf(':')];
#pragma warning disable CA5350 // ZooKeeper's digest scheme is SHA-1 on every server.
        return $"{user}:{Convert.ToBase64String(SHA1.HashData(Encoding.UTF8.GetBytes(secret)))}";
#pragma warning restore CA5350
    }

    /// <summary>Everything to the holder of the secret, and something to everybody.</summary>
    /// <param name="secret"><c>user:password</c>.</param>
    /// <param name="world">What everybody may do: a sum of <see cref="Permissions"/>, 0 for nothing.</param>
    public static IReadOnlyList<Acl> AclOf(string secret, int world)
    {
        var owner = new Acl(Permissions.All, "digest", DigestOf(secret));
        return world == 0 ? [owner] : [owner, new Acl(world, "world", "anyone")];
    }

    /// <summary>The znode of a view's record.</summary>
    public static string ViewOf(string view) => $"{Views}/{view}";

    /// <summary>The child's name for a mount point: its path without the first '/', the others as %2F.</summary>
    public static string NameOf(string mountPoint) => mountPoint[1..].Replace("%", "%25").Replace("/", "%2F");

    /// <summary>The mount point of a child's name: the reverse of <see cref="NameOf"/>.</summary>
    public static string MountPointOf(string name) => "/" + name.Replace("%2F", "/").Replace("%25", "%");

    /// <summary>The znode of a mount's record.</summary>
    public static string RecordOf(string mountPoint) => $"{Mounts}/{NameOf(mountPoint)}";
}
