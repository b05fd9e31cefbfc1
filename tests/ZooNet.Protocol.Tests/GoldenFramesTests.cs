namespace ZooNet.Protocol.Tests;

/// <summary>
/// Frames captured from ZooKeeper 3.8.0 (Golden/capture.py): every record reads them and writes the very same bytes, and none reads
/// past what it was given.
/// </summary>
public sealed class GoldenFramesTests
{
    private static readonly (char Direction, string Name, byte[] Payload)[] Frames =
    [
        .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Golden", "frames.txt")).Select(line => line.Split(' '))
            .Select(parts => (parts[0][0], parts[1], Convert.FromHexString(parts[2]))),
    ];

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, Frames.Length)];

    [Fact]
    public void There_is_a_frame_of_every_operation_that_a_client_may_send()
    {
        var seen = Frames.Where(f => f is { Direction: '>', Name: not "connect" }).Select(f => OpOf(f.Payload)).ToHashSet();
        var expected = Enum.GetValues<OpCode>().Except([OpCode.Notification, OpCode.Error, OpCode.CreateSession, OpCode.DeleteContainer, OpCode.Check, OpCode.Sasl]);
        Assert.Empty(expected.Except(seen));
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public void A_captured_frame_is_read_and_written_again_byte_for_byte(int index)
    {
        var (direction, name, payload) = Frames[index];
        var writer = new JuteWriter();
        Assert.True(Copy(direction, name, RequestOf(index), payload, writer), $"{name} was not read to its end");
        Assert.Equal(Convert.ToHexString(payload), Convert.ToHexString(writer.Written));
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public void A_frame_cut_at_any_byte_is_noticed_and_nothing_is_read_beyond_it(int index)
    {
        var (direction, name, payload) = Frames[index];
        for (var length = 0; length < payload.Length; length++)
        {
            // The readOnly byte and the watch-less tail of an optional part are legal to leave out; all else is not.
            var whole = Copy(direction, name, RequestOf(index), payload[..length], new JuteWriter());
            var optional = name == "connect" && length == payload.Length - 1;
            Assert.True(!whole || optional, $"{direction} {name} cut at {length} of {payload.Length} bytes was taken for whole");
        }
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public void Hostile_lengths_inside_a_frame_are_refused_without_allocating_what_they_claim(int index)
    {
        var (direction, name, payload) = Frames[index];
        foreach (var hostile in (int[])[int.MaxValue, int.MinValue, -2, 0x00FFFFFF])
        {
            for (var at = 0; at + 4 <= payload.Length; at++)
            {
                var damaged = (byte[])payload.Clone();
                System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(damaged.AsSpan(at), hostile);
                var before = GC.GetAllocatedBytesForCurrentThread();
                Copy(direction, name, RequestOf(index), damaged, new JuteWriter());
                Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 256 * 1024, $"{name}: {hostile} at {at} made it allocate");
            }
        }
    }

    private static OpCode OpOf(byte[] payload)
    {
        var reader = new JuteReader(payload);
        return RequestHeader.Read(ref reader).Op;
    }

    /// <summary>The operation that a frame asks for, or answers.</summary>
    private static OpCode RequestOf(int index)
    {
        for (var i = index; i >= 0; i--)
        {
            if (Frames[i] is { Direction: '>' } request && request.Name == Frames[index].Name)
            {
                return request.Name == "connect" ? OpCode.CreateSession : OpOf(request.Payload);
            }
        }
        return OpCode.Notification;
    }

    /// <summary>Reads a payload as what it is and writes it again.</summary>
    /// <returns>False where it could not be read, or something was left over.</returns>
    private static bool Copy(char direction, string name, OpCode op, byte[] payload, JuteWriter writer)
    {
        if (name == "connect")
        {
            return CopyConnect(direction, payload, writer);
        }
        var reader = new JuteReader(payload);
        if (direction == '>')
        {
            RequestHeader.Read(ref reader).Write(writer);
            if (name == "short-body")
            {
                // Captured on purpose: a body that claims more than there is. The server answers MARSHALLINGERROR.
                var rest = reader.Rest;
                PathWatchRequest.Read(ref reader);
                writer.WriteRaw(rest);
                return reader.Failed && rest.Length == 4;
            }
            CopyRequest(op, ref reader, writer);
        }
        else
        {
            var header = ReplyHeader.Read(ref reader);
            header.Write(writer);
            if (header.Xid == Xids.Notification)
            {
                var change = WatcherEvent.Read(ref reader);
                writer.WriteInt((int)change.Type);
                writer.WriteInt(change.State);
                writer.WriteString(change.Path);
            }
            else if (header.Error == ErrorCode.Ok)
            {
                CopyReply(op, ref reader, writer);
            }
        }
        return !reader.Failed && reader.Remaining == 0;
    }

    private static bool CopyConnect(char direction, byte[] payload, JuteWriter writer)
    {
        var framed = new JuteWriter();
        if (direction == '>')
        {
            if (ConnectRequest.TryRead(payload) is not { } request)
            {
                return false;
            }
            request.WriteFrame(framed);
        }
        else
        {
            if (ConnectResponse.TryRead(payload) is not { } response)
            {
                return false;
            }
            response.WriteFrame(framed);
        }
        writer.WriteRaw(framed.Written[Framing.PrefixLength..]);
        return true;
    }

    private static void CopyRequest(OpCode op, ref JuteReader reader, JuteWriter writer)
    {
        switch (op)
        {
            case OpCode.Auth:
                AuthRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                CreateRequest.Read(ref reader, op).Write(writer, op);
                break;
            case OpCode.Delete or OpCode.Check:
                PathVersionRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.Exists or OpCode.GetData or OpCode.GetChildren or OpCode.GetChildren2:
                PathWatchRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.SetData:
                SetDataRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.SetAcl:
                SetAclRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.GetAcl or OpCode.Sync or OpCode.GetEphemerals or OpCode.GetAllChildrenNumber:
                writer.WriteString(reader.ReadString());
                break;
            case OpCode.CheckWatches or OpCode.RemoveWatches or OpCode.AddWatch:
                PathKindRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.SetWatches or OpCode.SetWatches2:
                SetWatchesRequest.Read(ref reader, op).Write(writer, op);
                break;
            case OpCode.Reconfig:
                ReconfigRequest.Read(ref reader).Write(writer);
                break;
            case OpCode.Multi or OpCode.MultiRead:
                while (true)
                {
                    var header = MultiHeader.Read(ref reader);
                    header.Write(writer);
                    if (header.Done || reader.Failed)
                    {
                        break;
                    }
                    CopyRequest(header.Type, ref reader, writer);
                }
                break;
        }
    }

    private static void CopyReply(OpCode op, ref JuteReader reader, JuteWriter writer)
    {
        switch (op)
        {
            case OpCode.Create or OpCode.Sync:
                writer.WriteString(reader.ReadString());
                break;
            case OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                writer.WriteString(reader.ReadString());
                Stat.Read(ref reader).Write(writer);
                break;
            case OpCode.Exists or OpCode.SetData or OpCode.SetAcl:
                Stat.Read(ref reader).Write(writer);
                break;
            case OpCode.GetData or OpCode.Reconfig:
                writer.WriteBuffer(reader.ReadBuffer());
                Stat.Read(ref reader).Write(writer);
                break;
            case OpCode.GetAcl:
                Acl.WriteList(writer, Acl.ReadList(ref reader));
                Stat.Read(ref reader).Write(writer);
                break;
            case OpCode.GetChildren or OpCode.GetEphemerals:
                writer.WriteStrings(reader.ReadStrings());
                break;
            case OpCode.GetChildren2:
                writer.WriteStrings(reader.ReadStrings());
                Stat.Read(ref reader).Write(writer);
                break;
            case OpCode.GetAllChildrenNumber or OpCode.AddWatch or OpCode.Error:
                writer.WriteInt(reader.ReadInt());
                break;
            case OpCode.WhoAmI:
                var count = reader.ReadCount(8);
                writer.WriteInt(count);
                for (var i = 0; i < count; i++)
                {
                    writer.WriteString(reader.ReadString());
                    writer.WriteString(reader.ReadString());
                }
                break;
            case OpCode.Multi or OpCode.MultiRead:
                while (true)
                {
                    var header = MultiHeader.Read(ref reader);
                    header.Write(writer);
                    if (header.Done || reader.Failed)
                    {
                        break;
                    }
                    CopyReply(header.Type, ref reader, writer);
                }
                break;
        }
    }
}
