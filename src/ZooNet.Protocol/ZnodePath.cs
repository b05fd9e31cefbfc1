using System.Globalization;

namespace ZooNet.Protocol;

/// <summary>
/// The rules of znode paths (source: <c>PathUtils.validatePath</c>) and arithmetic on whole segments:
/// <c>/mnt/eu2</c> is not below <c>/mnt/eu</c>.
/// </summary>
public static class ZnodePath
{
    /// <summary>
    /// Checks a path.
    /// </summary>
    /// <returns>Null where the path is legal, else why it is not, in words for an operator.</returns>
    public static string? Validate(string? path)
    {
        if (string.IsNullOrEmpty(path))
        {
            return "the path is empty";
        }
        if (path[0] != '/')
        {
            return "the path must start with '/'";
        }
        if (path.Length == 1)
        {
            return null;
        }
        if (path[^1] == '/')
        {
            return "the path must not end with '/'";
        }
        var segment = 1;
        for (var i = 1; i <= path.Length; i++)
        {
            if (i < path.Length && path[i] != '/')
            {
                var c = path[i];
                if (c is '\0' or (>= '\u0001' and <= '\u001f') or (>= '\u007f' and <= '\u009f') or (>= '\ud800' and <= '\uf8ff') or (>= '\ufff0' and <= '\uffff'))
                {
                    return $"the path has an illegal character at {i}";
                }
                continue;
            }
            switch (path.AsSpan(segment, i - segment))
            {
                case "":
                    return $"the path has an empty node name at {i}";
                case "." or "..":
                    return $"the path has a relative part at {segment}";
            }
            segment = i + 1;
        }
        return null;
    }

    /// <summary>True where <paramref name="path"/> is <paramref name="ancestor"/> itself or lies below it.</summary>
    public static bool IsAtOrUnder(ReadOnlySpan<byte> path, ReadOnlySpan<byte> ancestor) =>
        path.StartsWith(ancestor) && (path.Length == ancestor.Length || ancestor.Length == 1 || path[ancestor.Length] == (byte)'/');

    /// <summary>True where <paramref name="path"/> is <paramref name="ancestor"/> itself or lies below it.</summary>
    public static bool IsAtOrUnder(string path, string ancestor) =>
        path.StartsWith(ancestor, StringComparison.Ordinal) && (path.Length == ancestor.Length || ancestor.Length == 1 || path[ancestor.Length] == '/');

    /// <summary>The parent of a path; "/" for a child of the root, and "" for the root, which has none.</summary>
    public static string ParentOf(string path)
    {
        var slash = path.LastIndexOf('/');
        return slash > 0 ? path[..slash] : path.Length > 1 ? "/" : "";
    }

    /// <summary>The last segment of a path.</summary>
    public static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..];

    /// <summary>
    /// What a sequential znode's name ends in: ten characters, of which a counter that has gone below zero needs one for its sign
    /// (source: <c>PrepRequestProcessor</c>, Java's <c>%010d</c>).
    /// </summary>
    public static string Counter(int value) => value.ToString(value < 0 ? "D9" : "D10", CultureInfo.InvariantCulture);

    /// <summary>Joins a path and a child's name or a relative path without a leading '/'.</summary>
    public static string Join(string parent, string name) => parent.Length == 1 ? "/" + name : parent + "/" + name;
}
