using System.Text;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>What a client may do below a path.</summary>
public enum PathAccess
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>Read and watch.</summary>
    Read,
    /// <summary>All that the clusters allow it.</summary>
    Write,
}

/// <summary>
/// What one client may do where, by its own paths: the rule of the longest path that holds a znode decides, and where there is none
/// everything is allowed. The clusters' ACLs come on top. Immutable.
/// </summary>
public sealed class PathRules
{
    private readonly (byte[] Path, PathAccess Access)[] _rules;

    /// <summary>Makes the rules of a client.</summary>
    /// <param name="rules">Valid paths, each once.</param>
    public PathRules(IEnumerable<(string Path, PathAccess Access)> rules) =>
        _rules = [.. rules.OrderByDescending(r => r.Path.Length).Select(r => (Encoding.UTF8.GetBytes(r.Path), r.Access))];

    /// <summary>What is allowed at a path.</summary>
    public PathAccess At(ReadOnlySpan<byte> path)
    {
        foreach (var (prefix, access) in _rules)
        {
            if (IsAtOrUnder(path, prefix))
            {
                return access;
            }
        }
        return PathAccess.Write;
    }

    /// <summary>Whether a request may be carried out. What can't be decoded to its end may not: nobody knows what else is in it.</summary>
    /// <param name="op">What it asks for.</param>
    /// <param name="frame">Its frame.</param>
    /// <param name="refused">
    /// Of a multi or multiRead that may not: the first operation that is to blame, or -1 where it can't be decoded; else 0.
    /// </param>
    internal bool Allow(OpCode op, ReadOnlySpan<byte> frame, out int refused)
    {
        refused = 0;
        switch (op)
        {
            case OpCode.Multi or OpCode.MultiRead:
                if (!RequestRewriter.ScanMulti(frame, MountTable.Empty).Valid)
                {
                    refused = -1;
                    return false;
                }
                var operations = new MultiOperations(frame);
                for (; operations.MoveNext(); refused++)
                {
                    if (!AllowOne(operations.Op, operations.Path, operations.Flags))
                    {
                        return false;
                    }
                }
                refused = 0;
                return true;
            case OpCode.SetWatches or OpCode.SetWatches2:
                var reader = new JuteReader(frame[(Framing.PrefixLength + RequestHeader.WireLength)..]);
                var watches = SetWatchesRequest.Read(ref reader, op);
                return !reader.Failed
                    && Array.TrueForAll([.. watches.Data, .. watches.Exist, .. watches.Child, .. watches.Persistent], p => At(p) >= PathAccess.Read)
                    && Array.TrueForAll(watches.PersistentRecursive, AllowAll);
            case OpCode.Reconfig:
                return At("/zookeeper/config"u8) == PathAccess.Write;
            default:
                return !op.StartsWithPath() || !RequestRewriter.TryGetPath(frame, out var path)
                    || (op == OpCode.AddWatch && new ClientRequest(frame).WatchKind == (int)AddWatchMode.PersistentRecursive
                        ? AllowAll(Encoding.UTF8.GetString(path))
                        : AllowOne(op, path, op.IsCreate() ? RequestRewriter.CreateFlagsOf(frame) : 0));
        }
    }

    private bool AllowOne(OpCode op, ReadOnlySpan<byte> path, int flags)
    {
        if (op is OpCode.Sync or OpCode.RemoveWatches or OpCode.CheckWatches)
        {
            // It tells nothing.
            return true;
        }
        if (op == OpCode.GetAllChildrenNumber)
        {
            return AllowAll(Encoding.UTF8.GetString(path));
        }
        if (op.IsCreate() && CreateFlags.IsSequential(flags) && path.LastIndexOf((byte)'/') is >= 0 and var slash)
        {
            // What is made has another last name.
            path = path[..Math.Max(1, slash)];
        }
        return At(path) >= (op.IsWrite() ? PathAccess.Write : PathAccess.Read);
    }

    private PathAccess At(string path) => At(Encoding.UTF8.GetBytes(path));

    /// <summary>Whether everything at and below a path may be read.</summary>
    private bool AllowAll(string path)
    {
        var bytes = Encoding.UTF8.GetBytes(path);
        return At(bytes) >= PathAccess.Read && !Array.Exists(_rules, r => r.Access == PathAccess.None && IsAtOrUnder(r.Path, bytes));
    }

    private static bool IsAtOrUnder(ReadOnlySpan<byte> path, ReadOnlySpan<byte> root) =>
        root.Length == 1 || (path.StartsWith(root) && (path.Length == root.Length || path[root.Length] == '/'));
}
