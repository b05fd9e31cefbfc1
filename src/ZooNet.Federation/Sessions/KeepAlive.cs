namespace ZooNet.Federation.Sessions;

/// <summary>
/// When a client's sessions must be told that it lives. A client has one session per cluster, and its library pings only when it was silent:
/// so whatever the client sends, wherever it goes, is a sign of life for all of them. Each link has a lease that runs from what was last sent
/// on it; what the client sends renews it. Time is handed in. Single owner: its session.
/// </summary>
internal struct KeepAlive
{
    /// <summary>
    /// A link is told of the client at the latest this part of its timeout after the client was heard. Small enough that a client which falls
    /// silent keeps each session for almost its whole timeout, large enough that a busy client costs few pings.
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
    /// <param name="timeoutMs">The timeout that the link's cluster granted.</param>
    /// <param name="waiting">
    /// Whether the client waits for an answer. Some clients do not ping then (ZooKeeper's C client), so their silence says nothing.
    /// </param>
    public readonly bool IsDue(long nowMs, long lastSentMs, int timeoutMs, bool waiting)
    {
        var since = nowMs - lastSentMs;
        return (IsOwed(lastSentMs) && since >= timeoutMs / PartOfTimeout) || (waiting && since >= timeoutMs / 3);
    }

    /// <summary>Whether the client was heard after something was last sent on a link.</summary>
    public readonly bool IsOwed(long lastSentMs) => lastSentMs < HeardMs;

    /// <summary>Whether the client was silent for longer than its session timeout.</summary>
    public readonly bool IsSilent(long nowMs, int timeoutMs) => nowMs - HeardMs > timeoutMs;

    /// <summary>Whether a client that waits needs a sign of life itself: libraries give a server up after two thirds of the timeout.</summary>
    public readonly bool WantsSign(long nowMs, int timeoutMs) => nowMs - ToldMs >= timeoutMs / 4;
}
