using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>What is remembered of a request until its reply comes on its link.</summary>
internal struct SentRequest
{
    /// <summary>Place in the order of the client's replies; -1 for a request of the proxy's own.</summary>
    public long Place;
    public int Xid;
    /// <summary>The operation as it was sent upstream.</summary>
    public OpCode Op;
    public PendingKind Kind;
    public bool Strict;
    /// <summary>Whether <see cref="SessionLink.Asked"/> keeps what it asks for.</summary>
    public bool IsKept;
    /// <summary>The mount whose paths the reply is rewritten to; null at home.</summary>
    public Mount? Mount;
    /// <summary>What the reply changes of what the proxy keeps of the client; null if nothing.</summary>
    public ReplyEffect? Effect;
    /// <summary>Receives the reply of a request of the proxy's own or of one part of a fan-out.</summary>
    public Action<ReplyHeader, ReadOnlyMemory<byte>>? Then;
    /// <summary>
    /// The watermark of home by which all that the request names is private; null where something is not, or none is in use.
    /// </summary>
    public IInterestWatermark? PrivateBy;
    /// <summary>Set on a write that serves as a barrier.</summary>
    public BarrierTicket? Covers;
}

/// <summary>How a reply is treated.</summary>
internal enum PendingKind : byte
{
    /// <summary>Passed to the client, rewritten where its mount says so.</summary>
    Forward,
    /// <summary>A getChildren sent as getChildren2: the Stat is cut off.</summary>
    StripStat,
    /// <summary>getData of /zookeeper/config: what the proxy advertises instead.</summary>
    Config,
    /// <summary>A request of the proxy's own: the reply goes to <see cref="SentRequest.Then"/>.</summary>
    Own,
    /// <summary>
    /// One part of a request that is carried out in several clusters: the reply goes to <see cref="SentRequest.Then"/>.
    /// </summary>
    Part,
    /// <summary>closeSession at home: the connection ends after the reply.</summary>
    Close,
}
