using System.Buffers.Binary;

namespace ZooNet.Protocol;

/// <summary>The header of every request but the first: 8 bytes.</summary>
/// <param name="Xid">The client's number for the request; echoed in the reply.</param>
/// <param name="Op">What is asked. Codes not in <see cref="OpCode"/> occur: servers answer them UNIMPLEMENTED.</param>
public readonly record struct RequestHeader(int Xid, OpCode Op)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireLength = 8;

    /// <summary>Reads a header.</summary>
    public static RequestHeader Read(ref JuteReader reader) => new(reader.ReadInt(), (OpCode)reader.ReadInt());

    /// <summary>Writes this header.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteInt(Xid);
        writer.WriteInt((int)Op);
    }
}

/// <summary>The header of every reply and event but the first: 16 bytes.</summary>
/// <param name="Xid">The request's xid; -1 for a watch event.</param>
/// <param name="Zxid">A write's own zxid; for a read the server's last applied one; 0 or -1 in the cases of protocol.md §4.</param>
/// <param name="Error">The outcome; a body follows only on <see cref="ErrorCode.Ok"/>.</param>
public readonly record struct ReplyHeader(int Xid, long Zxid, ErrorCode Error)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireLength = 16;

    /// <summary>Reads a header.</summary>
    public static ReplyHeader Read(ref JuteReader reader) => new(reader.ReadInt(), reader.ReadLong(), (ErrorCode)reader.ReadInt());

    /// <summary>Reads a header from the start of a payload of at least <see cref="WireLength"/> bytes.</summary>
    public static ReplyHeader Read(ReadOnlySpan<byte> payload) => new(BinaryPrimitives.ReadInt32BigEndian(payload),
        BinaryPrimitives.ReadInt64BigEndian(payload[4..]), (ErrorCode)BinaryPrimitives.ReadInt32BigEndian(payload[12..]));

    /// <summary>Writes this header.</summary>
    public void Write(JuteWriter writer)
    {
        writer.WriteInt(Xid);
        writer.WriteLong(Zxid);
        writer.WriteInt((int)Error);
    }
}
