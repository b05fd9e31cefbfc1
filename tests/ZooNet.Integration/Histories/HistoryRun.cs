using System.Text.Json;
using ZooNet.Client;
using ZooNet.Integration.Faults;
using ZooNet.Integration.Fixtures;
using ZooNet.Wan;

namespace ZooNet.Integration.Histories;

/// <summary>One history: proxies and some clients in each region of a fixture, znodes of its own, and one consistency mode.</summary>
internal sealed class HistoryRun : IAsyncDisposable
{
    private const int ClientsPerRegion = 4;
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(6);
    private readonly HistoryFixture _fixture;
    private readonly string _consistency;
    private readonly bool _writeFar;
    private readonly string _folder;
    private readonly string _mount;
    private readonly Dictionary<string, List<ProxyProcess>> _proxies = [];
    private readonly List<HistoryClient> _clients = [];
    private readonly BarrierWatch _barriers = new();

    private HistoryRun(HistoryFixture fixture, string consistency, bool writeFar)
    {
        _writeFar = writeFar;
        _fixture = fixture;
        _consistency = consistency;
        _folder = $"/{consistency}";
        _mount = $"/far-{consistency}";
    }

    /// <summary>What the clients did and saw so far.</summary>
    public HistoryRecorder Recorder { get; } = new();

    /// <summary>The proxies, region by region.</summary>
    public IReadOnlyList<ProxyProcess> Proxies => [.. _proxies.Values.SelectMany(p => p)];

    /// <summary>What the proxies counted.</summary>
    public BarrierWatch Barriers => _barriers;

