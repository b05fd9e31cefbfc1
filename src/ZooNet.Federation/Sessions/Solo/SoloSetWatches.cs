using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>Watches that a client sets again after it was reconnected: each in the cluster in which it is.</summary>
internal sealed class SoloSetWatches(int xid, OpCode op, ReadOnlySpan<byte> frame) : SoloRequest(xid, op, frame)
{
    public override void Begin(ISoloSession session)
    {
        var reader = Body;
        var request = SetWatchesRequest.Read(ref reader, Op);
        if (reader.Failed)
        {
            base.Begin(session);
            return;
        }
        if (request.EndsInNull)
        {
            // Home is sent what comes before the null, and can't see it.
            Error = ErrorCode.MarshallingError;
        }
        var mounts = session.Mounts;
        var recursive = request.PersistentRecursive.Where(p => mounts.Find(p) is null).ToList();
        if (recursive.Count > 0)
        {
            session.Recursive.UnionWith(recursive);
        }
        string[] AtHome(string[] paths) => [.. paths.Where(p => mounts.Find(p) is null)];
        var home = request with
        {
            Data = AtHome(request.Data),
            Exist = AtHome(request.Exist),
            Child = AtHome(request.Child),
            Persistent = AtHome(request.Persistent),
            PersistentRecursive = AtHome(request.PersistentRecursive),
        };
        var writer = new JuteWriter(Frame.Length);
        var mark = writer.BeginFrame();
        new RequestHeader(Xid, Op).Write(writer);
        home.Write(writer, Op);
        writer.EndFrame(mark);
        Steps.Enqueue(writer.Written.ToArray());
        foreach (var cluster in mounts.Mounts.Select(m => m.Cluster).Distinct())
        {
            string[] There(string[] paths) => [.. paths.Where(p => mounts.Find(p)?.Cluster == cluster)];
            var below = recursive.SelectMany(p => mounts.Below(p)).Where(m => m.Cluster == cluster).Select(m => m.Path);
            var part = new SetWatchesRequest(0, There(request.Data), There(request.Exist), There(request.Child), There(request.Persistent),
                [.. There(request.PersistentRecursive).Concat(below).Distinct()]);
            if (part.Data.Length + part.Exist.Length + part.Child.Length + part.Persistent.Length + part.PersistentRecursive.Length > 0)
            {
                BeginThere(session, session.LinkTo(cluster), part);
            }
        }
    }

    private void BeginThere(ISoloSession session, SessionLink link, SetWatchesRequest part)
    {
        link.Book.Watch().AddAll(part.Data, part.Exist, part.Child, part.Persistent, part.PersistentRecursive);
        // They were set on another connection. What that one had shown of this cluster is not known here: a spurious event, not a lost one.
        link.Book.WatchesUnarmed = true;
        if (link.Phase == LinkPhase.Ready)
        {
            Waiting += session.SetWatches(link, InItsTerms(part, session.Mounts), () => Waiting--);
        }
        else if (link.Phase == LinkPhase.Closed)
        {
            // Armed as soon as the cluster can be reached: late, never lost.
            session.Open(link);
        }
    }

    private static SetWatchesRequest InItsTerms(SetWatchesRequest part, MountTable mounts)
    {
        string[] Remote(string[] paths) => [.. paths.Select(p => mounts.Find(p)!.ToRemote(p))];
        return part with
        {
            Data = Remote(part.Data),
            Exist = Remote(part.Exist),
            Child = Remote(part.Child),
            Persistent = Remote(part.Persistent),
            PersistentRecursive = Remote(part.PersistentRecursive),
        };
    }
}
