using System.Globalization;

namespace ZooNet.Proxy.Telemetry;

/// <summary>The process's file descriptors, where the system tells (Linux).</summary>
public static class OpenFiles
{
    /// <summary>
    /// A proxy that may open fewer can't even load all of its own code: the runtime keeps the file of each library open, and once more
    /// for its mapping.
    /// </summary>
    public const int LeastLimit = 256;

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
