using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>
/// The watches that a session has set, so that they can be set again on another connection. Changed on the read loop as replies and
/// events arrive, read by the connect step; all under its own lock.
/// </summary>
internal sealed class WatchRegistry
{
    // A request above jute.maxbuffer is refused: the paths are spread over several setWatches, as the Java client does.
    private const int BatchBytes = 128 * 1024;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _data = [];
    private readonly HashSet<string> _exist = [];
    private readonly HashSet<string> _child = [];
    private readonly HashSet<string> _persistent = [];
    private readonly HashSet<string> _recursive = [];

    /// <summary>A read with a watch was answered.</summary>
    public void Armed(OpCode op, string path, ErrorCode error)
    {
        lock (_gate)
        {
            switch (op)
            {
                case OpCode.GetChildren or OpCode.GetChildren2 when error == ErrorCode.Ok:
                    _child.Add(path);
                    break;
                case OpCode.GetData or OpCode.Exists when error == ErrorCode.Ok:
                    _data.Add(path);
                    break;
                case OpCode.Exists when error == ErrorCode.NoNode:
                    _exist.Add(path);
                    break;
            }
        }
    }

    public void Added(string path, AddWatchMode mode)
    {
        lock (_gate)
        {
            // A path has one persistent watch: the last mode asked for.
            (mode == AddWatchMode.Persistent ? _recursive : _persistent).Remove(path);
            (mode == AddWatchMode.Persistent ? _persistent : _recursive).Add(path);
        }
    }

    public void Removed(string path, WatcherType type)
    {
        lock (_gate)
        {
            if (type is WatcherType.Data or WatcherType.Any)
            {
                _data.Remove(path);
                _exist.Remove(path);
            }
            if (type is WatcherType.Children or WatcherType.Any)
            {
                _child.Remove(path);
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
    }

    /// <summary>An event arrived: one-time watches that it uses up are forgotten.</summary>
    public void Fired(WatcherEvent watchEvent)
    {
        if (watchEvent.Path is not { } path)
        {
            return;
        }
        lock (_gate)
        {
            if (watchEvent.Type is WatchEventType.Created or WatchEventType.DataChanged or WatchEventType.Deleted)
            {
                _data.Remove(path);
                _exist.Remove(path);
            }
            if (watchEvent.Type is WatchEventType.ChildrenChanged or WatchEventType.Deleted)
            {
                _child.Remove(path);
            }
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            foreach (var set in Sets())
            {
                set.Clear();
            }
        }
    }

    /// <summary>Whether a watch is registered that plain setWatches can't express.</summary>
    public bool HasPersistent
    {
        get
        {
            lock (_gate)
            {
                return _persistent.Count + _recursive.Count > 0;
            }
        }
    }

    /// <summary>The requests that set everything again, each of a size that servers take; none where nothing is watched.</summary>
    public List<SetWatchesRequest> Requests(long relativeZxid)
    {
        var batches = new List<SetWatchesRequest>();
        var lists = NewLists();
        var bytes = 0;
        lock (_gate)
        {
            for (var kind = 0; kind < lists.Length; kind++)
            {
                foreach (var path in Sets()[kind])
                {
                    lists[kind].Add(path);
                    bytes += 4 + path.Length * 3;
                    if (bytes >= BatchBytes)
                    {
                        batches.Add(Request(relativeZxid, lists));
                        lists = NewLists();
                        bytes = 0;
                    }
                }
            }
        }
        if (bytes > 0)
        {
            batches.Add(Request(relativeZxid, lists));
        }
        return batches;
    }

    private HashSet<string>[] Sets() => [_data, _exist, _child, _persistent, _recursive];

    private static List<string>[] NewLists() => [[], [], [], [], []];

    private static SetWatchesRequest Request(long zxid, List<string>[] lists) =>
        new(zxid, [.. lists[0]], [.. lists[1]], [.. lists[2]], [.. lists[3]], [.. lists[4]]);
}
