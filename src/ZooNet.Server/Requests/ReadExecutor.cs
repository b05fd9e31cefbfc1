using ZooNet.Protocol;
using ZooNet.Server.Connections;
using ZooNet.Tree;
using ZooNet.Tree.Requests;

namespace ZooNet.Server.Requests;

/// <summary>
/// Answers everything that is no transaction, from one replica's tree. Watches are set together with the read. Used under the gate only.
/// </summary>
internal sealed class ReadExecutor(DataTree tree)
{
    /// <summary>Executes one request and writes its reply to the connection's output.</summary>
    public void Execute(ServerConnection connection, RequestHeader header, ReadOnlySpan<byte> body)
    {
        var reader = new JuteReader(body);
        switch (header.Op)
        {
            case OpCode.Ping:
                connection.Reply(Xids.Ping, tree.LastZxid, ErrorCode.Ok);
                break;
            case OpCode.Exists:
                Exists(connection, header.Xid, ref reader);
                break;
            case OpCode.GetData:
                GetData(connection, header.Xid, ref reader);
                break;
            case OpCode.GetChildren or OpCode.GetChildren2:
                GetChildren(connection, header, ref reader);
                break;
            case OpCode.GetAcl:
                GetAcl(connection, header.Xid, ref reader);
                break;
            case OpCode.Sync:
                Sync(connection, header.Xid, ref reader);
                break;
            case OpCode.MultiRead:
                MultiRead(connection, header.Xid, ref reader);
                break;
            case OpCode.SetWatches or OpCode.SetWatches2:
                SetWatches(connection, header, ref reader);
                break;
            case OpCode.AddWatch:
                AddWatch(connection, header.Xid, ref reader);
                break;
            case OpCode.CheckWatches or OpCode.RemoveWatches:
                CheckOrRemoveWatches(connection, header, ref reader);
                break;
            case OpCode.GetEphemerals:
                GetEphemerals(connection, header.Xid, ref reader);
                break;
            case OpCode.GetAllChildrenNumber:
                GetAllChildrenNumber(connection, header.Xid, ref reader);
                break;
            case OpCode.WhoAmI:
                WhoAmI(connection, header.Xid);
                break;
            default:
                throw new InvalidOperationException($"{header.Op} is no read.");
        }
    }

