using System.Buffers.Binary;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Downstream;

/// <summary>
/// Counts what goes over one client's connection, and times one of its requests at a time. Single owner: its connection, under that
/// connection's lock; what others read they read without it.
/// </summary>
internal struct ClientMeter(TrafficCounters traffic)
{
    /// <summary>Where the type of an event is in its frame.</summary>
    private const int EventBegin = Framing.PrefixLength + ReplyHeader.WireLength;

    private long _timed = -1;
    private long _since;
    private bool _writes;
    private OpCode _lastOp;
    private int _replyBytes;

    /// <summary>Frames from the client.</summary>
    public long FramesReceived { get; private set; }

    /// <summary>Frames to the client.</summary>
    public long FramesSent { get; private set; }

    /// <summary>Bytes from the client.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Bytes to the client.</summary>
    public long BytesSent { get; private set; }

    /// <summary>A frame has come from the client, and is about to be handed to its session.</summary>
    public void Received(ReadOnlySpan<byte> frame)
    {
        FramesReceived++;
        BytesReceived += frame.Length;
        var op = FramesReceived == 1 || frame.Length < Framing.PrefixLength + RequestHeader.WireLength ? OpCode.CreateSession
            : (OpCode)BinaryPrimitives.ReadInt32BigEndian(frame[(Framing.PrefixLength + 4)..]);
        traffic.Operations.Count(op, frame.Length);
        // Pings are no requests: they overtake them.
        _lastOp = op == OpCode.Ping ? _lastOp : op;
    }

    /// <summary>A frame is sent to the client.</summary>
    public void Sent(ReadOnlySpan<byte> frame)
    {
        FramesSent++;
        BytesSent += frame.Length;
        // The first one lets the client in, and has no header.
        if (FramesSent > 1 && frame.Length >= EventBegin + sizeof(int)
            && BinaryPrimitives.ReadInt32BigEndian(frame[Framing.PrefixLength..]) == Xids.Notification)
        {
            traffic.EventSent((WatchEventType)BinaryPrimitives.ReadInt32BigEndian(frame[EventBegin..]));
        }
        else
        {
            _replyBytes = frame.Length;
        }
    }

    /// <summary>Frames were handed to the session: the last one is timed, if none is, and the client waits for it.</summary>
    public void Begin(FederatedSession session, TimeProvider time)
    {
        if (_timed < 0 && session.Asked is var asked && asked > session.Answered)
        {
            (_timed, _since, _writes) = (asked, time.GetTimestamp(), _lastOp.IsWrite());
            session.Mark.Set(asked);
        }
    }

    /// <summary>Counts the time of the request that is timed, if it was answered.</summary>
    public void End(FederatedSession session, TimeProvider time)
    {
        if (_timed >= 0 && session.Answered >= _timed)
        {
            traffic.Answered(session.Mark.AnsweredBy, _writes, time.GetElapsedTime(_since), _replyBytes);
            _timed = -1;
        }
    }
}
