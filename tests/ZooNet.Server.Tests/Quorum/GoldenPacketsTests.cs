using System.Buffers.Binary;
using ZooNet.Protocol;
using ZooNet.Server.Quorum;
using ZooNet.Tree.Requests;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// Packets captured between a real observer and its leader, both ZooKeeper 3.8.0 (Golden/capture.py): ours are the same bytes, and
/// the leader's are read to their ends and no further.
/// </summary>
public sealed class GoldenPacketsTests
{
    private static readonly List<Recorded> Packets = ReadAll();

    public static TheoryData<int> Mine => Where(p => p.IsMine);

    public static TheoryData<int> Leaders => Where(p => !p.IsMine);

    public static TheoryData<int> Transactions => Where(p => p.Name is "INFORM" or "PROPOSAL" or "INFORMANDACTIVATE");

    [Fact]
    public void There_is_a_packet_of_every_type_that_an_observer_meets()
    {
        var seen = Packets.Select(p => p.Type).ToHashSet();
        // A leader commits and activates for followers; a follower introduces itself so.
        var others = new[] { QuorumPacketType.CommitAndActivate, QuorumPacketType.FollowerInfo };
        Assert.Equal(Enum.GetValues<QuorumPacketType>().Except(others).Order(), seen.Order());
    }

    [Fact]
    public void There_is_a_transaction_of_every_kind()
    {
        var seen = Packets.Where(p => p.Name is "INFORM" or "PROPOSAL" or "INFORMANDACTIVATE").Select(p => TypeOf(p)).ToHashSet();
        OpCode[] expected = [OpCode.Create, OpCode.Create2, OpCode.CreateContainer, OpCode.CreateTtl, OpCode.Delete, OpCode.SetData,
            OpCode.SetAcl, OpCode.Multi, OpCode.Error, OpCode.CreateSession, OpCode.CloseSession, OpCode.Reconfig];
        Assert.Equal(expected.Order(), seen.Order());
    }

    [Theory]
    [MemberData(nameof(Mine))]
    public void What_the_learner_sends_is_what_a_real_observer_sends(int index)
    {
        var recorded = Packets[index];
        var reader = new JuteReader(recorded.Bytes);
        var type = (QuorumPacketType)reader.ReadInt();
        var zxid = reader.ReadLong();
        var data = reader.ReadBuffer() ?? [];
        var identities = ReadIdentities(ref reader);
        Assert.Equal(0, reader.Remaining);
        var (packet, asked) = Again(type, zxid, data, identities);
        var writer = new JuteWriter();
        packet.Write(writer, asked);
        Assert.Equal(Convert.ToHexString(recorded.Bytes), Convert.ToHexString(writer.Written));
    }

