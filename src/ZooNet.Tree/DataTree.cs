using System.Text;
using ZooNet.Protocol;
using ZooNet.Tree.Membership;
using ZooNet.Tree.Transactions;

namespace ZooNet.Tree;

/// <summary>
/// The znodes, their watches and the sessions: the state that the transactions make. Applying the same transactions in
/// the same order gives the same state on every replica. Nothing is checked here any more, that is
/// <see cref="Requests.Preparer"/>'s work. Used under the server's gate only.
///
/// A replica that begins with a snapshot, which its leader wrote while it went on, applies transactions that the snapshot shows already.
/// So each one leaves the right state when its effect is there, or was and is gone again (source: <c>DataTree#processTxn</c>); its result
/// then tells an error that nobody waits for.
/// </summary>
internal sealed class DataTree
{
    private Dictionary<string, Znode> _nodes = new(StringComparer.Ordinal);
    private Dictionary<string, Znode>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private Dictionary<long, HashSet<string>> _ephemerals = [];
    private HashSet<string> _reapable = [];

    public DataTree()
    {
        _bySpan = _nodes.GetAlternateLookup<ReadOnlySpan<char>>();
        Root = new Znode("/", [], Acl.Open, ZnodeKind.Persistent, 0, 0) { Children = ["zookeeper"] };
        _nodes["/"] = Root;
        _nodes["/zookeeper"] = new Znode("/zookeeper", [], Acl.Open, ZnodeKind.Persistent, 0, 0) { Children = ["config", "quota"] };
        _nodes["/zookeeper/config"] = new Znode("/zookeeper/config", [], [new Acl(Permissions.Read, "world", "anyone")], ZnodeKind.Persistent, 0, 0)
        {
            // A real server makes it with an ACL set at the version -1.
            Aversion = -1,
        };
        _nodes["/zookeeper/quota"] = new Znode("/zookeeper/quota", [], Acl.Open, ZnodeKind.Persistent, 0, 0);
    }

    public Znode Root { get; private set; }

    /// <summary>What is kept; null for everything. Set while the tree is empty; <see cref="KeepOnly"/> narrows it later.</summary>
    public Roots? Roots { get; set; }

    /// <summary>The zxid of the last transaction applied.</summary>
    public long LastZxid { get; set; }

    /// <summary>The tree's digest (<see cref="TreeDigest"/>); null while it is not kept.</summary>
    public long? Digest { get; private set; }

    /// <summary>Number of znodes.</summary>
    public int Count => _nodes.Count;

    /// <summary>Every znode; parents not necessarily first.</summary>
    public IEnumerable<Znode> Nodes => _nodes.Values;

    /// <summary>Sessions and their timeouts in milliseconds.</summary>
    public Dictionary<long, int> Sessions { get; private set; } = [];

    /// <summary>Paths of the container and TTL znodes.</summary>
    public IReadOnlyCollection<string> Reapable => _reapable;

    /// <summary>Sessions that own ephemeral znodes, each with their paths.</summary>
    public IReadOnlyDictionary<long, HashSet<string>> Ephemerals => _ephemerals;

    public WatchTable DataWatches { get; } = new();
    public WatchTable ChildWatches { get; } = new();

    /// <summary>Bytes of all paths and data: mntr's approximate size.</summary>
    public long ApproximateDataSize { get; private set; }

    /// <summary>Finds a znode; null where there is none. The empty path is the root, as in ZooKeeper.</summary>
    public Znode? Find(string path) => path.Length == 0 ? Root : _nodes.GetValueOrDefault(path);

    /// <summary>Finds a znode by its path in UTF-8, without making a string of it.</summary>
    public Znode? Find(ReadOnlySpan<byte> path)
    {
        if (path.Length == 0)
        {
            return Root;
        }
        if (path.Length > 512)
        {
            return _nodes.GetValueOrDefault(Encoding.UTF8.GetString(path));
        }
        Span<char> chars = stackalloc char[512];
        var length = Encoding.UTF8.GetChars(path, chars);
        return _bySpan.TryGetValue(chars[..length], out var node) ? node : null;
    }

    /// <summary>The ephemeral znodes of a session.</summary>
    public IReadOnlyCollection<string> EphemeralsOf(long sessionId) => _ephemerals.TryGetValue(sessionId, out var paths) ? paths : [];

