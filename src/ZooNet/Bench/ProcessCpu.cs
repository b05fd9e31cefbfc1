using System.Globalization;

namespace ZooNet.Bench;

/// <summary>A process's own accounting of its CPU time, from <c>/proc/PID/stat</c>.</summary>
internal static class ProcessCpu
{
    // USER_HZ, the unit of the kernel's interface: 100 on every architecture that .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>CPU time used so far, user and system, all threads; null where there is no such process.</summary>
    public static TimeSpan? Of(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        // The name in parentheses may hold anything; the fields are counted from behind it: utime is the 14th, stime the 15th.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        return TimeSpan.FromSeconds(ticks / TicksPerSecond);
    }
}
