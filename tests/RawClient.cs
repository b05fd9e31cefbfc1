using System.Buffers.Binary;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Tests;

/// <summary>
/// A client that does exactly what a test says, frame by frame: no pings, no reconnects, no checks. One caller at a time.
/// </summary>
public sealed class RawClient : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private int _xid;

    private RawClient()
    {
    }

    /// <summary>The session; 0 where it was refused.</summary>
    public long SessionId { get; private set; }

    /// <summary>The session's password.</summary>
    public byte[] Password { get; private set; } = [];

    /// <summary>The timeout granted, in milliseconds.</summary>
    public int TimeoutMs { get; private set; }

    /// <summary>How long the connect response was, its length prefix not counted.</summary>
    public int ConnectResponseLength { get; private set; }

    /// <summary>Opens a connection and sends nothing.</summary>
    public static async Task<RawClient> OpenAsync(ServerAddress server)
    {
        var client = new RawClient();
        using var limit = new CancellationTokenSource(Limit);
        await client._socket.ConnectAsync(server.Host, server.Port, limit.Token);
        return client;
    }

    /// <summary>Opens a connection and a session on it, or attaches one.</summary>
    /// <param name="server">Where.</param>
    /// <param name="timeoutMs">The timeout asked for.</param>
    /// <param name="sessionId">An existing session; 0 for a new one.</param>
    /// <param name="password">Its password.</param>
    /// <param name="readOnly">The read-only byte; null leaves it out, as clients before 3.4 do.</param>
    /// <param name="lastZxid">The newest zxid that the client has seen.</param>
    public static async Task<RawClient> ConnectAsync(ServerAddress server, int timeoutMs = 6000, long sessionId = 0, byte[]? password = null,
        bool? readOnly = false, long lastZxid = 0)
    {
        var client = await OpenAsync(server);
        var writer = new JuteWriter();
        new ConnectRequest(0, lastZxid, timeoutMs, sessionId, password ?? new byte[16], readOnly).WriteFrame(writer);
        await client.SendBytesAsync(writer.Written.ToArray());
        var frame = await client.FrameAsync() ?? throw new IOException("closed instead of a connect response");
        client.ConnectResponseLength = frame.Length;
        var response = ConnectResponse.TryRead(frame)!;
        (client.SessionId, client.Password, client.TimeoutMs) = (response.SessionId, response.Password, response.TimeoutMs);
        return client;
    }

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendBytesAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, limit.Token)..];
        }
    }

    /// <summary>Sends a request.</summary>
    /// <returns>Its xid.</returns>
    public async Task<int> SendAsync(OpCode op, Action<JuteWriter>? body = null, int? xid = null)
    {
        var id = xid ?? ++_xid;
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(id, op).Write(writer);
        body?.Invoke(writer);
        writer.EndFrame(mark);
        await SendBytesAsync(writer.Written.ToArray());
        return id;
    }

    /// <summary>The next frame's payload; null where the connection has ended.</summary>
    public async Task<byte[]?> FrameAsync(TimeSpan? limit = null)
    {
        using var cancel = new CancellationTokenSource(limit ?? Limit);
        var prefix = new byte[4];
        if (!await FillAsync(prefix, cancel.Token))
        {
            return null;
        }
        var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix)];
        return await FillAsync(frame, cancel.Token) ? frame : null;
    }

    /// <summary>The next reply or event; replies to pings, which a proxy may send unasked, are stepped over.</summary>
    public async Task<(ReplyHeader Header, byte[] Body)> NextAsync()
    {
        while (true)
        {
            var frame = await FrameAsync() ?? throw new IOException("the connection has ended");
            var header = ReplyHeader.Read(frame);
            if (header.Xid != Xids.Ping)
            {
                return (header, frame[ReplyHeader.WireLength..]);
            }
        }
    }

    /// <summary>Sends a request and takes the next frame, which must be its reply.</summary>
    public async Task<(ReplyHeader Header, byte[] Body)> CallAsync(OpCode op, Action<JuteWriter>? body = null)
    {
        var xid = await SendAsync(op, body);
        var reply = await NextAsync();
        Assert.Equal(xid, reply.Header.Xid);
        return reply;
    }

    /// <summary>Waits until the other side has ended the connection; whatever it still sends is thrown away.</summary>
    public async Task WaitClosedAsync(TimeSpan? limit = null)
    {
        while (await FrameAsync(limit) is not null)
        {
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    /// <summary>The event in a frame that is one.</summary>
    public static (WatchEventType Type, string Path) EventOf((ReplyHeader Header, byte[] Body) frame)
    {
        Assert.Equal(Xids.Notification, frame.Header.Xid);
        var reader = new JuteReader(frame.Body);
        var e = WatcherEvent.Read(ref reader);
        return (e.Type, e.Path!);
    }

    private async Task<bool> FillAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                var received = await _socket.ReceiveAsync(buffer, cancel);
                if (received == 0)
                {
                    return false;
                }
                buffer = buffer[received..];
            }
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
