using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Learns which session timeouts each cluster grants, and narrows what clients get to what all grant: a client's sessions then last
/// equally long everywhere. A cluster is asked once, when it is first reached, with one session that is made with the shortest
/// timeout, attached again with the longest, and closed: two transactions.
/// </summary>
public sealed class SessionLimits : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(int.MaxValue);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ClusterControls _clusters;
    private readonly ProxyConfig _config;
    private readonly Region _region;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly (int MinMs, int MaxMs)?[] _known;
    private readonly int[] _asking;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();

    /// <summary>Makes it; nothing is asked before a cluster is reached.</summary>
    public SessionLimits(ClusterControls clusters, ProxyConfig config, Region region, TimeProvider time, ILogger<SessionLimits> logger)
    {
        _clusters = clusters;
        _config = config;
        _region = region;
        _time = time;
        _logger = logger;
        _known = new (int, int)?[clusters.All.Count];
        _asking = new int[clusters.All.Count];
        for (var i = 0; i < clusters.All.Count; i++)
        {
            var ordinal = i;
            clusters[i].Connected += () => Ask(ordinal);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => _stop.CancelAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _stop.CancelAsync();

    private void Ask(int ordinal)
    {
        if (_known[ordinal] is null && !_stop.IsCancellationRequested && Interlocked.Exchange(ref _asking[ordinal], 1) == 0)
        {
            _ = AskAsync(ordinal);
        }
    }

    private async Task AskAsync(int ordinal)
    {
        await Task.Yield();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        limit.CancelAfter(Patience);
        try
        {
            var first = await ZooKeeperClient.ConnectAsync(OptionsFor(ordinal, TimeSpan.Zero), limit.Token);
            var shortest = first.SessionTimeout;
            var (id, password) = (first.SessionId, first.SessionPassword);
            await first.DetachAsync();
            await using var second = await ZooKeeperClient.ConnectAsync(
                OptionsFor(ordinal, Longest) with { SessionId = id, SessionPassword = password }, limit.Token);
            Learn(ordinal, (int)shortest.TotalMilliseconds, (int)second.SessionTimeout.TotalMilliseconds);
        }
        catch (Exception e) when (e is KeeperException or OperationCanceledException)
        {
            // Asked again when the cluster is next reached; until then it clamps by itself.
            _logger.SessionLimitsUnknown(_region.ClusterNames[ordinal], e.Message);
        }
        finally
        {
            Volatile.Write(ref _asking[ordinal], 0);
        }
    }

    private void Learn(int ordinal, int minMs, int maxMs)
    {
        lock (_lock)
        {
            _known[ordinal] = (minMs, maxMs);
            var min = _known.Max(k => k?.MinMs ?? 0);
            var max = _known.Min(k => k?.MaxMs ?? int.MaxValue);
            _region.SessionTimeouts = (min, Math.Max(min, max));
            if (min > max)
            {
                _logger.SessionLimitsDisjoint(min, max);
            }
        }
    }

    private ZooKeeperClientOptions OptionsFor(int ordinal, TimeSpan timeout) => new()
    {
        Servers = [.. _clusters[ordinal].Cluster.InOrder.Select(a => new ServerAddress(a.Host, a.Port))],
        SessionTimeout = timeout,
        AttemptTimeout = _config.ConnectTimeout,
        TimeProvider = _time,
    };
}
