using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Notices a cluster that comes back empty, old, or as another one, whenever the proxy's own session there is connected anew. Thread-safe.
/// </summary>
/// <remarks>
/// A cluster that answers behind what it has shown before has lost changes. If its tree is another one, too, it has been made anew:
/// nothing of the old one is left, so what was known of it is forgotten and its clients come back by themselves. If the tree is the same
/// one, older data have been put in its place: clients have seen what is not there any more, no order of events explains that, and the
/// cluster is refused until an operator restarts the proxies, or the cluster is back where it was.
/// </remarks>
public sealed class LostHistory : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly ClusterControls _clusters;
    private readonly Region _region;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Loop _loop;
    private readonly int[] _replacements;
    private readonly bool[] _due;
    private readonly Lock _lock = new();

    /// <summary>Makes it; it begins when a cluster is reached.</summary>
    public LostHistory(ClusterControls clusters, Region region, TimeProvider time, ILogger<LostHistory> logger)
    {
        _clusters = clusters;
        _region = region;
        _time = time;
        _logger = logger;
        _replacements = new int[clusters.All.Count];
        _due = new bool[clusters.All.Count];
        _loop = new Loop(LookAsync, Report, RetryPause, LongestPause, time);
        foreach (var control in clusters.All)
        {
            control.Connected += () => LookAt(control.Cluster.Ordinal);
        }

        void Report(Exception e)
        {
            // That a cluster is away is told already.
            if (e is not ClusterUnreachableException)
            {
                logger.HistoryNotChecked(e.Message);
            }
        }
    }

    /// <summary>
    /// Raised, on the loop, when a cluster has lost changes: with its ordinal, and why its servers must not be used, or null if they may be
    /// used again. What is known of the cluster has been forgotten then, and so must all be that rests on it.
    /// </summary>
    public event Action<int, string?>? Lost;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _loop.DisposeAsync();

    private void LookAt(int cluster)
    {
        lock (_lock)
        {
            _due[cluster] = true;
        }
        _loop.Ring();
    }

    private async Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        Exception? failure = null;
        foreach (var control in _clusters.All)
        {
            var ordinal = control.Cluster.Ordinal;
            lock (_lock)
            {
                if (!_due[ordinal] && control.Refusal is null)
                {
                    continue;
                }
                _due[ordinal] = false;
            }
            try
            {
                await LookAtAsync(control, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // One cluster that does not answer must not keep the others from being looked at.
                failure = e;
                lock (_lock)
                {
                    _due[ordinal] = true;
                }
            }
        }
        if (failure is not null)
        {
            throw failure;
        }
        return _clusters.All.Any(c => c.Refusal is not null) ? LongestPause : Loop.UntilRung;
    }

    private async Task LookAtAsync(ClusterControl control, CancellationToken cancellationToken)
    {
        var ordinal = control.Cluster.Ordinal;
        // In this order: what was known before a vote was committed before it.
        var known = Math.Max(_region.Positions.Known(ordinal), control.Position);
        var position = await control.CallAsync(c => PositionAsync(c, cancellationToken), cancellationToken);
        await control.Tree.LookAsync(cancellationToken);
        var isAnother = control.Tree.Replacements != _replacements[ordinal];
        _replacements[ordinal] = control.Tree.Replacements;
        if (position >= known)
        {
            if (control.Refusal is not null)
            {
                control.Refusal = null;
                _logger.HistoryIsBack(control.Cluster.Name);
                Lost?.Invoke(ordinal, null);
            }
            if (isAnother)
            {
                _logger.TreeReplaced(control.Cluster.Name);
                control.Notice = $"the tree of the proxies in the cluster '{control.Cluster.Name}' was made anew at {Now()}: "
                    + "it has been deleted, or another ensemble answers; what was mounted there has to be mounted again";
            }
            return;
        }
        var where = $"it answers at 0x{position:x} and was at 0x{known:x}";
        if (isAnother)
        {
            control.Refusal = null;
            control.Notice = $"the cluster '{control.Cluster.Name}' came back as a new one at {Now()}: {where}, without the proxies' znodes; "
                + "what was mounted there has to be mounted again";
            _logger.ClusterReplaced(control.Cluster.Name, position, known);
            control.ForgetPosition();
            _region.Forget(ordinal);
            Lost?.Invoke(ordinal, null);
        }
        else if (control.Refusal is null)
        {
            control.Refusal = $"the cluster '{control.Cluster.Name}' has lost changes: {where}, as after a restored backup; nothing of it is "
                + "served, since clients know what is not there any more; bring its data back, or restart the region's proxies";
            _logger.ClusterWentBack(control.Cluster.Name, position, known);
            Lost?.Invoke(ordinal, control.Refusal);
        }

        string Now() => _time.GetUtcNow().ToString("u", System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task<long> PositionAsync(ZooKeeperClient client, CancellationToken cancellationToken)
    {
        try
        {
            return await client.QuorumBarrierAsync(cancellationToken);
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoAuth or ErrorCode.Unimplemented or ErrorCode.BadArguments)
        {
            return await client.SyncAsync("/", cancellationToken);
        }
    }
}