    [Theory]
    [MemberData(nameof(Leaders))]
    public void What_a_leader_sends_is_read_to_its_end_and_waited_for_where_it_is_cut(int index)
    {
        var bytes = Packets[index].Bytes;
        Assert.Equal(bytes.Length, QuorumPacket.TryRead([.. bytes, 1, 2, 3], out var packet));
        Assert.Equal(Packets[index].Type, packet.Type);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Equal(0, QuorumPacket.TryRead(bytes.AsSpan(0, length), out _));
        }
    }

    [Theory]
    [MemberData(nameof(Leaders))]
    public void A_length_that_a_leader_lies_about_is_refused_or_waited_for_and_allocates_nothing(int index) =>
        Damage(Packets[index].Bytes, damaged => QuorumPacket.TryRead(damaged, out _));

    [Theory]
    [MemberData(nameof(Transactions))]
    public void A_transaction_is_read_to_its_end_with_its_digest(int index)
    {
        var (data, offset) = TransactionOf(Packets[index]);
        var txn = TxnReader.Read(data.AsSpan(offset), out var header, out var digest);
        Assert.Equal(BinaryPrimitives.ReadInt64BigEndian(data.AsSpan(offset + 12)), header.Zxid);
        // A leader of 3.6 and later digests all but errors.
        Assert.Equal(txn is ErrorTxn ? null : 2, digest?.Version);
        for (var length = offset; length < data.Length - (digest is null ? 0 : 12); length++)
        {
            // The paths of an ended session may be missing; nothing else may.
            var cut = data[offset..length];
            if (txn is not CloseSessionTxn || length < offset + 32)
            {
                Assert.Throws<InvalidDataException>(() => TxnReader.Read(cut, out _, out _));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Transactions))]
    public void A_transaction_with_a_count_or_a_length_that_lies_allocates_nothing_for_it(int index)
    {
        var (data, offset) = TransactionOf(Packets[index]);
        Damage(data[offset..], damaged => TxnReader.Read(damaged, out _, out _));
    }

    private static void Damage(byte[] bytes, Action<byte[]> read)
    {
        foreach (var hostile in (int[])[int.MaxValue, int.MinValue, -2, 0x00FF_FFFF])
        {
            for (var at = 0; at + 4 <= bytes.Length; at++)
            {
                var damaged = (byte[])bytes.Clone();
                BinaryPrimitives.WriteInt32BigEndian(damaged.AsSpan(at), hostile);
                var before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    read(damaged);
                }
                catch (InvalidDataException)
                {
                    // Refused, which is as good.
                }
                Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 256 * 1024, $"{hostile} at {at} made it allocate");
            }
        }
    }

    /// <summary>Makes the packet anew, from what it means.</summary>
    private static (QuorumPacket Packet, IReadOnlyList<Identity>? Identities) Again(
        QuorumPacketType type, long zxid, byte[] data, IReadOnlyList<Identity>? identities)
    {
        switch (type)
        {
            case QuorumPacketType.ObserverInfo:
                return (LearnerMessages.ObserverInfo(Long(data, 0), zxid >>> 32, Long(data, 12)), null);
            case QuorumPacketType.AckEpoch:
                return (LearnerMessages.AckEpoch(zxid, Int(data, 0)), null);
            case QuorumPacketType.Ack:
                return (new QuorumPacket(type, zxid), null);
            case QuorumPacketType.Revalidate:
                return (LearnerMessages.Revalidate(Long(data, 0), Int(data, 8)), null);
            case QuorumPacketType.Ping:
                var touched = Enumerable.Range(0, data.Length / 12)
                    .Select(i => KeyValuePair.Create(Long(data, i * 12), Int(data, (i * 12) + 8)));
                return (LearnerMessages.Pong(new QuorumPacket(type, zxid), [.. touched]), null);
            default:
                Assert.Equal(QuorumPacketType.Request, type);
                var (session, op) = (Long(data, 0), (OpCode)Int(data, 12));
                return op == OpCode.CreateSession
                    ? (LearnerMessages.CreateSession(session, Int(data, 16)), identities)
                    : (LearnerMessages.Request(session, Int(data, 8), op, data.AsSpan(16)), identities);
        }
    }

    private static long Long(byte[] data, int at) => BinaryPrimitives.ReadInt64BigEndian(data.AsSpan(at));

    private static int Int(byte[] data, int at) => BinaryPrimitives.ReadInt32BigEndian(data.AsSpan(at));

    private static List<Identity>? ReadIdentities(ref JuteReader reader)
    {
        var count = reader.ReadInt();
        if (count < 0)
        {
            return null;
        }
        var identities = new List<Identity>();
        for (var i = 0; i < count; i++)
        {
            identities.Add(new Identity(reader.ReadString() ?? "", reader.ReadString() ?? ""));
        }
        return identities;
    }

    private static OpCode TypeOf(Recorded packet)
    {
        var (data, offset) = TransactionOf(packet);
        return (OpCode)BinaryPrimitives.ReadInt32BigEndian(data.AsSpan(offset + 28));
    }

    private static (byte[] Data, int Offset) TransactionOf(Recorded packet)
    {
        Assert.True(QuorumPacket.TryRead(packet.Bytes, out var read) > 0);
        return (read.Data!, packet.Name == "INFORMANDACTIVATE" ? sizeof(long) : 0);
    }

    private static TheoryData<int> Where(Predicate<Recorded> which) =>
        [.. Enumerable.Range(0, Packets.Count).Where(i => which(Packets[i]))];

    private static List<Recorded> ReadAll() =>
    [
        .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Quorum", "Golden", "packets.txt"))
            .Select(line => line.Split(' ')).Where(parts => parts[0] != "#" && parts[1] != "snapshot")
            .Select(parts => new Recorded(parts[0] == ">", parts[1], Convert.FromHexString(parts[2]))),
    ];

    private sealed record Recorded(bool IsMine, string Name, byte[] Bytes)
    {
        public QuorumPacketType Type => (QuorumPacketType)BinaryPrimitives.ReadInt32BigEndian(Bytes);
    }
}
