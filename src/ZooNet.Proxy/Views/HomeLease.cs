using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// Says until when this proxy may use mounts. Each write that home has carried out for the session that holds the registration
/// is good for 2/3 of that session's timeout: until then the others still count this proxy as live and wait for its acknowledgement.
/// Assumes a session timeout of at least three ticks of home. Thread-safe.
/// </summary>
internal sealed class HomeLease : IDisposable
{
    private readonly ClusterControl _home;
    private readonly Registration _registration;
    private readonly Region _region;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private string? _held = "the proxy has not registered yet";
    private bool _isLogged;

    /// <summary>Makes a lease that is held back; mounts can't be used.</summary>
    public HomeLease(ClusterControl home, Registration registration, Region region, TimeProvider time, ILogger logger)
    {
        _home = home;
        _registration = registration;
        _region = region;
        _time = time;
        _logger = logger;
        region.MountsUsableUntilMs = 0;
    }

    /// <summary>True between <see cref="Hold"/> and <see cref="Release"/>, and before the first of these.</summary>
    public bool IsHeld
    {
        get
        {
            lock (_lock)
            {
                return _held is not null;
            }
        }
    }

    /// <summary>Why mounts can't be used now; null where they can.</summary>
    public string? WhyNot
    {
        get
        {
            lock (_lock)
            {
                return _held ?? (_region.Mounts.IsEmpty || _region.MountsUsableUntilMs >= NowMs ? null : "home has not answered for too long");
            }
        }
    }

    private long NowMs => _time.GetTimestamp() / (_time.TimestampFrequency / 1000);

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();

    /// <summary>From now on no mount may be used.</summary>
    public void Hold(string why)
    {
        lock (_lock)
        {
            _held = why;
            _region.MountsUsableUntilMs = 0;
            if (!_region.Mounts.IsEmpty && !_isLogged)
            {
                _isLogged = true;
                _logger.MountsHeld(why);
            }
        }
    }

    /// <summary>Mounts may be used as long as home answers. Called again whenever the mounts have changed.</summary>
    public void Release()
    {
        lock (_lock)
        {
            _held = null;
            if (_isLogged)
            {
                _isLogged = false;
                _logger.MountsServed();
            }
            if (!_region.Mounts.IsEmpty && _region.MountsUsableUntilMs < NowMs && _wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
    }

    /// <summary>Renews until it is stopped; where nothing is mounted home is left alone.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var pause = Timeout.InfiniteTimeSpan;
            if (!IsHeld && !_region.Mounts.IsEmpty)
            {
                pause = TimeSpan.FromMilliseconds(100);
                var began = NowMs;
                try
                {
                    var timeout = await _home.CallAsync(c => BarrierAsync(c, cancellationToken), cancellationToken);
                    pause = timeout / 6;
                    lock (_lock)
                    {
                        if (_held is null)
                        {
                            _region.MountsUsableUntilMs = began + (long)(timeout.TotalMilliseconds * 2 / 3);
                        }
                    }
                }
                catch (Exception) when (!cancellationToken.IsCancellationRequested)
                {
                    // Not renewed: it runs out unless the next attempt comes in time.
                }
            }
            await ((Task)_wake.WaitAsync(pause, cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<TimeSpan> BarrierAsync(ZooKeeperClient client, CancellationToken cancellationToken)
    {
        if (!_registration.IsOf(client))
        {
            throw new KeeperException(ErrorCode.SessionExpired, OpCode.Multi, ZooNetTree.Proxies);
        }
        await client.QuorumBarrierAsync(cancellationToken);
        return client.SessionTimeout;
    }
}
