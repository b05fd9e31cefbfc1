using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Upstream;

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
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly ClusterControls _clusters;
    private readonly ProxyConfig _config;
    private readonly Region _region;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly (int MinMs, int MaxMs)?[] _known;
    private readonly Loop _loop;
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
        _loop = new Loop(AskAsync, e => logger.SessionLimitsUnknown(e.Message), RetryPause, LongestPause, time);
        foreach (var control in clusters.All)
        {
            control.HealthChanged += _loop.Ring;
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var control in _clusters.All)
        {
            control.HealthChanged -= _loop.Ring;
        }
        return _loop.DisposeAsync();
    }

    /// <summary>Asks all clusters that are up and not known. One that comes up rings; one that did not answer is asked again.</summary>
    private async Task<TimeSpan> AskAsync(CancellationToken cancellationToken)
    {
        var unknown = _clusters.All.Where(c => c.Health.IsUp && _known[c.Cluster.Ordinal] is null);
        await Task.WhenAll(unknown.Select(c => AskAsync(c.Cluster.Ordinal, cancellationToken)));
        return Loop.UntilRung;
    }

    private async Task AskAsync(int ordinal, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
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
            // Until it is known the cluster clamps by itself.
            throw new ClusterUnreachableException($"{_region.ClusterNames[ordinal]}: {e.Message}", e);
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
        // The proxy's own observer grants what it is asked for.
        Servers = _clusters[ordinal].Addresses is { InOrder.Count: > 0 } known ? LiveAddresses.Of(known) : _clusters[ordinal].Servers,
        SessionTimeout = timeout,
        AttemptTimeout = _config.ConnectTimeout,
        Tls = _clusters[ordinal].Cluster.Tls is { } tls ? tls.OptionsFor : null,
        TimeProvider = _time,
    };
}
