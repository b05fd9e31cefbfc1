using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>What becomes of the first request now.</summary>
internal enum HeadStep : byte
{
    /// <summary>It may be sent.</summary>
    Go,
    /// <summary>It waits for a barrier, which has been joined.</summary>
    Wait,
    /// <summary>It waits for <see cref="HeadWait.Dates"/>, which are to be asked for now.</summary>
    Ask,
}

/// <summary>A read that would be sent if the freshness rule allows it.</summary>
/// <param name="Link">The link on which it would be sent; it is ready.</param>
/// <param name="Counters">Count what the rule says.</param>
/// <param name="Barriers">False in a mount that does without barriers.</param>
/// <param name="LastCluster">The cluster of the request before; -1 if there was none.</param>
internal readonly record struct HeadRead(SessionLink Link, MountCounters Counters, bool Barriers, int LastCluster);

/// <summary>
/// Step 2b: what a client's first unsent request waits for. It decides by the freshness rule whether a read goes or waits: for a
/// barrier at its server, for the watermark of home to see further, or for the dates of what was seen elsewhere. Those two are asked
/// once per request, because they may save the barrier. Sends nothing but barriers; time is handed in. Single owner: its session.
/// </summary>
/// <param name="region">What the proxy's sessions share.</param>
/// <param name="waiter">Is told when a barrier is done.</param>
/// <remarks>A session that uses home only never waits here, and pays for two fields per request.</remarks>
internal struct HeadWait(Region region, IBarrierWaiter waiter)
{
    /// <summary>How long a read waits for dates before it waits for a barrier instead, in milliseconds.</summary>
    public const int DatesDueMs = 1000;

    private long _sinceMs;
    private UpstreamServer? _server;
    private BarrierTicket? _joined;
    private MountCounters? _counters;
    private AwaitedThing _awaited;
    private Question _asked;
    private bool _isOver;
    private bool _linkChanged;

    private enum AwaitedThing : byte
    {
        Nothing,
        Barrier,
        Watermark,
        Dates,
    }

    /// <summary>The link for which the request waits, or on which it would read; null where it waits for its turn.</summary>
    public SessionLink? On { get; private set; }

    /// <summary>The link on which the request may be sent when it is its turn; null where that is not what it waits for.</summary>
    public SessionLink? Turn { get; private set; }

    /// <summary>Whether it must not overtake anything there.</summary>
    public bool IsTurnStrict { get; private set; }

    /// <summary>The dates for which the request waits; null where it does not.</summary>
    public DateQuestion? Dates { get; private set; }

    /// <summary>The request has been sent or answered: from now on it is about the next one.</summary>
    public void Next()
    {
        _sinceMs = 0;
        On = null;
        Turn = null;
        _linkChanged = false;
        if (_asked != Question.Nothing || _awaited != AwaitedThing.Nothing)
        {
            _asked = Question.Nothing;
            StopWaiting();
        }
    }

    /// <summary>The request could not be sent.</summary>
    public void Stays(long nowMs)
    {
        if (_sinceMs == 0)
        {
            _sinceMs = Math.Max(1, nowMs);
        }
    }

    /// <summary>The request waits for its turn on a link; null if it is to be looked at again in any case.</summary>
    public void WaitForTurn(SessionLink? link, bool strict)
    {
        Turn = link;
        IsTurnStrict = strict;
    }

    /// <summary>The request waits for a link.</summary>
    public void WaitFor(SessionLink link) => On = link;

    /// <summary>Whether the request has waited longer than a time for a link or what is to be learned there.</summary>
    public readonly bool IsOverdue(long nowMs, long limitMs) => On is not null && _sinceMs > 0 && nowMs - _sinceMs > limitMs;

    /// <summary>
    /// A link has come up or gone. A barrier that was made or is under way was for the connection that is gone, and the next may be to
    /// another server, or one that has lost its state: the read is judged anew.
    /// </summary>
    public void LinkChanged(SessionLink link)
    {
        if (On == link)
        {
            _linkChanged = true;
            StopWaiting();
        }
    }

