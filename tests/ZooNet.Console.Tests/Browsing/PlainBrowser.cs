using System.Diagnostics;
using System.Globalization;

namespace ZooNet.WebConsole.Tests.Browsing;

/// <summary>
/// A browser with one page that nobody steers: what a tool that is attached has a page keep, such as what it fetched, is not in its memory.
/// </summary>
internal sealed class PlainBrowser : IAsyncDisposable
{
    private readonly DirectoryInfo _profile = Directory.CreateTempSubdirectory("zoonet-browser");
    private readonly Process _process;

    /// <summary>Opens a page.</summary>
    public PlainBrowser(Uri page) => _process = Process.Start(new ProcessStartInfo(Browser.Chromium)
    {
        ArgumentList = { "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            $"--user-data-dir={_profile.FullName}", page.ToString() },
        RedirectStandardError = true,
        RedirectStandardOutput = true,
    })!;

    /// <summary>What its largest process that shows pages holds for itself, in bytes; 0 while there is none.</summary>
    public long MemoryOfTab() => Directory.EnumerateDirectories("/proc").Select(MemoryOf).Max();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _profile.Delete(recursive: true);
    }

    private long MemoryOf(string process)
    {
        try
        {
            var command = File.ReadAllText(Path.Combine(process, "cmdline"));
            if (!command.Contains(_profile.FullName, StringComparison.Ordinal) || !command.Contains("--type=renderer", StringComparison.Ordinal))
            {
                return 0;
            }
            var sums = File.ReadLines(Path.Combine(process, "smaps_rollup"));
            return 1024 * Kilobytes(sums.First(l => l.StartsWith("Pss:", StringComparison.Ordinal)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            // No process, or none any more.
            return 0;
        }
    }

    private static long Kilobytes(string line) =>
        long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
