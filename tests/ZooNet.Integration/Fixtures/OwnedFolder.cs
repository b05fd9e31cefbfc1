using System.Globalization;

namespace ZooNet.Integration.Fixtures;

/// <summary>
/// Temporary folders that carry their owner's process id in their name. A process that is killed leaves its folders; the next one that
/// makes a folder removes those whose owner is gone.
/// </summary>
public static class OwnedFolder
{
    private const string Prefix = "zoonet-run-";

    /// <summary>Makes a folder for this process.</summary>
    /// <param name="purpose">Part of its name, for whoever looks.</param>
    /// <returns>Its full path.</returns>
    public static string Create(string purpose)
    {
        RemoveOrphans();
        return Directory.CreateTempSubdirectory($"{Prefix}{Environment.ProcessId}-{purpose}-").FullName;
    }

    private static void RemoveOrphans()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            var owner = Path.GetFileName(folder)[Prefix.Length..].Split('-')[0];
            if (int.TryParse(owner, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && !Directory.Exists($"/proc/{pid}"))
            {
                try
                {
                    Directory.Delete(folder, recursive: true);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // Another process is removing it too, or it is another user's.
                }
            }
        }
    }
}
