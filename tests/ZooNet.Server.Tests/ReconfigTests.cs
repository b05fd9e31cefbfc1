using System.Text;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server.Tests.Differential;

namespace ZooNet.Server.Tests;

/// <summary>reconfig, as a real ensemble of one voter answered the same requests.</summary>
public sealed class ReconfigTests : IAsyncLifetime
{
    private const string ConfigPath = "/zookeeper/config";
    private const string Observer = "server.100=10.0.0.1:4001:4002:observer;10.0.0.1:4003";

    // super:test, as kazoo's suite has it.
    private static readonly EmbeddedServerOptions Enabled = new() { Epoch = 1, ReconfigEnabled = true, SuperDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=" };

    private EmbeddedServer _server = null!;
    private RawConnection _connection = null!;
    private int _xid;

    public async Task InitializeAsync()
    {
        _server = await EmbeddedServer.StartAsync(Enabled);
        _connection = Connect(_server);
    }

    public async Task DisposeAsync()
    {
        _connection.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task The_configuration_shows_the_server_itself_and_the_zxid_it_is_from()
    {
        await using var client = await ClientAsync();
        var shown = await client.GetDataAsync(ConfigPath);
        Assert.Equal($"{Own}\nversion=100000000", Encoding.UTF8.GetString(shown.Data!));
        Assert.Equal((0x1_0000_0000, -1, -1), (shown.Stat.Mzxid, shown.Stat.Version, shown.Stat.Aversion));
    }

    [Fact]
    public async Task An_observer_joins_and_leaves_and_the_reply_is_what_the_znode_holds()
    {
        BecomeSuper();
        await using var client = await ClientAsync();
        var seen = new List<string>();
        client.WatchFired += e => seen.Add($"{e.Type} {e.Path}");
        await client.GetDataAsync(ConfigPath, watch: true);

        var joined = Reconfig(Observer, null);
        Assert.Equal((ErrorCode.Ok, $"{Own}\n{Observer}\nversion={joined.Zxid:x}"), (joined.Error, joined.Text));
        Assert.Equal((joined.Zxid, -1, joined.Text.Length), (joined.Stat.Mzxid, joined.Stat.Version, joined.Stat.DataLength));
        var shown = await client.GetDataAsync(ConfigPath);
        Assert.Equal((joined.Text, joined.Stat), (Encoding.UTF8.GetString(shown.Data!), shown.Stat));
        Assert.Equal([$"DataChanged {ConfigPath}"], seen);

        var left = Reconfig(null, "100", configId: joined.Zxid);
        Assert.Equal((ErrorCode.Ok, $"{Own}\nversion={left.Zxid:x}"), (left.Error, left.Text));
        Assert.Equal(joined.Zxid + 1, left.Zxid);
    }

    [Fact]
    public void A_client_port_alone_means_every_address_and_a_whole_list_replaces_the_members()
    {
        BecomeSuper();
        Assert.Contains("\nserver.7=[::1]:1:2:observer;0.0.0.0:3\n", Reconfig("server.7=[::1]:1:2:OBSERVER;3", null).Text, StringComparison.Ordinal);
        var whole = Reconfig(null, null, $"{Own},{Observer}");
        Assert.Equal($"{Own}\n{Observer}\nversion={whole.Zxid:x}", whole.Text);
    }

    [Theory]
    [InlineData("some thing", null, null, ErrorCode.BadArguments)]
    [InlineData("server.5=foo", null, null, ErrorCode.BadArguments)]
    [InlineData("server.5=127.0.0.1:1:2:observer", null, null, ErrorCode.BadArguments)]
    [InlineData("server.5=127.0.0.1:1:2:foo;3", null, null, ErrorCode.BadArguments)]
    [InlineData("server.5=127.0.0.1:1:b:observer;3", null, null, ErrorCode.BadArguments)]
    [InlineData("server.5=127.0.0.1:2:2:observer;3", null, null, ErrorCode.BadArguments)]
    [InlineData("server.5=127.0.0.1:70000:2:observer;3", null, null, ErrorCode.MarshallingError)]
    [InlineData("server.x=127.0.0.1:1:2:observer;3", null, null, ErrorCode.MarshallingError)]
    [InlineData("server.5=10.0.0.9:1:2:observer;3,server.6=10.0.0.9:4:1:observer;3", null, null, ErrorCode.BadArguments)]
    [InlineData("server.6=127.0.0.1:11:12;13", null, null, ErrorCode.NewConfigNoQuorum)]
    [InlineData("server.6=127.0.0.1:11:12:participant;13", "1", null, ErrorCode.NewConfigNoQuorum)]
    [InlineData("server.1=127.0.0.1:11:12:observer;13", null, null, ErrorCode.BadArguments)]
    [InlineData(null, "x", null, ErrorCode.MarshallingError)]
    [InlineData(null, "1", null, ErrorCode.BadArguments)]
    [InlineData(null, null, "foo=bar", ErrorCode.BadArguments)]
    [InlineData(null, null, "server.120=127.0.0.1:1:2:observer;3", ErrorCode.MarshallingError)]
    [InlineData("server.5=127.0.0.1:1:2:observer;3", null, null, ErrorCode.NoAuth)]
    [InlineData(null, "77", null, ErrorCode.NoAuth)]
    public void What_is_wrong_is_told_to_anybody_and_the_permission_comes_last(string? joining, string? leaving, string? members, ErrorCode expected)
    {
        Assert.Equal(expected, Reconfig(joining, leaving, members).Error);
        BecomeSuper();
        Assert.Equal(expected == ErrorCode.NoAuth ? ErrorCode.Ok : expected, Reconfig(joining, leaving, members).Error);
    }

    [Fact]
    public void A_change_of_another_configuration_than_the_current_one_is_refused()
    {
        Assert.Equal(ErrorCode.BadVersion, Reconfig("some thing", null, configId: 0x1_0000_0001).Error);
        Assert.Equal(ErrorCode.NoAuth, Reconfig(Observer, null, configId: 0x1_0000_0000).Error);
    }

    [Fact]
    public async Task Without_the_option_nobody_may_reconfigure_and_the_configuration_is_empty()
    {
        await using var server = await EmbeddedServer.StartAsync(Enabled with { ReconfigEnabled = false });
        _connection.Dispose();
        _connection = Connect(server);
        BecomeSuper();
        Assert.Equal(ErrorCode.ReconfigDisabled, Reconfig(Observer, null).Error);
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [EmbeddedServerTests.At(server.Address)] });
        Assert.Empty((await client.GetDataAsync(ConfigPath)).Data!);
    }

