using System.Globalization;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>Clients that ask for more than they read: the proxy reads no more of them, and nobody suffers, not even they.</summary>
public sealed class SlowClientTests : IAsyncLifetime
{
    private const int TimeoutMs = 3000;
    private const int OfOne = 16 * 1024;
    private const int InAll = 24 * 1024;

    /// <summary>Replies of half a megabyte that no two sockets hold between them.</summary>
    private const int Replies = 60;

    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _proxy = await _regions.StartProxyAsync(c => c with { MaxOutstandingBytes = OfOne, MaxOutstandingBytesInAll = InAll });
        var eu = await _regions.ConnectAsync(_regions.Eu.Address);
        await eu.CreateAsync("/apps");
        await eu.CreateAsync("/apps/large", new byte[500_000]);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/eu")).Status);
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task What_waits_of_clients_requests_is_bounded_for_each_and_for_all_and_is_answered_in_the_end()
    {
        var clients = new List<RawClient>();
        var sent = new List<Task>();
        try
        {
            for (var bytes = 0L; clients.Count < 3;)
            {
                var client = await ConnectAsync();
                clients.Add(client);
                sent.Add(SendAsync(client));
                // The first fills its own share, the next what is left, and the last has one request only that waits.
                var least = Math.Min(bytes + (clients.Count < 3 ? OfOne : 1), InAll);
                await TwoRegions.Eventually(async () => (bytes = await OutstandingAsync()) > least);
            }
            var waiting = await OutstandingAsync();
            Assert.InRange(waiting, InAll, InAll + (3 * 1100));

            // Nobody else notices.
            var other = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
            Assert.True((await other.ExistsAsync("/mnt/eu/large")).Exists);
            Assert.False((await other.ExistsAsync("/none")).Exists);

            await Task.WhenAll(clients.Select(ReadAllAsync));
            await Task.WhenAll(sent);
            await TwoRegions.Eventually(async () => await OutstandingAsync() == 0);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [Fact]
    public async Task A_server_that_is_not_read_since_its_client_is_slow_is_not_silent_and_the_client_loses_nothing()
    {
        using var client = await ConnectAsync();
        Assert.Equal(TimeoutMs, client.TimeoutMs);
        await ReadInMountAsync(client);

        // Longer than servers may be silent, which is two thirds of the timeout.
        for (var i = 0; i < 15; i++)
        {
            await Task.Delay(TimeoutMs / 15);
            await client.SendAsync(OpCode.Ping, xid: Xids.Ping);
        }
        await ExpectAsync(client, 1, Replies, ErrorCode.Ok);
        Assert.Equal(0, _proxy.Host.Path.Closed(Federation.Sessions.CloseReason.RemoteLost));
    }

    private Task<RawClient> ConnectAsync() =>
        RawClient.ConnectAsync(new ServerAddress("127.0.0.1", _proxy.Host.ClientEndPoints[0].Port), TimeoutMs);

    /// <summary>Asks for more in the mount than it reads, and then at home, where nothing must overtake that.</summary>
    private static async Task SendAsync(RawClient client)
    {
        await ReadInMountAsync(client);
        for (var i = 0; i < Replies; i++)
        {
            await client.SendAsync(OpCode.Exists, new PathWatchRequest($"/{new string('n', 1000)}", false).Write);
        }
    }

    private static async Task ReadInMountAsync(RawClient client)
    {
        for (var i = 0; i < Replies; i++)
        {
            await client.SendAsync(OpCode.GetData, new PathWatchRequest("/mnt/eu/large", false).Write);
        }
    }

    private static async Task ReadAllAsync(RawClient client)
    {
        await ExpectAsync(client, 1, Replies, ErrorCode.Ok);
        await ExpectAsync(client, Replies + 1, Replies, ErrorCode.NoNode);
    }

    private static async Task ExpectAsync(RawClient client, int first, int count, ErrorCode error)
    {
        for (var xid = first; xid < first + count; xid++)
        {
            var (header, _) = await client.NextAsync();
            Assert.Equal((xid, error), (header.Xid, header.Error));
        }
    }

    private async Task<long> OutstandingAsync()
    {
        const string Start = "zoonet_outstanding_bytes ";
        var text = await _proxy.Http.GetStringAsync("/metrics");
        return long.Parse(text.Split('\n').Single(l => l.StartsWith(Start, StringComparison.Ordinal))[Start.Length..],
            CultureInfo.InvariantCulture);
    }
}
