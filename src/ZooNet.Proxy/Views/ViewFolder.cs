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
    private Dictionary<string, int> _versions = new(StringComparer.Ordinal);
    private bool _treeMade;
    private int _dirty = 1;

    /// <summary>Whether the folder may hold something that was not read yet. May be set by any thread.</summary>
    public bool IsDirty
    {
        get => Volatile.Read(ref _dirty) != 0;
        set => Volatile.Write(ref _dirty, value ? 1 : 0);
    }

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
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task<IReadOnlyList<ViewRecord>> ReadAsync(CancellationToken cancellationToken)
    {
        await MakeTreeAsync(cancellationToken);
        var children = await cluster.CallAsync(c => c.GetChildrenAsync(ZooNetTree.Views, watch: true, cancellationToken), cancellationToken);
        var found = await Task.WhenAll(children.Names.Select(ReadOneAsync));
        var versions = new Dictionary<string, int>(StringComparer.Ordinal);
        var records = new List<ViewRecord>();
        foreach (var (name, result) in found.Where(f => f.Result is not null))
        {
            versions[name] = result!.Value.Stat.Version;
            if (ViewRecordJson.TryParse(result.Value.Data, name, out var error) is { } record)
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
    public async Task<IReadOnlyCollection<string>> ReadLiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await cluster.CallAsync(c => c.GetChildrenAsync(ZooNetTree.Proxies, watch: true, cancellationToken), cancellationToken)).Names;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return [];
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
            _treeMade &= e.Code != ErrorCode.NoNode;
            return false;
        }
    }

    private async Task MakeTreeAsync(CancellationToken cancellationToken)
    {
        if (_treeMade)
        {
            return;
        }
        foreach (var path in new[] { ZooNetTree.Root, ZooNetTree.Views })
        {
            try
            {
                await cluster.CallAsync(c => c.CreateAsync(path, [], acl: secret.Acl, cancellationToken: cancellationToken), cancellationToken);
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
            {
            }
        }
        _treeMade = true;
    }
}
