using ZooNet.Protocol;

namespace ZooNet.Tree;

/// <summary>What ends a znode's life besides a delete.</summary>
internal enum ZnodeKind : byte
{
    Persistent = 0,
    Ephemeral = 1,
    Container = 2,
    Ttl = 3,
}

/// <summary>
/// One znode. Changed only by <see cref="DataTree"/>, under its server's gate; the data array and the ACL list are
/// never changed in place, so replicas, logs and replies may share them.
/// </summary>
internal sealed class Znode(string path, byte[]? data, IReadOnlyList<Acl> accessControl, ZnodeKind kind, long owner, long ttlMs)
{
    public string Path { get; } = path;
    public byte[]? Data { get; set; } = data;
    public IReadOnlyList<Acl> AccessControl { get; set; } = accessControl;
    public ZnodeKind Kind { get; } = kind;

    /// <summary>The session that owns it; 0 unless it is ephemeral.</summary>
    public long Owner { get; } = owner;

    /// <summary>Its time to live in milliseconds; 0 unless <see cref="Kind"/> is <see cref="ZnodeKind.Ttl"/>.</summary>
    public long TtlMs { get; } = ttlMs;

    public long Czxid { get; set; }
    public long Mzxid { get; set; }
    public long Pzxid { get; set; }
    public long Ctime { get; set; }
    public long Mtime { get; set; }
    public int Version { get; set; }
    public int Aversion { get; set; }

    /// <summary>Number of children ever created: the source of sequence numbers. <c>cversion</c> is derived from it.</summary>
    public int Creates { get; set; }

    /// <summary>
    /// The owner as snapshots and digests have it: it tells containers and TTL znodes too (source: <c>EphemeralType</c>).
    /// </summary>
    public long StoredOwner => Kind switch
    {
        ZnodeKind.Container => long.MinValue,
        ZnodeKind.Ttl => unchecked((long)0xff00_0000_0000_0000) | TtlMs,
        _ => Owner,
    };

    /// <summary>What it adds to its tree's digest; 0 while the tree keeps none.</summary>
    public uint Digest { get; set; }

    /// <summary>Names of the children; null where there never was one.</summary>
    public HashSet<string>? Children { get; set; }

    public int ChildCount => Children?.Count ?? 0;

    /// <summary>
    /// The Stat as clients see it. cversion counts creates and deletes of children: twice the creates less those still there.
    /// </summary>
    public Stat Stat => new(Czxid, Mzxid, Ctime, Mtime, Version, unchecked((Creates * 2) - ChildCount), Aversion, Owner, Data?.Length ?? 0, ChildCount, Pzxid);

    /// <summary>
    /// True where the server itself may delete it, once it has no children: a container that had some, a TTL znode left alone for its time.
    /// </summary>
    /// <param name="nowMs">Wall clock in milliseconds since 1970.</param>
    public bool IsDue(long nowMs) => ChildCount == 0 && Kind switch
    {
        ZnodeKind.Container => Creates > 0,
        ZnodeKind.Ttl => nowMs - Mtime > TtlMs,
        _ => false,
    };

    /// <summary>A znode that shares nothing that changes with this one.</summary>
    public Znode Clone() => new(Path, Data, AccessControl, Kind, Owner, TtlMs)
    {
        Czxid = Czxid,
        Mzxid = Mzxid,
        Pzxid = Pzxid,
        Ctime = Ctime,
        Mtime = Mtime,
        Version = Version,
        Aversion = Aversion,
        Creates = Creates,
    };
}
