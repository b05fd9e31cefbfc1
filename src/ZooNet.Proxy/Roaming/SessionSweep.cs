using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;
using ZooNet.Roaming;

namespace ZooNet.Proxy.Roaming;

/// <summary>
/// Finds sessions of this region that own ephemeral znodes in a tree and are over, and ends them there. A session that has written is on
/// record at home (docs/adr/0003), from before its first write until after its session at home is over: so one without a record is over.
/// Where the proxy that looks after a record is gone, this one does. Used by one loop for each tree.
/// </summary>
internal sealed class SessionSweep(ProxyConfig config, ClusterControls clusters, ProxySecret secret, ProxyInstance self, Region region,
    RecordStore records, TimeProvider time)
{
    private readonly Dictionary<string, long> _lonely = new(StringComparer.Ordinal);

    /// <summary>Looks once.</summary>
    /// <exception cref="ClusterUnreachableException">Home does not answer.</exception>
    public async Task SweepAsync(TreeServer server, Layout layout, ClusterConfig tree, CancellationToken cancellationToken)
    {
        var absent = await server.AbsentOwnersAsync(cancellationToken);
        if (absent.Count == 0)
        {
            _lonely.Clear();
            return;
        }
        // Behind a vote: the record was written before what is owned.
        await clusters.Home.CallAsync(c => c.QuorumBarrierAsync(cancellationToken), cancellationToken);
        var serving = (await clusters.Home.CallAsync(c => c.GetChildrenAsync(layout.Serving, cancellationToken: cancellationToken),
            cancellationToken)).Names;
        var found = new Dictionary<long, (string Path, SessionRecord Record)>();
        foreach (var session in absent)
        {
            // As a rule it is known whose it is.
            await ReadAsync(SessionRecord.PathOf(region.Owners.HomeOf(tree.Ordinal, session), tree.Name), tree, found, cancellationToken);
        }
        if (!absent.All(found.ContainsKey))
        {
            await ReadAllAsync(tree, found, cancellationToken);
        }
        foreach (var session in absent)
        {
            if (!found.TryGetValue(session, out var record))
            {
                server.End(session);
            }
            else if (record.Record.ServedBy != self.Id && !serving.Contains(record.Record.ServedBy))
            {
                await AdoptAsync(record.Path, record.Record, cancellationToken);
            }
            else
            {
                _lonely.Remove(record.Path);
            }
        }
    }

    /// <summary>Nobody looks after it. Its proxy may come back, so it gets the time that its client would have.</summary>
    private async Task AdoptAsync(string path, SessionRecord record, CancellationToken cancellationToken)
    {
        var now = time.GetTimestamp();
        if (_lonely.TryAdd(path, now) || time.GetElapsedTime(_lonely[path], now) < SessionEnd.Grace(record.Home.TimeoutMs))
        {
            return;
        }
        _lonely.Remove(path);
        await records.AdoptAsync(path, record.Home.Id, record.Remote.Cluster, record.ServedBy, cancellationToken);
    }

    private async Task ReadAllAsync(ClusterConfig tree, Dictionary<long, (string, SessionRecord)> found,
        CancellationToken cancellationToken)
    {
        for (var i = 0; i < SessionRecord.Folders; i++)
        {
            var folder = SessionRecord.FolderOf(i);
            string[] names;
            try
            {
                names = (await clusters.Home.CallAsync(c => c.GetChildrenAsync(folder, cancellationToken: cancellationToken),
                    cancellationToken)).Names;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                continue;
            }
            foreach (var name in names.Where(n => n.EndsWith($"@{tree.Name}", StringComparison.Ordinal)))
            {
                await ReadAsync($"{folder}/{name}", tree, found, cancellationToken);
            }
        }
    }

    private async Task ReadAsync(string path, ClusterConfig tree, Dictionary<long, (string, SessionRecord)> found,
        CancellationToken cancellationToken)
    {
        if (!SessionRecord.TryParse(path, config, out var home, out _))
        {
            return;
        }
        try
        {
            var data = (await clusters.Home.CallAsync(c => c.GetDataAsync(path, cancellationToken: cancellationToken),
                cancellationToken)).Data;
            // One that can't be read is nobody's reason to end anything.
            if (SessionRecord.Open(data, secret, config, home, tree) is not { } record)
            {
                throw new RoamingDataException($"{path} can't be opened with this proxy's secret: no session of the tree is ended "
                    + "before it can");
            }
            found[record.Remote.SessionId] = (path, record);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
        }
    }
}
