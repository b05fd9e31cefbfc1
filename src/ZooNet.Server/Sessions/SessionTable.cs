namespace ZooNet.Server.Sessions;

/// <summary>
/// The leader's sessions: when each was last heard of, and which replica serves it. Sessions expire at multiples of a tick, as
/// ZooKeeper's do. Used under the leader's gate only.
/// </summary>
internal sealed class SessionTable(TimeProvider time, TimeSpan tick)
{
    private readonly Dictionary<long, Session> _sessions = [];

    public int Count => _sessions.Count;

    public IEnumerable<Session> All => _sessions.Values;

    public Session? Find(long id) => _sessions.GetValueOrDefault(id);

    public void Add(long id, int timeoutMs, object owner) => _sessions[id] = new Session(id, timeoutMs, owner) { HeardAt = time.GetTimestamp() };

    public void Remove(long id) => _sessions.Remove(id);

    /// <summary>The session has been heard of.</summary>
    public void Touch(long id)
    {
        if (_sessions.TryGetValue(id, out var session))
        {
            session.HeardAt = time.GetTimestamp();
        }
    }

    /// <summary>When the session expires unless it is heard of: the first tick after its timeout.</summary>
    public TimeSpan ExpiresAfter(Session session)
    {
        var due = TimeSpan.FromSeconds((double)session.HeardAt / time.TimestampFrequency) + TimeSpan.FromMilliseconds(session.TimeoutMs);
        return new TimeSpan(((due.Ticks / tick.Ticks) + 1) * tick.Ticks);
    }

    /// <summary>Sessions whose time is over.</summary>
    public List<Session> Expired()
    {
        var now = TimeSpan.FromSeconds((double)time.GetTimestamp() / time.TimestampFrequency);
        return [.. _sessions.Values.Where(s => ExpiresAfter(s) <= now)];
    }
}

/// <summary>One session as the leader knows it.</summary>
internal sealed class Session(long id, int timeoutMs, object owner)
{
    public long Id => id;
    public int TimeoutMs { get; set; } = timeoutMs;

    /// <summary>Where it was last attached, the leader itself or one of its observers: writes through another are refused.</summary>
    public object Owner { get; set; } = owner;

    /// <summary>A timestamp of the leader's clock.</summary>
    public long HeardAt { get; set; }
}
