using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>
/// The end of a session: of its sessions in other clusters first, then of home's. Where a link is lost before its cluster has answered, the
/// cluster is asked again on the next one, for a while: a session that is left to its timeout holds its locks that long.
/// </summary>
internal sealed class SoloClose(int xid, ReadOnlySpan<byte> frame) : SoloRequest(xid, OpCode.CloseSession, frame)
{
    /// <summary>
    /// How long a close waits for clusters that can't be reached, in milliseconds, but no longer than a third of the client's timeout.
    /// </summary>
    public const int LongestWaitMs = 5000;

    // Sessions that are not known to have ended. A link whose session is another one by now has none of them: its server refused it.
    private readonly List<(SessionLink Link, long SessionId)> _left = [];
    private long _dueMs;

    public override void Begin(ISoloSession session)
    {
        base.Begin(session);
        _dueMs = session.NowMs + Math.Min(LongestWaitMs, session.TimeoutMs / 3);
        foreach (var link in session.Links)
        {
            if (link.IsHome)
            {
                continue;
            }
            if (link.Phase == LinkPhase.Ready)
            {
                End(session, link);
            }
            else if (link.SessionId != 0 && link.Book.MayOwnAny)
            {
                _left.Add((link, link.SessionId));
            }
        }
    }

    /// <summary>Home's session ends last: while the client has it, nobody else may take the others over.</summary>
    public override bool MayRun(ISoloSession session)
    {
        for (var i = _left.Count - 1; i >= 0; i--)
        {
            var (link, sessionId) = _left[i];
            if (link.SessionId != sessionId || session.NowMs >= _dueMs)
            {
                _left.RemoveAt(i);
            }
            else if (link.Phase == LinkPhase.Ready)
            {
                _left.RemoveAt(i);
                End(session, link);
            }
            else if (link.Phase == LinkPhase.Closed && session.NowMs >= link.RetryAtMs)
            {
                session.Open(link);
            }
        }
        return _left.Count == 0 && Waiting == 0;
    }

    private void End(ISoloSession session, SessionLink link)
    {
        var sessionId = link.SessionId;
        Waiting++;
        link.Book.Release();
        session.Ask(link, 0, OpCode.CloseSession, _ => { }, (header, _) =>
        {
            Waiting--;
            if (header.Error == ErrorCode.ConnectionLoss)
            {
                _left.Add((link, sessionId));
            }
        });
    }
}
