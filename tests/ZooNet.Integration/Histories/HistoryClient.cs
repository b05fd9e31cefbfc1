using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Simulation.Checking;

namespace ZooNet.Integration.Histories;

/// <summary>A cluster's znodes of a history as one region sees them.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Folder">The path that holds them in this region.</param>
/// <param name="IsHome">Whether it is the region's own cluster.</param>
internal sealed record Place(string Cluster, string Folder, bool IsHome);

/// <summary>
/// One client of a history: reads and writes the znodes of all its places, one operation after the other, as a seed says, through
/// everything that happens to its connection.
/// </summary>
/// <param name="options">How it connects.</param>
/// <param name="places">Where it reads and writes.</param>
/// <param name="recorder">Takes down what it does and sees.</param>
/// <param name="writesFar">False for a client that writes at home only: it never waits for the WAN where reads don't.</param>
/// <param name="seed">Chooses what it does.</param>
#pragma warning disable CA1001 // StopAsync ends it, and it is used to the end.
internal sealed class HistoryClient(ZooKeeperClientOptions options, IReadOnlyList<Place> places, HistoryRecorder recorder, bool writesFar, int seed)
#pragma warning restore CA1001
{
    /// <summary>Znodes that exist always.</summary>
    public static readonly IReadOnlyList<string> Lasting = ["a", "b", "c"];

    /// <summary>Znodes that come and go.</summary>
    public static readonly IReadOnlyList<string> Passing = ["x", "y"];

    private static readonly IReadOnlyList<string> All = [.. Lasting, .. Passing];
    private readonly Random _random = new(seed);
    private readonly CancellationTokenSource _stop = new();
    private ZooKeeperClient? _client;
    private Task _run = Task.CompletedTask;
    private int _process;

    /// <summary>Connects and begins.</summary>
    public void Start()
    {
        _client = new ZooKeeperClient(options);
        _run = Task.Run(() => RunAsync(_client));
    }

    /// <summary>Finishes the operation under way and ends the session.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _run;
        if (_client is not null)
        {
            await _client.CloseAsync();
        }
        _stop.Dispose();
    }

    private async Task RunAsync(ZooKeeperClient client)
    {
        _process = recorder.NewProcess();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await DoOneAsync(client, places[_random.Next(places.Count)]);
                await Task.Delay(_random.Next(10), _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (KeeperException e) when (e.Code == ErrorCode.SessionExpired)
            {
                _process = recorder.NewProcess();
                await client.ReconnectAsync(_stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (KeeperException)
            {
                // Lost with the connection: what became of it nobody told.
                await Task.Delay(_random.Next(50), _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task DoOneAsync(ZooKeeperClient client, Place place)
    {
        var dice = _random.Next(100);
        if (dice < 35 && (writesFar || place.IsHome))
        {
            await WriteAsync(client, place);
        }
        else if (dice < 45)
        {
            var op = recorder.Begin(_process, place.Cluster, OpKind.List, "*");
            var reply = await client.GetChildrenAsync(place.Folder);
            recorder.End(op, new Observation(reply.Stat.Pzxid, Header(place, reply.Zxid), null));
        }
        else
        {
            await ReadAsync(client, place, All[_random.Next(All.Count)], withData: dice < 85);
        }
    }

    private async Task ReadAsync(ZooKeeperClient client, Place place, string key, bool withData)
    {
        var path = $"{place.Folder}/{key}";
        var op = recorder.Begin(_process, place.Cluster, OpKind.Read, key);
        try
        {
            if (withData)
            {
                var reply = await client.GetDataAsync(path);
                recorder.End(op, new Observation(reply.Stat.Mzxid, Header(place, reply.Zxid), TransactionLogs.ValueOf(reply.Data)));
            }
            else
            {
                var reply = await client.ExistsAsync(path);
                recorder.End(op, new Observation(reply.Stat?.Mzxid ?? 0, Header(place, reply.Zxid), null));
            }
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            recorder.End(op, new Observation(0, Header(place, e.Zxid), null));
        }
    }

    private async Task WriteAsync(ZooKeeperClient client, Place place)
    {
        var lasting = _random.Next(3) > 0;
        var key = lasting ? Lasting[_random.Next(Lasting.Count)] : Passing[_random.Next(Passing.Count)];
        var path = $"{place.Folder}/{key}";
        var op = recorder.Begin(_process, place.Cluster, OpKind.Write, key);
        var data = TransactionLogs.DataOf(op.Id);
        try
        {
            long zxid;
            switch (lasting ? 0 : _random.Next(4))
            {
                case 0:
                    zxid = (await client.SetDataAsync(path, data)).Stat.Mzxid;
                    break;
                case 1:
                    // A delete alone would not say in the log whose it is.
                    zxid = (await client.MultiAsync([MultiOp.SetData(path, data), MultiOp.Delete(path)])).Results[0].Stat!.Value.Mzxid;
                    break;
                default:
                    zxid = (await client.CreateAsync(path, data, withStat: true)).Stat!.Value.Czxid;
                    break;
            }
            recorder.End(op, new Observation(zxid, 0, null));
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NodeExists)
        {
            // Refused: it is no part of the history.
        }
    }

    private static long Header(Place place, long zxid) => place.IsHome ? zxid : 0;
}
