namespace ZooNet.Wan;

/// <summary>What an emulated WAN link is like.</summary>
public sealed record WanOptions
{
    /// <summary>
    /// Round-trip time: each direction delays by half of it, and a new connection's first bytes by one more, for TCP's handshake.
    /// </summary>
    public TimeSpan Rtt { get; init; }

    /// <summary>Largest additional delay of one direction; each piece draws from 0 to this. The order of bytes is kept.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Bytes per second and direction, shared by all connections; 0 for no limit.</summary>
    public long Bandwidth { get; init; }

    /// <summary>
    /// Most bytes under way per connection and direction; beyond it the sender is no longer read, and TCP tells it. It must hold
    /// bandwidth × delay, or the delay would limit the throughput. 8 MiB.
    /// </summary>
    public int BufferBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Source of time.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}

/// <summary>How a link is cut.</summary>
public enum WanCut
{
    /// <summary>Not cut.</summary>
    None,
    /// <summary>Connections are reset, and new ones are as soon as they are made.</summary>
    Reset,
    /// <summary>Nothing arrives any more, but connections stay open, as when a cable is cut; after healing the bytes held arrive.</summary>
    Silent,
}

/// <summary>What a relay is doing.</summary>
/// <param name="Listen">Where it listens.</param>
/// <param name="To">Where it leads.</param>
/// <param name="RttMs">Round-trip time in milliseconds.</param>
/// <param name="JitterMs">Jitter in milliseconds.</param>
/// <param name="Bandwidth">Bytes per second and direction; 0 for no limit.</param>
/// <param name="Cut">Whether and how it is cut.</param>
/// <param name="Connections">Connections open now.</param>
/// <param name="Accepted">Connections accepted since the start.</param>
/// <param name="BytesOut">Bytes delivered from listener to target.</param>
/// <param name="BytesBack">Bytes delivered from target to listener.</param>
/// <param name="BytesUnderWay">Bytes read and not yet delivered, both directions.</param>
public sealed record WanStatus(string Listen, string To, double RttMs, double JitterMs, long Bandwidth, WanCut Cut, int Connections,
    long Accepted, long BytesOut, long BytesBack, long BytesUnderWay);
