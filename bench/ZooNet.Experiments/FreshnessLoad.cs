using System.Diagnostics;
using ZooNet.Bench;
using ZooNet.Client;

namespace ZooNet.Experiments;

/// <summary>What a client of the freshness experiment does next; each repeats its list without a pause.</summary>
internal enum FreshnessStep
{
    /// <summary>Reads a znode of the home cluster.</summary>
    HomeRead,
    /// <summary>Reads a znode of the other cluster.</summary>
    MountedRead,
    /// <summary>Writes a znode at home that the other region mounts.</summary>
    ExportedWrite,
    /// <summary>Writes a znode at home that nobody else sees.</summary>
    PrivateWrite,
}

/// <summary>Clients of one region, all doing the same.</summary>
internal sealed class FreshnessLoad : IAsyncDisposable
{
    private readonly Dictionary<FreshnessStep, LatencyHistogram> _latencies = Enum.GetValues<FreshnessStep>().ToDictionary(step => step, _ => new LatencyHistogram());
    private readonly CancellationTokenSource _stop = new();
    private readonly List<ZooKeeperClient> _clients = [];
    private Task _run = Task.CompletedTask;
    private volatile bool _counting;

    /// <summary>Connects and begins; nothing is counted yet.</summary>
    /// <param name="proxy">The region's proxy.</param>
    /// <param name="clients">How many.</param>
    /// <param name="steps">What each does, over and over.</param>
    public static async Task<FreshnessLoad> StartAsync(ServerAddress proxy, int clients, params IReadOnlyList<FreshnessStep> steps)
    {
        var load = new FreshnessLoad();
        var options = new ZooKeeperClientOptions { Servers = [proxy] };
        load._clients.AddRange(await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => ZooKeeperClient.ConnectAsync(options))));
        load._run = Task.WhenAll(load._clients.Select((client, i) => Task.Run(() => load.RepeatAsync(client, i, steps))));
        return load;
    }

    /// <summary>Counts from now on.</summary>
    public void Count() => _counting = true;

    /// <summary>Stops and tells how long each kind of request took.</summary>
    public async Task<IReadOnlyDictionary<FreshnessStep, LatencyHistogram>> StopAsync()
    {
        _counting = false;
        await _stop.CancelAsync();
        await _run;
        return _latencies;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Task.WhenAll(_clients.Select(client => client.CloseAsync()));
        _stop.Dispose();
    }

    private async Task RepeatAsync(ZooKeeperClient client, int number, IReadOnlyList<FreshnessStep> steps)
    {
        var random = new Random(number);
        var data = new byte[100];
        for (var i = 0; !_stop.IsCancellationRequested; i++)
        {
            var step = steps[i % steps.Count];
            var began = Stopwatch.GetTimestamp();
            var znode = random.Next(FreshnessRegions.Znodes);
            await (step switch
            {
                FreshnessStep.HomeRead => client.GetDataAsync($"{FreshnessRegions.Exported}/{znode}"),
                FreshnessStep.MountedRead => client.GetDataAsync($"{FreshnessRegions.Mount}/{znode}"),
                FreshnessStep.ExportedWrite => (Task)client.SetDataAsync($"{FreshnessRegions.Exported}/{znode}", data),
                _ => client.SetDataAsync($"{FreshnessRegions.Private}/{znode}", data),
            });
            if (_counting)
            {
                var took = Stopwatch.GetElapsedTime(began);
                lock (_latencies)
                {
                    _latencies[step].Record(took);
                }
            }
        }
    }
}
