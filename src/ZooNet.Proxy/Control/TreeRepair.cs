using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Control;

/// <summary>One thing that a repair does, or would do.</summary>
/// <param name="What">In a sentence without a subject: <c>delete /a/b: why</c>.</param>
/// <param name="Error">Why it could not be done, and what to do; null where it was done, or was not tried.</param>
public sealed record RepairStep(string What, string? Error = null);

/// <summary>
/// Puts the proxies' tree of one cluster in order: gives its folders the ACL that proxies make, takes out of them what nobody can
/// answer for, and signs that this has been done. What is in a folder that others could write is kept only if it is signed or sealed.
/// What was written with the accepted secret is written anew with the one in use, so that the other can be given up. Not thread-safe.
/// </summary>
/// <param name="client">A session in the cluster with the secret, and with whatever else may change the tree: the owner's credentials, or
/// the super user's.</param>
/// <param name="cluster">The cluster.</param>
/// <param name="config">Names the clusters.</param>
/// <param name="secret">Who the tree is to belong to.</param>
/// <param name="dryRun">True to change nothing.</param>
/// <param name="trustTrees">True to take roaming trees that others could write for the proxies' own.</param>
public sealed partial class TreeRepair(ZooKeeperClient client, ClusterConfig cluster, ProxyConfig config, ProxySecret secret, bool dryRun,
    bool trustTrees = false)
{
    private const int AtOnce = 64;

    private readonly List<RepairStep> _steps = [];
    private readonly ProxySecret _inUse = new(config.Secret);
    private readonly List<string> _vouched = [];
    private bool _renewed;

    /// <summary>Does it.</summary>
    /// <returns>What was done, or would be; empty where the tree is in order.</returns>
    /// <exception cref="KeeperException">The cluster did not answer.</exception>
    public async Task<IReadOnlyList<RepairStep>> RunAsync(CancellationToken cancellationToken)
    {
        await client.SyncAsync(ZooNetTree.Root, cancellationToken);
        var found = await TreeInspection.ReadAsync(client, cluster.Name, secret, cancellationToken);
        foreach (var folder in found.Folders.Where(f => f.Fault is not null))
        {
            if (folder.Stat!.Value.EphemeralOwner != 0)
            {
                _steps.Add(new RepairStep($"delete {folder.Path}, which {folder.Fault}",
                    "it is not deleted with what may be in it; do it by hand and repair again"));
                return _steps;
            }
            await DoAsync($"give {folder.Path} the proxies' ACL: it {folder.Fault}", () =>
                client.SetAclAsync(folder.Path, secret.AclOf(folder.Path), cancellationToken: cancellationToken));
        }
        // Only now, when nobody else can put anything there any more.
        foreach (var folder in found.Folders.Where(f => f.Stat is not null))
        {
            await (folder.Path == ZooNetTree.Roaming ? CleanRoamingAsync(folder, found, cancellationToken)
                : CleanAsync(folder, cancellationToken));
        }
        foreach (var folder in found.Folders.Where(f => f.Stat is not null))
        {
            await (folder.Path == ZooNetTree.Roaming ? RenewRoamingAsync(cancellationToken) : RenewAsync(folder.Path, cancellationToken));
        }
        await SignAsync(found, cancellationToken);
        return _steps;
    }

    private async Task CleanAsync(TreeFolder folder, CancellationToken cancellationToken)
    {
        if (folder.Path == ZooNetTree.Root)
        {
            return;
        }
        foreach (var some in (await ListAsync(folder.Path)).Chunk(AtOnce))
        {
            var judged = await Task.WhenAll(some.Select(async name =>
                (Path: $"{folder.Path}/{name}", Why: await WhyRemoveAsync(folder, name, cancellationToken))));
            foreach (var (path, why) in judged.Where(j => j.Why is not null))
            {
                await DoAsync($"delete {path}: {why}", () => DeleteAllAsync(path, cancellationToken));
            }
        }
        if (folder.Path == ZooNetTree.Sessions)
        {
            for (var number = 0; number < SessionRecord.Folders; number++)
            {
                var path = SessionRecord.FolderOf(number);
                await CleanSessionsAsync(path, cancellationToken);
            }
        }
    }

    /// <summary>Why a child of a folder can't stay; null where it can.</summary>
    private async Task<string?> WhyRemoveAsync(TreeFolder folder, string name, CancellationToken cancellationToken)
    {
        var path = $"{folder.Path}/{name}";
        if (folder.Path == ZooNetTree.Sessions)
        {
            return Enumerable.Range(0, SessionRecord.Folders).Any(number => SessionRecord.FolderOf(number) == path) ? null
                : "no proxy has made it";
        }
        var found = await ReadAsync(path, cancellationToken);
        if (found is null)
        {
            return null;
        }
        var (data, acl) = found.Value;
        if (acl is null || !secret.KeepsOthersOut(acl))
        {
            return "it can be changed by others than the proxies";
        }
        if (folder.Fault is null)
        {
            return null;
        }
        return folder.Path switch
        {
            ZooNetTree.Mounts => IsSignedMount(name, data) ? null : "no proxy has signed it, and others could write here",
            _ => "others could write here; the proxies write it anew",
        };
    }

    private bool IsSignedMount(string name, byte[]? data)
    {
        try
        {
            return MountRecord.Parse(data).IsSigned(name, secret);
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }

    /// <summary>Sealed records speak for themselves, whoever could write there.</summary>
    private async Task CleanSessionsAsync(string folder, CancellationToken cancellationToken)
    {
        if ((await client.ExistsAsync(folder, cancellationToken: cancellationToken)).Stat is null)
        {
            return;
        }
        var found = await ReadAsync(folder, cancellationToken);
        if (found is { } state && (state.Acl is null || !secret.IsOwnAcl(state.Acl)))
        {
            await DoAsync($"give {folder} the proxies' ACL: it can be changed by others", () =>
                client.SetAclAsync(folder, secret.Acl, cancellationToken: cancellationToken));
        }
        foreach (var some in (await ListAsync(folder)).Chunk(AtOnce))
        {
            var judged = await Task.WhenAll(some.Select(async name =>
                (Path: $"{folder}/{name}", Found: await ReadAsync($"{folder}/{name}", cancellationToken))));
            foreach (var (path, record) in judged.Where(j => j.Found is not null))
            {
                var isOurs = SessionRecord.TryParse(path, config, out var session, out var remote)
                    && SessionRecord.Open(record!.Value.Data, secret, config, session, remote) is not null;
                if (cluster.IsHome && !isOurs)
                {
                    await DoAsync($"delete {path}: no proxy with this secret has written it", () =>
                        DeleteAllAsync(path, cancellationToken));
                }
            }
        }
    }

    /// <summary>Makes what is missing, and says in the root which folders have been set right.</summary>
    private async Task SignAsync(TreeInspection found, CancellationToken cancellationToken)
    {
        var missing = found.Folders.Where(f => f.Stat is null).ToList();
        if (missing.Count > 0)
        {
            var ops = missing.Select(f => MultiOp.Create(f.Path, f.Path == ZooNetTree.Root ? TreeMark.New().Sign(cluster.Name, secret)
                : [], acl: secret.AclOf(f.Path))).ToList();
            await DoAsync($"make {string.Join(", ", missing.Select(f => f.Path))}", () => client.MultiAsync(ops, cancellationToken));
        }
        if ((found.Bad is null && !_renewed) || dryRun || _steps.Exists(s => s.Error is not null))
        {
            return;
        }
        var mark = found.Mark ?? TreeMark.New();
        foreach (var path in ZooNetTree.Folders.Concat(_vouched))
        {
            if ((await client.ExistsAsync(path, cancellationToken: cancellationToken)).Stat is { Aversion: not 0 } stat)
            {
                mark = mark.WithRepaired(path, stat);
            }
        }
        await DoAsync($"sign in {ZooNetTree.Root} that this has been done", () =>
            client.SetDataAsync(ZooNetTree.Root, mark.Sign(cluster.Name, secret), cancellationToken: cancellationToken));
    }

    /// <summary>Writes a znode, and all below it, anew with the secret in use if it is from the time of the accepted one.</summary>
    private async Task RenewAsync(string path, CancellationToken cancellationToken)
    {
        if (config.AcceptedSecret is null || await ReadAsync(path, cancellationToken) is not { Acl: { } acl } found)
        {
            return;
        }
        var isFolder = ZooNetTree.Folders.Contains(path);
        if (secret.IsOwnAcl(path, acl) && !_inUse.IsOwnAcl(path, acl))
        {
            _renewed |= isFolder;
            await DoAsync($"give {path} to the secret in use", () =>
                client.SetAclAsync(path, secret.AclOf(path), cancellationToken: cancellationToken));
        }
        if (Renewed(path, found.Data) is { } renewed)
        {
            await DoAsync($"write {path} anew with the secret in use", () =>
                client.SetDataAsync(path, renewed, cancellationToken: cancellationToken));
        }
        // The folders have their own turn, and so have trees.
        foreach (var some in (path is ZooNetTree.Root or ZooNetTree.Roaming ? [] : await ListAsync(path)).Chunk(AtOnce))
        {
            await Task.WhenAll(some.Select(name => RenewAsync($"{path}/{name}", cancellationToken)));
        }
    }

    /// <summary>What a znode has to hold so that the secret in use alone is enough; null where it does.</summary>
    private byte[]? Renewed(string path, byte[]? data)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        if (path == ZooNetTree.Root)
        {
            return TreeMark.Open(data, cluster.Name, secret) is { } mark && TreeMark.Open(data, cluster.Name, _inUse) is null
                ? mark.Sign(cluster.Name, secret) : null;
        }
        if (ZnodePath.ParentOf(path) == ZooNetTree.Mounts)
        {
            return IsSignedMount(name, data) && MountRecord.Parse(data) is { } record && !record.IsSigned(name, _inUse)
                ? record.ToJson(name, secret) : null;
        }
        return cluster.IsHome && SessionRecord.TryParse(path, config, out var session, out var remote)
            && SessionRecord.Open(data, secret, config, session, remote) is { } sealedOne
            && SessionRecord.Open(data, _inUse, config, session, remote) is null
            ? sealedOne.Seal(secret, config) : null;
    }

    private async Task DoAsync(string what, Func<Task> work)
    {
        string? error = null;
        if (!dryRun)
        {
            try
            {
                await work();
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
            {
                error = "not allowed; give the credentials of its owner, or the super user's, with --auth";
            }
            catch (KeeperException e) when (e.Code is ErrorCode.NotEmpty or ErrorCode.NodeExists or ErrorCode.BadVersion)
            {
                error = $"somebody has changed it meanwhile ({e.Code}); repair again";
            }
        }
        Note(new RepairStep(what, error));
    }

    /// <summary>Steps are taken several at once.</summary>
    private void Note(RepairStep step)
    {
        lock (_steps)
        {
            _steps.Add(step);
        }
    }

    private async Task<string[]> ListAsync(string path)
    {
        try
        {
            return (await client.GetChildrenAsync(path)).Names;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return [];
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
        {
            Note(new RepairStep($"look into {path}",
                "not allowed; give the credentials of its owner, or the super user's, with --auth"));
            return [];
        }
    }

    private async Task<(byte[]? Data, IReadOnlyList<Acl>? Acl)?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var acl = await client.GetAclAsync(path, cancellationToken);
            return ((await client.GetDataAsync(path, cancellationToken: cancellationToken)).Data, acl.AccessControl);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
        {
            return (null, null);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return null;
        }
    }

    private async Task DeleteAllAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var name in (await client.GetChildrenAsync(path, cancellationToken: cancellationToken)).Names)
            {
                await DeleteAllAsync($"{path}/{name}", cancellationToken);
            }
            await client.DeleteAsync(path, cancellationToken: cancellationToken);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            // Gone meanwhile.
        }
    }
}
