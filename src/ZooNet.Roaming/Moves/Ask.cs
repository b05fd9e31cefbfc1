using ZooNet.Protocol;

namespace ZooNet.Roaming.Moves;

/// <summary>What an ask is.</summary>
internal enum AskKind
{
    /// <summary>The data and Stat of a znode, after a sync on the same session.</summary>
    Read,

    /// <summary>The names of a znode's children, after a sync on the same session.</summary>
    Names,

    /// <summary>A multi: all of it or nothing.</summary>
    Write,

    /// <summary>Wait until the proxy's own copy has applied so much. It may be answered at once where no copy is kept.</summary>
    Applied,
}

/// <summary>What one part of a multi does.</summary>
internal enum WriteKind
{
    /// <summary>The data version is this one.</summary>
    Check,

    /// <summary>Create a znode of this name.</summary>
    Create,

    /// <summary>Create a znode whose name the ensemble completes by the next number.</summary>
    CreateSequential,

    /// <summary>Set the data where the version is this one.</summary>
    Set,

    /// <summary>Delete the znode where the version is this one; -1 for any.</summary>
    Delete,
}

/// <summary>One part of a multi.</summary>
internal readonly record struct ZnodeWrite(WriteKind Kind, string Path, byte[]? Data, int Version)
{
    /// <summary>The data version is this one.</summary>
    public static ZnodeWrite Check(string path, int version) => new(WriteKind.Check, path, null, version);

    /// <summary>Create a znode.</summary>
    public static ZnodeWrite Create(string path, byte[]? data) => new(WriteKind.Create, path, data, -1);

    /// <summary>Create a znode with the next number.</summary>
    public static ZnodeWrite CreateSequential(string path, byte[]? data) => new(WriteKind.CreateSequential, path, data, -1);

    /// <summary>Set the data.</summary>
    public static ZnodeWrite Set(string path, byte[]? data, int version) => new(WriteKind.Set, path, data, version);

    /// <summary>Delete the znode.</summary>
    public static ZnodeWrite Delete(string path, int version = -1) => new(WriteKind.Delete, path, null, version);
}

/// <summary>
/// One request to one ensemble, and its answer. A procedure hands it out; its host carries it out, fills in the answer and lets the
/// procedure go
/// on. Requests of one procedure to one ensemble go through one session, in order.
/// </summary>
internal sealed class Ask
{
    private Ask(AskKind kind, string zone, string path, IReadOnlyList<ZnodeWrite> writes, long index) =>
        (Kind, Zone, Path, Writes, Index) = (kind, zone, path, writes, index);

    public AskKind Kind { get; }

    /// <summary>Whose ensemble; empty for <see cref="AskKind.Applied"/>.</summary>
    public string Zone { get; }

    /// <summary>The znode to read.</summary>
    public string Path { get; }

    /// <summary>The parts of the multi.</summary>
    public IReadOnlyList<ZnodeWrite> Writes { get; }

    /// <summary>
    /// Reads of the same ensemble that follow a write on its session, without waiting for its answer. They tell something only where the
    /// write succeeded.
    /// </summary>
    public IReadOnlyList<Ask> Then { get; init; } = [];

    /// <summary>What the copy must have applied.</summary>
    public long Index { get; }

    /// <summary>
    /// The answer: Ok, or the error of the first part that failed. <see cref="ErrorCode.ConnectionLoss"/>: no answer came, and nobody knows
    /// whether the write took effect, or still will.
    /// </summary>
    public ErrorCode Error { get; set; }

    /// <summary>The znode's data.</summary>
    public byte[]? Data { get; set; }

    /// <summary>The znode's Stat.</summary>
    public Stat Stat { get; set; }

    /// <summary>The children's names, or the path that each part of a multi created.</summary>
    public IReadOnlyList<string> Names { get; set; } = [];

    /// <summary>How many children the znode ever had: the number that the next sequential one gets.</summary>
    public int Creates => CreatesOf(Stat);

    /// <summary>How many children a znode ever had.</summary>
    public static int CreatesOf(Stat stat) => unchecked(stat.Cversion + stat.NumChildren) / 2;

    /// <summary>Reads a znode.</summary>
    public static Ask Read(string zone, string path) => new(AskKind.Read, zone, path, [], 0);

    /// <summary>Lists a znode's children.</summary>
    public static Ask List(string zone, string path) => new(AskKind.Names, zone, path, [], 0);

    /// <summary>Writes all or nothing.</summary>
    public static Ask Write(string zone, params IReadOnlyList<ZnodeWrite> writes) => new(AskKind.Write, zone, "", writes, 0);

    /// <summary>Writes all or nothing, and reads on the same session what is there then.</summary>
    public static Ask Write(string zone, ZnodeWrite write, params IReadOnlyList<Ask> then) =>
        new(AskKind.Write, zone, "", [write], 0) { Then = then };

    /// <summary>Waits for the own copy.</summary>
    public static Ask Applied(long index) => new(AskKind.Applied, "", "", [], index);

    public override string ToString() => Kind switch
    {
        AskKind.Write => $"{Zone}: {string.Join(", ", Writes.Select(w => $"{w.Kind} {w.Path} {w.Version}"))} -> {Error}",
        AskKind.Applied => $"applied {Index}",
        _ => $"{Zone}: {Kind} {Path} -> {Error}",
    };
}

/// <summary>How a procedure ended.</summary>
internal enum End
{
    /// <summary>It runs, or its host has given it up.</summary>
    None,

    /// <summary>It did what it was made for, or found it done.</summary>
    Done,

    /// <summary>Somebody else did something else meanwhile. Nothing is half done: look again, and begin anew if it is still
    /// wanted.</summary>
    Overtaken,

    /// <summary>An ensemble did not answer. Begin anew later; anybody may.</summary>
    Unreachable,

    /// <summary>It can't be done; the reason says why, and what to do.</summary>
    Refused,
}

/// <summary>
/// Steps over several ensembles: hands out one ask after the other. It may be given up after any of them. It holds no lock and no lease:
/// what
/// it did is in the ensembles, and whoever begins anew goes on from there.
/// </summary>
internal abstract class Procedure
{
    /// <summary>How it ended.</summary>
    public End End { get; protected set; }

    /// <summary>Why it was refused; else empty.</summary>
    public string Reason { get; protected set; } = "";

    /// <summary>The steps. Enumerate them once.</summary>
    public abstract IEnumerable<Ask> Steps();

    /// <summary>The end for an ask that did not succeed and can't be gone round.</summary>
    protected void Stop(Ask ask)
    {
        if (ask.Error == ErrorCode.ConnectionLoss)
        {
            End = End.Unreachable;
        }
        else
        {
            Refuse($"the ensemble of {ask.Zone} answered {ask.Error} to {(ask.Writes.Count > 0 ? ask.Writes[0].Path : ask.Path)}");
        }
    }

    protected void Refuse(string reason) => (End, Reason) = (End.Refused, reason);
}
