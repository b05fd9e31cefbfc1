using System.Diagnostics;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Integration.Fixtures;

/// <summary>
/// Waits for a condition instead of for a time. Limits are in time in which the machine ran: while it stands still nothing is late.
/// </summary>
public static class Eventually
{
    private static readonly TimeSpan Default = TimeSpan.FromSeconds(30);

    /// <summary>Polls until it holds; fails after <paramref name="limit"/> (30 s).</summary>
    public static Task Async(Func<bool> condition, string what, TimeSpan? limit = null) => Async(() => Task.FromResult(condition()), what, limit);

    /// <summary>Polls until it holds; fails after <paramref name="limit"/> (30 s).</summary>
    public static async Task Async(Func<Task<bool>> condition, string what, TimeSpan? limit = null)
    {
        var began = MachineTime.Now;
        while (true)
        {
            // The last look is one that began before the limit.
            var late = MachineTime.Now - began > (limit ?? Default);
            if (await condition())
            {
                return;
            }
            if (late)
            {
                throw new TimeoutException($"not in time: {what}");
            }
            await Task.Delay(10);
        }
    }

    /// <summary>
    /// An operation that may be repeated; a client is free to when its connection is lost. Fails after <paramref name="limit"/> (60 s).
    /// </summary>
    public static async Task<T> AgainAsync<T>(Func<Task<T>> operation, TimeSpan? limit = null)
    {
        for (var began = MachineTime.Now; ;)
        {
            try
            {
                return await operation();
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss && MachineTime.Now - began < (limit ?? 2 * Default))
            {
                await Task.Delay(20);
            }
        }
    }
}

/// <summary>
/// Time as it passes for programs on this machine: where all of them are held up, by a host that takes the processors away or by many more
/// of them than processors, this clock hardly moves. Thread-safe.
/// </summary>
public static class MachineTime
{
    private const int StepMs = 10;

    // No step counts for more: a sleep that takes longer was held up.
    private static readonly long LongestStep = Stopwatch.Frequency * 3 * StepMs / 1000;
    private static long _passed = Start();

    /// <summary>The time since some moment.</summary>
    public static TimeSpan Now => Stopwatch.GetElapsedTime(0, Volatile.Read(ref _passed));

    private static long Start()
    {
        new Thread(() =>
        {
            for (var before = Stopwatch.GetTimestamp(); ;)
            {
                // The tick of the clock, and what it measures: nothing is waited for here.
                Thread.Sleep(StepMs);
                var now = Stopwatch.GetTimestamp();
                Volatile.Write(ref _passed, _passed + Math.Min(now - before, LongestStep));
                before = now;
            }
        })
        { IsBackground = true, Name = "machine time" }.Start();
        return 0;
    }
}
