using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>
/// The proxies' tree in one cluster (docs/adr/0005-the-proxies-own-znodes.md): makes it where it is not there, and says whether it is in
/// order. Nothing in a tree that is not is to be used. Thread-safe.
/// </summary>
public sealed class ProxyTree
{
    /// <summary>How long a tree that was found in order counts as such.</summary>
    public static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(30);

    private const int Attempts = 5;

    private readonly ClusterControl _cluster;
    private readonly ProxySecret _secret;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private long _generation;
    private long? _goodSince;
    private string? _error;
    private string? _id;
    private int _replacements;

    internal ProxyTree(ClusterControl cluster, ProxySecret secret, TimeProvider time)
    {
        _cluster = cluster;
        _secret = secret;
        _time = time;
    }

    /// <summary>Why the tree can't be used, as it was last found; null for one that can, or was not looked at.</summary>
    public string? Error
    {
        get
        {
            lock (_lock)
            {
                return _error;
            }
        }
    }

    /// <summary>How often the tree turned out to be another one than before, or gone: it was deleted, or it is another cluster's.</summary>
    public int Replacements => Volatile.Read(ref _replacements);

    /// <summary>Raised, by any thread, when <see cref="Replacements"/> has grown. Handlers do not block.</summary>
    public event Action? Replaced;

    /// <summary>The next use looks again: the cluster was reached anew, or something that was there is not.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _generation++;
            _goodSince = null;
        }
    }

    /// <summary>Returns when the tree is there and in order.</summary>
    /// <exception cref="TreeException">It is not.</exception>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (IsFresh(out var generation))
        {
            return;
        }
        for (var attempt = 1; ; attempt++)
        {
            var found = await InspectAsync(cancellationToken);
            try
            {
                if (await CompleteAsync(found, cancellationToken))
                {
                    Note(generation, null);
                    return;
                }
            }
            catch (KeeperException e) when (e.Code is ErrorCode.NodeExists or ErrorCode.NoNode or ErrorCode.BadVersion
                && attempt < Attempts)
            {
                // Another proxy makes it at the same time.
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
            {
                throw Noted(generation, found.Root.Stat is null
                    ? new TreeException($"the cluster '{_cluster.Cluster.Name}' has no {ZooNetTree.Root} and the proxy may not make it, "
                        + "so nothing can be mounted; let the secret create znodes in /zookeeper, or make it with 'zoonet repair'", isAbsent: true)
                    : BadTree(found.Root with { Fault = "can't be written by the proxy" }));
            }
        }

        async Task<bool> CompleteAsync(TreeInspection found, CancellationToken cancellationToken)
        {
            if (found.Bad is { } bad)
            {
                throw Noted(generation, BadTree(bad));
            }
            var missing = found.Folders.Where(f => f.Stat is null).Select(f =>
                MultiOp.Create(f.Path, f.Path == ZooNetTree.Root ? NewMark() : [], acl: _secret.AclOf(f.Path))).ToList();
            if (missing.Count > 0)
            {
                await _cluster.CallAsync(c => c.MultiAsync(missing, cancellationToken), cancellationToken);
                return false;
            }
            if (found.Mark is null)
            {
                await _cluster.CallAsync(c => c.SetDataAsync(ZooNetTree.Root, NewMark(), found.Root.Stat!.Value.Version,
                    cancellationToken), cancellationToken);
            }
            return true;
        }
    }

    /// <summary>Returns whether there is a tree, which is in order then. Makes nothing.</summary>
    /// <exception cref="TreeException">It is not in order.</exception>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task<bool> CheckAsync(CancellationToken cancellationToken)
    {
        if (IsFresh(out var generation))
        {
            return true;
        }
        var found = await InspectAsync(cancellationToken);
        if (found.Bad is { } bad)
        {
            throw Noted(generation, BadTree(bad));
        }
        // Trees of earlier versions have none of these; whoever writes here makes them.
        return found.Folders.All(f => f.Stat is not null || f.Path is ZooNetTree.Acls or ZooNetTree.Roaming);
    }

    /// <summary>Looks which tree it is.</summary>
    /// <exception cref="ClusterUnreachableException">The cluster does not answer.</exception>
    /// <exception cref="KeeperException">The cluster refused it.</exception>
    public async Task LookAsync(CancellationToken cancellationToken) => await InspectAsync(cancellationToken);

    private TreeException BadTree(TreeFolder folder) =>
        new($"{folder.Path} in the cluster '{_cluster.Cluster.Name}' {folder.Fault}; "
            + "nothing in it is used before 'zoonet repair' has put it in order");

    private byte[] NewMark() => TreeMark.New().Sign(_cluster.Cluster.Name, _secret);

    private async Task<TreeInspection> InspectAsync(CancellationToken cancellationToken)
    {
        var found = await _cluster.CallAsync(async client =>
        {
            // What another proxy has made a moment ago, through another server, is not to be missed.
            await client.SyncAsync(ZooNetTree.Root, cancellationToken);
            return await TreeInspection.ReadAsync(client, _cluster.Cluster.Name, _secret, cancellationToken);
        }, cancellationToken);
        if (found.Mark is not null || found.Root.Stat is null)
        {
            var before = Interlocked.Exchange(ref _id, found.Mark?.Id);
            if (before is not null && before != found.Mark?.Id)
            {
                Interlocked.Increment(ref _replacements);
                Replaced?.Invoke();
            }
        }
        return found;
    }

    private bool IsFresh(out long generation)
    {
        lock (_lock)
        {
            generation = _generation;
            return _goodSince is { } since && _time.GetElapsedTime(since) < CheckInterval;
        }
    }

    private TreeException Noted(long generation, TreeException e)
    {
        Note(generation, e.Message);
        return e;
    }

    private void Note(long generation, string? error)
    {
        lock (_lock)
        {
            _error = error;
            _goodSince = error is null && generation == _generation ? _time.GetTimestamp() : null;
        }
    }
}