    /// <summary>Decides about a read, and joins the barrier that it needs.</summary>
    /// <param name="frontier">What the session has learned.</param>
    /// <param name="links">The session's links.</param>
    /// <param name="read">The read.</param>
    public HeadStep Decide(Frontier frontier, IReadOnlyList<SessionLink> links, in HeadRead read)
    {
        var server = read.Link.Server!;
        if (_awaited == AwaitedThing.Barrier && _server != server)
        {
            // The link has moved to another server meanwhile, which that barrier says nothing of.
            StopWaiting();
        }
        if (_awaited != AwaitedThing.Nothing)
        {
            if (!_isOver)
            {
                return HeadStep.Wait;
            }
            var passed = _awaited;
            StopWaiting();
            if (passed == AwaitedThing.Barrier)
            {
                return HeadStep.Go;
            }
        }
        bool needed;
        // By the other two rules, and after a link was lost, it is the barrier's beginning that counts, not what was known then.
        Frontier? learned = null;
        if (!read.Barriers)
        {
            needed = frontier.MayGoBack(server);
        }
        else if (region.Mode == ConsistencyMode.Switch)
        {
            needed = frontier.MayGoBack(server) || (read.LastCluster >= 0 && read.LastCluster != read.Link.Cluster);
            read.Counters.Count(needed ? BarrierVerdict.Needed : BarrierVerdict.NothingElsewhere);
        }
        else
        {
            var judged = frontier.Judge(server, mayAsk: MayAsk(Question.Watermark), mayDate: MayAsk(Question.Dates));
            if (judged.Ask == Question.Dates)
            {
                if (DateQuestion.TryMake(region, frontier, links, read.Link, out var dates))
                {
                    WaitFor(read.Link, AwaitedThing.Dates, Question.Dates);
                    Dates = dates;
                    return HeadStep.Ask;
                }
                judged = frontier.Judge(server, mayAsk: MayAsk(Question.Watermark));
            }
            if (judged.Ask == Question.Watermark && region.HomeInterest?.Watcher is { } watcher)
            {
                WaitFor(read.Link, AwaitedThing.Watermark, Question.Watermark);
                Join(watcher, null);
                return HeadStep.Wait;
            }
            if (!read.Link.IsHome || judged.Verdict != BarrierVerdict.NothingElsewhere)
            {
                read.Counters.Count(judged.Verdict);
            }
            needed = judged.Verdict == BarrierVerdict.Needed;
            learned = _linkChanged ? null : frontier;
        }
        if (!needed)
        {
            return HeadStep.Go;
        }
        WaitFor(read.Link, AwaitedThing.Barrier, Question.Nothing);
        _counters = read.Counters;
        if (Join(server, learned))
        {
            read.Counters.CountShared();
        }
        return HeadStep.Wait;
    }

    /// <summary>A barrier of the session's is done.</summary>
    /// <param name="server">The server that it was on.</param>
    /// <param name="ticket">The barrier.</param>
    /// <param name="succeeded">Whether it was carried out.</param>
    /// <param name="failed">True where the request needed it, so that it fails too.</param>
    /// <returns>False where the request does not wait for it.</returns>
    public bool BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded, out bool failed)
    {
        failed = false;
        // It may be one that was given up when its link was lost, or for an earlier request. That one's failure is not this request's,
        // and its success only if it began no earlier than what this request waits for.
        if (_server != server || _joined is not { } joined || (succeeded ? ticket.Epoch < joined.Epoch : ticket != joined.Last))
        {
            return false;
        }
        if (succeeded || _awaited == AwaitedThing.Watermark)
        {
            // Whether the watermark sees further now or not: the rule is asked again, and falls back to a barrier.
            _isOver = true;
        }
        else
        {
            _counters?.CountBarrierFailed();
            StopWaiting();
            failed = true;
        }
        return true;
    }

    /// <summary>All that was asked for dates has been answered.</summary>
    public void DatesKnown(DateQuestion question)
    {
        if (Dates == question)
        {
            _isOver = true;
        }
    }

    /// <summary>
    /// Time has passed: whoever was asked for dates may be slow. The read must not wait for that, and its barrier does not.
    /// </summary>
    public void Tick(long nowMs, int timeoutMs)
    {
        if (Dates is { } dates && nowMs - dates.AskedMs > Math.Min(DatesDueMs, timeoutMs / 3))
        {
            _isOver = true;
        }
    }

    /// <summary>What the request waits for, by the freshness rule, for an operator; null where that is nothing.</summary>
    public readonly string? Describe()
    {
        var server = _server is { } at ? $"{at.Address} ({region.ClusterNames[at.Cluster]})" : "";
        return _isOver ? null : _awaited switch
        {
            AwaitedThing.Nothing => null,
            AwaitedThing.Watermark => $"what {server} knows of the newest changes at home",
            AwaitedThing.Dates => "the dates of what the client has seen elsewhere",
            _ => $"a barrier at {server}",
        };
    }

    private readonly bool MayAsk(Question question) => (_asked & question) == 0;

    private void WaitFor(SessionLink link, AwaitedThing awaited, Question question)
    {
        _awaited = awaited;
        _asked |= question;
        _isOver = false;
        _server = null;
        _joined = null;
        Dates = null;
        On = link;
    }

    /// <returns>True where the barrier serves others too.</returns>
    private bool Join(UpstreamServer server, Frontier? learned)
    {
        _server = server;
        _joined = server.Join(waiter, learned, out var shared);
        return shared;
    }

    private void StopWaiting()
    {
        _awaited = AwaitedThing.Nothing;
        _isOver = false;
        _server = null;
        _joined = null;
        Dates = null;
    }
}

