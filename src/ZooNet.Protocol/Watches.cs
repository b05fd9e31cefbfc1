namespace ZooNet.Protocol;

/// <summary>What happened to a watched znode (source: <c>Watcher.Event.EventType</c>).</summary>
public enum WatchEventType
{
    /// <summary>No event of a znode.</summary>
    None = -1,
    /// <summary>The znode was created.</summary>
    Created = 1,
    /// <summary>The znode was deleted.</summary>
    Deleted = 2,
    /// <summary>Its data changed.</summary>
    DataChanged = 3,
    /// <summary>Its list of children changed.</summary>
    ChildrenChanged = 4,
}

/// <summary>Which watches checkWatches and removeWatches mean (source: <c>Watcher.WatcherType</c>).</summary>
public enum WatcherType
{
    /// <summary>Child watches.</summary>
    Children = 1,
    /// <summary>Data and exists watches.</summary>
    Data = 2,
    /// <summary>All.</summary>
    Any = 3,
    /// <summary>Persistent (3.9).</summary>
    Persistent = 4,
    /// <summary>Persistent-recursive (3.9).</summary>
    PersistentRecursive = 5,
}

/// <summary>The mode of addWatch (source: <c>AddWatchMode</c>).</summary>
public enum AddWatchMode
{
    /// <summary>Stays after it fires; events of the znode and its list of children.</summary>
    Persistent = 0,
    /// <summary>Stays after it fires; events of the znode and all its descendants.</summary>
    PersistentRecursive = 1,
}

/// <summary>The flags of a create request (source: <c>CreateMode</c>).</summary>
public static class CreateFlags
{
    /// <summary>Lives until deleted.</summary>
    public const int Persistent = 0;
    /// <summary>Lives as long as its session.</summary>
    public const int Ephemeral = 1;
    /// <summary>Persistent; a counter is appended to its name.</summary>
    public const int PersistentSequential = 2;
    /// <summary>Ephemeral; a counter is appended to its name.</summary>
    public const int EphemeralSequential = 3;
    /// <summary>Deleted by the server some time after its last child.</summary>
    public const int Container = 4;
    /// <summary>Deleted when it had no change and no child for its time to live.</summary>
    public const int PersistentWithTtl = 5;
    /// <summary>As <see cref="PersistentWithTtl"/>, with a counter appended to its name.</summary>
    public const int PersistentSequentialWithTtl = 6;

    /// <summary>True where the flags make an ephemeral znode.</summary>
    public static bool IsEphemeral(int flags) => flags is Ephemeral or EphemeralSequential;

    /// <summary>True where a counter is appended to the name.</summary>
    public static bool IsSequential(int flags) => flags is PersistentSequential or EphemeralSequential or PersistentSequentialWithTtl;
}
