namespace ZooNet.Wan;

/// <summary>One direction of the link, shared by its connections: decides when a piece arrives. Thread-safe.</summary>
internal sealed class WanDirection(WanOptions options)
{
    private readonly Lock _gate = new();
    private readonly long _frequency = options.TimeProvider.TimestampFrequency;
    private long _lineFree;
    private long _delivered;
    private long _underWay;

    /// <summary>Bytes delivered since the start.</summary>
    public long Delivered => Interlocked.Read(ref _delivered);

    /// <summary>Bytes read and not yet delivered.</summary>
    public long UnderWay => Interlocked.Read(ref _underWay);

    /// <summary>
    /// When a piece that is read now arrives, as a timestamp: after what is on the line before it, its own time on the line, and half
    /// the round trip.
    /// </summary>
    public long Enter(int bytes)
    {
        Interlocked.Add(ref _underWay, bytes);
        var sent = options.TimeProvider.GetTimestamp();
        if (options.Bandwidth > 0)
        {
            lock (_gate)
            {
                _lineFree = sent = Math.Max(_lineFree, sent) + (long)((double)bytes / options.Bandwidth * _frequency);
            }
        }
        var delay = options.Rtt / 2 + (options.Jitter > TimeSpan.Zero ? options.Jitter * Random.Shared.NextDouble() : TimeSpan.Zero);
        return sent + (long)(delay.TotalSeconds * _frequency);
    }

    /// <summary>A piece has arrived, or was lost with its connection.</summary>
    public void Leave(int bytes, bool delivered)
    {
        Interlocked.Add(ref _underWay, -bytes);
        if (delivered)
        {
            Interlocked.Add(ref _delivered, bytes);
        }
    }
}
