using System.Buffers.Binary;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server.Tests.Differential;
using static ZooNet.Server.Tests.EmbeddedServerTests;

namespace ZooNet.Server.Tests;

/// <summary>What only shows on the wire: four-letter words, malformed frames, the read-only flag, a client that does not read.</summary>
public sealed class WireTests : IAsyncLifetime
{
    private EmbeddedServer _server = null!;

    public async Task InitializeAsync() => _server = await EmbeddedServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Four_letter_words_are_answered_on_the_same_port()
    {
        await using var client = await ConnectAsync(_server);
        await client.CreateAsync("/e", flags: CreateFlags.Ephemeral);
        await client.GetDataAsync("/e", watch: true);
        Assert.Equal("imok", await RealStandalone.AskAsync(_server.Address, "ruok"));
        Assert.Contains("Mode: standalone\n", await RealStandalone.AskAsync(_server.Address, "srvr"), StringComparison.Ordinal);
        Assert.Contains("zk_ephemerals_count\t1\n", await RealStandalone.AskAsync(_server.Address, "mntr"), StringComparison.Ordinal);
        Assert.Equal($"/e\n\t0x{client.SessionId:x}\n\n", await RealStandalone.AskAsync(_server.Address, "wchp"));
        Assert.Contains($"sid=0x{client.SessionId:x},lop=GETD,", await RealStandalone.AskAsync(_server.Address, "cons"), StringComparison.Ordinal);
        Assert.Contains($"0x{client.SessionId:x}:\n\t/e\n", await RealStandalone.AskAsync(_server.Address, "dump"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Credentials_are_no_sign_of_life_a_client_that_sends_nothing_else_loses_its_session()
    {
        await using var server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(50) });
        using var connection = new RawConnection(server.Address);
        var request = new JuteWriter();
        new ConnectRequest(0, 0, 100, 0, null, null).WriteFrame(request);
        connection.Send(request.Written);
        Assert.NotEqual(0, ConnectResponse.TryRead(connection.Receive())!.SessionId);
        var sasl = Frame(1, OpCode.Sasl, w => w.WriteBuffer([1]));
        var limit = DateTime.UtcNow.AddSeconds(20);
        byte[]? reply = [];
        while (reply is not null)
        {
            Assert.True(DateTime.UtcNow < limit, "the session is kept alive by SASL packets");
            await Task.Delay(10);
            try
            {
                connection.Send(sasl);
                reply = connection.Receive();
            }
            catch (Exception e) when (e is System.Net.Sockets.SocketException or IOException)
            {
                reply = null;
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(Framing.DefaultMaxLength + 1)]
    [InlineData(int.MaxValue)]
    public void A_frame_of_an_impossible_length_closes_the_connection_and_nothing_else(int length)
    {
        using var connection = Connected(out _);
        var prefix = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(prefix, length);
        connection.Send(prefix);
        Assert.Null(connection.Receive());
        using var other = Connected(out var session);
        Assert.NotEqual(0, session);
    }

    [Fact]
    public void A_frame_may_come_one_byte_at_a_time_and_be_as_long_as_the_limit()
    {
        using var connection = Connected(out _);
        foreach (var b in Frame(1, OpCode.Exists, w => new PathWatchRequest("/", false).Write(w)))
        {
            connection.Send([b]);
        }
        Assert.Equal(ErrorCode.Ok, ReplyHeader.Read(connection.Receive()!).Error);
        var overhead = Frame(2, OpCode.SetData, w => new SetDataRequest("/", [], -1).Write(w)).Length - Framing.PrefixLength;
        connection.Send(Frame(2, OpCode.SetData, w => new SetDataRequest("/", new byte[Framing.DefaultMaxLength - overhead], -1).Write(w)));
        Assert.Equal(ErrorCode.Ok, ReplyHeader.Read(connection.Receive()!).Error);
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_nobody_up_and_gets_all_its_replies_later()
    {
        await using var other = await ConnectAsync(_server);
        await other.SetDataAsync("/", new byte[40_000]);
        using var lazy = Connected(out _);
        const int Requests = 400;
        var frames = Enumerable.Range(1, Requests).SelectMany(xid => Frame(xid, OpCode.GetData, w => new PathWatchRequest("/", false).Write(w))).ToArray();
        var sending = Task.Run(() => lazy.Send(frames));
        for (var i = 0; i < 50; i++)
        {
            await other.CreateAsync($"/n{i}");
        }
        for (var xid = 1; xid <= Requests; xid++)
        {
            Assert.Equal(xid, ReplyHeader.Read(lazy.Receive()!).Xid);
        }
        await sending;
    }

    [Fact]
    public async Task A_read_only_server_takes_only_clients_that_accept_it_and_refuses_writes()
    {
        await using var server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { ReadOnly = true });
        using var strict = new RawConnection(server.Address);
        var request = new JuteWriter();
        new ConnectRequest(0, 0, 10_000, 0, null, false).WriteFrame(request);
        strict.Send(request.Written);
        Assert.Null(strict.Receive());
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [At(server.Address)], ReadOnly = true });
        Assert.True(client.IsReadOnly);
        Assert.True((await client.ExistsAsync("/")).Exists);
        Assert.Equal(ErrorCode.NotReadOnly, (await Assert.ThrowsAsync<KeeperException>(() => client.CreateAsync("/a"))).Code);
        Assert.Equal("ro", await RealStandalone.AskAsync(server.Address, "isro"));
    }

    [Fact]
    public async Task The_super_user_may_do_anything()
    {
        // super:test, as kazoo's suite has it.
        await using var server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { SuperDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=" });
        await using var client = await ConnectAsync(server);
        await client.CreateAsync("/locked", acl: [new Acl(Permissions.All, "ip", "10.1.2.3")]);
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => client.GetDataAsync("/locked"))).Code);
        await client.AddAuthAsync("digest", "super:test"u8.ToArray());
        await client.SetDataAsync("/locked", [1]);
    }

    private static Task<ZooKeeperClient> ConnectAsync(EmbeddedServer server) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [At(server.Address)] });

    private static byte[] Frame(int xid, OpCode op, Action<JuteWriter> write) => new Request(op, "", (w, _) => write(w)).ToFrame(xid, 0);

    private RawConnection Connected(out long session)
    {
        var connection = new RawConnection(_server.Address);
        var request = new JuteWriter();
        new ConnectRequest(0, 0, 30_000, 0, null, null).WriteFrame(request);
        connection.Send(request.Written);
        session = ConnectResponse.TryRead(connection.Receive())!.SessionId;
        return connection;
    }
}
