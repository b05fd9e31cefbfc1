using ZooNet.Protocol;

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
/// <param name="latencies">Where times are counted, by cluster.</param>
public sealed class TrafficCounters(Func<TrafficSums> live, Latencies latencies)
{
    private readonly Lock _lock = new();
    private TrafficSums _closed;
    private TrafficSums _base;
    private long _opened;
    private long _dropped;
    private long _ended;
    private long _bugs;
    private long _badFrames;
    private long _lastReply;
    private long _shortestReply = long.MaxValue;
    private long _longestReply;
    private readonly long[] _events = new long[(int)WatchEventType.ChildrenChanged + 1];

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

    /// <summary>The same by cluster, and the times of barriers.</summary>
    public Latencies Latencies { get; } = latencies;

    /// <summary>What clients ask for.</summary>
    public OperationCounters Operations { get; } = new();

    /// <summary>Bytes of the last, the shortest and the longest reply that was timed; 0 before the first.</summary>
    public (long Last, long Min, long Max) ReplySizes =>
        (Volatile.Read(ref _lastReply), Volatile.Read(ref _shortestReply) is var min && min == long.MaxValue ? 0 : min,
            Volatile.Read(ref _longestReply));

    /// <summary>Sessions that ended because of a bug of ours.</summary>
    public long Bugs => Interlocked.Read(ref _bugs);

    /// <summary>Connections that ended because their client sent what is no frame.</summary>
    public long BadFrames => Interlocked.Read(ref _badFrames);

    /// <summary>Events of watches that were sent to clients.</summary>
    public long Events(WatchEventType type) => type is < WatchEventType.Created or > WatchEventType.ChildrenChanged ? 0
        : Interlocked.Read(ref _events[(int)type]);

    /// <summary>Counts an event that is sent to a client.</summary>
    public void EventSent(WatchEventType type)
    {
        if (type is >= WatchEventType.Created and <= WatchEventType.ChildrenChanged)
        {
            Interlocked.Increment(ref _events[(int)type]);
        }
    }

    /// <summary>Counts a session that ends because of a bug of ours.</summary>
    public void BugFound() => Interlocked.Increment(ref _bugs);

    /// <summary>Counts a connection that ends because of what its client sent.</summary>
    public void BadFrame() => Interlocked.Increment(ref _badFrames);

    /// <summary>A request that is timed was answered.</summary>
    /// <param name="cluster">Ordinal of the cluster that answered; -1 where that was the proxy, or several clusters.</param>
    /// <param name="writes">Whether it writes.</param>
    /// <param name="elapsed">From its arrival.</param>
    /// <param name="bytes">Length of the reply.</param>
    public void Answered(int cluster, bool writes, TimeSpan elapsed, int bytes)
    {
        Latency.Record((long)elapsed.TotalMilliseconds);
        // Of two that come at once one may be lost here: nobody minds.
        _lastReply = bytes;
        if (bytes < Volatile.Read(ref _shortestReply))
        {
            Volatile.Write(ref _shortestReply, bytes);
        }
        if (bytes > Volatile.Read(ref _longestReply))
        {
            Volatile.Write(ref _longestReply, bytes);
        }
        if (cluster >= 0)
        {
            Latencies.Of(cluster, writes ? LatencyKind.Write : LatencyKind.Read).Record(elapsed);
        }
    }

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