    /// <summary>How many znodes are below a path.</summary>
    public int CountBelow(string path)
    {
        if (path == "/")
        {
            return _nodes.Count - 1;
        }
        var prefix = path + "/";
        return _nodes.Keys.Count(p => p.StartsWith(prefix, StringComparison.Ordinal));
    }

    /// <summary>Applies a transaction and fires the watches it touches.</summary>
    public TxnResult Apply(in TxnHeader header, Txn txn)
    {
        LastZxid = header.Zxid;
        if (txn is not MultiTxn multi)
        {
            return ApplyOne(header, txn);
        }
        var failed = multi.Txns.Any(t => t is ErrorTxn);
        var results = new TxnResult[multi.Txns.Count];
        for (var i = 0; i < results.Length; i++)
        {
            results[i] = !failed ? ApplyOne(header, multi.Txns[i]) : new TxnResult(OpCode.Error, multi.Txns[i] is ErrorTxn e ? e.Error : ErrorCode.Ok);
        }
        return new TxnResult(OpCode.Multi, ErrorCode.Ok, Results: results);
    }

    /// <summary>Computes the digest, and keeps it from now on until <see cref="Clear"/>.</summary>
    public void KeepDigest()
    {
        var sum = 0L;
        foreach (var node in _nodes.Values)
        {
            node.Digest = TreeDigest.Of(node);
            sum += node.Digest;
        }
        Digest = sum;
    }

    /// <summary>Becomes a copy of another tree, but for its watches.</summary>
    public void CopyFrom(DataTree other)
    {
        Clear();
        foreach (var node in other.Nodes)
        {
            Restore(node.Clone());
        }
        RelinkChildren();
        foreach (var (id, timeout) in other.Sessions)
        {
            Sessions[id] = timeout;
        }
        LastZxid = other.LastZxid;
    }

    /// <summary>
    /// Takes the place of another tree, which nobody uses any more. Both are at the same zxid; this one's watches stay.
    /// </summary>
    public void Adopt(DataTree other)
    {
        (_nodes, _bySpan, _ephemerals, _reapable, Sessions) = (other._nodes, other._bySpan, other._ephemerals, other._reapable, other.Sessions);
        (Root, Roots, Digest, ApproximateDataSize) = (other.Root, other.Roots, other.Digest, other.ApproximateDataSize);
    }

    /// <summary>Forgets what is not at, below or above some of the roots.</summary>
    public void KeepOnly(Roots roots)
    {
        Roots = roots;
        Digest = null;
        foreach (var node in _nodes.Values.Where(n => IsForeign(n.Path)).ToList())
        {
            _nodes.Remove(node.Path);
            Untrack(node);
        }
        foreach (var node in _nodes.Values)
        {
            node.Data = Kept(node.Path, node.Data);
        }
        RelinkChildren();
    }

    /// <summary>Whether nothing is known of a path: it is not kept, and not above what is.</summary>
    public bool IsForeign(string path) => Roots is { } roots && !roots.Hold(path) && !roots.AreBelow(path);

    /// <inheritdoc cref="IsForeign(string)"/>
    public bool IsForeign(ReadOnlySpan<byte> path) => Roots is { } roots && !roots.Hold(path) && !roots.AreBelow(path);

    /// <summary>Forgets everything but the root.</summary>
    public void Clear()
    {
        _nodes.Clear();
        _nodes["/"] = Root;
        _ephemerals.Clear();
        _reapable.Clear();
        Sessions.Clear();
        Digest = null;
    }

    /// <summary>
    /// Puts a znode back as a snapshot holds it. Parents may come later: children are linked by <see cref="RelinkChildren"/>.
    /// </summary>
    public void Restore(Znode node)
    {
        if (Roots is not null)
        {
            if (IsForeign(node.Path))
            {
                return;
            }
            node.Data = Kept(node.Path, node.Data);
        }
        if (node.Path == "/")
        {
            (Root.Data, Root.AccessControl) = (node.Data, node.AccessControl);
            (Root.Czxid, Root.Mzxid, Root.Pzxid, Root.Ctime, Root.Mtime) = (node.Czxid, node.Mzxid, node.Pzxid, node.Ctime, node.Mtime);
            (Root.Version, Root.Aversion, Root.Creates) = (node.Version, node.Aversion, node.Creates);
            return;
        }
        _nodes[node.Path] = node;
        Track(node);
    }

