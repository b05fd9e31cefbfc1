using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Roaming;

namespace ZooNet.Proxy.Control;

/// <summary>
/// What a repair does for roaming trees: it sees to it that their znodes belong to the secret. It deletes none in which there is anything,
/// for a tree is its clients' only copy; where others could write, its operator says whether to trust it.
/// </summary>
public sealed partial class TreeRepair
{
    private const string Unknown = "what lies there may be anybody's; delete it by hand, or let it stay with --trust-trees if nobody else "
        + "can have written there";

    private async Task CleanRoamingAsync(TreeFolder folder, TreeInspection found, CancellationToken cancellationToken)
    {
        foreach (var name in await ListAsync(folder.Path))
        {
            var path = $"{folder.Path}/{name}";
            if (folder.Fault is not null || found.Root.Fault is not null)
            {
                if (await StatAsync(path, cancellationToken) is not { } stat)
                {
                    continue;
                }
                // Proxies make the znode with their ACL, and then write into it what the tree is: nobody else could do that, nor make
                // anything below.
                var acl = (await ReadAsync(path, cancellationToken))?.Acl ?? [];
                var isOwn = secret.IsOwnAcl(acl);
                var isOpen = acl.Any(a => a.Scheme != "digest" && (a.Perms & ~Permissions.Read) != 0);
                if (stat.Aversion == 0 && (isOpen || (isOwn && stat is { Version: 0, NumChildren: 0 })))
                {
                    await DoAsync($"delete {path}: no proxy has written it, and others could make it here", () =>
                        DeleteAllAsync(path, cancellationToken));
                    continue;
                }
                var isSure = isOwn && stat.EphemeralOwner == 0
                    && (stat.Aversion == 0 ? stat.Version > 0 : found.Mark?.IsRepaired(path, stat) == true);
                if (!isSure && !trustTrees)
                {
                    Note(new RepairStep($"keep {path}, which others could make or change", Unknown));
                    continue;
                }
                _vouched.Add(path);
            }
            foreach (var open in await OpenAsync(path, depth: 0, cancellationToken))
            {
                var what = $"give {open} the proxies' ACL: it can be changed by others";
                if (trustTrees)
                {
                    await DoAsync(what, () => client.SetAclAsync(open, secret.Acl, cancellationToken: cancellationToken));
                }
                else
                {
                    Note(new RepairStep(what, Unknown));
                }
            }
        }
    }

    /// <summary>The folders of a tree, and it itself, that others can change.</summary>
    private async Task<List<string>> OpenAsync(string path, int depth, CancellationToken cancellationToken)
    {
        var found = await ReadAsync(path, cancellationToken);
        List<string> open = found is null || (found.Value.Acl is { } acl && secret.KeepsOthersOut(acl)) ? [] : [path];
        // TREE, its folders, what they hold, and logs: whatever has children.
        if (depth < 3 && found?.Acl is not null)
        {
            foreach (var some in (await ListAsync(path)).Chunk(AtOnce))
            {
                open.AddRange((await Task.WhenAll(some.Select(n => OpenAsync($"{path}/{n}", depth + 1, cancellationToken))))
                    .SelectMany(o => o));
            }
        }
        return open;
    }

    /// <summary>
    /// Gives the znodes of trees to the secret in use, and seals anew what was sealed with the accepted one. Neither changes the version of
    /// a ballot, which is the fence.
    /// </summary>
    private async Task RenewRoamingAsync(CancellationToken cancellationToken)
    {
        if (config.AcceptedSecret is null)
        {
            return;
        }
        var count = 0;
        foreach (var name in await ListAsync(ZooNetTree.Roaming))
        {
            var tree = $"{ZooNetTree.Roaming}/{name}";
            _vouched.Add(tree);
            count = 0;
            string? error = null;
            try
            {
                await RenewBelowAsync(tree);
            }
            catch (KeeperException e) when (e.Code is ErrorCode.NoAuth or ErrorCode.BadVersion)
            {
                error = $"{e.Path} could not be written ({e.Code}); repair again";
            }
            if (count > 0 || error is not null)
            {
                Note(new RepairStep($"write {count} znodes of {tree} anew with the secret in use", error));
            }
        }
        await RenewAsync(ZooNetTree.Roaming, cancellationToken);

        async Task RenewBelowAsync(string path)
        {
            if (await ReadAsync(path, cancellationToken) is not { Acl: { } acl } found)
            {
                return;
            }
            try
            {
                await RenewOneAsync(path, acl, found.Data);
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                // Trimmed meanwhile.
                return;
            }
            foreach (var some in (await ListAsync(path)).Chunk(AtOnce))
            {
                await Task.WhenAll(some.Select(name => RenewBelowAsync($"{path}/{name}")));
            }
        }

        async Task RenewOneAsync(string path, IReadOnlyList<Acl> acl, byte[]? data)
        {
            var isOld = secret.IsOwnAcl(acl) && !_inUse.IsOwnAcl(acl);
            var plain = new SealedZnodes(secret).Open(cluster.Name, path, data);
            var isSealedByOld = data is { Length: > 0 } && plain != data && plain is { Length: > 0 }
                && new SealedZnodes(_inUse).Open(cluster.Name, path, data) is { Length: 0 };
            if (!isOld && !isSealedByOld)
            {
                return;
            }
            Interlocked.Increment(ref count);
            if (dryRun)
            {
                return;
            }
            if (isSealedByOld)
            {
                await client.SetDataAsync(path, new SealedZnodes(secret).Seal(cluster.Name, path, plain),
                    cancellationToken: cancellationToken);
            }
            if (isOld)
            {
                _renewed = true;
                await client.SetAclAsync(path, secret.Acl, cancellationToken: cancellationToken);
            }
        }
    }

    private async Task<Stat?> StatAsync(string path, CancellationToken cancellationToken) =>
        (await client.ExistsAsync(path, cancellationToken: cancellationToken)).Stat;
}
