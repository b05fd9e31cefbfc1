using System.Collections.Concurrent;
using System.Diagnostics;
using ZooNet.Simulation.Checking;

namespace ZooNet.Integration.Histories;

/// <summary>What the reply to an operation told.</summary>
/// <param name="Zxid">The newest change that it showed or made, in the terms of the cluster that owns it; 0 where there was no such
/// znode.</param>
/// <param name="Header">For an operation at home, the zxid of the reply's header: where the server stood. 0 for one in a mount, whose
/// header does not tell.</param>
/// <param name="Value">The data read; null where none was.</param>
internal readonly record struct Observation(long Zxid, long Header, int? Value);

/// <summary>Records what all clients of a history do and see. Thread-safe.</summary>
internal sealed class HistoryRecorder
{
    private readonly Lock _lock = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly ConcurrentDictionary<int, Observation> _observations = new();
    private int _processes;
    private int _readsInMounts;

    /// <summary>The operations; not to be read while clients are at work.</summary>
    public History History { get; } = new();

    /// <summary>What was learned of each operation that was answered, by its number.</summary>
    public IReadOnlyDictionary<int, Observation> Observations => _observations;

    /// <summary>Sessions so far.</summary>
    public int Processes => _processes;

    /// <summary>Reads and listings in mounts that were answered.</summary>
    public int ReadsInMounts => Volatile.Read(ref _readsInMounts);

    /// <summary>Microseconds since the start.</summary>
    public int Now => (int)Stopwatch.GetElapsedTime(_began).TotalMicroseconds;

    /// <summary>A number for a new session: what it does is in no order with what the client did before.</summary>
    public int NewProcess() => Interlocked.Increment(ref _processes);

    /// <summary>An operation is about to be sent.</summary>
    public Op Begin(int process, string cluster, OpKind kind, string key)
    {
        lock (_lock)
        {
            return History.Begin(process, cluster, kind, key, Now);
        }
    }

    /// <summary>An operation was answered. What is not, because the connection was lost or it was refused, has no end.</summary>
    public void End(Op op, Observation observation)
    {
        _observations[op.Id] = observation;
        op.End = Now;
        if (op.Kind != OpKind.Write && observation.Header == 0)
        {
            Interlocked.Increment(ref _readsInMounts);
        }
    }
}
