using ZooNet.Protocol;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Persistence;

/// <summary>
/// Transactions as bytes, in jute's encoding: {long session; int xid; long zxid; long time} and the transaction, whose first int is its
/// operation. The numbers are on disk: they must not change.
/// </summary>
internal static class TxnCodec
{
    public static void Write(JuteWriter writer, in TxnHeader header, Txn txn)
    {
        writer.WriteLong(header.SessionId);
        writer.WriteInt(header.Xid);
        writer.WriteLong(header.Zxid);
        writer.WriteLong(header.TimeMs);
        Write(writer, txn);
    }

    /// <summary>Reads what <see cref="Write(JuteWriter, in TxnHeader, Txn)"/> wrote; null where it can't be that.</summary>
    public static Txn? TryRead(ref JuteReader reader, out TxnHeader header)
    {
        header = new TxnHeader(reader.ReadLong(), reader.ReadInt(), reader.ReadLong(), reader.ReadLong());
        var txn = TryRead(ref reader);
        return reader.Failed ? null : txn;
    }

    private static void Write(JuteWriter writer, Txn txn)
    {
        writer.WriteInt((int)txn.Type);
        switch (txn)
        {
            case CreateTxn create:
                writer.WriteString(create.Path);
                writer.WriteBuffer(create.Data);
                Acl.WriteList(writer, create.AccessControl);
                writer.WriteInt((int)create.Kind);
                writer.WriteLong(create.TtlMs);
                writer.WriteInt(create.ParentCreates);
                break;
            case DeleteTxn delete:
                writer.WriteString(delete.Path);
                break;
            case SetDataTxn set:
                writer.WriteString(set.Path);
                writer.WriteBuffer(set.Data);
                writer.WriteInt(set.Version);
                break;
            case SetAclTxn set:
                writer.WriteString(set.Path);
                Acl.WriteList(writer, set.AccessControl);
                writer.WriteInt(set.Aversion);
                break;
            case ErrorTxn error:
                writer.WriteInt((int)error.Error);
                break;
            case CreateSessionTxn session:
                writer.WriteInt(session.TimeoutMs);
                break;
            case MultiTxn multi:
                writer.WriteInt(multi.Txns.Count);
                foreach (var part in multi.Txns)
                {
                    Write(writer, part);
                }
                break;
        }
    }

    private static Txn? TryRead(ref JuteReader reader)
    {
        var type = (OpCode)reader.ReadInt();
        switch (type)
        {
            case OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                return new CreateTxn(type, reader.ReadString() ?? "", reader.ReadBuffer(), Acl.ReadList(ref reader) ?? [], (ZnodeKind)reader.ReadInt(),
                    reader.ReadLong(), reader.ReadInt());
            case OpCode.Delete:
                return new DeleteTxn(reader.ReadString() ?? "");
            case OpCode.SetData:
                return new SetDataTxn(reader.ReadString() ?? "", reader.ReadBuffer(), reader.ReadInt());
            case OpCode.SetAcl:
                return new SetAclTxn(reader.ReadString() ?? "", Acl.ReadList(ref reader) ?? [], reader.ReadInt());
            case OpCode.Check:
                return CheckTxn.Instance;
            case OpCode.Error:
                return new ErrorTxn((ErrorCode)reader.ReadInt());
            case OpCode.CreateSession:
                return new CreateSessionTxn(reader.ReadInt());
            case OpCode.CloseSession:
                return CloseSessionTxn.Instance;
            case OpCode.Multi:
                var parts = new Txn[reader.ReadCount(4)];
                for (var i = 0; i < parts.Length; i++)
                {
                    if (TryRead(ref reader) is not { } part)
                    {
                        return null;
                    }
                    parts[i] = part;
                }
                return new MultiTxn(parts);
            default:
                return null;
        }
    }
}
