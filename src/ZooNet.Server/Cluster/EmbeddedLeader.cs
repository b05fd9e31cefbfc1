namespace ZooNet.Server.Cluster;

/// <summary>A leader in this process, behind a line that takes its time each way.</summary>
internal sealed class EmbeddedLeader : ILeader, IDisposable
{
    private readonly Leader _leader;
    private readonly Observer _observer;
    private readonly Func<TimeSpan> _delay;
    private readonly TimeProvider _time;
    private DelayLine _up;
    private DelayLine _down;

    public EmbeddedLeader(Leader leader, Observer observer, TimeProvider time, Func<TimeSpan> delay)
    {
        _leader = leader;
        _observer = observer;
        _delay = delay;
        _time = time;
        _up = new DelayLine(time, delay);
        _down = new DelayLine(time, delay);
    }

    /// <inheritdoc/>
    public void Submit(WaitingRequest request) => ToLeader(() => _leader.SubmitFrom(this, request));

    /// <inheritdoc/>
    public void CreateSession(WaitingRequest request, long sessionId, int timeoutMs) =>
        ToLeader(() => _leader.CreateSessionFrom(this, request, sessionId, timeoutMs));

    /// <inheritdoc/>
    public void Revalidate(long sessionId, int timeoutMs, Action<bool> answer)
    {
        var down = _down;
        ToLeader(() =>
        {
            var valid = _leader.Revalidate(this, sessionId, timeoutMs);
            down.Post(() => answer(valid));
        });
    }

    /// <inheritdoc/>
    public void Touch(IReadOnlyCollection<KeyValuePair<long, int>> sessions) => ToLeader(() => _leader.TouchFrom(this, sessions.Select(s => s.Key)));

    /// <summary>The leader tells what it has committed: it arrives after the delay.</summary>
    public void Tell(Commit commit)
    {
        var own = commit.Origin?.Connection.Replica == _observer ? commit : commit with { Origin = null };
        _down.Post(() => _observer.Receive(own));
    }

    /// <summary>
    /// The observer becomes a copy of the leader's tree, and learns every transaction from now on. Under the leader's gate.
    /// </summary>
    public void Synchronise() => _observer.Synchronise(_leader.Tree);

    /// <summary>Follows from now on.</summary>
    public void Connect() => _leader.Add(this);

    /// <summary>Nothing gets through any more.</summary>
    public void Disconnect()
    {
        _leader.Remove(this);
        _up.Dispose();
        _down.Dispose();
    }

    /// <summary>The way is open again: after a round trip it follows.</summary>
    public void Reconnect()
    {
        _up.Dispose();
        _down.Dispose();
        _up = new DelayLine(_time, _delay);
        _down = new DelayLine(_time, _delay);
        var down = _down;
        _up.Post(() => down.Post(Connect));
    }

    /// <inheritdoc/>
    public void Dispose() => Disconnect();

    private void ToLeader(Action action) => _up.Post(() => _leader.Run(action));
}
