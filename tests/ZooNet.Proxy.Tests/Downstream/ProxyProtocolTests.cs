using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>Load balancers that say whose connection they pass on, and others that would like to.</summary>
public sealed class ProxyProtocolTests : IAsyncLifetime
{
    private const string Balancer = "127.0.0.9";

    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _proxy = await _regions.StartProxyAsync(c => c with
        {
            ProxyProtocol = [IPNetwork.Parse($"{Balancer}/32")],
            FourLetterWords = ProxyConfigLoader.KnownWords,
            MaxConnectionsPerAddress = 2,
            Rules = [new ClientRule("/", PathAccess.None, [IPNetwork.Parse("10.66.0.0/16")], [])],
        });
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    public static TheoryData<byte[], string> Headers => new()
    {
        { Encoding.ASCII.GetBytes("PROXY TCP4 10.1.2.3 10.0.0.1 4567 2181\r\n"), "/10.1.2.3:4567[" },
        { Encoding.ASCII.GetBytes("PROXY TCP6 2001:db8::7 2001:db8::1 4567 2181\r\n"), "/[2001:db8::7]:4567[" },
        { Encoding.ASCII.GetBytes("PROXY UNKNOWN\r\n"), $"/{Balancer}:" },
        { Binary(0x21, 0x11, [10, 1, 2, 4, 10, 0, 0, 1, 0x11, 0xd7, 8, 0x85]), "/10.1.2.4:4567[" },
        // What follows the addresses is the balancer's own business.
        { Binary(0x21, 0x11, [10, 1, 2, 4, 10, 0, 0, 1, 0x11, 0xd7, 8, 0x85, 4, 0, 1, 0]), "/10.1.2.4:4567[" },
        { Binary(0x21, 0x21, [.. IPAddress.Parse("2001:db8::8").GetAddressBytes(), .. new byte[16], 0x11, 0xd7, 8, 0x85]), "/[2001:db8::8]:4567[" },
        // A health check of its own.
        { Binary(0x20, 0x00, []), $"/{Balancer}:" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public async Task The_address_that_a_listed_balancer_tells_is_the_clients(byte[] header, string address)
    {
        using var socket = await OpenAsync(Balancer);
        // Split anywhere, and with the first request behind it.
        await socket.SendAsync(header.AsMemory(0, 5));
        await socket.SendAsync(header.AsMemory(5));
        var response = await ConnectAsync(socket);

        Assert.NotEqual(0, response!.SessionId);
        Assert.Contains(address, await AskAsync("127.0.0.1", "cons"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ruok")]
    [InlineData("PROXY TCP4 10.1.2.3\r\n    ")]
    [InlineData("PROXY TCP4 2001:db8::7 10.0.0.1 4567 2181\r\n")]
    [InlineData("PROXY TCP4 10.1.2.3 10.0.0.1 4567 99999999999999999999999999999999999999999999999999999999999999999999999999999999")]
    [InlineData("GET / HTTP/1.1\r\n\r\n")]
    public async Task A_listed_balancer_that_does_not_begin_with_a_header_is_closed(string begin)
    {
        using var socket = await OpenAsync(Balancer);
        await socket.SendAsync(Encoding.ASCII.GetBytes(begin));
        socket.Shutdown(SocketShutdown.Send);

        Assert.Equal("", await ReadAsync(socket));
        await TwoRegions.Eventually(() => Task.FromResult(_proxy.Host.Path.Limits.Open == 0));
    }

    [Fact]
    public async Task Nobody_else_can_tell_an_address()
    {
        using var socket = await OpenAsync("127.0.0.1");
        await socket.SendAsync("PROXY TCP4 10.1.2.3 10.0.0.1 4567 2181\r\nruok"u8.ToArray());

        Assert.Equal("", await ReadAsync(socket));
    }

    [Fact]
    public async Task Limits_and_rules_go_by_the_clients_address_and_not_by_the_balancers()
    {
        var header = "PROXY TCP4 10.66.0.1 10.0.0.1 4567 2181\r\n"u8.ToArray();
        using var first = await OpenAsync(Balancer, header);
        using var second = await OpenAsync(Balancer, header);
        Assert.NotEqual(0, (await ConnectAsync(first))!.SessionId);
        Assert.NotEqual(0, (await ConnectAsync(second))!.SessionId);

        using var third = await OpenAsync(Balancer, header);
        Assert.Equal("", await ReadAsync(third));
        using var other = await OpenAsync(Balancer, "PROXY TCP4 10.67.0.1 10.0.0.1 4567 2181\r\n"u8.ToArray());
        Assert.NotEqual(0, (await ConnectAsync(other))!.SessionId);

        Assert.Equal(ErrorCode.NoAuth, await ExistsAsync(first));
        Assert.Equal(ErrorCode.Ok, await ExistsAsync(other));
    }

    private static byte[] Binary(byte command, byte family, byte[] rest) =>
        [.. "\r\n\r\n\0\r\nQUIT\n"u8, command, family, 0, (byte)rest.Length, .. rest];

    private async Task<Socket> OpenAsync(string from, byte[]? begin = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        if (begin is not null)
        {
            await socket.SendAsync(begin);
        }
        return socket;
    }

    private async Task<string> AskAsync(string from, string word)
    {
        using var socket = await OpenAsync(from, Encoding.ASCII.GetBytes(word));
        return await ReadAsync(socket);
    }

    private static async Task<ConnectResponse?> ConnectAsync(Socket socket)
    {
        var writer = new JuteWriter();
        new ConnectRequest(0, 0, 6000, 0, new byte[16], false).WriteFrame(writer);
        await socket.SendAsync(writer.WrittenMemory);
        return ConnectResponse.TryRead(await FrameAsync(socket));
    }

    private static async Task<ErrorCode> ExistsAsync(Socket socket)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(1, OpCode.Exists).Write(writer);
        new PathWatchRequest("/", false).Write(writer);
        writer.EndFrame(mark);
        await socket.SendAsync(writer.WrittenMemory);
        return ReplyHeader.Read(await FrameAsync(socket)).Error;
    }

    private static async Task<byte[]> FrameAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var prefix = new byte[4];
        await stream.ReadExactlyAsync(prefix, limit.Token);
        var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix)];
        await stream.ReadExactlyAsync(frame, limit.Token);
        return frame;
    }

    private static async Task<string> ReadAsync(Socket socket)
    {
        var text = new StringBuilder();
        var buffer = new byte[1024];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            while (await socket.ReceiveAsync(buffer, limit.Token) is > 0 and var read)
            {
                text.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }
        }
        catch (SocketException)
        {
            // Closed while something was unread.
        }
        return text.ToString();
    }
}
