namespace ZooNet.Federation.Sessions;

/// <summary>One request of a client that its host follows, to time it: who answered it. Single owner: its session.</summary>
public struct RequestMark
{
    private long _request;
    // One more than the ordinal, so that a new one says that nobody has.
    private int _answeredBy;

    /// <summary>Follows a request, and forgets the one before.</summary>
    /// <param name="request">Counted from 1: <see cref="FederatedSession.Asked"/> when it had come.</param>
    public void Set(long request)
    {
        _request = request;
        _answeredBy = 0;
    }

    /// <summary>Ordinal of the cluster that answered it; -1 where nobody has yet, where that was the proxy, or several clusters.</summary>
    public readonly int AnsweredBy => _answeredBy - 1;

    /// <summary>A reply has come.</summary>
    /// <param name="link">From where; null for one that was made here.</param>
    /// <param name="place">The place of what it answers.</param>
    internal void Answered(SessionLink? link, long place)
    {
        if (place >= 0 && place == _request - 1)
        {
            _answeredBy = 1 + (link?.Cluster ?? -1);
        }
    }
}
