using ZooNet.Protocol;
using ZooNet.Tree.Membership;
using ZooNet.Tree.Transactions;

namespace ZooNet.Tree.Requests;

/// <summary>
/// Turns a write request into the transaction that will be applied, or into an <see cref="ErrorTxn"/>: all that ZooKeeper's
/// PrepRequestProcessor checks, in its order, since the first check that fails names the error. Used under the gate only.
/// </summary>
internal sealed class Preparer(DataTree tree, bool extendedTypes)
{
    /// <summary>The longest time to live, in milliseconds: 40 bits.</summary>
    public const long MaxTtlMs = 0xff_ffff_ffff;

    private readonly PendingView _view = new(tree);

    /// <summary>
    /// Who belongs to the ensemble; null where reconfig is disabled. What is prepared is applied at once, so it is always the current
    /// one.
    /// </summary>
    public Configuration? Configuration { get; set; }

    /// <summary>Prepares one request.</summary>
    /// <param name="op">A write operation.</param>
    /// <param name="body">The request's body.</param>
    /// <param name="identities">Who asks.</param>
    public Txn Prepare(OpCode op, ReadOnlySpan<byte> body, IReadOnlyList<Identity> identities)
    {
        var reader = new JuteReader(body);
        switch (op)
        {
            case OpCode.Multi:
                return MultiReader.TryRead(ref reader, out var operations) && operations.TrueForAll(o => o is { IsRead: false, Path: not null })
                    ? Multi(operations, identities)
                    : Fail(ErrorCode.MarshallingError);
            case OpCode.Reconfig:
                var reconfig = ReconfigRequest.Read(ref reader);
                return reader.Failed ? Fail(ErrorCode.MarshallingError) : Reconfigure(reconfig, identities);
            case OpCode.SetAcl:
                var setAcl = SetAclRequest.Read(ref reader);
                return reader.Failed ? Fail(ErrorCode.MarshallingError) : SetAcl(setAcl, identities);
            default:
                var operation = MultiOperation.Read(op, ref reader);
                return reader.Failed ? Fail(ErrorCode.MarshallingError) : Single(operation, identities);
        }
    }

    /// <summary>Prepares the removal of a container or TTL znode that the reaper found empty.</summary>
    public Txn DeleteReapable(string path) => _view.Find(path) switch
    {
        null => Fail(ErrorCode.NoNode),
        { ChildCount: > 0 } => Fail(ErrorCode.NotEmpty),
        { Kind: ZnodeKind.Ephemeral } => Fail(ErrorCode.BadVersion),
        _ => new DeleteTxn(path),
    };

    private static ErrorTxn Fail(ErrorCode error) => new(error);

    private Txn Single(in MultiOperation operation, IReadOnlyList<Identity> identities) => operation.Type switch
    {
        OpCode.Delete => Delete(operation.Path, operation.Version, identities),
        OpCode.SetData => SetData(operation, identities),
        OpCode.Check => Check(operation.Path, operation.Version, identities),
        _ => Create(operation, identities),
    };

    private Txn Multi(List<MultiOperation> operations, IReadOnlyList<Identity> identities)
    {
        _view.BeginMulti();
        try
        {
            var txns = new Txn[operations.Count];
            var failed = false;
            for (var i = 0; i < txns.Length; i++)
            {
                var operation = operations[i].AsPartOfMulti(out var impossible);
                txns[i] = failed ? Fail(ErrorCode.RuntimeInconsistency) : Single(operation, identities);
                if (!failed && (impossible || txns[i] is ErrorTxn { Error: ErrorCode.MarshallingError }))
                {
                    // A real server stumbles over such an operation as a whole: the multi has no results then.
                    return Fail(ErrorCode.MarshallingError);
                }
                failed |= txns[i] is ErrorTxn;
            }
            return new MultiTxn(txns);
        }
        finally
        {
            _view.EndMulti();
        }
    }

    private Txn Create(in MultiOperation create, IReadOnlyList<Identity> identities)
    {
        if (create.Flags is < CreateFlags.Persistent or > CreateFlags.PersistentSequentialWithTtl)
        {
            return Fail(ErrorCode.BadArguments);
        }
        var wantsTtl = create.Flags is CreateFlags.PersistentWithTtl or CreateFlags.PersistentSequentialWithTtl;
        if (wantsTtl && !extendedTypes)
        {
            return Fail(ErrorCode.Unimplemented);
        }
        // A time to live needs both the operation and the flag.
        if (wantsTtl != (create.Type == OpCode.CreateTtl) || (wantsTtl && create.TtlMs is <= 0 or > MaxTtlMs))
        {
            return Fail(ErrorCode.BadArguments);
        }
        if (create.Path is not { } path)
        {
            return Fail(ErrorCode.MarshallingError);
        }
        var slash = path.LastIndexOf('/');
        if (slash < 0 || path.Contains('\0'))
        {
            return Fail(ErrorCode.BadArguments);
        }
        if (AccessControl.FixUp(create.AccessControl, identities, out var acl) is not ErrorCode.Ok and var badAcl)
        {
            return Fail(badAcl);
        }
        var parentPath = path[..slash];
        if (_view.Find(parentPath) is not { } parent)
        {
            return Fail(ErrorCode.NoNode);
        }
        if (!AccessControl.Allows(parent.AccessControl, Permissions.Create, identities))
        {
            return Fail(ErrorCode.NoAuth);
        }
        if (CreateFlags.IsSequential(create.Flags))
        {
            path += ZnodePath.Counter(parent.Creates);
        }
        if (ZnodePath.Validate(path) is not null)
        {
            return Fail(ErrorCode.BadArguments);
        }
        if (_view.Find(path) is not null)
        {
            return Fail(ErrorCode.NodeExists);
        }
        if (parent.Kind == ZnodeKind.Ephemeral)
        {
            return Fail(ErrorCode.NoChildrenForEphemerals);
        }
        // The flag 4 makes a container by its own operation only (or inside a multi, see AsPartOfMulti).
        var kind = create.Type switch
        {
            OpCode.CreateContainer => ZnodeKind.Container,
            OpCode.CreateTtl => ZnodeKind.Ttl,
            _ => CreateFlags.IsEphemeral(create.Flags) ? ZnodeKind.Ephemeral : ZnodeKind.Persistent,
        };
        var creates = unchecked(parent.Creates + 1);
        _view.Set(parentPath, parent with { Creates = creates, ChildCount = parent.ChildCount + 1 });
        _view.Set(path, new NodeView(0, 0, 0, 0, acl, kind));
        return new CreateTxn(create.Type, path, create.Data, acl, kind, kind == ZnodeKind.Ttl ? create.TtlMs : 0, creates);
    }

