using System.Buffers.Binary;
using ZooNet.Protocol;
using ZooNet.Tree.Requests;

namespace ZooNet.Server.Quorum;

/// <summary>
/// One packet between a leader and a learner: {int type; long zxid; buffer data; vector&lt;Id&gt; authinfo}, without a length in front
/// (source:
/// <c>QuorumPacket</c> in zookeeper.jute).
/// </summary>
/// <param name="Type">What it is.</param>
/// <param name="Zxid">A zxid, or an epoch in the upper half; -1 where there is none.</param>
/// <param name="Data">Depends on the type; null where there is none.</param>
internal readonly record struct QuorumPacket(QuorumPacketType Type, long Zxid, byte[]? Data = null)
{
    /// <summary>The most data that one packet may carry. A leader's own limit is its jute.maxbuffer, 1 MiB by default.</summary>
    public const int MaxDataLength = 64 << 20;

    /// <summary>The most identities that one packet may carry, and the longest scheme or id in bytes.</summary>
    private const int MaxIds = 10_000;
    private const int MaxIdLength = 1 << 20;

    private const int FixedLength = sizeof(int) + sizeof(long);

    /// <summary>Writes a packet.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="identities">For a request, who asks: must be there, or the leader refuses whatever asks for an ACL. Null for other
    /// packets.</param>
    public void Write(JuteWriter writer, IReadOnlyList<Identity>? identities = null)
    {
        writer.WriteInt((int)Type);
        writer.WriteLong(Zxid);
        writer.WriteBuffer(Data);
        if (identities is null)
        {
            writer.WriteInt(-1);
            return;
        }
        writer.WriteInt(identities.Count);
        foreach (var identity in identities)
        {
            writer.WriteString(identity.Scheme);
            writer.WriteString(identity.Id);
        }
    }

    /// <summary>Reads the packet at the start of what has arrived.</summary>
    /// <param name="arrived">The bytes.</param>
    /// <param name="packet">The packet. Its identities, which a leader does not send, are stepped over.</param>
    /// <returns>How many bytes it took; 0 where more must arrive first.</returns>
    /// <exception cref="InvalidDataException">These bytes can't be a packet.</exception>
    public static int TryRead(ReadOnlySpan<byte> arrived, out QuorumPacket packet)
    {
        packet = default;
        var at = FixedLength;
        if (!TryField(arrived, ref at, MaxDataLength, out var data, out var isNull) || !TryInt(arrived, ref at, out var ids))
        {
            return 0;
        }
        if (ids is < -1 or > MaxIds)
        {
            throw new InvalidDataException($"a packet with {ids} identities");
        }
        for (var i = 0; i < ids * 2; i++)
        {
            if (!TryField(arrived, ref at, MaxIdLength, out _, out _))
            {
                return 0;
            }
        }
        packet = new QuorumPacket((QuorumPacketType)BinaryPrimitives.ReadInt32BigEndian(arrived), BinaryPrimitives.ReadInt64BigEndian(arrived[4..]),
            isNull ? null : data.ToArray());
        return at;
    }

    private static bool TryInt(ReadOnlySpan<byte> arrived, ref int at, out int value)
    {
        value = 0;
        if (arrived.Length < at + sizeof(int))
        {
            return false;
        }
        value = BinaryPrimitives.ReadInt32BigEndian(arrived[at..]);
        at += sizeof(int);
        return true;
    }

    private static bool TryField(ReadOnlySpan<byte> arrived, ref int at, int limit, out ReadOnlySpan<byte> field, out bool isNull)
    {
        field = default;
        isNull = false;
        if (!TryInt(arrived, ref at, out var length))
        {
            return false;
        }
        if (length < -1 || length > limit)
        {
            throw new InvalidDataException($"a packet with a field of {length} bytes; at most {limit} are taken");
        }
        isNull = length < 0;
        var end = at + Math.Max(0, length);
        if (arrived.Length < end)
        {
            return false;
        }
        field = arrived[at..end];
        at = end;
        return true;
    }
}
