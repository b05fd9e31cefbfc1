using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>The end of a session: of its sessions in all clusters that are connected, and of home's.</summary>
internal sealed class SoloClose(int xid, ReadOnlySpan<byte> frame) : SoloRequest(xid, OpCode.CloseSession, frame)
{
    public override void Begin(ISoloSession session)
    {
        base.Begin(session);
        foreach (var link in session.Links)
        {
            if (link.Cluster > 0 && link.Phase == LinkPhase.Ready)
            {
                Waiting++;
                session.Ask(link, 0, OpCode.CloseSession, _ => { }, (_, _) => Waiting--);
                link.HasStrictEphemerals = false;
            }
        }
    }
}
