using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>Credentials: home judges them, and the clusters whose mounts forward them get them too.</summary>
internal sealed class SoloAuth(int xid, ReadOnlySpan<byte> frame) : SoloRequest(xid, OpCode.Auth, frame)
{
    public override void Begin(ISoloSession session)
    {
        base.Begin(session);
        var reader = Body;
        var request = AuthRequest.Read(ref reader);
        if (reader.Failed || request.Scheme != "digest")
        {
            // Only digest credentials mean the same in every cluster: an address or a ticket is this connection's.
            return;
        }
        // Kept at once: a link that becomes ready before home has answered needs them too. If home refuses, the session ends anyway.
        if (!session.TryKeep(request))
        {
            Steps.Clear();
            return;
        }
        foreach (var link in session.Links)
        {
            if (!link.IsHome && link.Phase == LinkPhase.Ready && session.Mounts.ForwardsAuth(link.Cluster))
            {
                Waiting++;
                session.Ask(link, Xids.Auth, OpCode.Auth, request.Write, (_, _) => Waiting--);
            }
        }
    }
}
