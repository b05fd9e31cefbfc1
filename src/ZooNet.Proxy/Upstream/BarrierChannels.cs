using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Carries barriers: one session of the proxy's own to each server that is read through, pinned to that server, so that a barrier
/// refreshes the very server whose reads wait for it. Thread-safe.
/// </summary>
public sealed class BarrierChannels(ProxyConfig config, Region region, ServerDirectory servers, ProxySecret secret, TimeProvider time,
    ILogger<BarrierChannels> logger)
    : IBarrierTransport, IAsyncDisposable
{
    private readonly ConcurrentDictionary<UpstreamServer, Lazy<ZooKeeperClient>> _channels = new();

    /// <summary>How long barriers took that succeeded; for the metrics.</summary>
    public event Action<UpstreamServer, TimeSpan, bool>? Completed;

    /// <inheritdoc/>
    public void Send(UpstreamServer server, BarrierTicket ticket) => _ = Task.Run(() => RunAsync(server, ticket));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var channel in _channels.Values)
        {
            if (channel.IsValueCreated)
            {
                await channel.Value.DetachAsync();
            }
        }
    }

    private async Task RunAsync(UpstreamServer server, BarrierTicket ticket)
    {
        var began = time.GetTimestamp();
        using var deadline = new CancellationTokenSource(config.SessionTimeout * 2 / 3, time);
        var succeeded = false;
        try
        {
            while (!succeeded)
            {
                var client = _channels.GetOrAdd(server, s => new Lazy<ZooKeeperClient>(() => Open(s))).Value;
                try
                {
                    await client.WaitConnectedAsync(deadline.Token);
                    var zxid = await BarrierAsync(client, deadline.Token);
                    region.Learn(server, zxid);
                    succeeded = true;
                }
                catch (KeeperException e) when (e.Code is ErrorCode.SessionExpired or ErrorCode.AuthFailed)
                {
                    _channels.TryRemove(server, out _);
                    await client.DetachAsync();
                }
                catch (KeeperException e) when (e.Code is ErrorCode.ConnectionLoss)
                {
                    // A barrier may be repeated: it only begins later then.
                    await Task.Delay(TimeSpan.FromMilliseconds(20), time, deadline.Token);
                }
            }
        }
        catch (Exception e) when (e is KeeperException or OperationCanceledException)
        {
            // A server that has lost what it showed refuses this session for good, without a word: the next barrier comes with a new one.
            if (_channels.TryRemove(server, out var channel) && channel.IsValueCreated)
            {
                _ = channel.Value.DetachAsync();
            }
            logger.BarrierFailed(server.Address, e.Message);
        }
        Completed?.Invoke(server, time.GetElapsedTime(began), succeeded);
        server.BarrierDone(ticket, succeeded);
    }

    private async Task<long> BarrierAsync(ZooKeeperClient client, CancellationToken cancellationToken)
    {
        if (config.Barrier != BarrierMode.Sync)
        {
            try
            {
                return await client.QuorumBarrierAsync(cancellationToken).WaitAsync(cancellationToken);
            }
            catch (KeeperException e) when (config.Barrier == BarrierMode.Auto && e.Code is ErrorCode.Unimplemented or ErrorCode.NoAuth or ErrorCode.BadArguments)
            {
                // The cluster does not take our multi; its sync has to do.
            }
        }
        return await client.SyncAsync("/", cancellationToken).WaitAsync(cancellationToken);
    }

    private ZooKeeperClient Open(UpstreamServer server)
    {
        var (endpoint, host) = servers.Find(server);
        var tls = config.Clusters[server.Cluster].Tls;
        return new ZooKeeperClient(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress(endpoint.Address.ToString(), endpoint.Port)],
            SessionTimeout = config.SessionTimeout,
            AttemptTimeout = config.ConnectTimeout,
            Auth = secret.Credentials,
            // The address is one of its host's; the certificate is for the host.
            Tls = tls is null ? null : _ => tls.OptionsFor(host),
            TimeProvider = time,
        });
    }
}
