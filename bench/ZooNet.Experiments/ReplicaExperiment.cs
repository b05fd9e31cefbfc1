using System.Globalization;
using System.Net.Sockets;
using System.Text;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// Many znodes of 100 bytes: how long an observer takes from its start until it serves, state and all, and what it then has resident. A
/// ZooKeeper observer that was wiped, <c>zoonet server --observe</c>, and one that keeps a hundredth of the znodes, one after another.
/// </summary>
internal sealed class ReplicaExperiment(int znodes, int rounds, TextWriter log)
{
    private const int Folders = 100;
    private const int AtOnce = 1000;
    private const string Part = "/m/00";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var ensemble = await RealEnsemble.StartAsync("big",
            new RealEnsembleOptions { LocalObservers = 1, Jvm = [.. RunningFast.Jvm, "-Xmx4g"] });
        var real = ensemble.Observers.Single();
        await real.KillAsync();
        await FillAsync(ensemble, cancellationToken);
        var machine = Machine.Describe();
        var results = new Dictionary<string, (Sample Seconds, Sample Memory)>();
        for (var round = 0; round < rounds; round++)
        {
            var began = TimeProvider.System.GetTimestamp();
            await real.WipeAsync();
            await AddAsync("ZooKeeper observer", began, real.ProcessId);
            await real.KillAsync();
            await ObserveAsync("zoonet, all of it", QuorumOf(ensemble));
            await ObserveAsync("zoonet, a hundredth", [.. QuorumOf(ensemble), "--keep", Part]);
            await ObserveAsync("zoonet server with nothing in it", []);
        }
        var empty = results["zoonet server with nothing in it"].Memory.Median;
        var table = new StringBuilder();
        table.AppendLine(CultureInfo.InvariantCulture,
            $"{machine}; {znodes:#,0} znodes of 100 bytes, {rounds} rounds one after another. Median (smallest–largest).");
        table.AppendLine();
        table.AppendLine("| | seconds until it serves | resident MiB | beyond an empty one |");
        table.AppendLine("| --- | --- | --- | --- |");
        foreach (var (name, (seconds, memory)) in results)
        {
            var isOurs = name.StartsWith("zoonet,", StringComparison.Ordinal);
            var beyond = isOurs ? (memory.Median - empty).ToString("#,0", CultureInfo.InvariantCulture) : "";
            table.AppendLine($"| {name} | {seconds.ToString("0.0")} | {memory.ToString("#,0")} | {beyond} |");
        }
        await log.WriteLineAsync($"\n{table}");

        async Task ObserveAsync(string name, IReadOnlyList<string> arguments)
        {
            var output = Path.GetTempFileName();
            var port = FreePorts.Take();
            var began = TimeProvider.System.GetTimestamp();
            var process = ChildProcess.Start(output, "dotnet",
                ["exec", ProxyProcess.Program, "server", "--listen", $"127.0.0.1:{port}", .. arguments]);
            await using (process)
            {
                while (!(await SrvrAsync(port)).Contains("Mode: ", StringComparison.Ordinal))
                {
                    if (process.HasExited || TimeProvider.System.GetElapsedTime(began) > Limit)
                    {
                        throw new InvalidOperationException($"{name} does not serve:\n{process.Output}");
                    }
                    await Task.Delay(50, cancellationToken);
                }
                await AddAsync(name, began, process.Id);
            }
            File.Delete(output);
        }

        async Task AddAsync(string name, long began, int process)
        {
            results.TryAdd(name, (new Sample(), new Sample()));
            var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
            var statm = await File.ReadAllTextAsync($"/proc/{process}/statm", cancellationToken);
            var pages = long.Parse(statm.Split(' ')[1], CultureInfo.InvariantCulture);
            var memory = pages * Environment.SystemPageSize / 1048576.0;
            results[name].Seconds.Add(seconds);
            results[name].Memory.Add(memory);
            await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{name}: {seconds:0.0} s, {memory:0} MiB"));
        }
    }

    private async Task FillAsync(RealEnsemble ensemble, CancellationToken cancellationToken)
    {
        await using var client = await ZooKeeperClient.ConnectAsync(
            new ZooKeeperClientOptions { Servers = ensemble.Addresses, SessionTimeout = TimeSpan.FromSeconds(10) }, cancellationToken);
        await client.CreateAsync("/m", cancellationToken: cancellationToken);
        var data = new byte[100];
        var writes = new List<Task>();
        for (var folder = 0; folder < Folders; folder++)
        {
            await client.CreateAsync($"/m/{folder:00}", cancellationToken: cancellationToken);
            foreach (var some in Enumerable.Range(0, znodes / Folders).Chunk(AtOnce))
            {
                writes.Add(client.MultiAsync([.. some.Select(i => MultiOp.Create($"/m/{folder:00}/{i:000000}", data))], cancellationToken));
            }
            await Task.WhenAll(writes);
            writes.Clear();
        }
        await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{znodes:#,0} znodes are there"));
    }

    private static IReadOnlyList<string> QuorumOf(RealEnsemble ensemble) =>
        ["--observe", string.Join(',', ensemble.QuorumPorts.Select(p => $"{p.Host}:{p.Port}")), "--sid", "200"];

    private static async Task<string> SrvrAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await client.GetStream().WriteAsync("srvr"u8.ToArray());
            using var reader = new StreamReader(client.GetStream());
            return await reader.ReadToEndAsync();
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return "";
        }
    }
}
