using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>A write of the proxy's own that home has carried out.</summary>
/// <param name="Timeout">The timeout of the session that wrote.</param>
/// <param name="Zxid">Its zxid.</param>
internal readonly record struct HomeWrite(TimeSpan Timeout, long Zxid);

/// <summary>
/// Says until when this proxy may use mounts. Each write that home has carried out for the session that holds the registration
/// is good for 2/3 of that session's timeout: until then the others still count this proxy as live and wait for its acknowledgement.
/// Assumes a session timeout of at least three ticks of home. Thread-safe.
/// </summary>
internal sealed class HomeLease : IAsyncDisposable
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private readonly Func<CancellationToken, Task<HomeWrite>> _write;
    private readonly Region _region;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Loop _loop;
    private string? _held = "the proxy has not registered yet";
    private long _holds;
    private long _renewAtMs;
    private bool _isLogged;

    /// <summary>Makes a lease that is held back; mounts can't be used.</summary>
    /// <param name="write">Writes something in home with the session that holds the registration.</param>
    /// <param name="region">What the lease is for.</param>
    /// <param name="time">The clock that the region is read by.</param>
    /// <param name="logger">Hears of what is held back.</param>
    public HomeLease(Func<CancellationToken, Task<HomeWrite>> write, Region region, TimeProvider time, ILogger logger)
    {
        _write = write;
        _region = region;
        _time = time;
        _logger = logger;
        // One that is not renewed runs out, unless a later attempt comes in time: that is told by WhyNot.
        _loop = new Loop(RenewAsync, _ => { }, RetryPause, LongestPause, time);
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

    /// <summary>Begins to renew; while nothing is mounted home is left alone.</summary>
    public void Start() => _loop.Start();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _loop.DisposeAsync();

    /// <summary>From now on no mount may be used.</summary>
    public void Hold(string why)
    {
        lock (_lock)
        {
            _held = why;
            _holds++;
            _renewAtMs = 0;
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
        }
        _loop.Ring();
    }

    private async Task<TimeSpan> RenewAsync(CancellationToken cancellationToken)
    {
        var began = NowMs;
        long holds;
        lock (_lock)
        {
            if (_held is not null || _region.Mounts.IsEmpty)
            {
                return Loop.UntilRung;
            }
            if (_renewAtMs > began)
            {
                return TimeSpan.FromMilliseconds(_renewAtMs - began);
            }
            holds = _holds;
        }
        var (timeout, zxid) = await _write(cancellationToken);
        _region.Positions.SettleLost(began, zxid);
        lock (_lock)
        {
            if (holds != _holds)
            {
                // What was written came before what the lease has been held back for.
                return TimeSpan.Zero;
            }
            _region.MountsUsableUntilMs = began + (long)(timeout.TotalMilliseconds * 2 / 3);
            _renewAtMs = began + (long)(timeout.TotalMilliseconds / 6);
        }
        return timeout / 6;
    }
}
