using System.Globalization;
using Microsoft.Extensions.Logging;
using ZooNet.Bench;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;

namespace ZooNet.Experiments;

/// <summary>
/// What a request at home allocates in the proxy: the proxy runs in this process, servers and load in others, and the runtime's own
/// count of allocated bytes is read before and after.
/// </summary>
internal sealed class AllocationExperiment(int requests, TextWriter log)
{
    private const double Short = 1;
    private const double Long = 6;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var ensemble = await RealEnsemble.StartAsync("us", new RealEnsembleOptions { Jvm = RunningFast.Jvm });
        await using var proxy = new ProxyHost(new ProxyConfig
        {
            Region = "us",
            Listen = [new HostPort("127.0.0.1", 0)],
            Admin = new HostPort("127.0.0.1", 0),
            Home = new ClusterConfig("us", 0, [], [.. ensemble.Addresses.Select(address => new HostPort(address.Host, address.Port))]),
        }, logging => logging.ClearProviders());
        await proxy.StartAsync(cancellationToken);
        var address = new ServerAddress("127.0.0.1", proxy.ClientEndPoints[0].Port);
        foreach (var (name, read) in ((string, int)[])[("reads", 100), ("updates", 0)])
        {
            // Enough for tiered compilation to finish, so that what it allocates is not counted.
            await LoadAsync(address, read, Long, cancellationToken);
            await LoadAsync(address, read, Long, cancellationToken);
            // Runs of two lengths, as many of each: what a run costs once (connects, handshakes) is the same in both and drops out.
            var (few, fewBytes, many, manyBytes) = (0L, 0L, 0L, 0L);
            while (many - few < requests)
            {
                var (count, bytes) = await MeasureAsync(address, read, Short, cancellationToken);
                (few, fewBytes) = (few + count, fewBytes + bytes);
                (count, bytes) = await MeasureAsync(address, read, Long, cancellationToken);
                (many, manyBytes) = (many + count, manyBytes + bytes);
            }
            await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{name}: short runs {few:#,0} requests and {fewBytes:#,0} bytes, long runs {many:#,0} requests and {manyBytes:#,0} bytes, all allocations of the process: {(double)(manyBytes - fewBytes) / (many - few):0.000} bytes for each further request"));
        }
    }

    private static async Task<(long Requests, long Bytes)> MeasureAsync(ServerAddress server, int read, double seconds, CancellationToken cancellationToken)
    {
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var count = await LoadAsync(server, read, seconds, cancellationToken);
        return (count, GC.GetTotalAllocatedBytes(precise: true) - before);
    }

    private static async Task<long> LoadAsync(ServerAddress server, int read, double seconds, CancellationToken cancellationToken)
    {
        var folder = new DirectoryInfo(OwnedFolder.Create("load"));
        try
        {
            var json = Path.Combine(folder.FullName, "report.json");
            await using var process = ChildProcess.Start(Path.Combine(folder.FullName, "output"), "dotnet", "exec", ProxyProcess.Program, "bench", "--server", server.ToString(),
                "--read", read.ToString(CultureInfo.InvariantCulture), "--warmup", "0s", "--duration", seconds.ToString(CultureInfo.InvariantCulture) + "s", "--keep", "--json", json);
            await process.WaitForExitAsync(cancellationToken);
            var report = BenchReport.Read(await File.ReadAllTextAsync(json, cancellationToken));
            return report.Kinds.Values.Sum(kind => kind.Count);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
