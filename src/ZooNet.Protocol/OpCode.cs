namespace ZooNet.Protocol;

/// <summary>
/// Operation codes of ZooKeeper's client protocol, 3.4 to 3.9 (source: <c>ZooDefs.OpCode</c>).
/// The numbers are on the wire: a golden test pins them.
/// </summary>
public enum OpCode
{
    /// <summary>Server to client only: a watch event. Never a request.</summary>
    Notification = 0,
    /// <summary>Create a znode; replies with its path.</summary>
    Create = 1,
    /// <summary>Delete a znode at a version.</summary>
    Delete = 2,
    /// <summary>Stat of a znode; may set a watch even where no znode is.</summary>
    Exists = 3,
    /// <summary>Data and Stat.</summary>
    GetData = 4,
    /// <summary>Replace the data at a version.</summary>
    SetData = 5,
    /// <summary>ACL and Stat.</summary>
    GetAcl = 6,
    /// <summary>Replace the ACL at an ACL version.</summary>
    SetAcl = 7,
    /// <summary>Names of the children.</summary>
    GetChildren = 8,
    /// <summary>Bring the server up to what its leader has committed.</summary>
    Sync = 9,
    /// <summary>Keep-alive; always with xid -2.</summary>
    Ping = 11,
    /// <summary>Names of the children, and Stat.</summary>
    GetChildren2 = 12,
    /// <summary>Version check. Legal inside a multi only: sent alone it crashes ensembles up to 3.8.4.</summary>
    Check = 13,
    /// <summary>Several writes, all or none.</summary>
    Multi = 14,
    /// <summary>Create a znode; replies with path and Stat (3.5).</summary>
    Create2 = 15,
    /// <summary>Change the ensemble's membership (3.5).</summary>
    Reconfig = 16,
    /// <summary>Is such a watch set on this connection? (3.5)</summary>
    CheckWatches = 17,
    /// <summary>Remove watches of this connection (3.5).</summary>
    RemoveWatches = 18,
    /// <summary>Create a container znode (3.5.1).</summary>
    CreateContainer = 19,
    /// <summary>Leader-internal; never accepted from a client.</summary>
    DeleteContainer = 20,
    /// <summary>Create a znode with a time to live (3.5.3).</summary>
    CreateTtl = 21,
    /// <summary>Several reads in one request (3.6).</summary>
    MultiRead = 22,
    /// <summary>Add credentials to the connection.</summary>
    Auth = 100,
    /// <summary>Re-arm one-time watches after a reconnect.</summary>
    SetWatches = 101,
    /// <summary>A SASL token.</summary>
    Sasl = 102,
    /// <summary>This session's ephemeral znodes under a prefix (3.6).</summary>
    GetEphemerals = 103,
    /// <summary>How many znodes are below a path (3.6).</summary>
    GetAllChildrenNumber = 104,
    /// <summary>Re-arm all kinds of watches after a reconnect (3.6).</summary>
    SetWatches2 = 105,
    /// <summary>Add a persistent watch (3.6).</summary>
    AddWatch = 106,
    /// <summary>The identities of this connection (3.7).</summary>
    WhoAmI = 107,
    /// <summary>Server-internal; never accepted from a client.</summary>
    CreateSession = -10,
    /// <summary>End the session.</summary>
    CloseSession = -11,
    /// <summary>Result type of a failed operation in a multi.</summary>
    Error = -1,
}

/// <summary>What an operation code means to a proxy.</summary>
public static class OpCodes
{
    /// <summary>True for operations that become a transaction of the cluster: their reply's zxid is the write's own.</summary>
    public static bool IsWrite(this OpCode op) => op is OpCode.Create or OpCode.Delete or OpCode.SetData or OpCode.SetAcl
        or OpCode.Multi or OpCode.Create2 or OpCode.Reconfig or OpCode.CreateContainer or OpCode.CreateTtl;

    /// <summary>True for the writes that change something of which no watch tells.</summary>
    public static bool FiresNoWatch(this OpCode op) => op is OpCode.SetAcl or OpCode.Reconfig;

    /// <summary>
    /// True for the operations that came with ZooKeeper 3.6 and that proxies send to remote servers: an older one answers UNIMPLEMENTED,
    /// out of turn, and closes.
    /// </summary>
    public static bool IsSince36(this OpCode op) => op is OpCode.AddWatch or OpCode.SetWatches2 or OpCode.MultiRead
        or OpCode.GetEphemerals or OpCode.GetAllChildrenNumber;

    /// <summary>True for the operations that make a znode.</summary>
    public static bool IsCreate(this OpCode op) => op is OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl;

    /// <summary>True for operations whose request body begins with a path.</summary>
    public static bool StartsWithPath(this OpCode op) => op is >= OpCode.Create and <= OpCode.Sync or OpCode.GetChildren2
        or OpCode.Create2 or OpCode.CheckWatches or OpCode.RemoveWatches or OpCode.CreateContainer or OpCode.CreateTtl
        or OpCode.GetAllChildrenNumber or OpCode.AddWatch or OpCode.Check;
}

/// <summary>The transaction ids with a meaning of their own (source: <c>ClientCnxn</c>).</summary>
public static class Xids
{
    /// <summary>A watch event.</summary>
    public const int Notification = -1;
    /// <summary>A ping or its reply.</summary>
    public const int Ping = -2;
    /// <summary>An auth request or its reply.</summary>
    public const int Auth = -4;
    /// <summary>setWatches as the C client numbers it; other clients use a normal xid.</summary>
    public const int SetWatches = -8;
}