/// <summary>
/// The dates that a read waits for: since when has been so what the session saw in other clusters without being told. A round trip to
/// servers near by may save a barrier far away. Single owner: its session.
/// </summary>
internal sealed class DateQuestion
{
    private readonly Region _region;
    private readonly Frontier _frontier;

    private DateQuestion(Region region, Frontier frontier, List<(SessionLink Link, UndatedObservation Observation)> observations)
    {
        _region = region;
        _frontier = frontier;
        Observations = observations;
        Due = observations.Count;
    }

    /// <summary>What is to be asked, and on which link.</summary>
    public IReadOnlyList<(SessionLink Link, UndatedObservation Observation)> Observations { get; }

    /// <summary>How many have not been answered.</summary>
    public int Due { get; private set; }

    /// <summary>When they were asked for, in milliseconds of the host's clock.</summary>
    public long AskedMs { get; set; }

    /// <summary>Finds what a read needs dates of.</summary>
    /// <param name="region">What the proxy's sessions share.</param>
    /// <param name="frontier">What the session has learned.</param>
    /// <param name="links">The session's links.</param>
    /// <param name="reading">The one on which the read would be sent.</param>
    /// <param name="question">What is to be asked.</param>
    /// <returns>False where nobody near by can be asked.</returns>
    public static bool TryMake(Region region, Frontier frontier, IReadOnlyList<SessionLink> links, SessionLink reading,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DateQuestion? question)
    {
        var observations = new List<(SessionLink, UndatedObservation)>();
        foreach (var link in links)
        {
            if (link != reading && link.Phase == LinkPhase.Ready && !link.Server!.IsFar)
            {
                foreach (var observation in frontier.UndatedBeyond(link.Cluster, reading.Server!.Covered(link.Cluster)))
                {
                    observations.Add((link, observation));
                }
            }
        }
        question = observations.Count > 0 ? new DateQuestion(region, frontier, observations) : null;
        return question is not null;
    }

    /// <summary>Asks, where something was seen, since when it has been so.</summary>
    /// <param name="host">Tells the time.</param>
    /// <param name="known">Called when everything has been answered.</param>
    public void Ask(ISessionHost host, Action<DateQuestion> known)
    {
        AskedMs = host.NowMs;
        foreach (var (link, observation) in Observations)
        {
            Ask(host, link, observation, observation.Path, known);
        }
    }

    private void Ask(ISessionHost host, SessionLink link, UndatedObservation observation, string path, Action<DateQuestion> known) =>
        link.Ask(host.NowMs, 0, OpCode.Exists, PendingKind.Own, new PathWatchRequest(path, false).Write, (header, body) =>
        {
            if (Answered(observation, path, header, body.Span) is { } next)
            {
                Ask(host, link, observation, next, known);
            }
            else if (Due == 0)
            {
                known(this);
            }
        });

    /// <summary>A server has answered an exists.</summary>
    /// <param name="observation">What is to be dated.</param>
    /// <param name="path">The znode that was asked for: the observation's, or an ancestor of it.</param>
    /// <param name="header">The reply's header.</param>
    /// <param name="body">What follows it.</param>
    /// <returns>The znode that must be asked for next; null where this observation is done.</returns>
    public string? Answered(UndatedObservation observation, string path, in ReplyHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Error == ErrorCode.NoNode && path.Length > 1)
        {
            // What is not there has no children either, since its parent's list lost it.
            return ZnodePath.ParentOf(path);
        }
        var reader = new JuteReader(body);
        var stat = Stat.Read(ref reader);
        if (header.Error == ErrorCode.Ok && !reader.Failed && header.Zxid >= observation.Zxid)
        {
            _frontier.ResolveDate(observation, observation.Since(stat, _region, path, header.Zxid));
        }
        Due--;
        return null;
    }
}
