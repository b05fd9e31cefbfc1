namespace ZooNet.Federation.Freshness;

/// <summary>Carries a barrier to its server. Called without locks held; never answers before it returns.</summary>
public interface IBarrierTransport
{
    /// <summary>
    /// Sends a barrier to <paramref name="server"/>; later, once, <see cref="UpstreamServer.BarrierDone"/> is called with the
    /// same ticket, also when the barrier failed or timed out. Where the next may begin before that, so is
    /// <see cref="UpstreamServer.NextMayBegin"/>, when it may: a transport that never calls it carries one at a time.
    /// </summary>
    void Send(UpstreamServer server, BarrierTicket ticket);
}

/// <summary>Someone who waits for a barrier.</summary>
public interface IBarrierWaiter
{
    /// <summary>
    /// A barrier is done: called once for each that was joined, also for those that the waiter has given up since. Without locks held.
    /// </summary>
    /// <param name="server">The server it was on.</param>
    /// <param name="ticket">
    /// The barrier. If it succeeded, perhaps one that began later than the one joined; if it failed, the one joined, or the one by which
    /// that was replaced (<see cref="BarrierTicket.Last"/>).
    /// </param>
    /// <param name="succeeded">False where it failed: the reads that needed it must fail too.</param>
    void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded);
}

/// <summary>What was known when a barrier, or a write that serves as one, began.</summary>
public sealed class BarrierTicket
{
    private BarrierTicket? _replacement;

    internal BarrierTicket(int clusters) => Known = new long[clusters];

    internal long[] Known { get; }

    /// <summary>Its number in the order of beginnings; larger than any other's before it has begun.</summary>
    internal long Epoch { get; set; } = long.MaxValue;
    internal int Incarnation { get; set; }
    internal List<IBarrierWaiter> Waiters { get; } = [];

    /// <summary>The barrier that its waiters wait for: itself, or a later one if its server was forgotten while it was under way.</summary>
    internal BarrierTicket Last => Volatile.Read(ref _replacement)?.Last ?? this;

    internal void ReplaceBy(BarrierTicket later) => Volatile.Write(ref _replacement, later);
}

/// <summary>
/// One server of one cluster, as this proxy reads through it: how fresh it is known to be, and the barriers on it. They overlap:
/// one begins when it is needed and its transport's gap after the one before is over, whatever the number of readers. Thread-safe;
/// a lock of its own is taken only to begin and end barriers and covering writes.
/// </summary>
public sealed class UpstreamServer
{
    /// <summary>The most barriers that are under way at one server at a time; who needs another waits until one is done.</summary>
    public const int MaxUnderWay = 32;

    /// <summary>How long a server is not asked again what it did not know: it may have been upgraded, in milliseconds.</summary>
    internal const long OldForMs = 3_600_000;

    private readonly Region _region;
    private readonly IBarrierTransport _transport;
    private long _oldUntilMs = long.MinValue;
    private readonly Lock _lock = new();
    private readonly long[] _covered;
    private readonly Stack<BarrierTicket> _spare = new();
    private long _coveredEpoch = -1;
    private RefreshDemand _demand = new();
    private long _seen;
    private int _incarnation;
    private readonly List<BarrierTicket> _underWay = [];
    private BarrierTicket? _lastBegun;
    private BarrierTicket? _waiting;
    private bool _gapIsOver;

    /// <summary>Makes the state of a server nothing is known of.</summary>
    /// <param name="region">The region it serves.</param>
    /// <param name="cluster">Ordinal of its cluster.</param>
    /// <param name="address">Its address, for people.</param>
    /// <param name="transport">Sends its barriers.</param>
    public UpstreamServer(Region region, int cluster, string address, IBarrierTransport transport)
    {
        _region = region;
        _transport = transport;
        Cluster = cluster;
        Address = address;
        _covered = new long[region.ClusterCount];
    }

    /// <summary>
    /// The server did not know an operation that a proxy asks of remote servers: it is one of before 3.6, where that costs the connection.
    /// </summary>
    internal void KnowsLess(long nowMs) => Volatile.Write(ref _oldUntilMs, nowMs + OldForMs);

    /// <summary>Whether it is known to be of before 3.6: without lasting watches, and unable to say what a session owns.</summary>
    internal bool IsOld(long nowMs) => nowMs < Volatile.Read(ref _oldUntilMs);

    /// <summary>Ordinal of its cluster.</summary>
    public int Cluster { get; }

