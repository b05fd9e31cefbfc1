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
/// refreshes the very server whose reads wait for it. Several may be under way on one session, and begin as <see cref="BarrierPace"/> says.
/// Thread-safe.
/// </summary>
public sealed class BarrierChannels(ProxyConfig config, Region region, ServerDirectory servers, ProxySecret secret, TimeProvider time,
    ILogger<BarrierChannels> logger)
    : IBarrierTransport, IAsyncDisposable
{
    private readonly ConcurrentDictionary<UpstreamServer, Lazy<ZooKeeperClient>> _channels = new();

    private readonly ConcurrentDictionary<UpstreamServer, BarrierPace> _paces = new();

    /// <summary>How long barriers took that succeeded; for the metrics.</summary>
    public event Action<UpstreamServer, TimeSpan, bool>? Completed;

    /// <summary>How fast barriers at a server are, and how close together.</summary>
    public BarrierPace PaceOf(UpstreamServer server) => _paces.GetOrAdd(server, _ => new BarrierPace(config.BarrierGap));

    /// <inheritdoc/>
    public void Send(UpstreamServer server, BarrierTicket ticket)
    {
        _ = Task.Run(() => RunAsync(server, ticket));
        _ = PauseAsync(server, ticket);
    }

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

    /// <summary>Nobody reads through a server any more, nor will: its session here ends.</summary>
    public void Leave(UpstreamServer server)
    {
        _paces.TryRemove(server, out _);
        if (_channels.TryRemove(server, out var channel) && channel.IsValueCreated)
        {
            _ = channel.Value.DetachAsync();
        }
    }

    /// <summary>How many servers something is kept of.</summary>
    internal int Count => Math.Max(_channels.Count, _paces.Count);

    private async Task PauseAsync(UpstreamServer server, BarrierTicket ticket)
    {
        await Task.Delay(PaceOf(server).Gap, time);
        server.NextMayBegin(ticket);
    }

    private async Task RunAsync(UpstreamServer server, BarrierTicket ticket)
    {
        var began = time.GetTimestamp();
        var succeeded = false;
        try
        {
            succeeded = await TryCarryAsync(server);
            var elapsed = time.GetElapsedTime(began);
            if (succeeded)
            {
                PaceOf(server).Took(elapsed);
            }
            Completed?.Invoke(server, elapsed, succeeded);
        }
        finally
        {
            // Whatever has happened, clients wait for it.
            server.BarrierDone(ticket, succeeded);
        }
    }

    /// <returns>False if it failed, for whatever reason: the reads that needed it fail then, and the proxy goes on.</returns>
    private async Task<bool> TryCarryAsync(UpstreamServer server)
    {
        using var deadline = new CancellationTokenSource(config.SessionTimeout * 2 / 3, time);
        Lazy<ZooKeeperClient>? channel = null;
        try
        {
            while (true)
            {
                channel = _channels.GetOrAdd(server, s => new Lazy<ZooKeeperClient>(() => Open(s)));
                var client = channel.Value;
                if (_channels.GetValueOrDefault(server) != channel)
                {
                    // It was left before it was open: nobody else knows of this session.
                    await client.DetachAsync();
                    continue;
                }
                try
                {
                    await client.WaitConnectedAsync(deadline.Token);
                    region.Learn(server, await BarrierAsync(client, deadline.Token));
                    return true;
                }
                catch (KeeperException e) when (e.Code is ErrorCode.SessionExpired or ErrorCode.AuthFailed)
                {
                    // This one only: another barrier may have opened the next already.
                    _channels.TryRemove(new(server, channel));
                    await client.DetachAsync();
                }
                catch (KeeperException e) when (e.Code is ErrorCode.ConnectionLoss)
                {
                    // A barrier may be repeated: it only begins later then.
                    await Task.Delay(TimeSpan.FromMilliseconds(20), time, deadline.Token);
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A server that has lost what it showed refuses this session for good, without a word: the next barrier comes with a new one.
            if (channel is not null && _channels.TryRemove(new(server, channel)) && channel.IsValueCreated)
            {
                _ = channel.Value.DetachAsync();
            }
            logger.BarrierFailed(server.Address, e.Message);
            return false;
        }
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
        var (endpoint, host, own) = servers.Find(server);
        var tls = config.Clusters[server.Cluster].Tls;
        return new ZooKeeperClient(new ZooKeeperClientOptions
        {
            Servers = [new ServerAddress(endpoint.Address.ToString(), endpoint.Port)],
            SessionTimeout = config.SessionTimeout,
            AttemptTimeout = config.ConnectTimeout,
            Auth = secret.Credentials,
            // The address is one of its host's; the certificate is for the host.
            Tls = tls is null ? null : _ => tls.OptionsFor(host),
            Dial = own is null ? null : _ => own.Open(),
            TimeProvider = time,
        });
    }
}
