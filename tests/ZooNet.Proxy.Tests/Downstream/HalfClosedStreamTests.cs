using System.Net;
using System.Net.Sockets;
using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>Clients that end their stream along with their last request, as nc -N and many health checks do, and then read.</summary>
public sealed class HalfClosedStreamTests
{
    [Fact]
    public async Task A_four_letter_word_whose_sender_closes_its_stream_with_it_is_answered_each_time()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync();
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal("imok", Encoding.ASCII.GetString(await SendAndEndAsync(proxy.Host.ClientEndPoints[0], "ruok"u8.ToArray())));
        }
    }

    [Fact]
    public async Task A_client_that_ends_its_stream_with_its_requests_gets_every_reply_also_from_a_mount()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync();
        Assert.Equal(201, (await proxy.MountAsync("eu:/apps", "/mnt/eu", "create")).Status);
        for (var i = 0; i < 20; i++)
        {
            var writer = new JuteWriter();
            new ConnectRequest(0, 0, 6000, 0, new byte[16], false).WriteFrame(writer);
            Request(writer, 1, OpCode.Exists, w => new PathWatchRequest("/", false).Write(w));
            Request(writer, 2, OpCode.Exists, w => new PathWatchRequest("/mnt/eu", false).Write(w));
            Request(writer, 3, OpCode.GetChildren, w => new PathWatchRequest("/", false).Write(w));
            Request(writer, 4, OpCode.CloseSession, _ => { });

            var replies = Frames(await SendAndEndAsync(proxy.Host.ClientEndPoints[0], writer.Written.ToArray()));

            Assert.NotEqual(0, ConnectResponse.TryRead(replies[0])!.SessionId);
            Assert.Equal([1, 2, 3, 4], replies.Skip(1).Select(r => ReplyHeader.Read(r).Xid));
            Assert.All(replies.Skip(1), r => Assert.Equal(ErrorCode.Ok, ReplyHeader.Read(r).Error));
        }
    }

    [Fact]
    public async Task A_client_that_ends_its_stream_and_asked_for_nothing_is_let_go_at_once()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync();
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 6000, 0, new byte[16], false).WriteFrame(writer);

        var replies = Frames(await SendAndEndAsync(proxy.Host.ClientEndPoints[0], writer.Written.ToArray()));

        Assert.NotEqual(0, ConnectResponse.TryRead(Assert.Single(replies))!.SessionId);
        await TwoRegions.Eventually(() => Task.FromResult(proxy.Host.Path.ClientCount == 0));
    }

    [Fact]
    public async Task The_admin_endpoint_answers_a_client_that_ends_its_stream_with_its_request()
    {
        await using var regions = await TwoRegions.StartAsync();
        var proxy = await regions.StartProxyAsync();
        // A mount takes its time: the end of the stream is there before the answer.
        const string Body = """{"source":"eu:/apps","path":"/mnt/eu","options":"create"}""";
        var request = "POST /api/v1/mounts HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + $"Content-Length: {Body.Length}\r\n\r\n{Body}";

        var answer = Encoding.ASCII.GetString(await SendAndEndAsync(proxy.Host.AdminEndPoint, Encoding.ASCII.GetBytes(request)));

        Assert.StartsWith("HTTP/1.1 201", answer, StringComparison.Ordinal);
        Assert.Contains("eu:/apps", answer, StringComparison.Ordinal);
    }

    private static async Task<byte[]> SendAndEndAsync(IPEndPoint server, byte[] bytes)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server);
        await socket.SendAsync(bytes);
        socket.Shutdown(SocketShutdown.Send);
        var answer = new List<byte>();
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await socket.ReceiveAsync(buffer, limit.Token) is > 0 and var received)
        {
            answer.AddRange(buffer.AsSpan(0, received));
        }
        return [.. answer];
    }

    private static void Request(JuteWriter writer, int xid, OpCode op, Action<JuteWriter> body)
    {
        var mark = writer.BeginFrame();
        new RequestHeader(xid, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
    }

    private static List<byte[]> Frames(byte[] bytes)
    {
        var frames = new List<byte[]>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
            frames.Add(bytes[(at + 4)..(at + 4 + length)]);
            at += 4 + length;
        }
        return frames;
    }
}
