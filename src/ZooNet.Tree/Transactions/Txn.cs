using ZooNet.Protocol;

namespace ZooNet.Tree.Transactions;

/// <summary>Who asked for a transaction, and its place in the order of all.</summary>
/// <param name="SessionId">The session; 0 for the server itself.</param>
/// <param name="Xid">The request's xid.</param>
/// <param name="Zxid">The transaction's zxid: every write has one, also one that fails.</param>
/// <param name="TimeMs">Wall clock at the leader, in milliseconds since 1970: the times in Stats come from here, so replicas agree.</param>
internal readonly record struct TxnHeader(long SessionId, int Xid, long Zxid, long TimeMs);

/// <summary>
/// A change that has been checked and only needs to be applied: the same on every replica and after a restart.
/// Immutable; arrays and lists in it are shared with the tree.
/// </summary>
internal abstract class Txn
{
    /// <summary>The operation, as a multi's result names it.</summary>
    public abstract OpCode Type { get; }
}

/// <summary>Makes a znode at its final path.</summary>
/// <param name="type">create, create2, createContainer or createTTL: it decides the form of a multi's result.</param>
internal sealed class CreateTxn(OpCode type, string path, byte[]? data, IReadOnlyList<Acl> accessControl, ZnodeKind kind, long ttlMs, int parentCreates) : Txn
{
    public override OpCode Type => type;
    public string Path => path;
    public byte[]? Data => data;
    public IReadOnlyList<Acl> AccessControl => accessControl;
    public ZnodeKind Kind => kind;
    public long TtlMs => ttlMs;

    /// <summary>The parent's count of creates afterwards.</summary>
    public int ParentCreates => parentCreates;
}

internal sealed class DeleteTxn(string path) : Txn
{
    public override OpCode Type => OpCode.Delete;
    public string Path => path;
}

internal sealed class SetDataTxn(string path, byte[]? data, int version) : Txn
{
    public override OpCode Type => OpCode.SetData;
    public string Path => path;
    public byte[]? Data => data;
    public int Version => version;
}

internal sealed class SetAclTxn(string path, IReadOnlyList<Acl> accessControl, int aversion) : Txn
{
    public override OpCode Type => OpCode.SetAcl;
    public string Path => path;
    public IReadOnlyList<Acl> AccessControl => accessControl;
    public int Aversion => aversion;
}

/// <summary>A version check that held; changes nothing.</summary>
internal sealed class CheckTxn : Txn
{
    public static CheckTxn Instance { get; } = new();
    public override OpCode Type => OpCode.Check;
}

/// <summary>A write that failed. It takes a zxid and changes nothing.</summary>
internal sealed class ErrorTxn(ErrorCode error) : Txn
{
    public override OpCode Type => OpCode.Error;
    public ErrorCode Error => error;
}

/// <summary>
/// Several transactions under one zxid. Where one of them is an <see cref="ErrorTxn"/> with a real error, none is applied.
/// </summary>
internal sealed class MultiTxn(IReadOnlyList<Txn> txns) : Txn
{
    public override OpCode Type => OpCode.Multi;
    public IReadOnlyList<Txn> Txns => txns;
}

internal sealed class CreateSessionTxn(int timeoutMs) : Txn
{
    public override OpCode Type => OpCode.CreateSession;
    public int TimeoutMs => timeoutMs;
}

/// <summary>Ends the header's session and deletes its ephemeral znodes.</summary>
/// <param name="paths">The znodes that go, where the leader has told them (ZooKeeper 3.6 and later); what else the session owns goes as
/// well.</param>
internal sealed class CloseSessionTxn(IReadOnlyList<string>? paths = null) : Txn
{
    public static CloseSessionTxn Instance { get; } = new();
    public override OpCode Type => OpCode.CloseSession;
    public IReadOnlyList<string> Paths { get; } = paths ?? [];
}

/// <summary>What applying a transaction gave: what its reply is made of.</summary>
/// <param name="Type">The transaction's type.</param>
/// <param name="Error">The outcome.</param>
/// <param name="Path">A create's final path.</param>
/// <param name="Stat">The znode's Stat right afterwards, where a reply shows it.</param>
/// <param name="Results">A multi's results.</param>
/// <param name="Data">What a setData set: reconfig's reply shows it.</param>
internal readonly record struct TxnResult(OpCode Type, ErrorCode Error, string? Path = null, Stat Stat = default, TxnResult[]? Results = null, byte[]? Data = null);
