using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions.Solo;

/// <summary>What a request that is carried out alone asks of its session.</summary>
internal interface ISoloSession
{
    /// <summary>The host's clock, in milliseconds.</summary>
    long NowMs { get; }

    /// <summary>The client's session timeout in milliseconds.</summary>
    int TimeoutMs { get; }

    /// <summary>The links, home first.</summary>
    IReadOnlyList<SessionLink> Links { get; }

    /// <summary>The mounts that the session goes by.</summary>
    MountTable Mounts { get; }

    /// <summary>The znodes at home that the client watches recursively, in whatever is or will be mounted below them too.</summary>
    PathSet Recursive { get; }

    /// <summary>The link to a cluster, made if there is none.</summary>
    SessionLink LinkTo(int cluster);

    /// <summary>Begins to connect a link.</summary>
    void Open(SessionLink link);

    /// <summary>Keeps credentials for the links that come up later.</summary>
    /// <returns>False if the client has too many; its connection is closed then.</returns>
    bool TryKeep(AuthRequest credentials);

    /// <summary>Sends one part; <paramref name="then"/> gets its reply, with the error ConnectionLoss if the link is lost first.</summary>
    void Ask(SessionLink link, int xid, OpCode op, Action<JuteWriter> body, Action<ReplyHeader, ReadOnlyMemory<byte>> then);

    /// <summary>Arms watches, in the cluster's own terms.</summary>
    /// <returns>How many requests it took; <paramref name="then"/> is called for each.</returns>
    int SetWatches(SessionLink link, SetWatchesRequest request, Action then);

    /// <summary>Runs one step as if the client had sent it; its reply goes to <see cref="SoloRequest.Replies"/>.</summary>
    /// <returns>False while it must wait.</returns>
    bool TryRun(ReadOnlySpan<byte> step);

    /// <summary>A link was tried: it was asked, or must be tried again when something has changed.</summary>
    void Tried(SessionLink link, bool asked);

    /// <summary>Whether a link may be read now, by the freshness rule; if not, the request is tried again when it may.</summary>
    bool Freshen(SessionLink link, MountCounters counters, bool barriers);
}

/// <summary>
/// A request that is carried out alone, often in several clusters: its steps run one after the other as if the client had sent
/// them, their replies are collected, and one reply is made of them. Single owner: its session.
/// </summary>
/// <param name="xid">The client's xid.</param>
/// <param name="op">What it asks for.</param>
/// <param name="frame">Its frame; copied.</param>
internal abstract class SoloRequest(int xid, OpCode op, ReadOnlySpan<byte> frame)
{
    /// <summary>Where a reply's body begins in its frame.</summary>
    protected const int BodyOffset = Framing.PrefixLength + ReplyHeader.WireLength;

    public int Xid { get; } = xid;
    public OpCode Op { get; } = op;

    /// <summary>The client's own frame.</summary>
    public byte[] Frame { get; } = frame.ToArray();

    /// <summary>Place in the order of the client's replies.</summary>
    public long Place { get; set; }

    /// <summary>What is still to be run, in the client's terms.</summary>
    public Queue<byte[]> Steps { get; } = new();

    /// <summary>The clusters that are still to be asked, after the steps, each as fresh as a read.</summary>
    public Queue<SessionLink> Links { get; } = new();

    /// <summary>Parts sent and not answered.</summary>
    public int Waiting { get; set; }

    /// <summary>Replies of the steps, in order.</summary>
    public List<byte[]> Replies { get; } = [];

    /// <summary>Bytes of <see cref="Replies"/> that are counted.</summary>
    private long _collected;

    /// <summary>
    /// A step's reply has come. If the whole becomes too long the request fails, and its other steps are not run: one request must not
    /// make the proxy hold a multiple of what it may send at once.
    /// </summary>
    public void Collect(ReadOnlySpan<byte> reply, ClientLimits limits)
    {
        if (Error == ErrorCode.MarshallingError)
        {
            return;
        }
        if (!limits.TryCollect(_collected, reply.Length))
        {
            Error = ErrorCode.MarshallingError;
            Steps.Clear();
            Links.Clear();
            Replies.Clear();
            return;
        }
        _collected += reply.Length;
        Replies.Add(reply.ToArray());
    }

    /// <summary>The request is over: what was counted is no more.</summary>
    public void Release(ClientLimits limits)
    {
        limits.Release(_collected);
        _collected = 0;
    }

    /// <summary>Why the whole fails although every step may have been answered.</summary>
    public ErrorCode Error { get; set; }

    /// <summary>What comes after the header of the request.</summary>
    protected JuteReader Body => new(Frame.AsSpan(Framing.PrefixLength + RequestHeader.WireLength));

