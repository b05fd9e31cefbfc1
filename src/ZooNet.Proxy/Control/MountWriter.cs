using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Writes the mount table. A change is one transaction of the home cluster: it names the version of the table, or of the record, that it
/// was checked against, so that what was checked still holds when it happens; and it raises the table's version. Thread-safe.
/// </summary>
public sealed class MountWriter
{
    private readonly ClusterControl _home;
    private readonly ClusterControls _clusters;
    private readonly MountStore _store;
    private readonly ProxySecret _secret;
    private readonly ILogger _logger;

    /// <summary>Makes it.</summary>
    /// <param name="clusters">The control sessions.</param>
    /// <param name="store">Tells what a new record is checked against.</param>
    /// <param name="secret">Owns and signs the records.</param>
    /// <param name="logger">Hears of mounts that are gone.</param>
    public MountWriter(ClusterControls clusters, MountStore store, ProxySecret secret, ILogger<MountWriter> logger)
    {
        _home = clusters.Home;
        _clusters = clusters;
        _store = store;
        _secret = secret;
        _logger = logger;
    }

    /// <summary>Writes a new record, and the znode at its mount point with it.</summary>
    /// <returns>Null, or a refusal.</returns>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    /// <exception cref="KeeperException">Home refused it.</exception>
    public async Task<MountOutcome?> CreateAsync(MountRecord record, CancellationToken cancellationToken)
    {
        var path = record.Path!;
        while (true)
        {
            var snapshot = await _store.RefreshAsync(cancellationToken);
            if (MountRules.CheckOverlap(path, snapshot.Entries.Select(e => e.Path)) is { } overlap)
            {
                return MountOutcome.Refused(RefusalKind.Conflict, overlap);
            }
            if (MountOptionsText.Parse(record.Options, out var options, out _) is null
                && MountRules.CheckAuth(record.Cluster!, options, snapshot.Entries) is { } mixed)
            {
                return MountOutcome.Refused(RefusalKind.Conflict, mixed);
            }
            var (ops, refusal) = await PlaceholderAsync(path, cancellationToken);
            if (refusal is not null)
            {
                return refusal;
            }
            var complete = record with { Placeholder = ops.Count > 0 };
            ops.Insert(0, MultiOp.SetData(ZooNetTree.Mounts, [], snapshot.TableVersion));
            ops.Add(MultiOp.Create(ZooNetTree.RecordOf(path), complete.ToJson(ZooNetTree.NameOf(path), _secret), acl: _secret.Acl));
            try
            {
                await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
                return null;
            }
            catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NodeExists or ErrorCode.NoNode)
            {
                // Somebody else changed the table, or the znode. Look again.
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
            {
                return MountOutcome.Refused(RefusalKind.Conflict,
                    $"the home cluster does not allow it: the proxy's secret may not write {ZooNetTree.Mounts}, or not create {path}; give all proxies of the region the same 'secret' and let {ZnodePath.ParentOf(path)} be written by it");
            }
        }
    }

    /// <summary>Takes on a record that was written by hand: makes the znode at its mount point and lets it join.</summary>
    /// <exception cref="MountRefusedException">It can't be taken on; the message says why.</exception>
    /// <exception cref="ClusterUnreachableException">Home, or the cluster that is mounted, does not answer.</exception>
    /// <exception cref="KeeperException">Home refused it, with BADVERSION or NONODE when the record is another one by now.</exception>
    public async Task AdoptAsync(MountEntry entry, CancellationToken cancellationToken)
    {
        MountOptionsText.Parse(entry.Record!.Options, out _, out var create);
        var refusal = await RemotePathChecks.CheckAsync(_clusters[entry.Mount!.Cluster], entry.Mount.RemotePath, create, cancellationToken);
        List<MultiOp> ops = [];
        if (refusal is null)
        {
            (ops, refusal) = await PlaceholderAsync(entry.Path, cancellationToken);
        }
        if (refusal is not null)
        {
            throw new MountRefusedException(refusal.Message);
        }
        var record = entry.Record with
        {
            State = MountState.Joining,
            Placeholder = ops.Count > 0 || (entry.Record.Placeholder && await IsPlaceholderAsync(entry.Path, cancellationToken)),
            Held = entry.IsSuspended,
        };
        // Made anew, for its ACL: from now on the record is as one that the command has made.
        ops.Add(MultiOp.Delete($"{ZooNetTree.Mounts}/{entry.Name}", entry.Version));
        ops.Add(MultiOp.Create($"{ZooNetTree.Mounts}/{entry.Name}", record.ToJson(entry.Name, _secret), acl: _secret.Acl));
        await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
    }