    /// <summary>Whether it is a server of home.</summary>
    public bool IsHome => Cluster == 0;

    /// <summary>Its address, for people.</summary>
    public string Address { get; }

    /// <summary>True for a server of another region: to ask it something costs a round trip across the WAN.</summary>
    public bool IsFar { get; init; }

    /// <summary>
    /// The largest zxid that this server has shown. A link is opened with it as lastZxidSeen: a server that restarted and came
    /// back with less refuses the link, so what is covered stays true across restarts.
    /// </summary>
    public long Seen => Volatile.Read(ref _seen);

    /// <summary>Barriers sent; for operators.</summary>
    public long BarriersSent { get; private set; }

    /// <summary>Barriers that failed; for operators.</summary>
    public long BarriersFailed { get; private set; }

    /// <summary>Takes note of a zxid in a reply header of this server.</summary>
    public void Show(long zxid) => Positions.RaiseTo(ref _seen, zxid);

    /// <summary>
    /// Forgets how fresh the server is: it may not be the one it was, or have lost its state. Barriers under way count for nothing; who
    /// waits for one waits for the next.
    /// </summary>
    public void Forget()
    {
        if (_region.Omissions.TrustsEveryServer)
        {
            return;
        }
        lock (_lock)
        {
            _incarnation++;
            Array.Clear(_covered);
            _coveredEpoch = -1;
            Volatile.Write(ref _seen, 0);
        }
    }

    /// <summary>
    /// What is covered of a cluster: everything committed there up to this zxid happened before this server's last barrier began.
    /// </summary>
    public long Covered(int cluster) => Volatile.Read(ref _covered[cluster]);

    /// <summary>True where a barrier or covering write that began after <paramref name="epoch"/> has completed.</summary>
    public bool IsCoveredSince(long epoch) => Volatile.Read(ref _coveredEpoch) > epoch;

    /// <summary>The next read here needs a barrier that begins from now on, whatever the reader has learned.</summary>
    public void DemandRefresh() => _demand.BeginsAfter(_region.Positions.Epoch);

    /// <summary>No barrier is enough until <see cref="DemandRefresh"/>, which follows at once, says which is.</summary>
    internal void RefuseUntilDemanded() => _demand.Refuse();

    /// <summary>True while a barrier that was demanded of this server, or of all servers of the region, has not been made.</summary>
    public bool IsRefreshDemanded => !MeetsDemand(Volatile.Read(ref _coveredEpoch));

    /// <summary>Takes an ingredient out of the rule: that a barrier serves only those who have learned nothing since it began.</summary>
    internal bool LetsAnyoneJoin { get; init; }

    /// <summary>Takes the joining of barriers under way out, for the simulation: each read waits for one that begins from now on.</summary>
    internal bool LetsNobodyJoin { get; init; }

    /// <summary>Whether a barrier that began at an epoch is as young as was demanded.</summary>
    internal bool MeetsDemand(long epoch) => !_demand.IsUnmetBy(epoch) && !_region.Positions.IsRefreshDemanded(epoch);

    /// <summary>
    /// Waits for a barrier that covers what a session has learned: the first under way that does, or one that begins from now on.
    /// </summary>
    /// <param name="waiter">Is told once.</param>
    /// <param name="learned">What the session has learned; null where only a barrier that begins from now on will do.</param>
    /// <param name="shared">True where the barrier serves others too.</param>
    /// <returns>The barrier.</returns>
    internal BarrierTicket Join(IBarrierWaiter waiter, Frontier? learned, out bool shared)
    {
        BarrierTicket? begun;
        BarrierTicket joined;
        lock (_lock)
        {
            if (learned is not null && !LetsNobodyJoin && FirstThatCovers(learned) is { } early)
            {
                early.Waiters.Add(waiter);
                shared = true;
                return early;
            }
            shared = _waiting is not null;
            joined = _waiting ??= new BarrierTicket(_region.ClusterCount);
            joined.Waiters.Add(waiter);
            begun = BeginWaiting();
        }
        Send(begun);
        return joined;
    }

    /// <summary>
    /// Called by the transport when the gap after a barrier is over: the next may begin now though this one is not done. Does nothing
    /// where another has begun since.
    /// </summary>
    public void NextMayBegin(BarrierTicket ticket)
    {
        BarrierTicket? begun;
        lock (_lock)
        {
            if (_lastBegun != ticket)
            {
                return;
            }
            _gapIsOver = true;
            begun = BeginWaiting();
        }
        Send(begun);
    }

