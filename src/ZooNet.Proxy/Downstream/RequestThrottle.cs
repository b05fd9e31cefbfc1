using System.Collections.Concurrent;
using System.Net;

namespace ZooNet.Proxy.Downstream;

/// <summary>
/// How many requests a second clients may make, those of one address together (<see cref="ClientNetwork"/>). Whoever asks for more is read
/// no faster: its requests wait in its own socket, in order, and the connections of an address take turns. A second's worth may come at
/// once after a quiet second. Thread-safe (source: the generic cell rate algorithm, ITU-T I.371).
/// </summary>
/// <param name="perSecond">Requests a second, 1 and up.</param>
internal sealed class RequestThrottle(int perSecond)
{
    private const long Second = 1_000_000;

    /// <summary>Addresses without connections that are remembered at least before any is forgotten.</summary>
    private const int Spare = 1024;

    private readonly long _interval = Math.Max(1, Second / perSecond);
    private readonly ConcurrentDictionary<IPAddress, Share> _shares = new();
    private readonly Lock _lock = new();
    private int _live;
    private long _delayed;

    /// <summary>Requests that had to wait.</summary>
    public long Delayed => Interlocked.Read(ref _delayed);

    /// <summary>Addresses that are remembered.</summary>
    public int Count => _shares.Count;

    /// <summary>A connection comes from an address.</summary>
    /// <param name="address">The address.</param>
    /// <param name="nowMs">The time.</param>
    /// <returns>What it shares with the other connections of that address; <see cref="Leave"/> gives it back.</returns>
    public Share Enter(IPAddress address, long nowMs)
    {
        lock (_lock)
        {
            if (_shares.Count > Spare + (2 * _live))
            {
                ForgetRested(nowMs);
            }
            var share = _shares.GetOrAdd(ClientNetwork.Of(address), static (_, owner) => new Share(owner), this);
            share.Connections++;
            _live++;
            return share;
        }
    }

    /// <summary>A connection has ended. What it has used up of its address's share stays used up.</summary>
    public void Leave(Share share)
    {
        lock (_lock)
        {
            share.Connections--;
            _live--;
        }
    }

    private void ForgetRested(long nowMs)
    {
        foreach (var (address, share) in _shares)
        {
            if (share.Connections == 0 && share.IsRested(nowMs))
            {
                _shares.TryRemove(address, out _);
            }
        }
    }

    /// <summary>What the connections of one address may do together. Thread-safe.</summary>
    internal sealed class Share(RequestThrottle owner)
    {
        private long _next = long.MinValue / 2;

        /// <summary>How many connections there are; guarded by the owner.</summary>
        public int Connections { get; set; }

        /// <summary>Takes the next turn.</summary>
        /// <param name="nowMs">The time.</param>
        /// <returns>When it is, in milliseconds of the same clock: now, or later.</returns>
        public long TakeTurn(long nowMs)
        {
            var now = nowMs * 1000;
            while (true)
            {
                var before = Volatile.Read(ref _next);
                var next = Math.Max(before, now);
                if (Interlocked.CompareExchange(ref _next, next + owner._interval, before) != before)
                {
                    continue;
                }
                // The last microsecond of a turn that begins within this millisecond is in it.
                var turn = next - Second + owner._interval;
                if (turn <= now)
                {
                    return nowMs;
                }
                Interlocked.Increment(ref owner._delayed);
                return (turn + 999) / 1000;
            }
        }

        /// <summary>Whether a whole second's worth may come at once again.</summary>
        public bool IsRested(long nowMs) => Volatile.Read(ref _next) <= nowMs * 1000;
    }
}

/// <summary>When a connection may go on: each of its frames takes a turn of its address's share. Single owner: its connection.</summary>
/// <param name="share">The share; null where there is no limit.</param>
internal struct Turns(RequestThrottle.Share? share)
{
    private long _turnMs;

    /// <summary>Whether a frame has taken a turn that has not come: time must pass.</summary>
    public readonly bool IsWaiting => _turnMs != 0;

    /// <summary>Whether that turn is still to come.</summary>
    public readonly bool MustWait(long nowMs) => _turnMs > nowMs;

    /// <summary>Whether the next frame may be taken now. One that may not keeps its turn.</summary>
    public bool TryTake(long nowMs)
    {
        if (share is null)
        {
            return true;
        }
        if (_turnMs == 0)
        {
            _turnMs = share.TakeTurn(nowMs);
        }
        if (_turnMs > nowMs)
        {
            return false;
        }
        _turnMs = 0;
        return true;
    }
}
