using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// The watches that a client has in one remote cluster, by the client's own paths: what is re-armed when the link comes
/// back, and which of a client's paths an event of the cluster is for. Single owner: its session.
/// </summary>
internal sealed class WatchBook
{
    private readonly PathSet _data = new();
    private readonly PathSet _exist = new();
    private readonly PathSet _child = new();
    private readonly PathSet _persistent = new();
    private readonly PathSet _recursive = new();

    public int Count => _data.Count + _exist.Count + _child.Count + _persistent.Count + _recursive.Count;

    /// <summary>Bytes that their paths take.</summary>
    public long Bytes => _data.Bytes + _exist.Bytes + _child.Bytes + _persistent.Bytes + _recursive.Bytes;

    public bool IsEmpty => Count == 0;

    /// <summary>Takes note of the watch that a read left.</summary>
    public void AddFromRead(OpCode op, string path, ErrorCode error)
    {
        switch (op)
        {
            case OpCode.GetData or OpCode.Exists when error == ErrorCode.Ok:
                _data.Add(path);
                break;
            case OpCode.Exists when error == ErrorCode.NoNode:
                _exist.Add(path);
                break;
            case OpCode.GetChildren or OpCode.GetChildren2 when error == ErrorCode.Ok:
                _child.Add(path);
                break;
        }
    }

    public void Add(AddWatchMode mode, string path) => (mode == AddWatchMode.Persistent ? _persistent : _recursive).Add(path);

    public void AddAll(IEnumerable<string> data, IEnumerable<string> exist, IEnumerable<string> child, IEnumerable<string> persistent, IEnumerable<string> recursive)
    {
        _data.UnionWith(data);
        _exist.UnionWith(exist);
        _child.UnionWith(child);
        _persistent.UnionWith(persistent);
        _recursive.UnionWith(recursive);
    }

    public void Remove(WatcherType type, string path)
    {
        if (type is WatcherType.Children or WatcherType.Any)
        {
            _child.Remove(path);
        }
        if (type is WatcherType.Data or WatcherType.Any)
        {
            _data.Remove(path);
            _exist.Remove(path);
        }
        if (type is WatcherType.Persistent or WatcherType.Any)
        {
            _persistent.Remove(path);
        }
        if (type is WatcherType.PersistentRecursive or WatcherType.Any)
        {
            _recursive.Remove(path);
        }
    }

    /// <summary>
    /// An event of the cluster has come: does the client watch this path for it? One-time watches that it fires are taken out.
    /// </summary>
    public bool Fire(WatchEventType type, string path)
    {
        var wanted = _persistent.Contains(path);
        switch (type)
        {
            case WatchEventType.ChildrenChanged:
                wanted |= _child.Remove(path);
                break;
            case WatchEventType.Deleted:
                wanted |= _data.Remove(path) | _exist.Remove(path) | _child.Remove(path);
                break;
            default:
                wanted |= _data.Remove(path) | _exist.Remove(path);
                break;
        }
        return wanted || (type != WatchEventType.ChildrenChanged && WatchedFromAbove(path));
    }

    /// <summary>
    /// Removes every watch at or under a path; returns those paths of which the client must learn that nothing is there any more.
    /// </summary>
    public IReadOnlyList<string> RemoveUnder(string root)
    {
        var gone = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var set in (PathSet[])[_data, _exist, _child, _persistent, _recursive])
        {
            foreach (var path in set.Where(p => ZnodePath.IsAtOrUnder(p, root)).ToList())
            {
                set.Remove(path);
                gone.Add(path);
            }
        }
        return [.. gone];
    }

    /// <summary>All watches as a setWatches2 wants them, translated to the cluster's paths.</summary>
    public SetWatchesRequest ToRequest(long relativeZxid, Func<string, string> toRemote) => new(relativeZxid,
        [.. _data.Select(toRemote)], [.. _exist.Select(toRemote)], [.. _child.Select(toRemote)],
        [.. _persistent.Select(toRemote)], [.. _recursive.Select(toRemote).Distinct()]);

    private bool WatchedFromAbove(string path)
    {
        if (_recursive.Count == 0)
        {
            return false;
        }
        for (var at = path; at.Length > 0; at = ZnodePath.ParentOf(at))
        {
            if (_recursive.Contains(at))
            {
                return true;
            }
        }
        return false;
    }
}
