using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>
/// A recursive watch that spans mount points: answered by home, set at once in every cluster that is connected, and in the others
/// as soon as they are. A cluster that is down does not keep a client from watching its own.
/// </summary>
internal sealed class SoloWatchBelow(int xid, OpCode op, ReadOnlySpan<byte> frame) : SoloRequest(xid, op, frame)
{
    public override void Begin(ISoloSession session)
    {
        base.Begin(session);
        RequestRewriter.TryGetPath(Frame, out var path);
        var home = Encoding.UTF8.GetString(path);
        if (Op == OpCode.RemoveWatches)
        {
            session.Recursive.Remove(home);
        }
        foreach (var mount in session.Mounts.Below(home))
        {
            var link = session.LinkTo(mount.Cluster);
            var watches = link.Book.Watch();
            var kind = (int)AddWatchMode.PersistentRecursive;
            if (Op == OpCode.AddWatch)
            {
                watches.Add(AddWatchMode.PersistentRecursive, mount.Path);
            }
            else if (session.Recursive.Any(p => ZnodePath.IsAtOrUnder(mount.Path, p)))
            {
                continue;
            }
            else
            {
                // A server before 3.9 can't take back this kind alone; what it still sends is nobody's and ends here.
                watches.Remove(WatcherType.PersistentRecursive, mount.Path);
                kind = (int)WatcherType.PersistentRecursive;
            }
            if (link.Phase == LinkPhase.Ready && !link.IsOld(session.NowMs))
            {
                Waiting++;
                session.Ask(link, 0, Op, new PathKindRequest(mount.RemotePath, kind).Write, (_, _) => Waiting--);
            }
            else if (link.Phase == LinkPhase.Closed && Op == OpCode.AddWatch)
            {
                session.Open(link);
            }
        }
    }
}