    private void Exists(ServerConnection connection, int xid, ref JuteReader reader)
    {
        var path = reader.ReadBytes(out var isNull);
        var watch = reader.ReadBool();
        if (reader.Failed || isNull)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        if (path.Contains((byte)0))
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.BadArguments);
            return;
        }
        // An exists watch is a data watch and is set whether or not the znode is there.
        if (watch)
        {
            tree.DataWatches.Add(Text(path), connection);
        }
        if (tree.Find(path) is not { } node)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.NoNode);
            return;
        }
        var output = connection.BeginReply(xid, tree.LastZxid);
        node.Stat.Write(output);
        connection.EndReply();
    }

    private void GetData(ServerConnection connection, int xid, ref JuteReader reader)
    {
        if (Readable(connection, xid, ref reader, Permissions.Read, out var path, out var watch) is not { } node)
        {
            return;
        }
        if (watch)
        {
            tree.DataWatches.Add(Text(path), connection);
        }
        var output = connection.BeginReply(xid, tree.LastZxid);
        output.WriteBuffer(node.Data);
        node.Stat.Write(output);
        connection.EndReply();
    }

    private void GetChildren(ServerConnection connection, RequestHeader header, ref JuteReader reader)
    {
        if (Readable(connection, header.Xid, ref reader, Permissions.Read, out var path, out var watch) is not { } node)
        {
            return;
        }
        if (watch)
        {
            tree.ChildWatches.Add(Text(path), connection);
        }
        var output = connection.BeginReply(header.Xid, tree.LastZxid);
        WriteChildren(output, node);
        if (header.Op == OpCode.GetChildren2)
        {
            node.Stat.Write(output);
        }
        connection.EndReply();
    }

    private void GetAcl(ServerConnection connection, int xid, ref JuteReader reader)
    {
        var path = reader.ReadBytes(out var isNull);
        if (reader.Failed || isNull)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        if (tree.Find(path) is not { } node)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.NoNode);
            return;
        }
        if (!AccessControl.Allows(node.AccessControl, Permissions.Read | Permissions.Admin, connection.Identities))
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.NoAuth);
            return;
        }
        var whole = AccessControl.Allows(node.AccessControl, Permissions.Admin, connection.Identities);
        var output = connection.BeginReply(xid, tree.LastZxid);
        Acl.WriteList(output, whole ? node.AccessControl : AccessControl.Masked(node.AccessControl));
        node.Stat.Write(output);
        connection.EndReply();
    }

    private void Sync(ServerConnection connection, int xid, ref JuteReader reader)
    {
        // The path is echoed and never looked at.
        var path = reader.ReadString();
        if (reader.Failed)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        var output = connection.BeginReply(xid, tree.LastZxid);
        output.WriteString(path);
        connection.EndReply();
    }

    private void MultiRead(ServerConnection connection, int xid, ref JuteReader reader)
    {
        if (!MultiReader.TryRead(ref reader, out var operations) || !operations.TrueForAll(o => o is { IsRead: true, Path: not null }))
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        var output = connection.BeginReply(xid, tree.LastZxid);
        foreach (var operation in operations)
        {
            if (tree.Roots?.Hold(operation.Path!) == false)
            {
                MultiHeader.WriteErrorResult(output, ErrorCode.Unimplemented);
            }
            else if (tree.Find(operation.Path!) is not { } node)
            {
                MultiHeader.WriteErrorResult(output, ErrorCode.NoNode);
            }
            else if (!AccessControl.Allows(node.AccessControl, Permissions.Read, connection.Identities))
            {
                MultiHeader.WriteErrorResult(output, ErrorCode.NoAuth);
            }
            else
            {
                new MultiHeader(operation.Type, false, 0).Write(output);
                if (operation.Type == OpCode.GetData)
                {
                    output.WriteBuffer(node.Data);
                    node.Stat.Write(output);
                }
                else
                {
                    WriteChildren(output, node);
                }
            }
        }
        MultiHeader.End.Write(output);
        connection.EndReply();
    }

    private void SetWatches(ServerConnection connection, RequestHeader header, ref JuteReader reader)
    {
        var request = SetWatchesRequest.Read(ref reader, header.Op);
        if (reader.Failed)
        {
            connection.Reply(header.Xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        WatchRestorer.Restore(tree, connection, request);
        connection.Reply(header.Xid, tree.LastZxid, request.EndsInNull ? ErrorCode.MarshallingError : ErrorCode.Ok);
    }

    private void AddWatch(ServerConnection connection, int xid, ref JuteReader reader)
    {
        var request = PathKindRequest.Read(ref reader);
        if (reader.Failed || request.Path is null || request.Kind is not ((int)AddWatchMode.Persistent or (int)AddWatchMode.PersistentRecursive))
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        var mode = request.Kind == (int)AddWatchMode.Persistent ? WatchMode.Persistent : WatchMode.PersistentRecursive;
        tree.DataWatches.Add(request.Path, connection, mode);
        tree.ChildWatches.Add(request.Path, connection, mode);
        var output = connection.BeginReply(xid, tree.LastZxid);
        output.WriteInt(0);
        connection.EndReply();
    }

    private void CheckOrRemoveWatches(ServerConnection connection, RequestHeader header, ref JuteReader reader)
    {
        var request = PathKindRequest.Read(ref reader);
        if (reader.Failed || request.Path is null || request.Kind is < (int)WatcherType.Children or > (int)WatcherType.Any)
        {
            connection.Reply(header.Xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        var found = false;
        if ((request.Kind & (int)WatcherType.Children) != 0)
        {
            found |= Touch(tree.ChildWatches, header.Op, request.Path, connection);
        }
        if ((request.Kind & (int)WatcherType.Data) != 0)
        {
            found |= Touch(tree.DataWatches, header.Op, request.Path, connection);
        }
        connection.Reply(header.Xid, tree.LastZxid, found ? ErrorCode.Ok : ErrorCode.NoWatcher);

        static bool Touch(WatchTable table, OpCode op, string path, IWatcher watcher) =>
            op == OpCode.RemoveWatches ? table.Remove(path, watcher) : table.Contains(path, watcher);
    }

    private void GetEphemerals(ServerConnection connection, int xid, ref JuteReader reader)
    {
        var prefix = reader.ReadString();
        if (reader.Failed)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        var all = string.IsNullOrWhiteSpace(prefix) || prefix.Trim() == "/";
        // A plain string prefix, not whole segments: so it is in ZooKeeper.
        var paths = tree.EphemeralsOf(connection.SessionId).Where(p => all || p.StartsWith(prefix!, StringComparison.Ordinal)).ToList();
        var output = connection.BeginReply(xid, tree.LastZxid);
        output.WriteStrings(paths);
        connection.EndReply();
    }

    private void GetAllChildrenNumber(ServerConnection connection, int xid, ref JuteReader reader)
    {
        var path = reader.ReadString();
        if (reader.Failed || path is null)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.MarshallingError);
            return;
        }
        if (tree.Find(path) is not { } node)
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.NoNode);
            return;
        }
        if (!AccessControl.Allows(node.AccessControl, Permissions.Read, connection.Identities))
        {
            connection.Reply(xid, tree.LastZxid, ErrorCode.NoAuth);
            return;
        }
        var output = connection.BeginReply(xid, tree.LastZxid);
        output.WriteInt(tree.CountBelow(path));
        connection.EndReply();
    }

    private void WhoAmI(ServerConnection connection, int xid)
    {
        var output = connection.BeginReply(xid, tree.LastZxid);
        output.WriteInt(connection.Identities.Count);
        foreach (var identity in connection.Identities)
        {
            output.WriteString(identity.Scheme);
            output.WriteString(identity.UserName);
        }
        connection.EndReply();
    }

    /// <summary>Reads {path, watch} and finds the znode; replies and returns null where it can't be read.</summary>
    private Znode? Readable(ServerConnection connection, int xid, ref JuteReader reader, int permission, out ReadOnlySpan<byte> path, out bool watch)
    {
        path = reader.ReadBytes(out var isNull);
        watch = reader.ReadBool();
        var error = ErrorCode.Ok;
        Znode? node = null;
        if (reader.Failed || isNull)
        {
            error = ErrorCode.MarshallingError;
        }
        else if ((node = tree.Find(path)) is null)
        {
            error = ErrorCode.NoNode;
        }
        else if (!AccessControl.Allows(node.AccessControl, permission, connection.Identities))
        {
            error = ErrorCode.NoAuth;
        }
        if (error == ErrorCode.Ok)
        {
            return node;
        }
        connection.Reply(xid, tree.LastZxid, error);
        return null;
    }

    private static void WriteChildren(JuteWriter output, Znode node)
    {
        output.WriteInt(node.ChildCount);
        if (node.Children is { } children)
        {
            foreach (var child in children)
            {
                output.WriteString(child);
            }
        }
    }

    private static string Text(ReadOnlySpan<byte> path) => System.Text.Encoding.UTF8.GetString(path);
}