    /// <summary>Starts everything; clients are at work when it returns.</summary>
    /// <param name="fixture">The regions.</param>
    /// <param name="consistency">The mode.</param>
    /// <param name="seed">For what the clients do.</param>
    /// <param name="writeFar">Whether clients write in mounts too.</param>
    public static async Task<HistoryRun> StartAsync(HistoryFixture fixture, string consistency, int seed, bool writeFar = true)
    {
        var run = new HistoryRun(fixture, consistency, writeFar);
        try
        {
            await run.StartAsync(seed);
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts clients where there are none; what they do is added to the history.</summary>
    public void StartClients(int seed)
    {
        foreach (var (region, mounted) in _fixture.Mounts)
        {
            IReadOnlyList<Place> places = mounted is null ? [new(region, _folder, IsHome: true)] : [new(region, _folder, IsHome: true), new(mounted, _mount, IsHome: false)];
            for (var i = 0; i < ClientsPerRegion; i++)
            {
                // Each begins at another proxy of its region.
                IReadOnlyList<ServerAddress> servers = [.. Enumerable.Range(i, _fixture.Proxies).Select(n => _proxies[region][n % _fixture.Proxies].Address)];
                var options = new ZooKeeperClientOptions { Servers = servers, SessionTimeout = SessionTimeout };
                _clients.Add(new HistoryClient(options, places, Recorder, _writeFar, (seed * 31) + _clients.Count));
            }
        }
        _clients.ForEach(client => client.Start());
    }

    /// <summary>
    /// Makes faults, one after the other, and lets the clients go on until they have read in mounts again when all are put right.
    /// </summary>
    /// <returns>The faults.</returns>
    public async Task<IReadOnlyList<string>> SufferAsync(TimeSpan length, int seed)
    {
        var faults = new FaultInjector([.. _fixture.Ensembles.Values], Proxies, seed, _fixture.Ways);
        await faults.RunAsync(length);
        var enough = Recorder.ReadsInMounts + 100;
        await Eventually.Async(() => Recorder.ReadsInMounts >= enough, "100 more reads in mounts after the last fault", TimeSpan.FromSeconds(60));
        return faults.Done;
    }

    /// <summary>Holds back everything between the clusters and their observers in other regions, for so many operations.</summary>
    public async Task HoldWanAsync(int operations)
    {
        WanRelay[] relays = [.. _fixture.Ensembles.Values.SelectMany(ensemble => ensemble.RemoteObserver.Relays)];
        foreach (var relay in relays)
        {
            relay.Cut(silent: true);
        }
        await WorkAsync(operations, TimeSpan.FromSeconds(60));
        foreach (var relay in relays)
        {
            relay.Heal();
        }
    }

    /// <summary>Lets the clients work until there are so many more operations.</summary>
    public Task WorkAsync(int operations, TimeSpan limit)
    {
        var enough = Recorder.Observations.Count + operations;
        return Eventually.Async(() => Recorder.Observations.Count >= enough, $"{operations} more operations", limit);
    }

    /// <summary>Stops the clients and puts their history together with what the clusters did.</summary>
    public async Task<RecordedHistory> JudgeAsync()
    {
        await StopClientsAsync();
        var seen = Recorder.History.Ops.Where(op => Recorder.Observations.ContainsKey(op.Id)).GroupBy(op => op.Cluster)
            .ToDictionary(g => g.Key, g => g.Select(op => Recorder.Observations[op.Id].Zxid).Where(zxid => zxid > 0).ToHashSet());
        return new RecordedHistory(Recorder, seen.ToDictionary(s => s.Key, s => TransactionLogs.Read(_fixture.Ensembles[s.Key], _folder, s.Value)));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopClientsAsync();
        await _barriers.StopAsync();
        foreach (var proxy in Proxies)
        {
            await proxy.DisposeAsync();
        }
    }

    private async Task StartAsync(int seed)
    {
        foreach (var ensemble in _fixture.Ensembles.Values)
        {
            await using var direct = await ensemble.ConnectAsync();
            await direct.CreateAsync(_folder);
            foreach (var key in HistoryClient.Lasting)
            {
                await direct.CreateAsync($"{_folder}/{key}", TransactionLogs.DataOf(-1));
            }
        }
        foreach (var (region, mounted) in _fixture.Mounts)
        {
            _proxies[region] = [.. await Task.WhenAll(Enumerable.Range(0, _fixture.Proxies).Select(_ => ProxyProcess.StartAsync(
                ProxyCluster.Home(_fixture.Ensembles[region]), mounted is null ? [] : [Far(_fixture.Ensembles[mounted])], new() { ["consistency"] = _consistency, ["logLevel"] = "warning" })))];
        }
        await Task.WhenAll(Proxies.Select(proxy => proxy.WaitClustersAsync()));
        foreach (var (region, mounted) in _fixture.Mounts.Where(mount => mount.Value is not null))
        {
            await _proxies[region][0].MountAsync($"{mounted}:{_folder}", _mount);
            await Task.WhenAll(_proxies[region].Select(proxy => proxy.WaitMountedAsync(_mount)));
        }
        _barriers.Start(Proxies, _mount);
        StartClients(seed);
        await WorkAsync(200, TimeSpan.FromSeconds(60));
    }

    /// <summary>A cluster as the proxies of another region know it: an observer near them, and the voters across the WAN.</summary>
    private ProxyCluster Far(RealEnsemble ensemble) =>
        new(ensemble.Name, [.. _fixture.Ways[ensemble].Select(way => new ServerAddress("127.0.0.1", way.LocalEndPoint.Port))], [ensemble.RemoteObserver.Address]);

    private async Task StopClientsAsync()
    {
        await Task.WhenAll(_clients.Select(client => client.StopAsync()));
        _clients.Clear();
    }
}

/// <summary>
/// Adds up what proxies count of a mount and of home. A proxy that is killed takes its counters along, so they are read again and again;
/// what was counted between the last look and a kill is missing.
/// </summary>
#pragma warning disable CA1001 // StopAsync ends it, and it is used to the end.
internal sealed class BarrierWatch
#pragma warning restore CA1001
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private readonly Dictionary<string, Counted> _byProxy = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _run = Task.CompletedTask;

    /// <summary>Begins to look.</summary>
    public void Start(IReadOnlyList<ProxyProcess> proxies, string mount) => _run = Task.WhenAll(proxies.Select(proxy => LookAsync(proxy, mount)));

    /// <summary>Looks a last time.</summary>
    /// <returns>The sum over all proxies that there have been.</returns>
    public async Task<Counted> StopAsync()
    {
        await _stop.CancelAsync();
        await _run;
        return Sum;
    }

    private Counted Sum => _byProxy.Values.Aggregate(new Counted(0, 0, 0), (a, b) => new Counted(a.Needed + b.Needed, a.Sent + b.Sent, a.Failed + b.Failed));

    private async Task LookAsync(ProxyProcess proxy, string mount)
    {
        for (var last = false; !last;)
        {
            last = _stop.IsCancellationRequested;
            try
            {
                var status = await proxy.StatusAsync();
                var counted = Of(status.GetProperty("homeTraffic"), status.GetProperty("mounts").EnumerateArray().FirstOrDefault(m => m.GetProperty("path").GetString() == mount));
                lock (_byProxy)
                {
                    _byProxy[status.GetProperty("proxyId").GetString()!] = counted;
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or JsonException)
            {
                // It is down or paused just now, or was killed in the middle of the answer.
            }
            await Task.Delay(Interval, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static Counted Of(JsonElement home, JsonElement mount)
    {
        static long Number(JsonElement traffic, string name) => traffic.ValueKind == JsonValueKind.Object ? traffic.GetProperty(name).GetInt64() : 0;
        var mounted = mount.ValueKind == JsonValueKind.Object ? mount.GetProperty("traffic") : default;
        var needed = Number(mounted, "barriersNeeded") + Number(home, "barriersNeeded");
        return new Counted(needed, needed - Number(mounted, "barriersShared") - Number(home, "barriersShared"),
            Number(mounted, "barriersFailed") + Number(home, "barriersFailed"));
    }
}

/// <summary>Counters of proxies.</summary>
/// <param name="Needed">Reads, in mounts and at home, that needed a barrier.</param>
/// <param name="Sent">Barriers made for them.</param>
/// <param name="Failed">Reads that failed with their barrier.</param>
internal sealed record Counted(long Needed, long Sent, long Failed);
