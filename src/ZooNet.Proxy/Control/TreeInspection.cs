using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>One folder of the proxies' tree, as it was found.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Stat">Null where there is none.</param>
/// <param name="Fault">Why it can't be used, as the end of a sentence that begins with its path; null for one that can, or that is not
/// there.</param>
internal sealed record TreeFolder(string Path, Stat? Stat, string? Fault);

/// <summary>The proxies' tree in one cluster, as it was found. Immutable.</summary>
/// <param name="Folders">Every folder that belongs there, the root first.</param>
/// <param name="Mark">What the root holds; null where there is none, or a bad one.</param>
internal sealed record TreeInspection(IReadOnlyList<TreeFolder> Folders, TreeMark? Mark)
{
    /// <summary>The root.</summary>
    public TreeFolder Root => Folders[0];

    /// <summary>The first folder that can't be used; null where all can, or are not there.</summary>
    public TreeFolder? Bad => Folders.FirstOrDefault(f => f.Fault is not null);

    /// <summary>
    /// Looks at a tree. A folder is good that is persistent, has exactly the ACL that proxies make, and has had it from the beginning,
    /// or since it was repaired: otherwise anything in it may be anybody's.
    /// </summary>
    /// <exception cref="KeeperException">The cluster did not answer.</exception>
    public static async Task<TreeInspection> ReadAsync(ZooKeeperClient client, string cluster, ProxySecret secret,
        CancellationToken cancellationToken)
    {
        var found = await Task.WhenAll(ZooNetTree.Folders.Select(path => ReadOneAsync(client, path, cancellationToken)));
        TreeMark? mark = null;
        var isMarkBad = false;
        if (found[0].Acl is { } rootAcl && secret.IsOwnAcl(rootAcl))
        {
            try
            {
                var data = (await client.GetDataAsync(ZooNetTree.Root, cancellationToken: cancellationToken)).Data;
                mark = TreeMark.Open(data, cluster, secret);
                isMarkBad = mark is null && data is { Length: > 0 };
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                found = [.. ZooNetTree.Folders.Select(path => new Found(path, null, null))];
            }
        }
        return new TreeInspection([.. found.Select(f => new TreeFolder(f.Path, f.Stat, FaultOf(f)))], mark);

        string? FaultOf(Found folder)
        {
            if (folder.Stat is not { } stat)
            {
                return null;
            }
            if (stat.EphemeralOwner != 0)
            {
                return "is ephemeral, a container or has a TTL, and would vanish";
            }
            if (folder.Acl is not { } acl || !acl.Any(secret.IsOurs))
            {
                return "belongs to somebody else; if it is to a proxy with another 'secret', give all proxies the same one";
            }
            if (!secret.IsOwnAcl(folder.Path, acl))
            {
                return secret.KeepsOthersOut(acl) || folder.Path == ZooNetTree.Acls
                    ? $"has the ACL {TextOf(acl)}, not the one that proxies give it"
                    : $"can be changed by others than the proxies: its ACL is {TextOf(acl)}";
            }
            if (stat.Aversion != 0 && mark?.IsRepaired(folder.Path, stat) != true)
            {
                return "has had another ACL for a while, so anything in it may be anybody's";
            }
            return isMarkBad && folder.Path == ZooNetTree.Root
                ? $"holds what no proxy with this secret has written for the cluster '{cluster}'" : null;
        }
    }

    /// <summary>An ACL in zkCli's words, digests left out.</summary>
    public static string TextOf(IReadOnlyList<Acl> acl) =>
        string.Join(',', acl.Select(a => $"{a.Scheme}:{a.Id?.Split(':')[0]}:{PermissionsOf(a.Perms)}"));

    private static string PermissionsOf(int permissions) =>
        string.Concat(new[] { (Permissions.Create, "c"), (Permissions.Delete, "d"), (Permissions.Read, "r"), (Permissions.Write, "w"),
            (Permissions.Admin, "a") }
            .Where(p => (permissions & p.Item1) != 0).Select(p => p.Item2));

    private static async Task<Found> ReadOneAsync(ZooKeeperClient client, string path, CancellationToken cancellationToken)
    {
        // Whether it is there needs no permission to be asked.
        if ((await client.ExistsAsync(path, cancellationToken: cancellationToken)).Stat is not { } stat)
        {
            return new Found(path, null, null);
        }
        try
        {
            var result = await client.GetAclAsync(path, cancellationToken);
            return new Found(path, result.Stat, result.AccessControl);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
        {
            return new Found(path, stat, null);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return new Found(path, null, null);
        }
    }

    private sealed record Found(string Path, Stat? Stat, IReadOnlyList<Acl>? Acl);
}
