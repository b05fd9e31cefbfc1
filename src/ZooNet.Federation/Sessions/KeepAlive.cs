namespace ZooNet.Federation.Sessions;

/// <summary>
/// When a client's sessions must be told that it lives. A client has one session per cluster, and its library pings only when it was
/// silent: so whatever the client sends, wherever it goes, is a sign of life for all of them. Time is handed in, a verdict comes out.
/// Single owner: its session.
/// </summary>
/// <remarks>
/// The client's own lease is home's: it lives until it has been silent for the timeout that home granted. Each link has a lease too,
/// which runs for the timeout that its cluster granted from what was last sent on it. A link is due when its lease would end before the
/// client's. Nothing renews a lease beyond what the client itself has sent, but that it waits for an answer: ZooKeeper's C client does
/// not ping then. It is taken to live for one more timeout, as long as it is sent signs of life itself; after that it must say so.
/// </remarks>
internal struct KeepAlive
{
    /// <summary>
    /// A link is told of the client at the latest this part of its timeout after the client was heard. Small enough that a client which
    /// falls silent keeps each session for almost its whole timeout, large enough that a busy client costs few pings.
    /// </summary>
    private const int PartOfTimeout = 12;

    /// <summary>When the client was last heard, in milliseconds of the host's clock.</summary>
    public long HeardMs { get; private set; }

    /// <summary>When something was last sent to the client.</summary>
    public long ToldMs { get; private set; }

    /// <summary>The client has sent something.</summary>
    public void Heard(long nowMs) => HeardMs = nowMs;

    /// <summary>Something was sent to the client.</summary>
    public void Told(long nowMs) => ToldMs = nowMs;

    /// <summary>Is a link's session to be told now that the client lives?</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="lastSentMs">When something was last sent on the link.</param>
    /// <param name="grantedMs">The timeout that the link's cluster granted.</param>
    /// <param name="timeoutMs">The timeout of the client's session, which is home's.</param>
    /// <param name="waiting">Whether the client waits for an answer, so that its silence says nothing.</param>
    public readonly bool IsDue(long nowMs, long lastSentMs, int grantedMs, int timeoutMs, bool waiting)
    {
        var since = nowMs - lastSentMs;
        if (since < grantedMs / PartOfTimeout)
        {
            return false;
        }
        if (IsOwed(lastSentMs))
        {
            return true;
        }
        // A cluster that granted less than home must be told more often than the client is heard, but not so late that its session
        // outlives home's.
        return since >= grantedMs / 3 && (nowMs + grantedMs <= HeardMs + timeoutMs || (waiting && !IsSilent(nowMs, timeoutMs)));
    }

    /// <summary>Whether the client was heard after something was last sent on a link.</summary>
    public readonly bool IsOwed(long lastSentMs) => lastSentMs < HeardMs;

    /// <summary>Whether the client was silent for longer than a time, its session timeout as a rule.</summary>
    public readonly bool IsSilent(long nowMs, int forMs) => nowMs - HeardMs > forMs;

    /// <summary>
    /// Whether the client is given up. One that waits gets another timeout: it was told for the last time when the first one ended, and
    /// if it lives it has tried another server before the second does, since libraries give a server up after two thirds of the
    /// timeout.
    /// </summary>
    public readonly bool IsGivenUp(long nowMs, int timeoutMs, bool waiting) => nowMs - HeardMs > (waiting ? 2L * timeoutMs : timeoutMs);

    /// <summary>
    /// Whether a client that waits needs a sign of life itself: libraries give a server up after two thirds of the timeout.
    /// </summary>
    public readonly bool WantsSign(long nowMs, int timeoutMs) => nowMs - ToldMs >= timeoutMs / 4 && !IsSilent(nowMs, timeoutMs);
}
