using System.Globalization;

namespace ZooNet.Proxy.Admin;

/// <summary>The process's file descriptors, where the system tells (Linux).</summary>
internal static class OpenFiles
{
    /// <summary>How many may be open; null where that is not known.</summary>
    public static long? Limit { get; } = ReadLimit();

    /// <summary>How many are open; null where that is not known.</summary>
    public static long? Count()
    {
        try
        {
            return Directory.GetFileSystemEntries("/proc/self/fd").Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static long? ReadLimit()
    {
        try
        {
            var line = File.ReadLines("/proc/self/limits").FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
            var soft = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(3);
            return long.TryParse(soft, CultureInfo.InvariantCulture, out var limit) ? limit : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
