using ZooNet.Federation.Freshness;

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

    /// <summary>Folders with the records of clients' sessions in other clusters.</summary>
    public const string Sessions = Root + "/sessions";

    /// <summary>One child per roaming tree that the cluster is a zone of (docs/roaming.md).</summary>
    public const string Roaming = Root + "/roaming";

    /// <summary>What whoever changes an ACL through a mount writes first. It has no children, and anybody may write it.</summary>
    public const string Acls = AclNotice.Path;

    /// <summary>What the tree consists of, the root first.</summary>
    public static IReadOnlyList<string> Folders { get; } = [Root, Mounts, Proxies, Views, Sessions, Acls, Roaming];

    /// <summary>The znode of a view's record.</summary>
    public static string ViewOf(string view) => $"{Views}/{view}";

    /// <summary>The child's name for a mount point: its path without the first '/', the others as %2F.</summary>
    public static string NameOf(string mountPoint) => mountPoint[1..].Replace("%", "%25").Replace("/", "%2F");

    /// <summary>The mount point of a child's name: the reverse of <see cref="NameOf"/>.</summary>
    public static string MountPointOf(string name) => "/" + name.Replace("%2F", "/").Replace("%25", "%");

    /// <summary>The znode of a mount's record.</summary>
    public static string RecordOf(string mountPoint) => $"{Mounts}/{NameOf(mountPoint)}";
}
