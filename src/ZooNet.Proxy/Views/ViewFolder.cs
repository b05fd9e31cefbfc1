using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// The folder of view records in one cluster (docs/consistency.md, "Changing the graph"): read behind a barrier, watched, and written
/// by compare-and-set. Not thread-safe: one driver.
/// </summary>
internal sealed class ViewFolder(ClusterControl cluster, ProxySecret secret, ILogger logger)
{
    private readonly HashSet<string> _reported = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long Czxid, int Aversion)> _trusted = new(StringComparer.Ordinal);
    private Dictionary<string, int> _versions = new(StringComparer.Ordinal);
    private int _dirty = 1;
    private int _replaced;

    /// <summary>Whether the folder may hold something that was not read yet. May be set by any thread.</summary>
    public bool IsDirty
    {
        get => Volatile.Read(ref _dirty) != 0;
        set => Volatile.Write(ref _dirty, value ? 1 : 0);
    }

    /// <summary>Whether the folder is another one than before. May be set by any thread.</summary>
    public bool IsReplaced
    {
        set => Volatile.Write(ref _replaced, value ? 1 : 0);
    }

    /// <summary>Whether the folder has become another one since the last call.</summary>
    public bool TakeReplaced() => Interlocked.Exchange(ref _replaced, 0) != 0;

    /// <summary>The views of which the last reading found a record, also a bad one.</summary>
    public IReadOnlyCollection<string> Present => _versions.Keys;

    /// <summary>Why the last attempt failed; null after one that succeeded.</summary>
    public string? Error { get; set; }

    /// <summary>Begins a reading: returns once the server has seen everything that was committed before the call.</summary>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task BarrierAsync(CancellationToken cancellationToken)
    {
        IsDirty = false;
        await cluster.CallAsync(c => c.QuorumBarrierAsync(cancellationToken), cancellationToken);
    }

    /// <summary>Reads all records, and sets watches on them. A bad one is reported once and left out.</summary>
    /// <exception cref="TreeException">The proxies' tree there is not in order.</exception>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task<IReadOnlyList<ViewRecord>> ReadAsync(CancellationToken cancellationToken)
    {
        await cluster.Tree.EnsureAsync(cancellationToken);
        var children = await ListAsync(ZooNetTree.Views, cancellationToken);
        var found = await Task.WhenAll(children.Names.Select(ReadOneAsync));
        var versions = new Dictionary<string, int>(StringComparer.Ordinal);
        var records = new List<ViewRecord>();
        foreach (var (name, result) in found.Where(f => f.Result is not null))
        {
            var (data, stat) = (result!.Value.Data, result.Value.Stat);
            versions[name] = stat.Version;
            if (await WhyNotOursAsync(name, stat, cancellationToken) is { } why)
            {
                if (_reported.Add(why))
                {
                    logger.BadView(cluster.Cluster.Name, why);
                }
            }
            else if (ViewRecordJson.TryParse(data, name, out var error) is { } record)
            {
                records.Add(record);
            }
            else if (_reported.Add(error!))
            {
                logger.BadView(cluster.Cluster.Name, error!);
            }
        }
        _versions = versions;
        return records;

        async Task<(string Name, DataResult? Result)> ReadOneAsync(string name)
        {
            try
            {
                return (name, await cluster.CallAsync(c => c.GetDataAsync(ZooNetTree.ViewOf(name), watch: true, cancellationToken), cancellationToken));
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                return (name, null);
            }
        }
    }

    /// <summary>The proxies that are registered in this cluster: those of the region whose home it is. Watched.</summary>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task<IReadOnlyCollection<string>> ReadLiveAsync(CancellationToken cancellationToken) =>
        // Where there is no such folder nothing is known of them: it does not mean that there are none.
        (await ListAsync(ZooNetTree.Proxies, cancellationToken)).Names;

    /// <summary>Why a record may be anybody's; null for one that only proxies can have written. Each state of an ACL is looked at
    /// once.</summary>
    private async Task<string?> WhyNotOursAsync(string name, Stat stat, CancellationToken cancellationToken)
    {
        if (_trusted.TryGetValue(name, out var trusted) && trusted == (stat.Czxid, stat.Aversion))
        {
            return null;
        }
        var path = ZooNetTree.ViewOf(name);
        var acl = (await cluster.CallAsync(c => c.GetAclAsync(path, cancellationToken), cancellationToken)).AccessControl;
        if (!secret.KeepsOthersOut(acl))
        {
            return $"{path} can be changed by others than the proxies: its ACL is {TreeInspection.TextOf(acl)}";
        }
        _trusted[name] = (stat.Czxid, stat.Aversion);
        return null;
    }

    private async Task<ChildrenResult> ListAsync(string folder, CancellationToken cancellationToken)
    {
        try
        {
            return await cluster.CallAsync(c => c.GetChildrenAsync(folder, watch: true, cancellationToken), cancellationToken);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            // The tree is gone; the next reading makes it again.
            cluster.Tree.Forget();
            throw;
        }
    }

    /// <summary>Writes a record over what the last reading found.</summary>
    /// <returns>False where somebody else has written meanwhile: read again.</returns>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task<bool> WriteAsync(ViewRecord record, CancellationToken cancellationToken)
    {
        var path = ZooNetTree.ViewOf(record.View);
        var json = ViewRecordJson.Format(record);
        // Whatever becomes of it, the next reading tells.
        IsDirty = true;
        try
        {
            if (_versions.TryGetValue(record.View, out var version))
            {
                var result = await cluster.CallAsync(c => c.SetDataAsync(path, json, version, cancellationToken), cancellationToken);
                _versions[record.View] = result.Stat.Version;
            }
            else
            {
                await cluster.CallAsync(c => c.CreateAsync(path, json, acl: secret.Acl, cancellationToken: cancellationToken), cancellationToken);
                _versions[record.View] = 0;
            }
            return true;
        }
        catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NodeExists or ErrorCode.NoNode)
        {
            if (e.Code == ErrorCode.NoNode)
            {
                cluster.Tree.Forget();
            }
            return false;
        }
    }
}