    /// <summary>Called by the transport when a barrier is done. They may be done in any order.</summary>
    public void BarrierDone(BarrierTicket ticket, bool succeeded)
    {
        BarrierTicket? begun;
        lock (_lock)
        {
            var place = _underWay.IndexOf(ticket);
            if (place < 0)
            {
                return;
            }
            if (succeeded)
            {
                Cover(ticket);
            }
            else
            {
                BarriersFailed++;
            }
            if (succeeded && ticket.Incarnation != _incarnation)
            {
                // The server was forgotten meanwhile. That is nobody's failure: who waited waits for one of the server as it is now.
                _waiting ??= new BarrierTicket(_region.ClusterCount);
                _waiting.Waiters.AddRange(ticket.Waiters);
                ticket.Waiters.Clear();
                ticket.ReplaceBy(_waiting);
            }
            else if (succeeded)
            {
                // It began later than these and covers no less. So nobody waits for one that is lost while others are answered.
                foreach (var earlier in _underWay.Take(place))
                {
                    ticket.Waiters.AddRange(earlier.Waiters);
                    earlier.Waiters.Clear();
                }
            }
            _underWay.RemoveAt(place);
            begun = BeginWaiting();
        }
        Send(begun);
        foreach (var waiter in ticket.Waiters)
        {
            waiter.BarrierDone(this, ticket, succeeded);
        }
    }

    /// <summary>
    /// Begins a write through this server. It covers what a barrier would, so it is tracked where there is something to cover.
    /// </summary>
    /// <returns>A ticket for <see cref="EndWrite"/>; null where the write would cover nothing new.</returns>
    internal BarrierTicket? BeginWrite()
    {
        if (!HasSomethingToCover())
        {
            return null;
        }
        lock (_lock)
        {
            var ticket = Rent();
            Begin(ticket);
            return ticket;
        }
    }

    internal void EndWrite(BarrierTicket ticket, bool succeeded)
    {
        lock (_lock)
        {
            if (succeeded)
            {
                Cover(ticket);
            }
        }
        Return(ticket);
    }

    private BarrierTicket? FirstThatCovers(Frontier learned)
    {
        if (LetsAnyoneJoin)
        {
            return _underWay.Count > 0 ? _underWay[^1] : null;
        }
        foreach (var ticket in _underWay)
        {
            if (ticket.Incarnation == _incarnation && learned.IsKnownTo(ticket, this))
            {
                return ticket;
            }
        }
        return null;
    }

    /// <summary>
    /// Begins the barrier that is waited for, if it may begin now. Call it with the lock held, and send what it returns without.
    /// </summary>
    private BarrierTicket? BeginWaiting()
    {
        if (_waiting is not { } ticket || (_underWay.Count > 0 && !_gapIsOver) || _underWay.Count >= MaxUnderWay)
        {
            return null;
        }
        _waiting = null;
        _lastBegun = ticket;
        _gapIsOver = false;
        _underWay.Add(ticket);
        Begin(ticket);
        BarriersSent++;
        return ticket;
    }

    private void Send(BarrierTicket? begun)
    {
        if (begun is not null)
        {
            _transport.Send(this, begun);
        }
    }

    private bool HasSomethingToCover()
    {
        for (var i = 0; i < _covered.Length; i++)
        {
            if (i != Cluster && _region.Positions.Known(i) > Volatile.Read(ref _covered[i]))
            {
                return true;
            }
        }
        return false;
    }

    private void Begin(BarrierTicket ticket)
    {
        ticket.Incarnation = _incarnation;
        ticket.Epoch = _region.Positions.NextEpoch();
        _region.Positions.CopyKnown(ticket.Known);
    }

    private void Cover(BarrierTicket ticket)
    {
        if (ticket.Incarnation != _incarnation)
        {
            return;
        }
        for (var i = 0; i < _covered.Length; i++)
        {
            if (ticket.Known[i] > _covered[i])
            {
                Volatile.Write(ref _covered[i], ticket.Known[i]);
            }
        }
        if (ticket.Epoch > _coveredEpoch)
        {
            Volatile.Write(ref _coveredEpoch, ticket.Epoch);
        }
    }

    private BarrierTicket Rent() => _spare.TryPop(out var ticket) ? ticket : new BarrierTicket(_region.ClusterCount);

    private void Return(BarrierTicket ticket)
    {
        lock (_lock)
        {
            if (_spare.Count < 64)
            {
                _spare.Push(ticket);
            }
        }
    }
}
