using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Persistence;

/// <summary>
/// <c>zoonet server --data</c> is killed with SIGKILL while clients write, again and again on the same folder: every acknowledged write
/// is there afterwards, and none that failed. ZOONET_KILL_COUNT chooses how often.
/// </summary>
public sealed class KillTests
{
    private const int Writers = 4;
    private static readonly string Program = typeof(KillTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Program").Value!;

    private readonly ConcurrentDictionary<string, byte> _acknowledged = [];
    private readonly ConcurrentDictionary<string, byte> _refused = [];
    private readonly long[] _counters = new long[Writers];
    private int _next;

    [Fact]
    public async Task Every_acknowledged_write_outlives_kill_9_and_no_failed_one_does()
    {
        var kills = int.TryParse(Environment.GetEnvironmentVariable("ZOONET_KILL_COUNT"), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 3;
        var folder = Directory.CreateTempSubdirectory("zoonet-kill-").FullName;
        try
        {
            for (var kill = 0; kill < kills; kill++)
            {
                await using var server = await StartAsync(folder, kill);
                var address = await AddressAsync(server);
                await CheckAsync(address);
                var before = _acknowledged.Count;
                var writers = Enumerable.Range(0, Writers).Select(w => WriteAsync(address, w)).ToArray();
                // The moment differs from kill to kill, but there is always a load.
                while (_acknowledged.Count < before + 50 + (kill * 37))
                {
                    await Task.Delay(1);
                }
                server.Signal("KILL");
                await Task.WhenAll(writers);
                await server.WaitForExitAsync();
            }
            await using var last = await StartAsync(folder, kills);
            await CheckAsync(await AddressAsync(last));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Task<ChildProcess> StartAsync(string folder, int number) =>
        Task.FromResult(ChildProcess.Start(Path.Combine(folder, $"output-{number}"), "dotnet", Program, "server", "--listen", "127.0.0.1:0", "--data", Path.Combine(folder, "data")));

    private static async Task<ServerAddress> AddressAsync(ChildProcess server)
    {
        const string Line = "listening on ";
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var output = server.Output;
            if (output.IndexOf(Line, StringComparison.Ordinal) is >= 0 and var start && output.IndexOf('\n', start) is >= 0 and var end)
            {
                return ServerAddress.Parse(output[(start + Line.Length)..end]);
            }
            Assert.False(server.HasExited, $"the server ended: {output}");
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(60), $"the server does not start: {output}");
            await Task.Delay(20);
        }
    }

    /// <summary>Writes until the server is gone: new znodes, a counter, and writes that must fail.</summary>
    private async Task WriteAsync(ServerAddress address, int writer)
    {
        var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [address], ConnectionWait = TimeSpan.Zero });
        var counter = $"/counter{writer}";
        try
        {
            if (!(await client.ExistsAsync(counter)).Exists)
            {
                await client.CreateAsync(counter, BitConverter.GetBytes(0L));
            }
            while (true)
            {
                var number = Interlocked.Increment(ref _next);
                var path = $"/n{number}";
                var refused = $"/refused{number}";
                // In flight together: some of them are cut in the middle.
                var create = client.CreateAsync(path, BitConverter.GetBytes(number));
                var fails = client.MultiAsync([MultiOp.Create(refused, null), MultiOp.Check("/", 12345)]);
                var set = client.SetDataAsync(counter, BitConverter.GetBytes(_counters[writer] + 1));
                await create;
                _acknowledged[path] = 0;
                await Assert.ThrowsAsync<KeeperException>(() => fails);
                _refused[refused] = 0;
                await set;
                _counters[writer]++;
            }
        }
        catch (KeeperException e) when (e.Code is ErrorCode.ConnectionLoss or ErrorCode.OperationTimeout)
        {
            // Killed.
        }
        finally
        {
            await client.DetachAsync();
        }
    }

    private async Task CheckAsync(ServerAddress address)
    {
        await using var client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [address] });
        var there = (await client.GetChildrenAsync("/")).Names.Select(name => "/" + name).ToHashSet();
        Assert.DoesNotContain(_acknowledged.Keys, path => !there.Contains(path));
        Assert.DoesNotContain(_refused.Keys, there.Contains);
        for (var w = 0; w < Writers && there.Contains($"/counter{w}"); w++)
        {
            var value = BitConverter.ToInt64((await client.GetDataAsync($"/counter{w}")).Data);
            // One more may have been in flight.
            Assert.InRange(value, _counters[w], _counters[w] + 1);
            _counters[w] = value;
        }
    }
}
