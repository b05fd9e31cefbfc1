using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>What a create answered.</summary>
/// <param name="Path">The znode's path, with the counter that the server appended, if any.</param>
/// <param name="Stat">Its Stat, where the operation answers one (container, TTL, or asked for).</param>
/// <param name="Zxid">The reply header's zxid: that of the write.</param>
public readonly record struct CreateResult(string Path, Stat? Stat, long Zxid);

/// <summary>What exists answered.</summary>
/// <param name="Stat">The Stat; null where there is no such znode.</param>
/// <param name="Zxid">The reply header's zxid: the server's position.</param>
public readonly record struct ExistsResult(Stat? Stat, long Zxid)
{
    /// <summary>Whether the znode exists.</summary>
    public bool Exists => Stat is not null;
}

/// <summary>What setData and setACL answered.</summary>
/// <param name="Stat">The Stat after the change.</param>
/// <param name="Zxid">The reply header's zxid: that of the write.</param>
public readonly record struct StatResult(Stat Stat, long Zxid);

/// <summary>What getData answered.</summary>
/// <param name="Data">The data; null is kept apart from empty.</param>
/// <param name="Stat">The Stat.</param>
/// <param name="Zxid">The reply header's zxid: the server's position.</param>
public readonly record struct DataResult(byte[]? Data, Stat Stat, long Zxid);

/// <summary>What getChildren2 answered.</summary>
/// <param name="Names">Names of the children, in no particular order.</param>
/// <param name="Stat">The parent's Stat.</param>
/// <param name="Zxid">The reply header's zxid: the server's position.</param>
public readonly record struct ChildrenResult(string[] Names, Stat Stat, long Zxid);

/// <summary>What getACL answered.</summary>
/// <param name="AccessControl">The ACL.</param>
/// <param name="Stat">The Stat.</param>
/// <param name="Zxid">The reply header's zxid: the server's position.</param>
public readonly record struct AclResult(Acl[] AccessControl, Stat Stat, long Zxid);

/// <summary>What a reply without a body of its own answered, or one value of it.</summary>
/// <typeparam name="T">The value's type.</typeparam>
/// <param name="Value">The value.</param>
/// <param name="Zxid">The reply header's zxid.</param>
public readonly record struct ValueResult<T>(T Value, long Zxid);

/// <summary>What a multi or a multiRead answered.</summary>
/// <param name="Results">One result for each operation, in order.</param>
/// <param name="Zxid">The reply header's zxid.</param>
public readonly record struct MultiResult(IReadOnlyList<OpResult> Results, long Zxid);

/// <summary>The result of one operation of a multi or a multiRead.</summary>
/// <param name="Op">The operation as the server names it; <see cref="OpCode.Error"/> where it failed.</param>
/// <param name="Error">Its outcome. In a failed multi: Ok before the one that failed, RuntimeInconsistency after it.</param>
/// <param name="Path">The path made, for a create.</param>
/// <param name="Stat">The Stat, where the operation answers one.</param>
/// <param name="Data">The data, for getData.</param>
/// <param name="Names">The children, for getChildren.</param>
public sealed record OpResult(OpCode Op, ErrorCode Error, string? Path = null, Stat? Stat = null, byte[]? Data = null, string[]? Names = null);
