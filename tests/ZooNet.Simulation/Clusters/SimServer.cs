using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Simulation.Clusters;

/// <summary>
/// One server of a cluster: it has applied a prefix of the log and answers reads from there. It speaks frames, in order for each
/// connection; a write's reply waits until this server has applied it, and so does everything behind it.
/// </summary>
internal sealed class SimServer(SimCluster cluster, string address)
{
    private readonly JuteWriter _writer = new(256);

    public SimCluster Cluster { get; } = cluster;
    public string Address { get; } = address;
    public SimTree Tree { get; } = new();
    public List<SimConnection> Connections { get; } = [];
    public int Applied { get; private set; }

    public bool IsBehind => Applied < Cluster.Log.Count;

    /// <summary>Applies the next change of the log and fires its watches, which go out before anything that shows the change.</summary>
    public void ApplyNext()
    {
        var change = Cluster.Log[Applied];
        Applied++;
        Tree.Apply(change, Applied);
        foreach (var connection in Connections)
        {
            if (change.Path is not null && change.Opens is null && (connection.Watches.Remove(change.Path) || (connection.WatchesExported && !change.IsPrivate)))
            {
                var type = change.Data is null ? WatchEventType.Deleted : change.Creates ? WatchEventType.Created : WatchEventType.DataChanged;
                _writer.Clear();
                new WatcherEvent(type, WatcherEvent.SyncConnected, change.Path).WriteFrame(_writer);
                connection.Reply(_writer.Written, Applied);
            }
            if (connection.AnswerAt == Applied)
            {
                // Before the events of any later change.
                connection.AnswerAt = 0;
                var asked = connection.Requests.Dequeue();
                if (connection.Answer is { } answer)
                {
                    connection.Reply(answer);
                    continue;
                }
                // A sync's reply tells where the server stands.
                var sync = new JuteReader(asked.AsSpan(4));
                Simple(connection, RequestHeader.Read(ref sync), ErrorCode.Ok);
            }
        }
    }

    /// <summary>Handles the first request of a connection, if the server can.</summary>
    /// <returns>False where it waits: for its turn to commit or for this server to catch up.</returns>
    public bool Handle(SimConnection connection)
    {
        if (connection.AnswerAt > 0)
        {
            return false;
        }
        var frame = connection.Requests.Peek();
        if (!connection.IsOpen)
        {
            return Connect(connection, frame);
        }
        var reader = new JuteReader(frame.AsSpan(4));
        var header = RequestHeader.Read(ref reader);
        switch (header.Op)
        {
            case OpCode.GetData or OpCode.Exists:
                var read = PathWatchRequest.Read(ref reader);
                Read(connection, header, read.Path!, read.Watch);
                break;
            case OpCode.GetChildren2:
                List(connection, header, PathWatchRequest.Read(ref reader).Path!);
                break;
            case OpCode.SetData:
                var set = SetDataRequest.Read(ref reader);
                if (set.Path == AclNotice.Path)
                {
                    return Announce(connection, header);
                }
                return Write(connection, header, set.Path!, set.Data, false, set.Version);
            case OpCode.Create:
                var create = CreateRequest.Read(ref reader, OpCode.Create);
                return Write(connection, header, create.Path!, create.Data, true,
                    owner: CreateFlags.IsEphemeral(create.Flags) ? connection.Session : 0);
            case OpCode.GetEphemerals:
                Owned(connection, header);
                break;
            case OpCode.Delete:
                return Write(connection, header, PathVersionRequest.Read(ref reader).Path!, null, false);
            case OpCode.SetAcl:
                return SetAcl(connection, header, SetAclRequest.Read(ref reader));
            case OpCode.Multi:
                return Check(connection, header, ref reader);
            case OpCode.MultiRead:
                MultiHeader.Read(ref reader);
                Peek(connection, header, reader.ReadString()!);
                break;
            case OpCode.GetAllChildrenNumber:
                Peek(connection, header, reader.ReadString()!);
                break;
            case OpCode.Sync when IsBehind:
                connection.Answer = null;
                connection.AnswerAt = Cluster.Log.Count;
                return true;
            case OpCode.AddWatch:
                connection.WatchesExported = true;
                Simple(connection, header, ErrorCode.Ok);
                break;
            case OpCode.SetWatches or OpCode.SetWatches2:
                Rearm(connection, header, SetWatchesRequest.Read(ref reader, header.Op));
                break;
            case OpCode.CloseSession:
                Cluster.Sessions.Remove(connection.Session);
                Simple(connection, header, ErrorCode.Ok);
                break;
            default:
                Simple(connection, header, ErrorCode.Ok);
                break;
        }
        connection.Requests.Dequeue();
        return true;
    }

