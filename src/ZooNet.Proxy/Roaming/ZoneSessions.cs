using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;
using ZooNet.Roaming.Moves;

namespace ZooNet.Proxy.Roaming;

/// <summary>
/// Reaches the zones by the proxy's own (control) sessions: every ask of one zone goes through one session, in order. Thread-safe.
/// </summary>
internal sealed class ZoneSessions : IZones, IDisposable
{
    private readonly Dictionary<string, ClusterControl> _zones;
    private readonly IReadOnlyList<Acl> _acl;
    private readonly SealedZnodes _sealed;
    private readonly List<(ClusterControl Control, Action<WatchNotification> Fired, Action Connected)> _handlers = [];

    /// <summary>Makes it.</summary>
    /// <param name="zones">The control sessions of the zones.</param>
    /// <param name="secret">Owns what is written, and seals what clients have put into the tree.</param>
    public ZoneSessions(IEnumerable<ClusterControl> zones, ProxySecret secret)
    {
        _zones = zones.ToDictionary(c => c.Cluster.Name, StringComparer.Ordinal);
        _acl = secret.Acl;
        _sealed = new SealedZnodes(secret);
        foreach (var (name, control) in _zones)
        {
            void Fired(WatchNotification e)
            {
                if (e.Path.StartsWith(ZooNetTree.Roaming, StringComparison.Ordinal))
                {
                    Stirred?.Invoke(name, e.Path);
                }
            }
            void Connected() => Stirred?.Invoke(name, null);
            control.WatchFired += Fired;
            control.Connected += Connected;
            _handlers.Add((control, Fired, Connected));
        }
    }

    /// <inheritdoc/>
    public event Action<string, string?>? Stirred;

    /// <inheritdoc/>
    public async Task AskAsync(Ask ask, CancellationToken cancellationToken)
    {
        try
        {
            await _zones[ask.Zone].CallAsync(async client =>
            {
                switch (ask.Kind)
                {
                    case AskKind.Read:
                        var data = await VotedAsync(client, c => c.GetDataAsync(ask.Path, cancellationToken: cancellationToken),
                            cancellationToken);
                        (ask.Data, ask.Stat) = (_sealed.Open(ask.Zone, ask.Path, data.Data), data.Stat);
                        break;
                    case AskKind.Names:
                        ask.Names = (await VotedAsync(client, c => c.GetChildrenAsync(ask.Path, cancellationToken: cancellationToken),
                            cancellationToken)).Names;
                        break;
                    default:
                        var writing = client.MultiAsync([.. ask.Writes.Select(w => ToOp(ask.Zone, w))], cancellationToken);
                        var reading = Task.WhenAll(ask.Then.Select(r => FollowAsync(client, r, cancellationToken)));
                        await Task.WhenAll(writing, reading);
                        var written = await writing;
                        ask.Names = [.. written.Results.Select(r => r.Path ?? "")];
                        break;
                }
                return true;
            }, cancellationToken);
            ask.Error = ErrorCode.Ok;
        }
        catch (KeeperException e)
        {
            ask.Error = e.Code;
        }
        catch (ClusterUnreachableException)
        {
            ask.Error = ErrorCode.ConnectionLoss;
        }
    }

    /// <inheritdoc/>
    public Task<byte[]?> PeekAsync(string zone, string path, CancellationToken cancellationToken) =>
        _zones[zone].CallAsync(async client => _sealed.Open(zone, path, await PeekAsync(client, path, cancellationToken)),
            cancellationToken);

    /// <inheritdoc/>
    public Task<int> CountAsync(string zone, string path, CancellationToken cancellationToken) =>
        _zones[zone].CallAsync(async client => (await client.ExistsAsync(path, cancellationToken: cancellationToken)).Stat is { } stat
            ? Ask.CreatesOf(stat) : 0, cancellationToken);

    /// <inheritdoc/>
    public Task<LogEnd> WatchAsync(string zone, string entry, string ballot, string log, CancellationToken cancellationToken) =>
        _zones[zone].CallAsync(async client =>
        {
            // All on one session, in this order, and without waiting between them.
            var there = client.ExistsAsync(entry, watch: true, cancellationToken);
            var fence = client.ExistsAsync(ballot, watch: true, cancellationToken);
            var data = PeekAsync(client, log, cancellationToken);
            await Task.WhenAll(there, fence, data);
            return new LogEnd((await there).Exists, (await fence).Stat?.Version, await data);
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<int> WatchAsync(string zone, string path, CancellationToken cancellationToken) =>
        _zones[zone].CallAsync(async client => (await client.ExistsAsync(path, watch: true, cancellationToken)).Stat?.Version ?? -1,
            cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (control, fired, connected) in _handlers)
        {
            control.WatchFired -= fired;
            control.Connected -= connected;
        }
    }

    /// <summary>
    /// A read of what was committed before the call: behind a vote on the same session. A sync would be answered without one, by a leader
    /// that may be one no more.
    /// </summary>
    private static async Task<T> VotedAsync<T>(ZooKeeperClient client, Func<ZooKeeperClient, Task<T>> read,
        CancellationToken cancellationToken)
    {
        var vote = client.MultiAsync([MultiOp.Check(ZooNetTree.Root)], cancellationToken);
        var reading = read(client);
        try
        {
            await vote;
        }
        catch
        {
            // Whatever was read counts for nothing; nobody else looks at its failure.
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
        return await reading;
    }

    /// <summary>A read behind a write on the same session; it fails on its own.</summary>
    private async Task FollowAsync(ZooKeeperClient client, Ask read, CancellationToken cancellationToken)
    {
        try
        {
            var found = await client.GetDataAsync(read.Path, cancellationToken: cancellationToken);
            (read.Data, read.Stat, read.Error) = (_sealed.Open(read.Zone, read.Path, found.Data), found.Stat, ErrorCode.Ok);
        }
        catch (KeeperException e)
        {
            read.Error = e.Code == ErrorCode.NoNode ? ErrorCode.NoNode : ErrorCode.ConnectionLoss;
        }
    }

    private static async Task<byte[]?> PeekAsync(ZooKeeperClient client, string path, CancellationToken cancellationToken)
    {
        try
        {
            return (await client.GetDataAsync(path, cancellationToken: cancellationToken)).Data ?? [];
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return null;
        }
    }

    private MultiOp ToOp(string zone, ZnodeWrite write) => write.Kind switch
    {
        WriteKind.Check => MultiOp.Check(write.Path, write.Version),
        WriteKind.Create => MultiOp.Create(write.Path, _sealed.Seal(zone, write.Path, write.Data), acl: _acl),
        WriteKind.CreateSequential =>
            MultiOp.Create(write.Path, _sealed.Seal(zone, write.Path, write.Data), CreateFlags.PersistentSequential, _acl),
        WriteKind.Set => MultiOp.SetData(write.Path, _sealed.Seal(zone, write.Path, write.Data), write.Version),
        _ => MultiOp.Delete(write.Path, write.Version),
    };
}
