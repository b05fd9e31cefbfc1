using System.Globalization;
using System.Runtime.InteropServices;

namespace ZooNet.Server.Persistence;

/// <summary>Small things about files that must survive a power cut.</summary>
internal static class DataFiles
{
    /// <summary>Files named prefix and zxid in hexadecimal, in the order of the zxids.</summary>
    public static List<(long Zxid, string Path)> List(string folder, string prefix) =>
    [
        .. Directory.EnumerateFiles(folder, prefix + "*")
            .Select(path => (Parsed: long.TryParse(System.IO.Path.GetFileName(path)[prefix.Length..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var zxid), zxid, path))
            .Where(f => f.Parsed)
            .Select(f => (f.zxid, f.path))
            .OrderBy(f => f.zxid),
    ];

    /// <summary>
    /// Puts a folder's entries on disk: a new file's name would otherwise be lost in a power cut. Windows does that by itself.
    /// </summary>
    public static void SyncFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        var handle = Open(folder, 0);
        if (handle < 0 || Fsync(handle) != 0)
        {
            throw new IOException($"{folder} can't be synchronised: error {Marshal.GetLastPInvokeError()}.");
        }
        _ = Close(handle);
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static extern int Fsync(int handle);

    [DllImport("libc", EntryPoint = "close", SetLastError = true)]
    private static extern int Close(int handle);
}
