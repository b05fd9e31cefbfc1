namespace ZooNet.Proxy.Telemetry;

/// <summary>What was received from clients and sent to them.</summary>
/// <param name="PacketsReceived">Frames from clients.</param>
/// <param name="PacketsSent">Frames to clients, events included.</param>
/// <param name="BytesReceived">Bytes from clients.</param>
/// <param name="BytesSent">Bytes to clients.</param>
/// <param name="Outstanding">Requests that wait for their reply.</param>
public readonly record struct TrafficSums(long PacketsReceived, long PacketsSent, long BytesReceived, long BytesSent, long Outstanding)
{
    /// <summary>Adds what another connection has.</summary>
    public static TrafficSums operator +(TrafficSums a, TrafficSums b) => new(
        a.PacketsReceived + b.PacketsReceived,
        a.PacketsSent + b.PacketsSent,
        a.BytesReceived + b.BytesReceived,
        a.BytesSent + b.BytesSent,
        a.Outstanding + b.Outstanding);
}

/// <summary>
/// What one proxy counts of its client side. Each connection counts for itself, without sharing a cache line with others; the sums
/// are made when somebody asks. Thread-safe.
/// </summary>
/// <param name="live">The sums of the connections that are open.</param>
public sealed class TrafficCounters(Func<TrafficSums> live)
{
    private readonly Lock _lock = new();
    private TrafficSums _closed;
    private TrafficSums _base;
    private long _opened;
    private long _dropped;
    private long _ended;

    /// <summary>The sums since the start, or since <see cref="Reset"/>.</summary>
    public TrafficSums Sums
    {
        get
        {
            var open = live();
            lock (_lock)
            {
                var sums = _closed + open;
                // A connection that closes between the two readings is missed by both for a moment.
                return new TrafficSums(
                    Math.Max(0, sums.PacketsReceived - _base.PacketsReceived),
                    Math.Max(0, sums.PacketsSent - _base.PacketsSent),
                    sums.BytesReceived,
                    sums.BytesSent,
                    open.Outstanding);
            }
        }
    }

    /// <summary>Client connections that are open.</summary>
    public long Connections => Interlocked.Read(ref _opened) - Interlocked.Read(ref _ended);
    /// <summary>Client connections that were ever opened.</summary>
    public long ConnectionsOpened => Interlocked.Read(ref _opened);
    /// <summary>Client connections that the proxy closed for a reason other than the client's wish.</summary>
    public long ConnectionsDropped => Interlocked.Read(ref _dropped);

    /// <summary>Time from a request's arrival to its reply; of each connection one request at a time is timed.</summary>
    public LatencyStats Latency { get; } = new();

    /// <summary>A client connected.</summary>
    public void ConnectionOpened() => Interlocked.Increment(ref _opened);

    /// <summary>A client's connection ended.</summary>
    /// <param name="dropped">True where the proxy ended it and the client did not ask for it.</param>
    /// <param name="sums">What it had counted.</param>
    public void ConnectionClosed(bool dropped, TrafficSums sums)
    {
        Interlocked.Increment(ref _ended);
        if (dropped)
        {
            Interlocked.Increment(ref _dropped);
        }
        lock (_lock)
        {
            _closed += sums with { Outstanding = 0 };
        }
    }

    /// <summary>Starts latency and packets again, as the four-letter word <c>srst</c> asks; what is open or waiting stays.</summary>
    public void Reset()
    {
        var open = live();
        lock (_lock)
        {
            _base = _closed + open;
        }
        Latency.Reset();
    }
}
