using ZooNet.Federation.Mounts;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// What can be said against a mount from its words alone. Each check returns null, or why it is refused and what to do: a
/// sentence for an operator.
/// </summary>
internal static class MountRules
{
    public static string? CheckMountPoint(string path)
    {
        if (ZnodePath.Validate(path) is { } why)
        {
            return $"'{path}' can't be a mount point: {why}";
        }
        if (path == "/")
        {
            return "'/' can't be a mount point: it would hide the whole home cluster; mount on a znode below it";
        }
        if (ZnodePath.IsAtOrUnder(path, "/zookeeper"))
        {
            return $"'{path}' can't be a mount point: /zookeeper is ZooKeeper's own; mount elsewhere";
        }
        return null;
    }

    public static string? CheckCluster(string name, ProxyConfig config)
    {
        if (config.FindCluster(name) is not { } cluster)
        {
            var known = config.Remotes.Count == 0 ? "none is configured" : $"known are {string.Join(", ", config.Remotes.Select(r => r.Name))}";
            return $"the cluster '{name}' is not known to this proxy ({known}); add it to 'remotes' of its configuration";
        }
        return cluster.IsHome ? $"'{name}' is the home cluster; its znodes are in the namespace already, mount one of another cluster" : null;
    }

    public static string? CheckRemotePath(string path) =>
        ZnodePath.Validate(path) is { } why ? $"'{path}' is no path to mount: {why}" : null;

    /// <summary>The znode that is at the mount point already: it must be empty, and must stay.</summary>
    public static string? CheckZnode(string path, Stat stat)
    {
        if (stat.NumChildren > 0)
        {
            var children = stat.NumChildren == 1 ? "child" : "children";
            return $"{path} has {stat.NumChildren} {children} that the mount would hide; mount on an empty or a new znode";
        }
        return stat.EphemeralOwner != 0
            ? $"{path} is an ephemeral, TTL or container znode and would vanish under the mount; mount on a persistent or a new znode"
            : null;
    }

    /// <summary>A client has one session in a cluster for all its mounts there, so they all tell the same of who it is.</summary>
    /// <param name="cluster">The name of the cluster that is to be mounted.</param>
    /// <param name="options">Its mount's options.</param>
    /// <param name="entries">The mounts that are there.</param>
    public static string? CheckAuth(string cluster, MountOptions options, IEnumerable<MountEntry> entries)
    {
        var other = entries.FirstOrDefault(e => e.Mount is { } m && m.ClusterName == cluster && m.Options.Auth != options.Auth);
        return other is null
            ? null
            : $"{other.Path} mounts '{cluster}' with {MountOptionsText.Format(other.Mount!.Options.Auth)}, and this would be "
                + $"{MountOptionsText.Format(options.Auth)}: a client has one session there for both; give all mounts of '{cluster}' the same";
    }

    /// <summary>A new mount against those that are there: none inside another, none twice.</summary>
    public static string? CheckOverlap(string path, IEnumerable<string> mountPoints)
    {
        foreach (var other in mountPoints)
        {
            if (other == path)
            {
                return $"something is mounted on {path} already; unmount it first";
            }
            if (ZnodePath.IsAtOrUnder(path, other))
            {
                return $"{path} lies inside the mount {other}; mount it elsewhere";
            }
            if (ZnodePath.IsAtOrUnder(other, path))
            {
                return $"{path} would hide the mount {other}; unmount that first, or mount elsewhere";
            }
        }
        return null;
    }
}