    private bool Connect(SimConnection connection, byte[] frame)
    {
        var request = ConnectRequest.TryRead(frame.AsSpan(4))!;
        connection.Requests.Dequeue();
        if (request.LastZxidSeen > Applied)
        {
            // A server that is behind what the client has seen closes without a word.
            connection.Break();
            return true;
        }
        _writer.Clear();
        if (request.SessionId != 0 && !Cluster.Sessions.Contains(request.SessionId))
        {
            ConnectResponse.Refused(false).WriteFrame(_writer);
            connection.Reply(_writer.Written);
            return true;
        }
        connection.Session = request.SessionId;
        if (request.SessionId == 0)
        {
            connection.Session = Cluster.NewSession();
            Cluster.Commit(SimChange.Nothing);
        }
        new ConnectResponse(0, request.TimeoutMs, connection.Session, new byte[SessionPassword.Length], false).WriteFrame(_writer);
        connection.IsOpen = true;
        connection.Reply(_writer.Written);
        return true;
    }

    private void Read(SimConnection connection, RequestHeader header, string path, bool watch)
    {
        if (path is "/" or SimChange.PrivateFolder)
        {
            Folder(connection, header, path == "/" ? Tree.Pzxid : Tree.PrivatePzxid);
            return;
        }
        var node = Tree.Find(path);
        if (watch && (node is not null || header.Op == OpCode.Exists))
        {
            connection.Watches.Add(path);
        }
        var isRefused = node is { IsOpen: false } && header.Op == OpCode.GetData;
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, Applied, node is null ? ErrorCode.NoNode : isRefused ? ErrorCode.NoAuth : ErrorCode.Ok).Write(_writer);
        if (node is not null && !isRefused)
        {
            if (header.Op == OpCode.GetData)
            {
                _writer.WriteBytes(node.Data);
            }
            node.Stat.Write(_writer);
        }
        _writer.EndFrame(mark);
        connection.Reply(_writer.Written);
    }

    /// <summary>That a folder is there, and when its children changed last. Only the proxies ask for that.</summary>
    private void Folder(SimConnection connection, RequestHeader header, long pzxid)
    {
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, Applied, ErrorCode.Ok).Write(_writer);
        new Stat(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, pzxid).Write(_writer);
        _writer.EndFrame(mark);
        connection.Reply(_writer.Written);
    }

    private void Owned(SimConnection connection, RequestHeader header)
    {
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, Applied, ErrorCode.Ok).Write(_writer);
        _writer.WriteStrings([.. Tree.OwnedBy(connection.Session)]);
        _writer.EndFrame(mark);
        connection.Reply(_writer.Written);
    }

    private void List(SimConnection connection, RequestHeader header, string path)
    {
        if (path != "/")
        {
            // A path of a mount that is no longer there: nobody makes such znodes.
            Simple(connection, header, ErrorCode.NoNode);
            return;
        }
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, Applied, ErrorCode.Ok).Write(_writer);
        _writer.WriteStrings([.. Tree.Names.Select(n => n[1..])]);
        new Stat(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Tree.Pzxid).Write(_writer);
        _writer.EndFrame(mark);
        connection.Reply(_writer.Written);
    }

    /// <summary>Commits at the leader now; the reply waits for this server.</summary>
    private bool Write(SimConnection connection, RequestHeader header, string path, byte[]? data, bool creates, int version = -1,
        long owner = 0)
    {
        var node = Cluster.Head.Find(path);
        var hasParent = path.LastIndexOf('/') == 0 || SimChange.IsPrivatePath(path) || path.StartsWith("/zookeeper/", StringComparison.Ordinal);
        var error = creates ? node is not null ? ErrorCode.NodeExists : hasParent ? ErrorCode.Ok : ErrorCode.NoNode
            : node is null ? ErrorCode.NoNode : !node.IsOpen ? ErrorCode.NoAuth : version >= 0 && version != node.Version ? ErrorCode.BadVersion : ErrorCode.Ok;
        // The simulated clients number their requests by their operations in the history.
        var write = header.Xid - 1;
        // Failed writes are proposed and voted too: they get a zxid of their own.
        var zxid = Cluster.Commit(error == ErrorCode.Ok ? new SimChange(path, data, creates, write) { Owner = owner } : SimChange.Nothing);
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, zxid, error).Write(_writer);
        if (error == ErrorCode.Ok && header.Op == OpCode.SetData)
        {
            Cluster.Head.Find(path)!.Stat.Write(_writer);
        }
        else if (error == ErrorCode.Ok && header.Op == OpCode.Create)
        {
            _writer.WriteString(path);
        }
        _writer.EndFrame(mark);
        connection.Answer = _writer.Written.ToArray();
        connection.AnswerAt = (int)zxid;
        return true;
    }

    private bool Announce(SimConnection connection, RequestHeader header)
    {
        var zxid = Cluster.Commit(new SimChange(AclNotice.Path, [], false, -1));
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, zxid, ErrorCode.Ok).Write(_writer);
        default(Stat).Write(_writer);
        _writer.EndFrame(mark);
        connection.Answer = _writer.Written.ToArray();
        connection.AnswerAt = (int)zxid;
        return true;
    }

    private bool SetAcl(SimConnection connection, RequestHeader header, SetAclRequest request)
    {
        var node = Cluster.Head.Find(request.Path!);
        var opens = request.AccessControl![0].Perms == Permissions.All;
        var zxid = Cluster.Commit(node is null ? SimChange.Nothing : new SimChange(request.Path, [], false, header.Xid - 1) { Opens = opens });
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, zxid, node is null ? ErrorCode.NoNode : ErrorCode.Ok).Write(_writer);
        node?.Stat.Write(_writer);
        _writer.EndFrame(mark);
        connection.Answer = _writer.Written.ToArray();
        connection.AnswerAt = (int)zxid;
        return true;
    }

    /// <summary>A multi: a client's has one check, and a barrier is one without any.</summary>
    private bool Check(SimConnection connection, RequestHeader header, ref JuteReader reader)
    {
        var first = MultiHeader.Read(ref reader);
        var zxid = Cluster.Commit(SimChange.Nothing);
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, zxid, ErrorCode.Ok).Write(_writer);
        if (!first.Done && !reader.Failed)
        {
            if (ErrorOf(Cluster.Head, reader.ReadString()!) is not ErrorCode.Ok and var error)
            {
                MultiHeader.WriteErrorResult(_writer, error);
            }
            else
            {
                new MultiHeader(OpCode.Check, false, 0).Write(_writer);
            }
            MultiHeader.End.Write(_writer);
        }
        _writer.EndFrame(mark);
        connection.Answer = _writer.Written.ToArray();
        connection.AnswerAt = (int)zxid;
        return true;
    }

    /// <summary>A read that shows nothing of a znode but that it may be read: a listing in a multiRead, or a count.</summary>
    private void Peek(SimConnection connection, RequestHeader header, string path)
    {
        var error = ErrorOf(Tree, path);
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, Applied, header.Op == OpCode.MultiRead ? ErrorCode.Ok : error).Write(_writer);
        if (header.Op == OpCode.GetAllChildrenNumber)
        {
            _writer.WriteInt(0);
        }
        else
        {
            if (error == ErrorCode.Ok)
            {
                new MultiHeader(OpCode.GetChildren, false, 0).Write(_writer);
                _writer.WriteStrings([]);
            }
            else
            {
                MultiHeader.WriteErrorResult(_writer, error);
            }
            MultiHeader.End.Write(_writer);
        }
        _writer.EndFrame(mark);
        connection.Reply(_writer.Written);
    }

    private static ErrorCode ErrorOf(SimTree tree, string path) => tree.Find(path) switch
    {
        null => ErrorCode.NoNode,
        { IsOpen: false } => ErrorCode.NoAuth,
        _ => ErrorCode.Ok,
    };

    private void Rearm(SimConnection connection, RequestHeader header, SetWatchesRequest request)
    {
        foreach (var path in request.Data)
        {
            var node = Tree.Find(path);
            if (node is null || node.Mzxid > request.RelativeZxid)
            {
                _writer.Clear();
                new WatcherEvent(node is null ? WatchEventType.Deleted : WatchEventType.DataChanged, WatcherEvent.SyncConnected, path).WriteFrame(_writer);
                connection.Reply(_writer.Written, Applied);
            }
            else
            {
                connection.Watches.Add(path);
            }
        }
        foreach (var path in request.Exist)
        {
            if (Tree.Find(path) is not null)
            {
                _writer.Clear();
                new WatcherEvent(WatchEventType.Created, WatcherEvent.SyncConnected, path).WriteFrame(_writer);
                connection.Reply(_writer.Written, Applied);
            }
            else
            {
                connection.Watches.Add(path);
            }
        }
        Simple(connection, header, ErrorCode.Ok);
    }

    private void Simple(SimConnection connection, RequestHeader header, ErrorCode error)
    {
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new ReplyHeader(header.Xid, Applied, error).Write(_writer);
        _writer.EndFrame(mark);
        connection.Reply(_writer.Written);
    }
}

