using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>What one side does to the proxy costs nobody else: a remote cluster that dies, clients that send rubbish.</summary>
[Collection(RegionsCollection.Name)]
public sealed class IsolationTests(RegionsFixture regions, Xunit.Abstractions.ITestOutputHelper output)
{
    [SkippableFact]
    public async Task A_dead_remote_cluster_does_not_slow_home_traffic_and_status_names_it()
    {
        await using var region = await MountedRegion.StartAsync(regions, "i-latency");
        await region.Eu.CreateAsync(region.Under("x"));
        await using var client = await region.ConnectAsync();
        await using var watcher = await region.ConnectAsync();
        await watcher.GetDataAsync(region.Under("x"), watch: true);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{region.Proxy.AdminEndPoint}") };
        await MeasureAsync(client, 300);
        // Up and down in turn, so that what else the machine does falls on both alike.
        var (up, down) = (new List<double>(), new List<double>());
        for (var round = 0; round < 5; round++)
        {
            up.AddRange(await MeasureAsync(client, 200));
            region.CutEu();
            down.AddRange(await MeasureAsync(client, 200));
            if (round == 4)
            {
                await Eventually.Async(async () => await IsUpAsync(http, "eu") == false, "eu down in the status", TimeSpan.FromSeconds(20));
                Assert.True(await IsUpAsync(http, "us"));
            }
            region.HealEu();
        }
        await Eventually.Async(async () => await IsUpAsync(http, "eu") == true, "eu up again in the status", TimeSpan.FromSeconds(20));
        var (before, without) = (Median(up), Median(down));
        // Whether it is within a tenth is a measurement, for a quiet machine; what a test can tell on any is that home does not wait.
        output.WriteLine($"median of a read at home: {before:F3} ms with the remote cluster, {without:F3} ms without");
        Assert.True(without <= before * 3, $"median of a read at home: {before:F3} ms with the remote cluster, {without:F3} ms without");
        Assert.Equal(SessionState.Connected, watcher.State);
    }

