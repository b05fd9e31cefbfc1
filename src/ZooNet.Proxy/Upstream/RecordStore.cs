using ZooNet.Client;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Reads and overwrites the records of clients' remote sessions, in the home cluster, with the proxy's own session there. Thread-safe.
/// </summary>
public sealed class RecordStore(ProxyConfig config, ClusterControls clusters)
{
    /// <summary>
    /// The remote sessions of a client, as fresh as home is now.
    /// </summary>
    /// <returns>Null where home could not be asked.</returns>
    public async Task<IReadOnlyList<RemoteSessionRecord>?> FindAsync(long sessionId, CancellationToken cancellationToken)
    {
        try
        {
            return await clusters.Home.CallAsync(async client =>
            {
                // The record may have been written through another server a moment ago.
                await client.SyncAsync(RemoteSessionRecord.Folder, cancellationToken);
                var reads = config.Remotes.Select(async remote => await ReadAsync(client, sessionId, remote, cancellationToken));
                var records = await Task.WhenAll(reads);
                return (IReadOnlyList<RemoteSessionRecord>)[.. records.OfType<RemoteSessionRecord>()];
            }, cancellationToken);
        }
        catch (Exception e) when (e is ClusterUnreachableException or KeeperException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Overwrites a record that stands already.</summary>
    /// <returns>False where it could not be written.</returns>
    public async Task<bool> ReplaceAsync(long sessionId, int cluster, byte[] data, CancellationToken cancellationToken)
    {
        try
        {
            var path = RemoteSessionRecord.PathOf(sessionId, config.Clusters[cluster].Name);
            await clusters.Home.CallAsync(client => client.SetDataAsync(path, data, -1, cancellationToken), cancellationToken);
            return true;
        }
        catch (Exception e) when (e is ClusterUnreachableException or KeeperException or OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task<RemoteSessionRecord?> ReadAsync(ZooKeeperClient client, long sessionId, ClusterConfig remote, CancellationToken cancellationToken)
    {
        try
        {
            var result = await client.GetDataAsync(RemoteSessionRecord.PathOf(sessionId, remote.Name), false, cancellationToken);
            return RemoteSessionRecord.Decode(remote.Ordinal, result.Data);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return null;
        }
    }
}
