using ZooNet.Protocol;
using ZooNet.Tree;

namespace ZooNet.Server.Requests;

/// <summary>setWatches: arms what has not changed since the client's last zxid, and tells what has.</summary>
internal static class WatchRestorer
{
    public static void Restore(DataTree tree, IWatcher watcher, SetWatchesRequest request)
    {
        foreach (var path in request.Data)
        {
            switch (tree.Find(path))
            {
                case null:
                    watcher.Notify(WatchEventType.Deleted, path, null);
                    break;
                case var node when node.Mzxid > request.RelativeZxid:
                    watcher.Notify(WatchEventType.DataChanged, path, null);
                    break;
                default:
                    tree.DataWatches.Add(path, watcher);
                    break;
            }
        }
        foreach (var path in request.Exist)
        {
            if (tree.Find(path) is not null)
            {
                watcher.Notify(WatchEventType.Created, path, null);
            }
            else
            {
                tree.DataWatches.Add(path, watcher);
            }
        }
        foreach (var path in request.Child)
        {
            switch (tree.Find(path))
            {
                case null:
                    watcher.Notify(WatchEventType.Deleted, path, null);
                    break;
                case var node when node.Pzxid > request.RelativeZxid:
                    watcher.Notify(WatchEventType.ChildrenChanged, path, null);
                    break;
                default:
                    tree.ChildWatches.Add(path, watcher);
                    break;
            }
        }
        // Persistent watches tell nothing of what was missed.
        AddBoth(request.Persistent, WatchMode.Persistent);
        AddBoth(request.PersistentRecursive, WatchMode.PersistentRecursive);

        void AddBoth(string[] paths, WatchMode mode)
        {
            foreach (var path in paths)
            {
                tree.ChildWatches.Add(path, watcher, mode);
                tree.DataWatches.Add(path, watcher, mode);
            }
        }
    }
}
