namespace ZooNet.Protocol;

/// <summary>
/// The first frame a client sends (source: <c>zookeeper.jute</c>, <c>ConnectRequest</c>). It has no header.
/// </summary>
/// <param name="ProtocolVersion">Ignored by servers; 0.</param>
/// <param name="LastZxidSeen">The largest zxid that a reply header showed this client; a server that is behind it closes the
/// connection.</param>
/// <param name="TimeoutMs">Session timeout asked for, in milliseconds; the server clamps it.</param>
/// <param name="SessionId">0 for a new session.</param>
/// <param name="Password">16 bytes for a session to re-attach; may be null or empty for a new one.</param>
/// <param name="ReadOnly">Whether a read-only server will do; null where the client is old and sends no such byte.</param>
public sealed record ConnectRequest(int ProtocolVersion, long LastZxidSeen, int TimeoutMs, long SessionId, byte[]? Password, bool? ReadOnly)
{
    /// <summary>Offset of the timeout within the payload.</summary>
    public const int TimeoutOffset = 12;

    /// <summary>Reads a request from a whole payload; null where it can't be one.</summary>
    public static ConnectRequest? TryRead(ReadOnlySpan<byte> payload)
    {
        var reader = new JuteReader(payload);
        var protocol = reader.ReadInt();
        var zxid = reader.ReadLong();
        var timeout = reader.ReadInt();
        var session = reader.ReadLong();
        var password = reader.ReadBuffer();
        if (reader.Failed)
        {
            return null;
        }
        bool? readOnly = reader.Remaining > 0 ? reader.ReadBool() : null;
        return new ConnectRequest(protocol, zxid, timeout, session, password, readOnly);
    }

    /// <summary>Writes this request as a frame.</summary>
    public void WriteFrame(JuteWriter writer)
    {
        var mark = writer.BeginFrame();
        writer.WriteInt(ProtocolVersion);
        writer.WriteLong(LastZxidSeen);
        writer.WriteInt(TimeoutMs);
        writer.WriteLong(SessionId);
        writer.WriteBuffer(Password);
        if (ReadOnly is { } readOnly)
        {
            writer.WriteBool(readOnly);
        }
        writer.EndFrame(mark);
    }
}

/// <summary>The first frame a server sends (source: <c>zookeeper.jute</c>, <c>ConnectResponse</c>). It has no header.</summary>
/// <param name="ProtocolVersion">0.</param>
/// <param name="TimeoutMs">The negotiated timeout in milliseconds; 0 where the session is refused (expired, or a wrong password).</param>
/// <param name="SessionId">The session; 0 where it is refused.</param>
/// <param name="Password">16 bytes; zeros where the session is refused.</param>
/// <param name="ReadOnly">Whether the server is read-only; null towards a client that sent no such byte.</param>
public sealed record ConnectResponse(int ProtocolVersion, int TimeoutMs, long SessionId, byte[] Password, bool? ReadOnly)
{
    /// <summary>
    /// The answer to a session that can't be re-attached: clients tell by timeout, by id or by a changed id, so all three are zero.
    /// </summary>
    public static ConnectResponse Refused(bool? readOnly) => new(0, 0, 0, new byte[16], readOnly);

    /// <summary>Reads a response from a whole payload; null where it can't be one.</summary>
    public static ConnectResponse? TryRead(ReadOnlySpan<byte> payload)
    {
        var reader = new JuteReader(payload);
        var protocol = reader.ReadInt();
        var timeout = reader.ReadInt();
        var session = reader.ReadLong();
        var password = reader.ReadBuffer();
        if (reader.Failed)
        {
            return null;
        }
        bool? readOnly = reader.Remaining > 0 ? reader.ReadBool() : null;
        return new ConnectResponse(protocol, timeout, session, password ?? [], readOnly);
    }

    /// <summary>Writes this response as a frame.</summary>
    public void WriteFrame(JuteWriter writer)
    {
        var mark = writer.BeginFrame();
        writer.WriteInt(ProtocolVersion);
        writer.WriteInt(TimeoutMs);
        writer.WriteLong(SessionId);
        writer.WriteBytes(Password);
        if (ReadOnly is { } readOnly)
        {
            writer.WriteBool(readOnly);
        }
        writer.EndFrame(mark);
    }
}
