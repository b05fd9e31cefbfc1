using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>What a mount needs to know of the cluster it mounts, asked of that cluster now.</summary>
internal static class RemotePathChecks
{
    /// <summary>Checks that the remote path may be mounted and is there, or makes it.</summary>
    /// <returns>Null, or a refusal.</returns>
    /// <exception cref="ClusterUnreachableException">The cluster can't be asked.</exception>
    /// <exception cref="TreeException">What the proxies keep there is not in order.</exception>
    public static async Task<MountOutcome?> CheckAsync(ClusterControl remote, string path, bool create, CancellationToken cancellationToken)
    {
        var name = remote.Cluster.Name;
        if (remote.Embedded is { } own)
        {
            await own.LookAtAsync(path, cancellationToken);
        }
        // An observer may lag; what the admin made a moment ago must be found.
        await remote.CallAsync(c => c.SyncAsync("/", cancellationToken), cancellationToken);
        foreach (var record in await RecordsAsync(remote, cancellationToken))
        {
            var point = ZooNetTree.MountPointOf(record);
            if (ZnodePath.IsAtOrUnder(path, point))
            {
                var where = path == point ? "is itself a mount point" : $"lies in the mount {point}";
                return MountOutcome.Refused(RefusalKind.Conflict, $"{name}:{path} {where} of the cluster '{name}', and mounts are not chained; mount what stands behind it from its own cluster");
            }
        }
        try
        {
            if ((await remote.CallAsync(c => c.ExistsAsync(path), cancellationToken)).Exists)
            {
                return null;
            }
            if (!create)
            {
                return MountOutcome.Refused(RefusalKind.NotFound, $"the cluster '{name}' has no znode {path}; create it there, or mount with -o create");
            }
            await CreateAllAsync(remote, path, cancellationToken);
            return null;
        }
        catch (KeeperException e)
        {
            return MountOutcome.Refused(RefusalKind.Conflict, $"{name}:{path} can't be {(create ? "created" : "looked up")}: {e.Message}");
        }
    }

    /// <summary>Makes a path with all its parents, open to everybody, as an admin would by hand.</summary>
    public static async Task CreateAllAsync(ClusterControl cluster, string path, CancellationToken cancellationToken)
    {
        for (var slash = path.IndexOf('/', 1); ; slash = path.IndexOf('/', slash + 1))
        {
            var part = slash < 0 ? path : path[..slash];
            if (part.Length > 1)
            {
                try
                {
                    await cluster.CallAsync(c => c.CreateAsync(part, []), cancellationToken);
                }
                catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
                {
                }
                catch (KeeperException e) when (e.Code == ErrorCode.NoAuth && slash >= 0)
                {
                    // Not ours to make, which matters only if it is not there: then the next one fails with NoNode.
                }
            }
            if (slash < 0)
            {
                return;
            }
        }
    }

    private static async Task<string[]> RecordsAsync(ClusterControl remote, CancellationToken cancellationToken)
    {
        try
        {
            return !await remote.Tree.CheckAsync(cancellationToken) ? []
                : (await remote.CallAsync(c => c.GetChildrenAsync(ZooNetTree.Mounts), cancellationToken)).Names;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            // No proxy has ever served that cluster.
            return [];
        }
    }
}