    /// <summary>Bytes that the reply of a part has at least after its header, unless it is an error.</summary>
    protected virtual int LeastBody => 0;

    /// <summary>Whether it may begin: nothing else of the client is outstanding.</summary>
    public bool MayBegin(IReadOnlyList<SessionLink> links)
    {
        foreach (var link in links)
        {
            if (link.Outstanding > 0)
            {
                return false;
            }
            if (Op is OpCode.Auth or OpCode.Sasl && link.Pending.Count > 0)
            {
                // Nor may it overtake the proxy's own requests: their replies would come out of turn.
                return false;
            }
            if (Op == OpCode.CloseSession && link.SessionId != 0 && link.Phase is LinkPhase.Connecting or LinkPhase.Handshaking)
            {
                // Its session there must be ended too; the link is up, or down, in a moment.
                return false;
            }
        }
        return true;
    }

    /// <summary>Sends what can be sent now: the steps one after the other, then the links that are to be asked.</summary>
    /// <returns>True when everything is answered.</returns>
    public bool Advance(ISoloSession session)
    {
        while (Waiting == 0)
        {
            if (Steps.Count > 0)
            {
                if (!MayRun(session) || !session.TryRun(Steps.Peek()))
                {
                    return false;
                }
                // What is too long may have taken the rest away.
                Steps.TryDequeue(out _);
                continue;
            }
            if (Links.Count == 0)
            {
                return true;
            }
            var asked = TryAsk(session, Links.Peek());
            session.Tried(Links.Peek(), asked);
            if (!asked)
            {
                return false;
            }
            Links.TryDequeue(out _);
        }
        return false;
    }

    /// <summary>The next of <see cref="Links"/> can't be asked. If that is only a relaxed mount's loss, the request fails alone.</summary>
    /// <returns>False where a strict mount is concerned.</returns>
    public bool TryDoWithout(MountTable mounts)
    {
        var cluster = Links.Peek().Cluster;
        if (mounts.Mounts.Any(m => m.Cluster == cluster && m.Options.Order == MountOrder.Strict))
        {
            return false;
        }
        Links.Dequeue();
        Error = ErrorCode.ConnectionLoss;
        return true;
    }

    /// <summary>Nothing else is outstanding any more: says what is to be run, and sends what goes to several clusters at once.</summary>
    public virtual void Begin(ISoloSession session) => Steps.Enqueue(Frame);

    /// <summary>Whether the steps may run now. If not, it is asked again when something has changed, and with time.</summary>
    public virtual bool MayRun(ISoloSession session) => true;

    /// <summary>Asks one of <see cref="Links"/>.</summary>
    /// <returns>False while it must wait.</returns>
    public virtual bool TryAsk(ISoloSession session, SessionLink link) => true;

    /// <summary>Why the whole fails; Ok if it does not.</summary>
    public ErrorCode Outcome()
    {
        if (Error != ErrorCode.Ok)
        {
            return Error;
        }
        for (var i = 0; i < Replies.Count; i++)
        {
            var error = ErrorOf(Replies[i]);
            if (error == ErrorCode.Ok ? Replies[i].Length < BodyOffset + LeastBody : !IsPartial(i, error))
            {
                return error == ErrorCode.Ok ? ErrorCode.MarshallingError : error;
            }
        }
        return ErrorCode.Ok;
    }

    /// <summary>All parts are answered: the one reply that is made of them.</summary>
    /// <param name="writer">May be used to write it.</param>
    /// <param name="shownZxid">The home zxid that the client is shown.</param>
    /// <returns>The whole frame; empty if nothing was answered.</returns>
    public ReadOnlySpan<byte> Reply(JuteWriter writer, long shownZxid)
    {
        var error = Outcome();
        if (error == ErrorCode.Ok && Replies.Count == 0)
        {
            return default;
        }
        var mark = writer.BeginFrame();
        new ReplyHeader(Xid, shownZxid, error).Write(writer);
        if (error == ErrorCode.Ok && !TryWrite(writer))
        {
            return Replies[0];
        }
        writer.EndFrame(mark);
        return writer.Written;
    }

    /// <summary>Writes the body of the one reply that is made of all.</summary>
    /// <returns>False if the first reply is the answer as it came.</returns>
    public virtual bool TryWrite(JuteWriter writer) => false;

    /// <summary>Whether the error of one part is not the whole's.</summary>
    protected virtual bool IsPartial(int part, ErrorCode error) => false;

    protected static ErrorCode ErrorOf(byte[] reply) => ReplyHeader.Read(reply.AsSpan(Framing.PrefixLength)).Error;
}

/// <summary>One that home alone is asked, but which servers let overtake others: a SASL token.</summary>
internal sealed class SoloAtHome(int xid, OpCode op, ReadOnlySpan<byte> frame) : SoloRequest(xid, op, frame);
