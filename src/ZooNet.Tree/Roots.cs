using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Tree;

/// <summary>
/// What a replica keeps that does not keep all: what is at or below its roots. Of the znodes above them it keeps the ACLs and Stats, not
/// the data and not the other children. Immutable.
/// </summary>
internal sealed class Roots
{
    private readonly string[] _paths;
    private readonly byte[][] _utf8;

    /// <summary>Makes the set of some paths; one that lies below another is left out.</summary>
    public Roots(IEnumerable<string> paths)
    {
        var all = paths.Distinct(StringComparer.Ordinal).ToArray();
        _paths = [.. all.Where(p => !all.Any(other => other != p && ZnodePath.IsAtOrUnder(p, other))).Order(StringComparer.Ordinal)];
        _utf8 = [.. _paths.Select(Encoding.UTF8.GetBytes)];
    }

    /// <summary>The roots.</summary>
    public IReadOnlyList<string> Paths => _paths;

    /// <summary>Whether all of another set is kept here, too.</summary>
    public bool HoldAll(Roots others) => Array.TrueForAll(others._paths, Hold);

    /// <summary>Whether a path is at or below a root.</summary>
    public bool Hold(string path)
    {
        foreach (var root in _paths)
        {
            if (ZnodePath.IsAtOrUnder(path, root))
            {
                return true;
            }
        }
        return false;
    }

    /// <inheritdoc cref="Hold(string)"/>
    public bool Hold(ReadOnlySpan<byte> path)
    {
        foreach (var root in _utf8)
        {
            if (ZnodePath.IsAtOrUnder(path, root))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether a path is above a root.</summary>
    public bool AreBelow(string path)
    {
        foreach (var root in _paths)
        {
            if (root.Length > path.Length && ZnodePath.IsAtOrUnder(root, path))
            {
                return true;
            }
        }
        return false;
    }

    /// <inheritdoc cref="AreBelow(string)"/>
    public bool AreBelow(ReadOnlySpan<byte> path)
    {
        foreach (var root in _utf8)
        {
            if (root.Length > path.Length && ZnodePath.IsAtOrUnder(root, path))
            {
                return true;
            }
        }
        return false;
    }
}
