using ZooNet.Protocol;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// What clients ask for, by operation. Counting costs an addition to memory that is this processor's own; the sums are made when somebody
/// asks. Thread-safe.
/// </summary>
public sealed class OperationCounters
{
    // ZooKeeper numbers its operations from 0 and from 100; there is room for those to come.
    private const int Block = 32;

    /// <summary>Operations beyond these are counted as one.</summary>
    private const int Unknown = (2 * Block) + 2;

    private const int Slots = Unknown + 1;

    private readonly long[][] _stripes =
        [.. Enumerable.Range(0, Math.Clamp(Environment.ProcessorCount, 1, 64)).Select(_ => new long[2 * Slots])];

    /// <summary>Counts a frame.</summary>
    /// <param name="op">What it asks for; <see cref="OpCode.CreateSession"/> for the first of a connection.</param>
    /// <param name="bytes">Its length.</param>
    public void Count(OpCode op, int bytes)
    {
        var stripe = _stripes[Thread.GetCurrentProcessorId() % _stripes.Length];
        var slot = 2 * SlotOf(op);
        Interlocked.Increment(ref stripe[slot]);
        Interlocked.Add(ref stripe[slot + 1], bytes);
    }

    /// <summary>How many frames there were, and their bytes.</summary>
    public (long Frames, long Bytes) Of(OpCode op)
    {
        var slot = 2 * SlotOf(op);
        return (_stripes.Sum(s => Interlocked.Read(ref s[slot])), _stripes.Sum(s => Interlocked.Read(ref s[slot + 1])));
    }

    private static int SlotOf(OpCode op) => (int)op switch
    {
        >= 0 and < Block and var low => low,
        >= 100 and < 100 + Block and var high => Block + high - 100,
        (int)OpCode.CreateSession => 2 * Block,
        (int)OpCode.CloseSession => (2 * Block) + 1,
        _ => Unknown,
    };
}
