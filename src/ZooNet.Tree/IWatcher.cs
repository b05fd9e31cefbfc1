using ZooNet.Protocol;

namespace ZooNet.Tree;

/// <summary>Whom a watch tells: a client connection. Called under the server's gate.</summary>
internal interface IWatcher
{
    /// <summary>Queues an event, before any reply that is written later.</summary>
    /// <param name="type">What happened.</param>
    /// <param name="path">To which znode.</param>
    /// <param name="accessControl">The znode's ACL: who may not read it is not told. Null to tell in any case.</param>
    void Notify(WatchEventType type, string path, IReadOnlyList<Acl>? accessControl);
}

/// <summary>How long a watch lives and how far it sees.</summary>
internal enum WatchMode : byte
{
    OneTime = 0,
    Persistent = 1,
    PersistentRecursive = 2,
}
