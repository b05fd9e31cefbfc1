namespace ZooNet.Server.Cluster;

/// <summary>
/// The leader as one observer sees it: in this process (<see cref="EmbeddedLeader"/>), or a real ensemble's (<see
/// cref="Quorum.LearnerConnection"/>). Nothing is answered before the call returns. Answers arrive as <see cref="Commit"/>s, each behind
/// all that the leader had committed before. Safe for any thread; a leader that has been lost swallows what it is given, and its observer
/// is told that it is lost.
/// </summary>
internal interface ILeader
{
    /// <summary>Orders a client's write, sync or closeSession.</summary>
    void Submit(WaitingRequest request);

    /// <summary>Creates a session with an id that the observer chose.</summary>
    /// <param name="request">What waits for it.</param>
    /// <param name="sessionId">An id that no other session of the ensemble has.</param>
    /// <param name="timeoutMs">Its timeout in milliseconds.</param>
    void CreateSession(WaitingRequest request, long sessionId, int timeoutMs);

    /// <summary>Asks whether a session lives that a client brings along; if it does, it is this observer's from then on.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="timeoutMs">Its new timeout in milliseconds.</param>
    /// <param name="answer">Called once, by any thread. Never called where the leader is lost first.</param>
    void Revalidate(long sessionId, int timeoutMs, Action<bool> answer);

    /// <summary>These sessions were heard of since the last call.</summary>
    /// <param name="sessions">Their ids, with their timeouts in milliseconds.</param>
    void Touch(IReadOnlyCollection<KeyValuePair<long, int>> sessions);
}
