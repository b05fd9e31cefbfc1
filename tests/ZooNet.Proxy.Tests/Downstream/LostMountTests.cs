using System.Text;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>
/// Requests of several operations, or several clusters, of which one can't be reached: what fails alone, what takes the connection with
/// it. Two clusters are mounted, and what a client sees of the ones that live is as if the other were not there.
/// </summary>
public sealed class LostMountTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private EmbeddedServer _ap = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _ap = await _regions.StartClusterAsync(epoch: 13);
        foreach (var server in new[] { _regions.Eu, _ap })
        {
            var direct = await _regions.ConnectAsync(server.Address);
            await direct.CreateAsync("/apps");
            await direct.CreateAsync("/apps/x", "there"u8.ToArray());
        }
        await (await _regions.ConnectAsync(_regions.Us.Address)).CreateAsync("/home", "here"u8.ToArray());
        _proxy = await _regions.StartProxyAsync(_ap);
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task What_asks_of_a_relaxed_mount_that_is_down_fails_alone_and_all_is_answered_in_turn()
    {
        await MountAsync(ap: "relaxed", eu: "relaxed");
        using var client = await ConnectAsync();
        await ReadAsync(client, "/ap/x", "/eu/x");
        await _ap.DisposeAsync();

        var sent = new List<int>
        {
            await client.SendAsync(OpCode.Exists, w => new PathWatchRequest("/home", false).Write(w)),
            await client.SendAsync(OpCode.Multi, w => Checks(w, "/ap/x", "/ap")),
            await client.SendAsync(OpCode.MultiRead, w => Reads(w, "/ap/x", "/ap")),
            await client.SendAsync(OpCode.MultiRead, w => Reads(w, "/home", "/ap/x", "/ap", "/eu/x", "/none")),
            await client.SendAsync(OpCode.GetAllChildrenNumber, w => w.WriteString("/")),
            await client.SendAsync(OpCode.Multi, w => Checks(w, "/eu/x")),
            await client.SendAsync(OpCode.Exists, w => new PathWatchRequest("/home", false).Write(w)),
        };
        var replies = new List<(ReplyHeader Header, byte[] Body)>();
        foreach (var _ in sent)
        {
            replies.Add(await client.NextAsync());
        }

        Assert.Equal(sent, replies.Select(r => r.Header.Xid));
        Assert.Equal([ErrorCode.Ok, ErrorCode.ConnectionLoss, ErrorCode.ConnectionLoss, ErrorCode.Ok, ErrorCode.ConnectionLoss,
            ErrorCode.Ok, ErrorCode.Ok], replies.Select(r => r.Header.Error));
        Assert.Equal(["here", "ConnectionLoss", "ConnectionLoss", "there", "NoNode"], Results(replies[3].Body));
    }

    [Theory]
    [InlineData(true, new[] { "ConnectionLoss", "there", "ConnectionLoss" })]
    [InlineData(false, new[] { "there", "ConnectionLoss", "there" })]
    public async Task Reads_that_span_two_relaxed_mounts_fail_for_the_one_that_is_down(bool first, string[] expected)
    {
        await MountAsync(ap: "relaxed", eu: "relaxed");
        using var client = await ConnectAsync();
        string[] reads = ["/ap/x", "/eu/x", "/ap/x"];
        Assert.Equal(["there", "there", "there"], await MultiReadAsync(client, reads));

        await (first ? _ap : _regions.Eu).DisposeAsync();
        Assert.Equal(expected, await MultiReadAsync(client, reads));
        await (first ? _regions.Eu : _ap).DisposeAsync();
        Assert.Equal(Enumerable.Repeat("ConnectionLoss", 3), await MultiReadAsync(client, reads));

        Assert.Equal(["here"], await MultiReadAsync(client, "/home"));
    }

    [Theory]
    [InlineData("ap strict", false)]
    [InlineData("eu relaxed", true)]
    public async Task Reads_that_span_a_strict_and_a_relaxed_mount_end_with_the_connection_if_the_strict_one_is_down(
        string down, bool answered)
    {
        await MountAsync(ap: null, eu: "relaxed");
        using var client = await ConnectAsync();
        string[] reads = ["/eu/x", "/home", "/ap/x"];
        Assert.Equal(["there", "here", "there"], await MultiReadAsync(client, reads));

        await (down == "ap strict" ? _ap : _regions.Eu).DisposeAsync();

        if (answered)
        {
            Assert.Equal(["ConnectionLoss", "here", "there"], await MultiReadAsync(client, reads));
            await ReadAsync(client, "/home");
            return;
        }
        await client.SendAsync(OpCode.MultiRead, w => Reads(w, reads));
        await client.SendAsync(OpCode.Exists, w => new PathWatchRequest("/home", false).Write(w));
        // The prefix property: neither is answered, nor what comes behind.
        Assert.Null(await client.FrameAsync());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("relaxed")]
    public async Task A_count_over_a_mount_whose_root_has_gone_counts_nothing_there(string? options)
    {
        await MountAsync(ap: options, eu: options);
        var client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        var us = await _regions.ConnectAsync(_regions.Us.Address);
        await client.CreateAsync("/dir");
        await client.CreateAsync("/eu/a");
        // Without what the proxies keep, of which the number changes by itself.
        async Task<int> AllAsync() => (await client.GetAllChildrenNumberAsync("/")).Value - (await us.GetAllChildrenNumberAsync("/")).Value;
        Assert.Equal(3, await AllAsync());

        var ap = await _regions.ConnectAsync(_ap.Address);
        await ap.DeleteAsync("/apps/x");
        await ap.DeleteAsync("/apps");

        Assert.Equal(2, await AllAsync());
        var gone = await Assert.ThrowsAsync<KeeperException>(() => client.GetAllChildrenNumberAsync("/ap"));
        Assert.Equal(ErrorCode.NoNode, gone.Code);
        Assert.Equal(2, (await client.GetAllChildrenNumberAsync("/eu")).Value);
        Assert.Equal(ErrorCode.NoNode, (await Assert.ThrowsAsync<KeeperException>(() => client.GetAllChildrenNumberAsync("/none"))).Code);
    }

    private async Task MountAsync(string? ap, string? eu)
    {
        Assert.Equal(201, (await _proxy.MountAsync("ap:/apps", "/ap", ap)).Status);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/eu", eu)).Status);
    }

    private Task<RawClient> ConnectAsync() =>
        RawClient.ConnectAsync(new ServerAddress("127.0.0.1", _proxy.Host.ClientEndPoints[0].Port));

    private static async Task ReadAsync(RawClient client, params string[] paths)
    {
        foreach (var path in paths)
        {
            var reply = await client.CallAsync(OpCode.GetData, w => new PathWatchRequest(path, false).Write(w));
            Assert.Equal(ErrorCode.Ok, reply.Header.Error);
        }
    }

    /// <summary>The result of each read: its data, or its error.</summary>
    private static async Task<IEnumerable<string>> MultiReadAsync(RawClient client, params string[] reads)
    {
        var (header, body) = await client.CallAsync(OpCode.MultiRead, w => Reads(w, reads));
        Assert.Equal(ErrorCode.Ok, header.Error);
        return Results(body);
    }

    private static void Reads(JuteWriter writer, params string[] paths)
    {
        foreach (var path in paths)
        {
            new MultiHeader(OpCode.GetData, false, -1).Write(writer);
            new PathWatchRequest(path, false).Write(writer);
        }
        MultiHeader.End.Write(writer);
    }

    private static void Checks(JuteWriter writer, params string[] paths)
    {
        foreach (var path in paths)
        {
            new MultiHeader(OpCode.Check, false, -1).Write(writer);
            new PathVersionRequest(path, -1).Write(writer);
        }
        MultiHeader.End.Write(writer);
    }

    private static List<string> Results(byte[] body)
    {
        var results = new List<string>();
        var reader = new JuteReader(body);
        for (var header = MultiHeader.Read(ref reader); !header.Done && !reader.Failed; header = MultiHeader.Read(ref reader))
        {
            if (header.Type == OpCode.Error)
            {
                results.Add(((ErrorCode)reader.ReadInt()).ToString());
                continue;
            }
            results.Add(Encoding.UTF8.GetString(reader.ReadBuffer()!));
            reader.Skip(Stat.WireLength);
        }
        Assert.False(reader.Failed);
        return results;
    }
}
