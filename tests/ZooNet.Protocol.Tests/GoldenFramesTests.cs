namespace ZooNet.Protocol.Tests;

/// <summary>
/// Frames captured from real ZooKeepers of each line (Golden/capture.py): every record reads them and writes the very same bytes, and
/// none reads past what it was given.
/// </summary>
public sealed class GoldenFramesTests
{
    /// <summary>The releases of ZooKeeper whose frames are kept.</summary>
    public static TheoryData<string> Versions => [.. GoldenFrames.Versions];

    [Fact]
    public void There_is_a_frame_of_every_operation_that_a_client_may_send()
    {
        var seen = GoldenFrames.Of("3.8.0").Where(frame => frame.Direction == '>').Select(frame => frame.Op).ToHashSet();
        var expected = Enum.GetValues<OpCode>()
            .Except([OpCode.Notification, OpCode.Error, OpCode.CreateSession, OpCode.DeleteContainer, OpCode.Check, OpCode.Sasl]);
        Assert.Empty(expected.Except(seen));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_captured_frame_is_read_and_written_again_byte_for_byte(string version)
    {
        foreach (var frame in GoldenFrames.Of(version))
        {
            if (frame is { Direction: '>', Name: "setWatches-null" })
            {
                continue; // Captured for its answer: a vector that is null is refused, and never written.
            }
            var writer = new JuteWriter();
            Assert.True(Copy(frame, frame.Payload, writer), $"{frame.Name} was not read to its end");
            Assert.True(frame.Payload.AsSpan().SequenceEqual(writer.Written), $"{frame.Name} was written otherwise");
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_frame_cut_at_any_byte_is_noticed_and_nothing_is_read_beyond_it(string version)
    {
        foreach (var frame in GoldenFrames.Of(version))
        {
            for (var length = 0; length < frame.Payload.Length; length++)
            {
                // The readOnly byte and the watch-less tail of an optional part are legal to leave out; all else is not.
                var whole = Copy(frame, frame.Payload[..length], new JuteWriter());
                var optional = frame.Name == "connect" && length == frame.Payload.Length - 1;
                Assert.True(!whole || optional, $"{frame.Name} cut at {length} of {frame.Payload.Length} bytes was taken for whole");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Hostile_lengths_inside_a_frame_are_refused_without_allocating_what_they_claim(string version)
    {
        foreach (var frame in GoldenFrames.Of(version))
        {
            foreach (var hostile in (int[])[int.MaxValue, int.MinValue, -2, 0x00FFFFFF])
            {
                for (var at = 0; at + 4 <= frame.Payload.Length; at++)
                {
                    var damaged = (byte[])frame.Payload.Clone();
                    System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(damaged.AsSpan(at), hostile);
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    Copy(frame, damaged, new JuteWriter());
                    var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                    Assert.True(allocated < 256 * 1024, $"{frame.Name}: {hostile} at {at} made it allocate");
                }
            }
        }
    }

    /// <summary>Reads a payload as what it is and writes it again.</summary>
    /// <returns>False where it could not be read, or something was left over.</returns>
    private static bool Copy(GoldenFrame frame, byte[] payload, JuteWriter writer)
    {
        var (direction, name, _, op) = frame;
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