    [Fact]
    public async Task The_configuration_survives_a_restart_at_another_address()
    {
        var folder = Directory.CreateTempSubdirectory("zoonet-reconfig-").FullName;
        try
        {
            await _server.DisposeAsync();
            _server = await EmbeddedServer.StartAsync(Enabled with { DataDirectory = folder });
            _connection.Dispose();
            _connection = Connect(_server);
            BecomeSuper();
            var joined = Reconfig(Observer, null);
            await _server.DisposeAsync();
            _server = await EmbeddedServer.StartAsync(Enabled with { DataDirectory = folder });
            await using var client = await ClientAsync();
            Assert.Equal($"{Own}\n{Observer}\nversion={joined.Zxid:x}", Encoding.UTF8.GetString((await client.GetDataAsync(ConfigPath)).Data!));
        }
        finally
        {
            await _server.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private string Own => $"server.1=127.0.0.1:2888:3888:participant;{_server.Address}";

    private static RawConnection Connect(EmbeddedServer server)
    {
        var connection = new RawConnection(server.Address);
        var request = new JuteWriter();
        new ConnectRequest(0, 0, 30_000, 0, null, null).WriteFrame(request);
        connection.Send(request.Written);
        Assert.NotEqual(0, ConnectResponse.TryRead(connection.Receive())!.SessionId);
        return connection;
    }

    private Task<ZooKeeperClient> ClientAsync() => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [EmbeddedServerTests.At(_server.Address)] });

    private void BecomeSuper()
    {
        _connection.Send(new Request(OpCode.Auth, "", (w, _) => new AuthRequest(0, "digest", "super:test"u8.ToArray()).Write(w)).ToFrame(-4, 0));
        Assert.Equal(ErrorCode.Ok, ReplyHeader.Read(_connection.Receive()!).Error);
    }

    private (ErrorCode Error, long Zxid, string Text, Stat Stat) Reconfig(string? joining, string? leaving, string? members = null, long configId = -1)
    {
        _connection.Send(new Request(OpCode.Reconfig, "", (w, _) => new ReconfigRequest(joining, leaving, members, configId).Write(w)).ToFrame(++_xid, 0));
        var reader = new JuteReader(_connection.Receive()!);
        var header = ReplyHeader.Read(ref reader);
        Assert.Equal(_xid, header.Xid);
        return header.Error != ErrorCode.Ok
            ? (header.Error, header.Zxid, "", default)
            : (header.Error, header.Zxid, Encoding.UTF8.GetString(reader.ReadBuffer()!), Stat.Read(ref reader));
    }
}
