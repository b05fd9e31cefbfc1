using System.Buffers.Binary;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// Step 5a: what leaves for the client, in the order of <see cref="ReplyOrder"/>, how much is held back for that, and which zxid it shows.
/// Single owner: its session.
/// </summary>
/// <param name="links">The session's links.</param>
/// <param name="limits">Bound what is held back.</param>
internal struct ClientReplies(LinkSet links, ClientLimits limits)
{
    /// <summary>Bytes held back beyond which nothing is sent that may be answered out of its turn.</summary>
    public const int MuchBytes = 1024 * 1024;

    private const int ZxidOffset = Framing.PrefixLength + sizeof(int);

    /// <summary>The order of replies.</summary>
    public ReplyOrder Order;

    private long _shown;
    private long _held;
    private int _lane;

    /// <summary>Whether much is held back: then nothing is sent that may be answered out of its turn.</summary>
    public readonly bool HoldMuch => _held > MuchBytes;

    /// <summary>Why the client's connection must be closed, if more was to be held back than may be; null if not.</summary>
    public string? Excess { get; private set; }

    /// <summary>
    /// The zxid of home that a reply from elsewhere shows which leaves now. Clients come back with it, and are told of no change up to it:
    /// so it is one that this session's own home server has shown, and that of nothing which is still held back. It never goes back.
    /// </summary>
    public long Zxid
    {
        get
        {
            if (links[0].Queued is not { IsEmpty: false })
            {
                _shown = Math.Max(_shown, links[0].LastZxid);
            }
            return _shown;
        }
    }

    /// <summary>The client has come, with what it has seen of home.</summary>
    public void Begin(long seen) => _shown = seen;

    /// <summary>A reply or an event has come.</summary>
    /// <param name="link">The link that it came on; null for the proxy's own.</param>
    /// <param name="place">The place of what it answers; <see cref="ReplyOrder.Unasked"/> for an event.</param>
    /// <param name="frame">The whole frame; copied if it is held back.</param>
    /// <returns>True if it must leave now; then ask <see cref="TryRelease"/>.</returns>
    public bool Offer(SessionLink? link, long place, ReadOnlySpan<byte> frame)
    {
        if (link is null ? Order.Offer(ref Order.Local, place, frame) : Order.Offer(ref link.Queued, place, frame))
        {
            _lane = 0;
            if (link is { IsHome: true })
            {
                Show(frame);
            }
            return true;
        }
        if (limits.TryCollect(_held, frame.Length))
        {
            _held += frame.Length;
        }
        else
        {
            Excess = $"replies of {_held + frame.Length} bytes wait for an earlier one; allowed are {limits.Reply} to one client (maxReply) "
                + $"and {limits.RepliesInAll} to all of them (limits.replyParts)";
        }
        return false;
    }

    /// <summary>Takes the next frame that may leave now out of what is held back.</summary>
    /// <param name="frame">The whole frame; valid until the next one is held back.</param>
    public bool TryRelease(out ReadOnlySpan<byte> frame)
    {
        if (!Order.IsQueueing || !links.TryRelease(ref Order, ref _lane, out var queued))
        {
            frame = default;
            return false;
        }
        if (_lane == LinkSet.HomeLane)
        {
            Show(queued);
        }
        else if (BinaryPrimitives.ReadInt32BigEndian(queued[Framing.PrefixLength..]) != Xids.Notification)
        {
            // Home may have shown more since it was made, and the client has been told.
            BinaryPrimitives.WriteInt64BigEndian(queued[ZxidOffset..], Zxid);
        }
        limits.Release(queued.Length);
        _held -= queued.Length;
        frame = queued;
        return true;
    }

    /// <summary>A ping's reply overtakes what is held back, and must not tell that it was seen.</summary>
    public ReadOnlySpan<byte> Ping(ReadOnlySpan<byte> frame) =>
        links[0].Queued is { IsEmpty: false } ? ScratchWriter.Reply(Xids.Ping, Zxid, ErrorCode.Ok) : frame;

    /// <summary>The client's connection is over.</summary>
    public void Close()
    {
        limits.Release(_held);
        _held = 0;
    }

    private void Show(ReadOnlySpan<byte> frame) => _shown = Math.Max(_shown, BinaryPrimitives.ReadInt64BigEndian(frame[ZxidOffset..]));
}
