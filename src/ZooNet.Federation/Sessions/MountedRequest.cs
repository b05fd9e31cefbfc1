using System.Text;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>A multi that is carried out nowhere, because of one of its operations.</summary>
/// <param name="Count">How many operations it has.</param>
/// <param name="Offender">Which of them is the reason.</param>
/// <param name="Error">What is wrong with it.</param>
internal readonly record struct FailedMulti(int Count, int Offender, ErrorCode Error)
{
    /// <summary>Writes the results as a server would.</summary>
    public void Write(JuteWriter writer)
    {
        for (var i = 0; i < Count; i++)
        {
            MultiHeader.WriteErrorResult(writer, i < Offender ? ErrorCode.Ok : i == Offender ? Error : ErrorCode.RuntimeInconsistency);
        }
        MultiHeader.End.Write(writer);
    }
}

/// <summary>
/// A request for one mounted cluster, be it for one znode or a multi: what must be known of it on its way there. All of them go the
/// same way (step 3 of the dispatcher); here is what differs. Pure, and a view of the request's frame.
/// </summary>
internal readonly ref struct MountedRequest
{
    private readonly ReadOnlySpan<byte> _path;
    private readonly MountTable? _table;

    private MountedRequest(Mount mount, OpCode op, ReadOnlySpan<byte> path, MountTable? table)
    {
        Mount = mount;
        IsWrite = op.IsWrite();
        _path = path;
        _table = table;
    }

    /// <summary>The mount that it is for; of a multi, that of the first operation.</summary>
    public Mount Mount { get; }

    /// <summary>Whether it is ordered by its cluster's leader.</summary>
    public bool IsWrite { get; }

    /// <summary>Whether a strict mount is among those that it touches.</summary>
    public bool IsStrict { get; private init; }

    /// <summary>Whether a read of it waits for barriers.</summary>
    public bool Barriers { get; private init; }

    /// <summary>Whether it makes ephemeral znodes.</summary>
    public bool MakesEphemerals { get; private init; }

    /// <summary>Whether it is a multi that touches more than one mount.</summary>
    private bool IsMixed { get; init; }

    /// <summary>The mount that forbids it: a read-only one, or one whose mount point it deletes; null if none does.</summary>
    public Mount? RefusedBy { get; private init; }

    /// <summary>How a multi is refused; null if it is none.</summary>
    public FailedMulti? Refusal { get; private init; }

    /// <summary>A request whose body begins with a path.</summary>
    /// <param name="request">The request.</param>
    /// <param name="path">Its path.</param>
    /// <param name="mount">The mount that it goes to.</param>
    public static MountedRequest Of(scoped in ClientRequest request, ReadOnlySpan<byte> path, Mount mount)
    {
        var op = request.Op;
        var isRefused = (op.IsWrite() && mount.Options.ReadOnly) || (op == OpCode.Delete && path.Length == mount.PathUtf8.Length);
        return new MountedRequest(mount, op, path, null)
        {
            IsStrict = mount.Options.Order == MountOrder.Strict,
            Barriers = mount.Options.Barriers,
            MakesEphemerals = op.IsCreate() && op != OpCode.CreateTtl && op != OpCode.CreateContainer
                && CreateFlags.IsEphemeral(RequestRewriter.CreateFlagsOf(request.Frame)),
            RefusedBy = isRefused ? mount : null,
        };
    }

    /// <summary>A multi or a multiRead whose operations are all for one mounted cluster.</summary>
    /// <param name="request">The request.</param>
    /// <param name="scan">What it touches.</param>
    /// <param name="table">The mounts in use.</param>
    public static MountedRequest OfMulti(scoped in ClientRequest request, scoped in RequestRewriter.MultiScan scan, MountTable table)
    {
        var (isStrict, barriers, isMixed) = (false, false, false);
        Mount? refusedBy = null;
        var (refused, at) = (-1, 0);
        var operations = new MultiOperations(request.Frame);
        for (; operations.MoveNext(); at++)
        {
            var mount = Routing.MountOf(table, operations.Op, operations.Path, operations.Flags)!;
            isStrict |= mount.Options.Order == MountOrder.Strict;
            barriers |= mount.Options.Barriers;
            isMixed |= mount != scan.Mount;
            if (refusedBy is null && request.Op == OpCode.Multi && IsForbidden(operations, mount))
            {
                (refusedBy, refused) = (mount, at);
            }
        }
        return new MountedRequest(scan.Mount!, request.Op, default, table)
        {
            IsStrict = isStrict,
            Barriers = barriers,
            IsMixed = isMixed,
            MakesEphemerals = scan.MakesEphemerals,
            RefusedBy = refusedBy,
            Refusal = refusedBy is not null ? new FailedMulti(at, refused, ErrorCode.NoAuth) : null,
        };
    }

    /// <summary>Whether an operation of a multi writes to a read-only mount, which a check does not, or deletes a mount point.</summary>
    private static bool IsForbidden(in MultiOperations operation, Mount mount) => operation.Op != OpCode.Check
        && (mount.Options.ReadOnly || (operation.Op == OpCode.Delete && operation.Path.Length == mount.PathUtf8.Length));

    /// <summary>Writes it in the cluster's own terms.</summary>
    /// <param name="request">The request.</param>
    /// <param name="writer">Gets the whole frame.</param>
    /// <param name="table">The mounts in use.</param>
    /// <param name="kind">How its reply is treated.</param>
    /// <returns>The operation as it is sent: a listing is asked for with its Stat, which tells which change of the list it shows.</returns>
    public OpCode Rewrite(in ClientRequest request, JuteWriter writer, MountTable table, out PendingKind kind)
    {
        kind = PendingKind.Forward;
        if (_table is not null)
        {
            RequestRewriter.WriteMulti(writer, request.Frame, table);
            return request.Op;
        }
        var op = request.Op;
        if (op == OpCode.GetChildren)
        {
            op = OpCode.GetChildren2;
            kind = PendingKind.StripStat;
        }
        RequestRewriter.WritePathRequest(writer, request.Frame, op, _path, Mount);
        return op;
    }

    /// <summary>What its reply will change; null if nothing.</summary>
    /// <param name="request">The request.</param>
    /// <param name="ownsEphemerals">Whether the client owns ephemeral znodes in the cluster.</param>
    public ReplyEffect? Effect(in ClientRequest request, bool ownsEphemerals)
    {
        if (_table is not null)
        {
            // The results of reads name no paths, and those of one mount are all translated alike: nothing need be kept for them.
            var touchesEphemerals = MakesEphemerals || ownsEphemerals;
            return IsWrite && (IsMixed || touchesEphemerals)
                ? new MultiEffect(request.Frame.ToArray(), _table, touchesEphemerals, MakesEphemerals) : null;
        }
        switch (request.Op)
        {
            case OpCode.GetData or OpCode.Exists or OpCode.GetChildren or OpCode.GetChildren2:
                return request.LeavesWatch ? new LeavesWatch(request.Op, Encoding.UTF8.GetString(_path)) : null;
            case OpCode.AddWatch:
                return new AddsWatch(Encoding.UTF8.GetString(_path), (AddWatchMode)request.WatchKind);
            case OpCode.RemoveWatches:
                return new RemovesWatches(Encoding.UTF8.GetString(_path), (WatcherType)request.WatchKind);
            case OpCode.Delete when ownsEphemerals:
                return new Deletes(Encoding.UTF8.GetString(_path));
            default:
                return MakesEphemerals ? MakesEphemeral.Instance : null;
        }
    }
}
