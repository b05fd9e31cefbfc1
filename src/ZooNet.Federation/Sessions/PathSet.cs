using System.Collections;

namespace ZooNet.Federation.Sessions;

/// <summary>A set of paths that knows how long all of them are: what clients may put in is bounded by it. Single owner.</summary>
internal sealed class PathSet : IEnumerable<string>
{
    private readonly HashSet<string> _paths = new(StringComparer.Ordinal);

    /// <summary>How many there are.</summary>
    public int Count => _paths.Count;

    /// <summary>Bytes that their text takes in memory, two for each character.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether a path is in it.</summary>
    public bool Contains(string path) => _paths.Contains(path);

    /// <summary>Puts a path in.</summary>
    /// <returns>False if it was in it.</returns>
    public bool Add(string path)
    {
        var added = _paths.Add(path);
        Bytes += added ? BytesOf(path) : 0;
        return added;
    }

    /// <summary>Puts paths in.</summary>
    public void UnionWith(IEnumerable<string> paths)
    {
        foreach (var path in paths)
        {
            Add(path);
        }
    }

    /// <summary>Takes a path out.</summary>
    /// <returns>False if it was not in it.</returns>
    public bool Remove(string path)
    {
        var removed = _paths.Remove(path);
        Bytes -= removed ? BytesOf(path) : 0;
        return removed;
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => _paths.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static long BytesOf(string path) => 2L * path.Length;
}