    /// <summary>Rebuilds every list of children from the paths.</summary>
    /// <exception cref="InvalidDataException">A znode has no parent.</exception>
    public void RelinkChildren()
    {
        ApproximateDataSize = 0;
        foreach (var node in _nodes.Values)
        {
            node.Children = null;
            ApproximateDataSize += node.Path.Length + (node.Data?.Length ?? 0);
        }
        foreach (var node in _nodes.Values)
        {
            if (node.Path == "/")
            {
                continue;
            }
            if (!_nodes.TryGetValue(ZnodePath.ParentOf(node.Path), out var parent))
            {
                throw new InvalidDataException($"a znode without a parent, {node.Path}");
            }
            (parent.Children ??= []).Add(ZnodePath.NameOf(node.Path));
        }
    }

    /// <summary>Shows the configuration that the server starts with: no transaction, since it says where this server listens now.</summary>
    public void Publish(Configuration configuration, long nowMs)
    {
        var node = _nodes[Configuration.Path];
        var data = configuration.ToBytes();
        ApproximateDataSize += data.Length - (node.Data?.Length ?? 0);
        if (node.Mzxid != configuration.Version || node.Data is not { Length: > 0 })
        {
            (node.Mzxid, node.Mtime, node.Version) = (configuration.Version, nowMs, -1);
        }
        node.Data = data;
    }

    /// <summary>Data are kept at and below roots only.</summary>
    private byte[]? Kept(string path, byte[]? data) => Roots is { } roots && !roots.Hold(path) ? null : data;

    private TxnResult ApplyOne(in TxnHeader header, Txn txn)
    {
        switch (txn)
        {
            case CreateTxn create when IsForeign(create.Path):
                return new TxnResult(create.Type, ErrorCode.Ok, create.Path);
            case SetDataTxn set when IsForeign(set.Path):
                return new TxnResult(OpCode.SetData, ErrorCode.Ok, Data: set.Data);
            case DeleteTxn delete when IsForeign(delete.Path):
                return new TxnResult(OpCode.Delete, ErrorCode.Ok);
            case SetAclTxn set when IsForeign(set.Path):
                return new TxnResult(OpCode.SetAcl, ErrorCode.Ok);
            case CreateTxn create:
                return Create(header, create) is { } created
                    ? new TxnResult(create.Type, ErrorCode.Ok, create.Path, created.Stat)
                    : new TxnResult(create.Type, ErrorCode.NodeExists);
            case DeleteTxn delete:
                return new TxnResult(OpCode.Delete, Delete(delete.Path, header.Zxid) ? ErrorCode.Ok : ErrorCode.NoNode);
            case SetDataTxn set:
                return SetData(header, set) is { } changed
                    ? new TxnResult(OpCode.SetData, ErrorCode.Ok, null, changed.Stat, Data: set.Data)
                    : new TxnResult(OpCode.SetData, ErrorCode.NoNode);
            case SetAclTxn set:
                if (Find(set.Path) is not { } node)
                {
                    return new TxnResult(OpCode.SetAcl, ErrorCode.NoNode);
                }
                node.AccessControl = set.AccessControl;
                node.Aversion = set.Aversion;
                Changed(node);
                return new TxnResult(OpCode.SetAcl, ErrorCode.Ok, null, node.Stat);
            case CreateSessionTxn session:
                Sessions[header.SessionId] = session.TimeoutMs;
                return new TxnResult(OpCode.CreateSession, ErrorCode.Ok);
            case CloseSessionTxn close:
                CloseSession(header, close);
                return new TxnResult(OpCode.CloseSession, ErrorCode.Ok);
            case ErrorTxn error:
                return new TxnResult(OpCode.Error, error.Error);
            default:
                return new TxnResult(txn.Type, ErrorCode.Ok);
        }
    }

