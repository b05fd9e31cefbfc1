using System.Diagnostics;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Integration.Faults;

/// <summary>A lock that both regions contend for: one folder of one cluster, under the two paths that the regions know it by.</summary>
/// <param name="Name">The owning cluster.</param>
/// <param name="PathIn">Its path, by region.</param>
internal sealed record ContendedLock(string Name, IReadOnlyDictionary<string, string> PathIn);

/// <summary>
/// When a client believed that it held a lock: from the reply that said so to its release, or to the loss of its connection.
/// </summary>
internal readonly record struct Tenure(string Lock, string Client, long From, long To);

/// <summary>
/// One client of one region: takes a lock by ZooKeeper's recipe (a protected ephemeral sequential znode, a watch on the one before it),
/// writes a few log entries while it holds it, lets go, again and again, through everything that happens to its connection.
/// </summary>
internal sealed class LockClient(string name, string region, ZooKeeperClientOptions options, LockLog log, int seed) : IDisposable
{
    private readonly Random _random = new(seed);
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<string> _fired = [];
    private TaskCompletionSource _event = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ZooKeeperClient? _client;
    private (string Lock, long From)? _tenure;
    private Task _run = Task.CompletedTask;

    public string Name => name;

    /// <summary>Rounds completed, by lock.</summary>
    public Dictionary<string, int> Rounds { get; } = [];

    /// <summary>When it last completed a round, by lock.</summary>
    public Dictionary<string, long> LastRound { get; } = [];

    /// <summary>What it is doing, for whoever finds it stuck.</summary>
    public string Doing { get; private set; } = "starting";

    public SessionState State => _client?.State ?? SessionState.Connecting;

    public long SessionId => _client?.SessionId ?? 0;

    public void Start(IReadOnlyList<ContendedLock> locks)
    {
        _client = new ZooKeeperClient(options);
        _client.WatchFired += OnEvent;
        _client.StateChanged += state =>
        {
            if (state != SessionState.Connected)
            {
                EndTenure();
            }
        };
        _run = Task.Run(() => RunAsync(_client, locks));
    }

    /// <summary>Dies: the connection closes, the session is not.</summary>
    public async Task KillAsync()
    {
        EndTenure();
        await _stop.CancelAsync();
        await _client!.DetachAsync();
        await _run;
    }

