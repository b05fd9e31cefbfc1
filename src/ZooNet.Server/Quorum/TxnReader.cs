using ZooNet.Protocol;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Quorum;

/// <summary>The digest of a leader's whole tree after a transaction (ZooKeeper 3.6 and later).</summary>
/// <param name="Version">Which way of computing it; this code knows 2.</param>
/// <param name="Value">The sum over all znodes.</param>
internal readonly record struct TxnDigest(int Version, long Value);

/// <summary>
/// Reads transactions as leaders of ZooKeeper 3.4 to 3.9 send them: {TxnHeader} {record} {TxnDigest}, the last one only from 3.6 on and not
/// behind an error (source: <c>SerializeUtils</c>, the module <c>txn</c> of zookeeper.jute).
/// </summary>
internal static class TxnReader
{
    /// <summary>A znode that the server itself deletes when it is empty (source: <c>OpCode.deleteContainer</c>).</summary>
    private const OpCode DeleteContainer = OpCode.DeleteContainer;

    /// <summary>Reads one transaction.</summary>
    /// <param name="data">The data of a proposal, or of an inform.</param>
    /// <param name="header">Its header.</param>
    /// <param name="digest">Its digest; null where there is none.</param>
    /// <exception cref="InvalidDataException">It can't be read.</exception>
    public static Txn Read(ReadOnlySpan<byte> data, out TxnHeader header, out TxnDigest? digest)
    {
        var reader = new JuteReader(data);
        header = new TxnHeader(reader.ReadLong(), reader.ReadInt(), reader.ReadLong(), reader.ReadLong());
        var type = (OpCode)reader.ReadInt();
        var txn = Read(ref reader, type);
        digest = null;
        if (!reader.Failed && reader.Remaining >= 12 && type != OpCode.Error)
        {
            digest = new TxnDigest(reader.ReadInt(), reader.ReadLong());
        }
        return reader.Failed || txn is null
            ? throw new InvalidDataException($"transaction 0x{header.Zxid:x} of type {(int)type} can't be read")
            : txn;
    }

    private static Txn? Read(ref JuteReader reader, OpCode type)
    {
        switch (type)
        {
            case OpCode.Create or OpCode.Create2:
                {
                    var (path, data, acl) = ReadCreate(ref reader);
                    var kind = reader.ReadBool() ? ZnodeKind.Ephemeral : ZnodeKind.Persistent;
                    return new CreateTxn(type, path, data, acl, kind, 0, reader.ReadInt());
                }
            case OpCode.CreateContainer:
                {
                    var (path, data, acl) = ReadCreate(ref reader);
                    return new CreateTxn(type, path, data, acl, ZnodeKind.Container, 0, reader.ReadInt());
                }
            case OpCode.CreateTtl:
                {
                    var (path, data, acl) = ReadCreate(ref reader);
                    var creates = reader.ReadInt();
                    return new CreateTxn(type, path, data, acl, ZnodeKind.Ttl, reader.ReadLong(), creates);
                }
            case OpCode.Delete or DeleteContainer:
                return new DeleteTxn(reader.ReadString() ?? "");
            case OpCode.SetData or OpCode.Reconfig:
                return new SetDataTxn(reader.ReadString() ?? "", reader.ReadBuffer(), reader.ReadInt());
            case OpCode.SetAcl:
                return new SetAclTxn(reader.ReadString() ?? "", Acl.ReadList(ref reader) ?? [], reader.ReadInt());
            case OpCode.Check:
                reader.ReadBytes(out _);
                reader.ReadInt();
                return CheckTxn.Instance;
            case OpCode.Error:
                return new ErrorTxn((ErrorCode)reader.ReadInt());
            case OpCode.CreateSession:
                return new CreateSessionTxn(reader.ReadInt());
            case OpCode.CloseSession:
                return ReadCloseSession(ref reader);
            case OpCode.Multi:
                return ReadMulti(ref reader);
            default:
                return null;
        }
    }

    private static (string Path, byte[]? Data, IReadOnlyList<Acl> Acl) ReadCreate(ref JuteReader reader) =>
        (reader.ReadString() ?? "", reader.ReadBuffer(), Acl.ReadList(ref reader) ?? []);

    /// <summary>
    /// From 3.6 on the paths that go with the session are told. Before, nothing is, and the 12 bytes that may follow are never a digest.
    /// </summary>
    private static CloseSessionTxn ReadCloseSession(ref JuteReader reader)
    {
        if (reader.Remaining == 0)
        {
            return CloseSessionTxn.Instance;
        }
        return new CloseSessionTxn(reader.ReadStrings());
    }

    /// <summary>
    /// The operations of a multi, each {int type; buffer record}. Where one failed, the others before it are those that would have been.
    /// </summary>
    private static MultiTxn ReadMulti(ref JuteReader reader)
    {
        var parts = new Txn[reader.ReadCount(8)];
        for (var i = 0; i < parts.Length; i++)
        {
            var type = (OpCode)reader.ReadInt();
            var record = new JuteReader(reader.ReadBytes(out _));
            if (reader.Failed || Read(ref record, type) is not { } part || record.Failed || part is MultiTxn or CreateSessionTxn or CloseSessionTxn)
            {
                reader.Skip(int.MaxValue);
                return new MultiTxn([]);
            }
            parts[i] = part;
        }
        return new MultiTxn(parts);
    }
}