    private Txn Delete(string? path, int version, IReadOnlyList<Identity> identities)
    {
        if (path is null)
        {
            return Fail(ErrorCode.MarshallingError);
        }
        var slash = path.LastIndexOf('/');
        if (slash < 0 || path.Contains('\0') || path is "/" or "/zookeeper" or "/zookeeper/quota" or "/zookeeper/config")
        {
            return Fail(ErrorCode.BadArguments);
        }
        var parentPath = path[..slash];
        if (_view.Find(parentPath) is not { } parent)
        {
            return Fail(ErrorCode.NoNode);
        }
        if (!AccessControl.Allows(parent.AccessControl, Permissions.Delete, identities))
        {
            return Fail(ErrorCode.NoAuth);
        }
        if (_view.Find(path) is not { } node)
        {
            return Fail(ErrorCode.NoNode);
        }
        if (version != -1 && version != node.Version)
        {
            return Fail(ErrorCode.BadVersion);
        }
        if (node.ChildCount > 0)
        {
            return Fail(ErrorCode.NotEmpty);
        }
        _view.Set(parentPath, parent with { ChildCount = parent.ChildCount - 1 });
        _view.Set(path, null);
        return new DeleteTxn(path);
    }

    private Txn SetData(in MultiOperation set, IReadOnlyList<Identity> identities)
    {
        if (Existing(set.Path, Permissions.Write, identities, out var node) is { } error)
        {
            return error;
        }
        if (set.Version != -1 && set.Version != node.Version)
        {
            return Fail(ErrorCode.BadVersion);
        }
        var version = unchecked(node.Version + 1);
        _view.Set(set.Path!, node with { Version = version });
        return new SetDataTxn(set.Path!, set.Data, version);
    }

    private Txn Check(string? path, int version, IReadOnlyList<Identity> identities)
    {
        if (Existing(path, Permissions.Read, identities, out var node) is { } error)
        {
            return error;
        }
        return version != -1 && version != node.Version ? Fail(ErrorCode.BadVersion) : CheckTxn.Instance;
    }

    private Txn SetAcl(SetAclRequest set, IReadOnlyList<Identity> identities)
    {
        if (ZnodePath.Validate(set.Path) is not null)
        {
            return Fail(ErrorCode.BadArguments);
        }
        if (AccessControl.FixUp(set.AccessControl, identities, out var acl) is not ErrorCode.Ok and var badAcl)
        {
            return Fail(badAcl);
        }
        if (Existing(set.Path, Permissions.Admin, identities, out var node) is { } error)
        {
            return error;
        }
        return set.Version != -1 && set.Version != node.Aversion
            ? Fail(ErrorCode.BadVersion)
            : new SetAclTxn(set.Path!, acl, unchecked(node.Aversion + 1));
    }

    /// <summary>As in ZooKeeper the permission is looked at last: who lacks it still learns what else is wrong.</summary>
    private Txn Reconfigure(in ReconfigRequest request, IReadOnlyList<Identity> identities)
    {
        if (Configuration is null)
        {
            return Fail(ErrorCode.ReconfigDisabled);
        }
        var error = Configuration.Change(request, tree.LastZxid + 1, out var next);
        if (error != ErrorCode.Ok)
        {
            return Fail(error);
        }
        if (!AccessControl.Allows(_view.Find(Membership.Configuration.Path)!.Value.AccessControl, Permissions.Write, identities))
        {
            return Fail(ErrorCode.NoAuth);
        }
        Configuration = next;
        // The znode's version stays what it is from the start: configurations are told apart by their own.
        return new SetDataTxn(Membership.Configuration.Path, next!.ToBytes(), -1);
    }

    /// <summary>The checks that setData, setACL and check share: a legal path, a znode, the permission.</summary>
    private ErrorTxn? Existing(string? path, int permission, IReadOnlyList<Identity> identities, out NodeView node)
    {
        node = default;
        if (ZnodePath.Validate(path) is not null)
        {
            return Fail(ErrorCode.BadArguments);
        }
        if (_view.Find(path!) is not { } found)
        {
            return Fail(ErrorCode.NoNode);
        }
        node = found;
        return AccessControl.Allows(found.AccessControl, permission, identities) ? null : Fail(ErrorCode.NoAuth);
    }
}