    /// <summary>Stops in an orderly way.</summary>
    public async Task CloseAsync()
    {
        await _stop.CancelAsync();
        await _run;
        EndTenure();
        await _client!.CloseAsync();
    }

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(ZooKeeperClient client, IReadOnlyList<ContendedLock> locks)
    {
        while (!_stop.IsCancellationRequested)
        {
            var target = locks[_random.Next(locks.Count)];
            try
            {
                if (await HoldOnceAsync(client, target.Name, target.PathIn[region]))
                {
                    Rounds[target.Name] = Rounds.GetValueOrDefault(target.Name) + 1;
                    LastRound[target.Name] = Stopwatch.GetTimestamp();
                }
            }
            catch (KeeperException e) when (e.Code is ErrorCode.SessionExpired && !_stop.IsCancellationRequested)
            {
                Doing = "making a new session";
                await client.ReconnectAsync(_stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (KeeperException e)
            {
                log.Note($"{name}: {e.Message}");
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    private async Task<bool> HoldOnceAsync(ZooKeeperClient client, string lockName, string folder)
    {
        var id = $"{name}.{Guid.NewGuid():N}";
        Doing = $"queueing for {lockName}";
        var mine = await QueueAsync(client, folder, id);
        if (mine is null)
        {
            return false;
        }
        try
        {
            if (!await WaitTurnAsync(client, lockName, folder, mine))
            {
                return false;
            }
            Doing = $"holding {lockName}";
            // The znode's own czxid is the fencing token: it means the same to both regions and grows from holder to holder.
            if ((await client.ExistsAsync($"{folder}/{mine}", cancellationToken: _stop.Token)).Stat is not { } stat)
            {
                return false;
            }
            for (var i = 0; i < 3; i++)
            {
                await client.CreateAsync($"{folder}-log/e", LogEntry.Encode(stat.Czxid, name), CreateFlags.PersistentSequential, cancellationToken: _stop.Token);
            }
            await Task.Delay(_random.Next(20), CancellationToken.None);
            return true;
        }
        finally
        {
            // Before the delete leaves: what comes after is no longer claimed.
            EndTenure();
            Doing = $"releasing {lockName}";
            await ReleaseAsync(client, $"{folder}/{mine}");
        }
    }

    /// <summary>Makes the znode; after a loss of the connection it looks whether it had been made.</summary>
    private async Task<string?> QueueAsync(ZooKeeperClient client, string folder, string id)
    {
        for (var looked = true; ;)
        {
            try
            {
                if (!looked)
                {
                    var found = (await client.GetChildrenAsync(folder, cancellationToken: _stop.Token)).Names.Where(n => n.StartsWith(id, StringComparison.Ordinal)).ToList();
                    if (found.Count > 1)
                    {
                        log.Violation($"{name}: {found.Count} znodes of one attempt in {folder}");
                    }
                    if (found.Count > 0)
                    {
                        return found[0];
                    }
                    looked = true;
                }
                var made = await client.CreateAsync($"{folder}/{id}-", [], CreateFlags.EphemeralSequential, cancellationToken: _stop.Token);
                return made.Path[(folder.Length + 1)..];
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                looked = false;
            }
        }
    }

    private async Task<bool> WaitTurnAsync(ZooKeeperClient client, string lockName, string folder, string mine)
    {
        while (true)
        {
            try
            {
                var names = (await client.GetChildrenAsync(folder, cancellationToken: _stop.Token)).Names.OrderBy(Sequence).ToList();
                var place = names.IndexOf(mine);
                if (place < 0)
                {
                    return false;
                }
                if (place == 0)
                {
                    BeginTenure(client, lockName);
                    return true;
                }
                var before = $"{folder}/{names[place - 1]}";
                Doing = $"waiting in {lockName} at place {place}";
                await WaitGoneAsync(client, before);
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                Doing = $"asking for its place in {lockName} again";
            }
        }
    }

    private async Task WaitGoneAsync(ZooKeeperClient client, string path)
    {
        lock (_fired)
        {
            _fired.Remove(path);
        }
        if ((await client.ExistsAsync(path, watch: true, _stop.Token)).Stat is null)
        {
            return;
        }
        while (true)
        {
            Task signal;
            lock (_fired)
            {
                if (_fired.Contains(path))
                {
                    return;
                }
                signal = _event.Task;
            }
            await Task.WhenAny(signal, Task.Delay(2000, _stop.Token));
            _stop.Token.ThrowIfCancellationRequested();
            if (signal.IsCompleted || client.State != SessionState.Connected)
            {
                if (client.State == SessionState.Expired)
                {
                    throw new KeeperException(ErrorCode.SessionExpired, OpCode.Exists, path);
                }
                continue;
            }
            // Nothing for a while. If it is gone, its event must have come before this reply.
            var look = await client.ExistsAsync(path, cancellationToken: _stop.Token);
            lock (_fired)
            {
                if (look.Stat is null && !_fired.Contains(path))
                {
                    log.LostWatch($"{name}: {path} is gone and its watch has not fired");
                    return;
                }
            }
        }
    }

    private async Task ReleaseAsync(ZooKeeperClient client, string path)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await client.DeleteAsync(path, cancellationToken: _stop.Token);
                return;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.ConnectionLoss)
            {
                // In doubt: again, until it is gone or the session is.
            }
            catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.SessionExpired)
            {
                return;
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void OnEvent(WatchNotification e)
    {
        TaskCompletionSource signal;
        lock (_fired)
        {
            _fired.Add(e.Path);
            signal = _event;
            _event = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        signal.TrySetResult();
    }

    private void BeginTenure(ZooKeeperClient client, string lockName)
    {
        lock (_fired)
        {
            _tenure = (lockName, Stopwatch.GetTimestamp());
        }
        if (client.State != SessionState.Connected)
        {
            EndTenure();
        }
    }

    private void EndTenure()
    {
        lock (_fired)
        {
            if (_tenure is { } tenure)
            {
                log.Add(new Tenure(tenure.Lock, name, tenure.From, Stopwatch.GetTimestamp()));
                _tenure = null;
            }
        }
    }

    private static string Sequence(string node) => node[(node.LastIndexOf('-') + 1)..];
}