    /// <returns>Null where nothing was created: it is there already, or its parent is gone again.</returns>
    private Znode? Create(in TxnHeader header, CreateTxn txn)
    {
        var parentPath = ZnodePath.ParentOf(txn.Path);
        if (Find(parentPath) is not { } parent)
        {
            return null;
        }
        var creates = txn.ParentCreates == -1 ? parent.Creates + 1 : txn.ParentCreates;
        if (_nodes.TryGetValue(txn.Path, out var existing))
        {
            existing.AccessControl = txn.AccessControl;
            if (txn.Type == OpCode.Create)
            {
                CountCreate(parent, creates, header.Zxid);
                Changed(parent);
            }
            return null;
        }
        var node = new Znode(txn.Path, Kept(txn.Path, txn.Data), txn.AccessControl, txn.Kind, txn.Kind == ZnodeKind.Ephemeral ? header.SessionId : 0, txn.TtlMs)
        {
            Czxid = header.Zxid,
            Mzxid = header.Zxid,
            Pzxid = header.Zxid,
            Ctime = header.TimeMs,
            Mtime = header.TimeMs,
        };
        (parent.Children ??= []).Add(ZnodePath.NameOf(txn.Path));
        CountCreate(parent, creates, header.Zxid);
        Changed(parent);
        _nodes.Add(txn.Path, node);
        Changed(node);
        ApproximateDataSize += txn.Path.Length + (node.Data?.Length ?? 0);
        Track(node);
        DataWatches.Trigger(txn.Path, WatchEventType.Created, node.AccessControl);
        ChildWatches.Trigger(parentPath, WatchEventType.ChildrenChanged, parent.AccessControl);
        return node;
    }

    /// <summary>A child was created, or is there from a create that the snapshot shows already.</summary>
    private static void CountCreate(Znode parent, int creates, long zxid)
    {
        // The snapshot may show later creates too: neither count nor zxid goes back.
        if (creates - parent.Creates > 0)
        {
            parent.Creates = creates;
            parent.Pzxid = zxid;
        }
    }

    /// <returns>False where it was not there.</returns>
    private bool Delete(string path, long zxid)
    {
        var parentPath = ZnodePath.ParentOf(path);
        if (Find(parentPath) is not { } parent)
        {
            return false;
        }
        // Also where the child is gone already.
        parent.Pzxid = Math.Max(parent.Pzxid, zxid);
        Changed(parent);
        if (!_nodes.Remove(path, out var node))
        {
            return false;
        }
        Digest -= node.Digest;
        ApproximateDataSize -= path.Length + (node.Data?.Length ?? 0);
        parent.Children?.Remove(ZnodePath.NameOf(path));
        Untrack(node);
        // A connection with a data and a child watch hears of the deletion once.
        var told = DataWatches.Trigger(path, WatchEventType.Deleted, node.AccessControl);
        ChildWatches.Trigger(path, WatchEventType.Deleted, node.AccessControl, told);
        ChildWatches.Trigger(parentPath, WatchEventType.ChildrenChanged, parent.AccessControl);
        return true;
    }

    private Znode? SetData(in TxnHeader header, SetDataTxn txn)
    {
        if (Find(txn.Path) is not { } node)
        {
            return null;
        }
        var data = Kept(txn.Path, txn.Data);
        ApproximateDataSize += (data?.Length ?? 0) - (node.Data?.Length ?? 0);
        node.Data = data;
        node.Version = txn.Version;
        node.Mzxid = header.Zxid;
        node.Mtime = header.TimeMs;
        Changed(node);
        DataWatches.Trigger(txn.Path, WatchEventType.DataChanged, node.AccessControl);
        return node;
    }

    private void CloseSession(in TxnHeader header, CloseSessionTxn txn)
    {
        Sessions.Remove(header.SessionId);
        foreach (var path in txn.Paths.Where(p => !IsForeign(p)))
        {
            Delete(path, header.Zxid);
        }
        foreach (var path in EphemeralsOf(header.SessionId).ToArray())
        {
            Delete(path, header.Zxid);
        }
    }

    private void Changed(Znode node)
    {
        if (Digest is { } sum)
        {
            sum -= node.Digest;
            node.Digest = TreeDigest.Of(node);
            Digest = sum + node.Digest;
        }
    }

    private void Untrack(Znode node)
    {
        if (node.Kind == ZnodeKind.Ephemeral && _ephemerals.TryGetValue(node.Owner, out var owned) && owned.Remove(node.Path) && owned.Count == 0)
        {
            _ephemerals.Remove(node.Owner);
        }
        else if (node.Kind is ZnodeKind.Container or ZnodeKind.Ttl)
        {
            _reapable.Remove(node.Path);
        }
    }

    private void Track(Znode node)
    {
        switch (node.Kind)
        {
            case ZnodeKind.Ephemeral:
                if (!_ephemerals.TryGetValue(node.Owner, out var owned))
                {
                    _ephemerals[node.Owner] = owned = [];
                }
                owned.Add(node.Path);
                break;
            case ZnodeKind.Container or ZnodeKind.Ttl:
                _reapable.Add(node.Path);
                break;
        }
    }
}
