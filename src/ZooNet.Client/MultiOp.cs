using ZooNet.Protocol;

namespace ZooNet.Client;

/// <summary>One operation of a multi (create, delete, setData, check) or of a multiRead (getData, getChildren).</summary>
public sealed class MultiOp
{
    private readonly Action<JuteWriter> _body;

    private MultiOp(OpCode op, string path, Action<JuteWriter> body)
    {
        Op = op;
        Path = path;
        _body = body;
    }

    /// <summary>The operation.</summary>
    public OpCode Op { get; }

    /// <summary>The znode it is about.</summary>
    public string Path { get; }

    /// <summary>
    /// Creates a znode. Flags as in <see cref="CreateFlags"/>, container included; a null ACL is open to everyone. A container's result
    /// has its Stat, others have none: servers answer even create2 as a plain create inside a multi (seen on 3.8.0).
    /// </summary>
    public static MultiOp Create(string path, byte[]? data, int flags = CreateFlags.Persistent, IReadOnlyList<Acl>? acl = null)
    {
        var op = flags == CreateFlags.Container ? OpCode.CreateContainer : OpCode.Create;
        return new MultiOp(op, path, new CreateRequest(path, data, [.. acl ?? Acl.Open], flags).WriterFor(op));
    }

    /// <summary>Deletes a znode at a version; -1 for any.</summary>
    public static MultiOp Delete(string path, int version = -1) => new(OpCode.Delete, path, new PathVersionRequest(path, version).Write);

    /// <summary>Replaces the data at a version; -1 for any.</summary>
    public static MultiOp SetData(string path, byte[]? data, int version = -1) => new(OpCode.SetData, path, new SetDataRequest(path, data, version).Write);

    /// <summary>Demands that a znode exists and has a version; -1 for any.</summary>
    public static MultiOp Check(string path, int version = -1) => new(OpCode.Check, path, new PathVersionRequest(path, version).Write);

    /// <summary>Reads data; for a multiRead.</summary>
    public static MultiOp GetData(string path) => new(OpCode.GetData, path, new PathWatchRequest(path, false).Write);

    /// <summary>Lists children; for a multiRead.</summary>
    public static MultiOp GetChildren(string path) => new(OpCode.GetChildren, path, new PathWatchRequest(path, false).Write);

    internal static void WriteAll(JuteWriter writer, IReadOnlyList<MultiOp> ops)
    {
        foreach (var op in ops)
        {
            new MultiHeader(op.Op, false, -1).Write(writer);
            op._body(writer);
        }
        MultiHeader.End.Write(writer);
    }

    internal static List<OpResult> ReadAll(ref JuteReader reader)
    {
        var results = new List<OpResult>();
        while (!reader.Failed)
        {
            var header = MultiHeader.Read(ref reader);
            if (header.Done)
            {
                break;
            }
            results.Add(header.Type switch
            {
                OpCode.Create => new OpResult(header.Type, ErrorCode.Ok, Path: reader.ReadString()),
                OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl =>
                    new OpResult(header.Type, ErrorCode.Ok, Path: reader.ReadString(), Stat: Stat.Read(ref reader)),
                OpCode.SetData => new OpResult(header.Type, ErrorCode.Ok, Stat: Stat.Read(ref reader)),
                OpCode.GetData => new OpResult(header.Type, ErrorCode.Ok, Data: reader.ReadBuffer(), Stat: Stat.Read(ref reader)),
                OpCode.GetChildren => new OpResult(header.Type, ErrorCode.Ok, Names: reader.ReadStrings()),
                OpCode.Error => new OpResult(header.Type, (ErrorCode)reader.ReadInt()),
                _ => new OpResult(header.Type, ErrorCode.Ok),
            });
        }
        return results;
    }
}

internal static class CreateRequestWriting
{
    public static Action<JuteWriter> WriterFor(this CreateRequest request, OpCode op) => writer => request.Write(writer, op);
}