/// <summary>A connection to a simulated server: requests that wait there, and replies on their way back.</summary>
internal sealed class SimConnection
{
    public SimServer? Server { get; set; }
    public Queue<byte[]> Requests { get; } = new();
    public Queue<(byte[] Frame, long Position)> Replies { get; } = new();
    public HashSet<string> Watches { get; } = new(StringComparer.Ordinal);
    public long Session { get; set; }
    public bool IsOpen { get; set; }
    public bool IsBroken { get; private set; }
    public int AnswerAt { get; set; }
    public byte[]? Answer { get; set; }

    /// <summary>Whether every change but private ones is told here.</summary>
    public bool WatchesExported { get; set; }

    /// <summary>How much slower it is than others, from 0 to 1: how often nothing moves on it when it is its turn.</summary>
    public double Lag { get; init; }

    /// <summary>Whatever the other end keeps with it.</summary>
    public object? Tag { get; init; }

    /// <summary>Queues a reply or event.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="position">For an event, where the server stood; for a reply its header tells.</param>
    public void Reply(ReadOnlySpan<byte> frame, long position = -1)
    {
        if (!IsBroken)
        {
            Replies.Enqueue((frame.ToArray(), position));
        }
    }

    /// <summary>Nothing more gets through to the proxy.</summary>
    /// <param name="forgotten">False where the server still does what it was asked, unseen.</param>
    public void Break(bool forgotten = true)
    {
        IsBroken = true;
        Replies.Clear();
        Watches.Clear();
        if (forgotten)
        {
            Requests.Clear();
            AnswerAt = 0;
        }
    }

    /// <summary>True once nothing can happen on it any more.</summary>
    public bool IsOver => IsBroken && Requests.Count == 0;
}
