using System.Buffers.Binary;
using ZooNet.Protocol;

namespace ZooNet.Server.Quorum;

/// <summary>What the data of packets hold that are no transactions (source: <c>Learner</c> and <c>LearnerHandler</c>).</summary>
internal static class LearnerMessages
{
    /// <summary>The version of the protocol that ZooKeeper 3.4 and later speak.</summary>
    public const int ProtocolVersion = 0x10000;

    /// <summary>An observer's first packet.</summary>
    /// <param name="serverId">Its number in the ensemble (sid).</param>
    /// <param name="acceptedEpoch">The newest epoch that it has accepted.</param>
    /// <param name="configVersion">
    /// The version of the configuration that it knows. A leader refuses a learner that knows a later one than itself; 0 is always taken.
    /// </param>
    public static QuorumPacket ObserverInfo(long serverId, long acceptedEpoch, long configVersion)
    {
        var data = new byte[20];
        BinaryPrimitives.WriteInt64BigEndian(data, serverId);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(8), ProtocolVersion);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(12), configVersion);
        return new QuorumPacket(QuorumPacketType.ObserverInfo, acceptedEpoch << 32, data);
    }

    /// <summary>The answer to the leader's epoch.</summary>
    /// <param name="lastZxid">The last transaction that the learner has.</param>
    /// <param name="currentEpoch">The epoch of its state; -1 where the leader's epoch has been accepted before.</param>
    public static QuorumPacket AckEpoch(long lastZxid, int currentEpoch)
    {
        var data = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(data, currentEpoch);
        return new QuorumPacket(QuorumPacketType.AckEpoch, lastZxid, data);
    }

    /// <summary>A client's request.</summary>
    public static QuorumPacket Request(long sessionId, int xid, OpCode op, ReadOnlySpan<byte> body)
    {
        var data = new byte[16 + body.Length];
        BinaryPrimitives.WriteInt64BigEndian(data, sessionId);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(8), xid);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(12), (int)op);
        body.CopyTo(data.AsSpan(16));
        return new QuorumPacket(QuorumPacketType.Request, -1, data);
    }

    /// <summary>Asks for a new session with an id of the learner's choosing.</summary>
    public static QuorumPacket CreateSession(long sessionId, int timeoutMs)
    {
        Span<byte> body = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(body, timeoutMs);
        return Request(sessionId, 0, OpCode.CreateSession, body);
    }

    /// <summary>Asks whether a session lives, and makes this learner its owner.</summary>
    public static QuorumPacket Revalidate(long sessionId, int timeoutMs)
    {
        var data = new byte[12];
        BinaryPrimitives.WriteInt64BigEndian(data, sessionId);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(8), timeoutMs);
        return new QuorumPacket(QuorumPacketType.Revalidate, -1, data);
    }

    /// <summary>Reads the answer to <see cref="Revalidate"/>.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static (long SessionId, bool IsValid) ReadRevalidated(in QuorumPacket packet)
    {
        var reader = new JuteReader(packet.Data);
        var answer = (reader.ReadLong(), reader.ReadBool());
        return reader.Failed ? throw new InvalidDataException("an answer about a session that is too short") : answer;
    }

    /// <summary>The answer to a leader's ping.</summary>
    /// <param name="ping">What the leader sent.</param>
    /// <param name="touched">The sessions that were heard of since the last one, and their timeouts in milliseconds.</param>
    public static QuorumPacket Pong(in QuorumPacket ping, IReadOnlyCollection<KeyValuePair<long, int>> touched)
    {
        var data = new byte[12 * touched.Count];
        var at = data.AsSpan();
        foreach (var (id, timeout) in touched)
        {
            BinaryPrimitives.WriteInt64BigEndian(at, id);
            BinaryPrimitives.WriteInt32BigEndian(at[8..], timeout);
            at = at[12..];
        }
        return new QuorumPacket(QuorumPacketType.Ping, ping.Zxid, data);
    }
}
