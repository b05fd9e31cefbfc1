using ZooNet.Protocol;

namespace ZooNet.Tree;

/// <summary>
/// The watches of one kind (data, or child): by path and by watcher. As in ZooKeeper 3.8 a watcher has one mode per path:
/// setting a one-time watch where it had a persistent one replaces it. Used under the server's gate only.
/// </summary>
internal sealed class WatchTable
{
    private readonly Dictionary<string, Dictionary<IWatcher, WatchMode>> _byPath = [];
    private readonly Dictionary<IWatcher, HashSet<string>> _byWatcher = [];
    private int _recursive;

    /// <summary>Number of watches.</summary>
    public int Count { get; private set; }

    /// <summary>Number of watchers.</summary>
    public int WatcherCount => _byWatcher.Count;

    /// <summary>Number of watched paths.</summary>
    public int PathCount => _byPath.Count;

    /// <summary>The watched paths, each with its watchers.</summary>
    public IEnumerable<(string Path, IEnumerable<IWatcher> Watchers)> ByPath => _byPath.Select(e => (e.Key, e.Value.Keys.AsEnumerable()));

    public void Add(string path, IWatcher watcher, WatchMode mode = WatchMode.OneTime)
    {
        if (!_byPath.TryGetValue(path, out var watchers))
        {
            _byPath[path] = watchers = [];
        }
        if (watchers.TryGetValue(watcher, out var before))
        {
            _recursive -= before == WatchMode.PersistentRecursive ? 1 : 0;
        }
        else
        {
            Count++;
            if (!_byWatcher.TryGetValue(watcher, out var paths))
            {
                _byWatcher[watcher] = paths = [];
            }
            paths.Add(path);
        }
        watchers[watcher] = mode;
        _recursive += mode == WatchMode.PersistentRecursive ? 1 : 0;
    }

    /// <summary>True where the watcher has a watch on exactly this path.</summary>
    public bool Contains(string path, IWatcher watcher) => _byPath.TryGetValue(path, out var watchers) && watchers.ContainsKey(watcher);

    /// <summary>Removes one watch.</summary>
    /// <returns>False where there was none.</returns>
    public bool Remove(string path, IWatcher watcher)
    {
        if (!_byWatcher.TryGetValue(watcher, out var paths) || !paths.Remove(path))
        {
            return false;
        }
        if (paths.Count == 0)
        {
            _byWatcher.Remove(watcher);
        }
        RemoveFromPath(path, watcher);
        return true;
    }

    /// <summary>Removes all watches of a watcher: its connection is gone.</summary>
    public void RemoveAll(IWatcher watcher)
    {
        if (_byWatcher.Remove(watcher, out var paths))
        {
            foreach (var path in paths)
            {
                RemoveFromPath(path, watcher);
            }
        }
    }

    /// <summary>
    /// Tells everyone who watches <paramref name="path"/>, and recursive watchers above it (which see no change of a list of children).
    /// </summary>
    /// <param name="path">The znode.</param>
    /// <param name="type">What happened to it.</param>
    /// <param name="accessControl">The znode's ACL, for <see cref="IWatcher.Notify"/>.</param>
    /// <param name="except">Watchers that were told already; null for none.</param>
    /// <returns>Who was told; null for nobody.</returns>
    public HashSet<IWatcher>? Trigger(string path, WatchEventType type, IReadOnlyList<Acl> accessControl, HashSet<IWatcher>? except = null)
    {
        if (_byPath.Count == 0)
        {
            return null;
        }
        HashSet<IWatcher>? told = null;
        CollectAt(path, type, atNode: true, ref told);
        if (_recursive > 0 && type != WatchEventType.ChildrenChanged)
        {
            for (var above = ZnodePath.ParentOf(path); above.Length > 0; above = ZnodePath.ParentOf(above))
            {
                CollectAt(above, type, atNode: false, ref told);
            }
        }
        if (told is null)
        {
            return null;
        }
        foreach (var watcher in told)
        {
            if (except is null || !except.Contains(watcher))
            {
                watcher.Notify(type, path, accessControl);
            }
        }
        return told;
    }

    private void CollectAt(string path, WatchEventType type, bool atNode, ref HashSet<IWatcher>? told)
    {
        if (!_byPath.TryGetValue(path, out var watchers))
        {
            return;
        }
        List<IWatcher>? spent = null;
        foreach (var (watcher, mode) in watchers)
        {
            if (mode == WatchMode.PersistentRecursive)
            {
                if (type != WatchEventType.ChildrenChanged)
                {
                    (told ??= []).Add(watcher);
                }
            }
            else if (atNode)
            {
                (told ??= []).Add(watcher);
                if (mode == WatchMode.OneTime)
                {
                    (spent ??= []).Add(watcher);
                }
            }
        }
        foreach (var watcher in spent ?? [])
        {
            Remove(path, watcher);
        }
    }

    private void RemoveFromPath(string path, IWatcher watcher)
    {
        var watchers = _byPath[path];
        if (watchers.Remove(watcher, out var mode))
        {
            Count--;
            _recursive -= mode == WatchMode.PersistentRecursive ? 1 : 0;
        }
        if (watchers.Count == 0)
        {
            _byPath.Remove(path);
        }
    }
}
