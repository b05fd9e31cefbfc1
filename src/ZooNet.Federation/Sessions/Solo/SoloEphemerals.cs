using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>
/// The client's ephemeral znodes: those at home, and in each cluster in which it may have some, as fresh as a read there.
/// </summary>
internal sealed class SoloEphemerals(int xid, ReadOnlySpan<byte> frame) : SoloRequest(xid, OpCode.GetEphemerals, frame)
{
    private readonly List<string> _paths = [];
    private string _prefix = "";

    public override void Begin(ISoloSession session)
    {
        base.Begin(session);
        var reader = Body;
        _prefix = reader.ReadString() ?? "";
        foreach (var link in session.Links)
        {
            if (!link.IsHome && link.Book.MayOwn(IsAsked))
            {
                Links.Enqueue(link);
            }
        }
    }

    public override bool TryAsk(ISoloSession session, SessionLink link)
    {
        if (link.Phase != LinkPhase.Ready)
        {
            // A list without them would say that they are gone.
            Error = ErrorCode.ConnectionLoss;
            return true;
        }
        var mounts = session.Mounts.Mounts.Where(m => m.Cluster == link.Cluster).ToList();
        if (mounts.Count == 0)
        {
            return true;
        }
        if (!session.Freshen(link, mounts[0].Counters, mounts.Exists(m => m.Options.Barriers)))
        {
            return false;
        }
        Waiting++;
        session.Ask(link, 0, OpCode.GetEphemerals, writer => writer.WriteString(null), (header, body) =>
        {
            Waiting--;
            if (header.Error != ErrorCode.Ok)
            {
                Error = header.Error;
                return;
            }
            var paths = new JuteReader(body.Span);
            foreach (var remote in paths.ReadStrings())
            {
                _paths.AddRange(mounts.Select(m => m.ToLocal(remote)).OfType<string>().Where(IsAsked));
            }
        });
        return true;
    }

    private bool IsAsked(string path) => path.StartsWith(_prefix, StringComparison.Ordinal);

    public override bool TryWrite(JuteWriter writer)
    {
        var reader = new JuteReader(Replies[0].AsSpan(BodyOffset));
        writer.WriteStrings([.. reader.ReadStrings().Concat(_paths).Distinct()]);
        return true;
    }
}
