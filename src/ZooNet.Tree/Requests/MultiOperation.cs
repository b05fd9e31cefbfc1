using ZooNet.Protocol;

namespace ZooNet.Tree.Requests;

/// <summary>One operation that may stand alone or in a multi or multiRead, decoded. Fields that its type lacks are defaults.</summary>
internal readonly record struct MultiOperation(OpCode Type, string? Path, byte[]? Data = null, int Version = -1,
    IReadOnlyList<Acl>? AccessControl = null, int Flags = 0, long TtlMs = -1)
{
    /// <summary>True for the two operations of a multiRead.</summary>
    public bool IsRead => Type is OpCode.GetData or OpCode.GetChildren;

    /// <summary>Reads the body of <paramref name="op"/>, which must be one of those a multi may hold.</summary>
    public static MultiOperation Read(OpCode op, ref JuteReader reader)
    {
        switch (op)
        {
            case OpCode.Delete or OpCode.Check:
                var named = PathVersionRequest.Read(ref reader);
                return new MultiOperation(op, named.Path, Version: named.Version);
            case OpCode.SetData:
                var set = SetDataRequest.Read(ref reader);
                return new MultiOperation(op, set.Path, set.Data, set.Version);
            case OpCode.GetData or OpCode.GetChildren:
                return new MultiOperation(op, PathWatchRequest.Read(ref reader).Path);
            default:
                var create = CreateRequest.Read(ref reader, op);
                return new MultiOperation(op, create.Path, create.Data, -1, create.AccessControl, create.Flags, op == OpCode.CreateTtl ? create.TtlMs : -1);
        }
    }

    /// <summary>
    /// Inside a multi ZooKeeper goes by the flags, not by the operation: create, create2 and createContainer are the same there, and
    /// the flag 4 makes a container.
    /// </summary>
    /// <param name="impossible">True where a real server can't process it: a TTL flag without a time to live.</param>
    public MultiOperation AsPartOfMulti(out bool impossible)
    {
        impossible = false;
        if (!Type.IsCreate())
        {
            return this;
        }
        var wantsTtl = Flags is CreateFlags.PersistentWithTtl or CreateFlags.PersistentSequentialWithTtl;
        impossible = wantsTtl && Type != OpCode.CreateTtl;
        return wantsTtl ? this with { Type = OpCode.CreateTtl } : this with { Type = Flags == CreateFlags.Container ? OpCode.CreateContainer : OpCode.Create, TtlMs = -1 };
    }
}

/// <summary>Reads the operations of a multi or multiRead.</summary>
internal static class MultiReader
{
    /// <summary>Reads to the closing header.</summary>
    /// <returns>False where the body is cut short, an operation is none that a multi may hold, or reads and writes are mixed.</returns>
    public static bool TryRead(ref JuteReader reader, out List<MultiOperation> operations)
    {
        operations = [];
        while (true)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed || header.Done)
            {
                return !reader.Failed;
            }
            if (header.Type is not (OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl or OpCode.Delete
                or OpCode.SetData or OpCode.Check or OpCode.GetData or OpCode.GetChildren))
            {
                return false;
            }
            operations.Add(MultiOperation.Read(header.Type, ref reader));
            if (operations[^1].IsRead != operations[0].IsRead)
            {
                return false;
            }
        }
    }
}