    /// <summary>Lets a mount be in another state.</summary>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    /// <exception cref="KeeperException">Home refused it, with BADVERSION or NONODE when the record is another one by now.</exception>
    public Task SetStateAsync(MountEntry entry, MountState state, CancellationToken cancellationToken) =>
        ReplaceAsync(entry, entry.Record! with { State = state }, cancellationToken);

    /// <summary>Lets a mount that is called active join first, while requests for it wait.</summary>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    /// <exception cref="KeeperException">Home refused it, with BADVERSION or NONODE when the record is another one by now.</exception>
    public Task DemoteAsync(MountEntry entry, CancellationToken cancellationToken) =>
        ReplaceAsync(entry, entry.Record! with { State = MountState.Joining, Held = true }, cancellationToken);

    /// <summary>Removes a record, and the znode at its mount point if the mount had made it and nobody has put anything there.</summary>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    /// <exception cref="KeeperException">Home refused it, with BADVERSION or NONODE when the record is another one by now.</exception>
    public async Task RemoveAsync(MountEntry entry, CancellationToken cancellationToken)
    {
        List<MultiOp> ops = [MultiOp.SetData(ZooNetTree.Mounts, []), MultiOp.Delete($"{ZooNetTree.Mounts}/{entry.Name}", entry.Version)];
        if (entry.Record is { Placeholder: true })
        {
            try
            {
                await _home.CallAsync(c => c.MultiAsync([.. ops, MultiOp.Delete(entry.Path)], cancellationToken), cancellationToken);
                _logger.Unmounted(entry.Path);
                return;
            }
            catch (KeeperException e) when (e.Results is [.., { Error: ErrorCode.NoNode or ErrorCode.NotEmpty or ErrorCode.NoAuth }])
            {
                // The znode is gone, in use, or not ours to remove any more. The mount goes without it.
            }
        }
        await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
        _logger.Unmounted(entry.Path);
    }

    private Task ReplaceAsync(MountEntry entry, MountRecord record, CancellationToken cancellationToken)
    {
        List<MultiOp> ops =
        [
            MultiOp.SetData(ZooNetTree.Mounts, []),
            MultiOp.SetData($"{ZooNetTree.Mounts}/{entry.Name}", record.ToJson(entry.Name, _secret), entry.Version),
        ];
        return _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
    }

    /// <summary>What has to be done for the znode at the mount point, which may be there already and must be empty then.</summary>
    private async Task<(List<MultiOp> Ops, MountOutcome? Refusal)> PlaceholderAsync(string path, CancellationToken cancellationToken)
    {
        if (await _home.CallAsync(c => c.ExistsAsync(path), cancellationToken) is { Stat: { } stat })
        {
            return ([], MountRules.CheckZnode(path, stat) is { } unfit ? MountOutcome.Refused(RefusalKind.Conflict, unfit) : null);
        }
        var parent = ZnodePath.ParentOf(path);
        try
        {
            await RemotePathChecks.CreateAllAsync(_home, parent, cancellationToken);
        }
        catch (KeeperException e)
        {
            return ([], MountOutcome.Refused(RefusalKind.Conflict, $"{parent}, the parent of {path}, can't be created: {e.Message}"));
        }
        // Not writable past the proxies: what is created below it would be hidden.
        return ([MultiOp.Create(path, [], acl: _secret.Acl)], null);
    }

    /// <summary>Whether a mount has made the znode at a mount point: nobody else gives it the proxies' ACL.</summary>
    private async Task<bool> IsPlaceholderAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return _secret.IsOwnAcl((await _home.CallAsync(c => c.GetAclAsync(path, cancellationToken), cancellationToken)).AccessControl);
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NoAuth)
        {
            return false;
        }
    }
}

/// <summary>A mount record that was written by hand can't be taken into use. The message says why.</summary>
public sealed class MountRefusedException(string message) : Exception(message);
