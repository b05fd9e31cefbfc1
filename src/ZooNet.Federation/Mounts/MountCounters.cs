using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Mounts;

/// <summary>What happened to the requests of one mount (or of home) since the proxy started. Thread-safe; for operators.</summary>
public sealed class MountCounters
{
    private long _reads;
    private long _writes;
    private long _refused;
    private long _barriersFailed;
    private long _barriersShared;
    private readonly long[] _verdicts = new long[Enum.GetValues<BarrierVerdict>().Length];

    /// <summary>Reads sent to the cluster.</summary>
    public long Reads => Volatile.Read(ref _reads);
    /// <summary>Writes sent to the cluster.</summary>
    public long Writes => Volatile.Read(ref _writes);
    /// <summary>Requests refused by the proxy: writes to a read-only mount, deletion of the mount point.</summary>
    public long Refused => Volatile.Read(ref _refused);
    /// <summary>Reads that failed because their barrier did.</summary>
    public long BarriersFailed => Volatile.Read(ref _barriersFailed);
    /// <summary>Of the reads that needed a barrier, those that shared one with another reader.</summary>
    public long BarriersShared => Volatile.Read(ref _barriersShared);
    /// <summary>Reads that needed a barrier.</summary>
    public long BarriersNeeded => Of(BarrierVerdict.Needed);

    /// <summary>Reads by what the rule said of them.</summary>
    public long Of(BarrierVerdict verdict) => Volatile.Read(ref _verdicts[(int)verdict]);

    internal void CountRequest(bool write) => Interlocked.Increment(ref write ? ref _writes : ref _reads);
    internal void CountRefused() => Interlocked.Increment(ref _refused);
    internal void CountBarrierFailed() => Interlocked.Increment(ref _barriersFailed);
    internal void CountShared() => Interlocked.Increment(ref _barriersShared);
    internal void Count(BarrierVerdict verdict) => Interlocked.Increment(ref _verdicts[(int)verdict]);
}