    [SkippableFact]
    public async Task Rubbish_from_fifty_connections_costs_the_other_clients_nothing_and_leaves_no_memory_behind()
    {
        Jars.Require();
        var seconds = int.TryParse(Environment.GetEnvironmentVariable("ZOONET_LONG"), out var wanted) ? Math.Clamp(wanted, 5, 60) : 5;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("ZOONET_SEED"), out var given) ? given : 4;
        // An ensemble of its own: what gets through to it is rubbish for it as well.
        await using var home = await RealEnsemble.StartAsync("attacked");
        await using var proxy = await ProxyProcess.StartAsync(home, [regions.Eu], new() { ["logLevel"] = "error" });
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [proxy.Address], SessionTimeout = TimeSpan.FromSeconds(10) });
        var path = $"/i-rubbish-{seed}";
        await client.CreateAsync(path, new byte[100]);
        // As warm as it will be: the same rubbish before the first look at its memory, until that makes no difference any more.
        var before = 0L;
        for (var round = 0; round < 12; round++)
        {
            await AttackAsync(proxy.Address, seed + 100 + round, TimeSpan.FromSeconds(3));
            await SettleAsync(client, path, proxy);
            var grown = proxy.ResidentBytes() - before;
            before += Math.Max(0, grown);
            if (round > 1 && grown < before * 0.02)
            {
                break;
            }
        }
        using var done = new CancellationTokenSource();
        var served = 0;
        var service = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await client.SetDataAsync(path, new byte[100]).WaitAsync(TimeSpan.FromSeconds(10));
                await client.GetDataAsync(path).WaitAsync(TimeSpan.FromSeconds(10));
                served++;
            }
        });
        await AttackAsync(proxy.Address, seed + 1, TimeSpan.FromSeconds(seconds));
        await done.CancelAsync();
        try
        {
            await service;
        }
        catch (KeeperException e)
        {
            var errors = home.Voters.First().Log.Split('\n').Where(l => l.Contains("ERROR", StringComparison.Ordinal) && !l.Contains("PrepRequestProcessor", StringComparison.Ordinal));
            Assert.Fail($"{e.Message}\nthe proxy: {proxy.Log}\nthe server: {string.Join('\n', errors.Take(20))}");
        }
        await SettleAsync(client, path, proxy);
        var after = proxy.ResidentBytes();
        Assert.True(served > 10, $"{served} operations served");
        output.WriteLine($"resident: {before / 1048576.0:F1} MiB before, {after / 1048576.0:F1} MiB after {seconds} s");
        Assert.True(after <= before * 1.10, $"resident: {before / 1048576.0:F1} MiB before, {after / 1048576.0:F1} MiB after");
        Assert.NotEqual(0, proxy.ProcessId);
    }

    private static async Task<List<double>> MeasureAsync(ZooKeeperClient client, int count)
    {
        var times = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            var began = Stopwatch.GetTimestamp();
            await client.ExistsAsync("/");
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        return times;
    }

    private static double Median(List<double> times)
    {
        times.Sort();
        return times[times.Count / 2];
    }

    private static async Task<bool?> IsUpAsync(HttpClient http, string cluster)
    {
        var status = await http.GetFromJsonAsync<JsonElement>("/api/v1/status");
        foreach (var entry in status.GetProperty("clusters").EnumerateArray())
        {
            if (entry.GetProperty("name").GetString() == cluster)
            {
                return entry.GetProperty("up").GetBoolean();
            }
        }
        return null;
    }

    /// <summary>Waits until the attackers' sessions are gone and what they left is collected.</summary>
    private static async Task SettleAsync(ZooKeeperClient client, string path, ProxyProcess proxy)
    {
        var least = long.MaxValue;
        for (var quiet = 0; quiet < 6; quiet++)
        {
            for (var i = 0; i < 50; i++)
            {
                await client.GetDataAsync(path);
            }
            await Task.Delay(250);
            var now = proxy.ResidentBytes();
            quiet = now < least * 0.99 ? 0 : quiet;
            least = Math.Min(least, now);
        }
    }

    private static Task AttackAsync(ServerAddress server, int seed, TimeSpan length) => Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
    {
        var random = new Random(seed * 1000 + i);
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < length;)
        {
            try
            {
                await AttackOnceAsync(server, random, (i + random.Next(8)) % 8);
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                // Being thrown out is what it came for.
            }
        }
    }));

    private static async Task AttackOnceAsync(ServerAddress server, Random random, int kind)
    {
        byte[] Rubbish(int length)
        {
            var bytes = new byte[length];
            random.NextBytes(bytes);
            return bytes;
        }
        byte[] Framed(byte[] payload, int length)
        {
            var frame = new byte[4 + payload.Length];
            BinaryPrimitives.WriteInt32BigEndian(frame, length);
            payload.CopyTo(frame, 4);
            return frame;
        }
        if (kind < 3)
        {
            using var stranger = await RawClient.OpenAsync(server);
            await stranger.SendBytesAsync(kind switch
            {
                0 => Rubbish(random.Next(1, 4000)),
                1 => Framed(Rubbish(random.Next(0, 100)), random.Next(-5, 200)),
                _ => Framed(Rubbish(44), random.Next(2) == 0 ? int.MaxValue : 0x100000),
            });
            await stranger.FrameAsync(TimeSpan.FromMilliseconds(random.Next(50)));
            return;
        }
        using var client = await RawClient.ConnectAsync(server, 4000);
        switch (kind)
        {
            case 3:
                // An operation with a body of rubbish, in a whole frame.
                for (var i = 0; i < 20; i++)
                {
                    var op = (OpCode)random.Next(-12, 110);
                    var body = Rubbish(random.Next(0, 60));
                    await client.SendAsync(op is OpCode.CloseSession or OpCode.Check or OpCode.Multi ? OpCode.GetData : op, w => w.WriteRaw(body));
                }
                await client.FrameAsync(TimeSpan.FromMilliseconds(200));
                break;
            case 4:
                await client.SendBytesAsync(Framed(Rubbish(random.Next(0, 3000)), random.Next(1, 0xfffff)));
                break;
            case 5:
                await client.SendBytesAsync(Framed([], 0));
                await client.FrameAsync(TimeSpan.FromMilliseconds(200));
                break;
            case 6:
                // A second connect request where a request is due.
                var again = new JuteWriter();
                new ConnectRequest(0, 0, 4000, client.SessionId, client.Password, false).WriteFrame(again);
                await client.SendBytesAsync(again.Written.ToArray());
                await client.FrameAsync(TimeSpan.FromMilliseconds(200));
                break;
            default:
                // A long request that never ends, and one beyond the limit.
                await client.SendBytesAsync(Framed(new byte[random.Next(1, 200_000)], 900_000));
                await client.SendBytesAsync(Framed([], 0x200000));
                break;
        }
        await client.SendAsync(OpCode.CloseSession);
    }
}
