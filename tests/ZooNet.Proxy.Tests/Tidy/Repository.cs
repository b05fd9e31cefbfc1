using System.Runtime.CompilerServices;

namespace ZooNet.Proxy.Tests.Tidy;

/// <summary>The files of this repository, as far as people write them.</summary>
internal static class Repository
{
    private static readonly string[] Made = ["bin", "obj", "artifacts", "TestResults", "BenchmarkDotNet.Artifacts", "node_modules", "__pycache__"];

    /// <summary>Its top folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Every text file, by its path from the top, with <c>/</c>.</summary>
    public static IReadOnlyDictionary<string, string> Files { get; } = Read(new DirectoryInfo(Root))
        .ToDictionary(f => Path.GetRelativePath(Root, f.FullName).Replace('\\', '/'), f => File.ReadAllText(f.FullName));

    /// <summary>The documents.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Documents => Files.Where(f => f.Key.EndsWith(".md", StringComparison.Ordinal));

    /// <summary>The C# files.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Sources => Files.Where(f => f.Key.EndsWith(".cs", StringComparison.Ordinal));

    /// <summary>True where a file or folder of this path is there.</summary>
    public static bool Has(string path) => File.Exists(Path.Combine(Root, path)) || Directory.Exists(Path.Combine(Root, path));

    private static string FindRoot([CallerFilePath] string thisFile = "")
    {
        var folder = new DirectoryInfo(Path.GetDirectoryName(thisFile)!);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ZooNet.sln")))
        {
            folder = folder.Parent;
        }
        return folder?.FullName ?? throw new InvalidOperationException($"no ZooNet.sln above {thisFile}");
    }

    private static IEnumerable<FileInfo> Read(DirectoryInfo folder) => folder.EnumerateFiles().Where(IsText)
        .Concat(folder.EnumerateDirectories().Where(d => !Made.Contains(d.Name) && d.Name != ".git" && d.LinkTarget is null).SelectMany(Read));

    private static bool IsText(FileInfo file)
    {
        // In a work tree .git is a file that names where the repository is: it is not part of it.
        if (file.Name == ".git" || file.LinkTarget is not null || file.Length > 4 * 1024 * 1024)
        {
            return false;
        }
        using var stream = file.OpenRead();
        Span<byte> head = stackalloc byte[1024];
        return !head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)].Contains((byte)0);
    }
}
