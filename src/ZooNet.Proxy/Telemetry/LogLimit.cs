namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// Keeps strangers from filling the log: of each kind of message so many pass in ten seconds, and the first one after that says how many
/// were left out. Thread-safe.
/// </summary>
/// <param name="kinds">How many kinds there are; a kind is a number below.</param>
/// <param name="time">The clock.</param>
/// <param name="burst">How many of a kind pass in ten seconds.</param>
internal sealed class LogLimit(int kinds, TimeProvider time, int burst = 10)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly (long Began, int Passed, long LeftOut)[] _kinds = new (long, int, long)[kinds];
    private readonly Lock _lock = new();

    /// <summary>Whether a message of a kind is to be logged.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="leftOut">How many of the kind were left out since the last one that was logged.</param>
    public bool Allows(int kind, out long leftOut)
    {
        lock (_lock)
        {
            ref var now = ref _kinds[kind];
            if (now.Began == 0 || time.GetElapsedTime(now.Began) >= Window)
            {
                now = (time.GetTimestamp(), 0, now.LeftOut);
            }
            leftOut = now.LeftOut;
            if (now.Passed >= burst)
            {
                now.LeftOut++;
                return false;
            }
            now.Passed++;
            now.LeftOut = 0;
            return true;
        }
    }
}
