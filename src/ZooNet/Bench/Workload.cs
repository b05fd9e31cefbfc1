using ZooNet.Protocol;

namespace ZooNet.Bench;

/// <summary>One cluster of the load, with a frame ready for each request that can be drawn.</summary>
/// <param name="IsLocal">Whether it is the clients' own.</param>
/// <param name="Path">The znode below which the benchmark's znodes lie.</param>
/// <param name="Reads">A getData for each znode, whole frames with xid 0.</param>
/// <param name="Updates">A setData for each znode, likewise.</param>
internal sealed record Target(bool IsLocal, string Path, byte[][] Reads, byte[][] Updates);

/// <summary>Everything a client may send, encoded once: sending costs a copy and an xid. Immutable, shared by all clients.</summary>
internal sealed class Workload
{
    public Workload(BenchOptions options)
    {
        Options = options;
        var data = Value(options.Size);
        Local = NewTarget(true, options.Local, options, data);
        Remotes = [.. options.Remotes.Select(path => NewTarget(false, path, options, data))];
    }

    private Workload(BenchOptions options, Target local, IReadOnlyList<Target> remotes) => (Options, Local, Remotes) = (options, local, remotes);

    public BenchOptions Options { get; }

    public Target Local { get; }

    public IReadOnlyList<Target> Remotes { get; }

    /// <summary>The same requests, drawn in other shares.</summary>
    /// <param name="options">Must have the same paths, size and number of znodes.</param>
    public Workload With(BenchOptions options) => new(options, Local, Remotes);

    public IEnumerable<Target> Targets => [Local, .. Remotes];

    /// <summary>Data that no server or link could compress, the same in every run.</summary>
    public static byte[] Value(int size)
    {
        var data = new byte[size];
        new Random(4711).NextBytes(data);
        return data;
    }

    public static string NameOf(int znode) => $"n{znode:d6}";

    private static Target NewTarget(bool isLocal, string parent, BenchOptions options, byte[] data)
    {
        var root = ZnodePath.Join(parent, options.Root);
        var reads = new byte[options.Znodes][];
        var updates = new byte[options.Znodes][];
        var writer = new JuteWriter(options.Size + 256);
        for (var i = 0; i < options.Znodes; i++)
        {
            var path = $"{root}/{NameOf(i)}";
            reads[i] = Frame(writer, OpCode.GetData, new PathWatchRequest(path, false).Write);
            updates[i] = Frame(writer, OpCode.SetData, new SetDataRequest(path, data, -1).Write);
        }
        return new Target(isLocal, root, reads, updates);
    }

    private static byte[] Frame(JuteWriter writer, OpCode op, Action<JuteWriter> body)
    {
        writer.Clear();
        var mark = writer.BeginFrame();
        new RequestHeader(0, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }
}
