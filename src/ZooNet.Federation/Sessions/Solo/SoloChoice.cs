using System.Text;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>Which requests are carried out alone. A new operation that concerns several clusters is entered here.</summary>
internal static class SoloChoice
{
    /// <summary>The solo request that one becomes which does not begin with a path; null if home alone is asked.</summary>
    /// <param name="request">The request.</param>
    /// <param name="mounts">The mounts in use.</param>
    /// <param name="usesHomeOnly">Whether the session has no link but home's.</param>
    /// <param name="hasRemotes">Whether the region has remote clusters, mounted or not.</param>
    public static SoloRequest? Of(in ClientRequest request, MountTable mounts, bool usesHomeOnly, bool hasRemotes)
    {
        var (xid, op) = (request.Xid, request.Op);
        var frame = request.Frame;
        switch (op)
        {
            case OpCode.GetEphemerals:
                return usesHomeOnly ? null : new SoloEphemerals(xid, frame);
            case OpCode.SetWatches or OpCode.SetWatches2:
                return hasRemotes ? mounts.IsEmpty && op == OpCode.SetWatches ? null : new SoloSetWatches(xid, op, frame)
                    : WatchesNothing(request) ? new SoloSetWatches(xid, op, frame) : null;
            case OpCode.Auth:
                // Servers let these overtake; alone on the link they can't.
                return new SoloAuth(xid, frame);
            case OpCode.Sasl:
                return new SoloAtHome(xid, op, frame);
            case OpCode.CloseSession:
                return usesHomeOnly ? null : new SoloClose(xid, frame);
            default:
                return null;
        }
    }

    /// <summary>Whether persistent watches are set again of which one is on a null path: home must not get that one.</summary>
    private static bool WatchesNothing(in ClientRequest request)
    {
        if (request.Op != OpCode.SetWatches2)
        {
            return false;
        }
        var reader = new JuteReader(request.Body);
        reader.ReadLong();
        for (var kind = 0; kind < 5; kind++)
        {
            var paths = reader.ReadNullableStrings() ?? [];
            if (kind >= 3 && paths.Contains(null))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>
    /// The solo request that one for a path at home becomes if something is mounted below, or may be; null if home alone is asked.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="path">Its path.</param>
    /// <param name="mounts">The mounts in use.</param>
    /// <param name="recursive">The znodes at home that the client watches recursively; made when there is one.</param>
    public static SoloRequest? Below(in ClientRequest request, ReadOnlySpan<byte> path, MountTable mounts, ref PathSet? recursive)
    {
        var home = Encoding.UTF8.GetString(path);
        if (ZnodePath.Validate(home) is not null)
        {
            return null;
        }
        var (xid, op) = (request.Xid, request.Op);
        var frame = request.Frame;
        switch (op)
        {
            case OpCode.AddWatch when request.WatchKind == (int)AddWatchMode.PersistentRecursive:
                // Also where nothing is mounted below: a mount may come.
                (recursive ??= new()).Add(home);
                return mounts.AnyBelow(home) ? new SoloWatchBelow(xid, op, frame) : null;
            case OpCode.RemoveWatches when (WatcherType)request.WatchKind is WatcherType.Any or WatcherType.PersistentRecursive
                && recursive?.Contains(home) == true:
                if (mounts.AnyBelow(home))
                {
                    return new SoloWatchBelow(xid, op, frame);
                }
                recursive.Remove(home);
                return null;
            case OpCode.GetAllChildrenNumber when mounts.AnyBelow(home):
                return new SoloCount(xid, frame, mounts.Below(home));
            default:
                return null;
        }
    }
}
