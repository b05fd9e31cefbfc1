using ZooNet.Protocol;
using ZooNet.Protocol.FourLetterWords;

namespace ZooNet.Server.Connections;

/// <summary>What a connection, or a server in all, counts for the four-letter words. Under the gate.</summary>
internal sealed class Traffic
{
    private double _sumMs;
    private double _maxMs;
    private double _minMs = double.MaxValue;
    private long _count;

    public long Received { get; set; }
    public long Sent { get; set; }

    /// <summary>The last request.</summary>
    public RequestHeader Last { get; set; }

    /// <summary>The zxid of the last reply with a body.</summary>
    public long LastZxid { get; set; }

    /// <summary>From the arrival of a batch of requests to the end of its execution.</summary>
    public LatencyStatus Latency => _count == 0 ? default : new LatencyStatus((long)_minMs, _sumMs / _count, (long)_maxMs);

    /// <summary>Counts a batch.</summary>
    public void AddLatency(long requests, TimeSpan latency)
    {
        if (requests > 0)
        {
            var ms = latency.TotalMilliseconds;
            _count += requests;
            _sumMs += ms * requests;
            _maxMs = Math.Max(_maxMs, ms);
            _minMs = Math.Min(_minMs, ms);
        }
    }

    /// <summary>Starts again from nothing.</summary>
    public void Reset()
    {
        (Received, Sent, _count, _sumMs, _maxMs, _minMs) = (0, 0, 0, 0, 0, double.MaxValue);
    }
}
