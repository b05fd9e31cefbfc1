using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Moves every mount that is on its way to its next step, until it is in use or gone, whoever has begun it: a command of this proxy, or of
/// one that has died, or a hand that wrote the record. One loop, woken by changes of the table and by acknowledgements. Public members are
/// thread-safe; the drivers of several proxies may take the same step, and the table's versions let one of them.
/// </summary>
public sealed class MountDriver : IAsyncDisposable
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    private readonly MountStore _store;
    private readonly MountWriter _writer;
    private readonly IMountActivation _activation;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Loop _loop;
    private readonly Lock _lock = new();
    private readonly List<string> _forced = [];
    private TaskCompletionSource _turned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Turn _last = Turn.None;
    private long _begun;
    private string? _reported;

    /// <summary>Makes a driver; it does nothing before <see cref="Start"/>.</summary>
    /// <param name="store">The table.</param>
    /// <param name="writer">Writes it.</param>
    /// <param name="activation">Tells who must be waited for.</param>
    /// <param name="time">For pauses.</param>
    /// <param name="logger">Hears of steps that could not be taken.</param>
    public MountDriver(MountStore store, MountWriter writer, IMountActivation activation, TimeProvider time, ILogger<MountDriver> logger)
    {
        _store = store;
        _writer = writer;
        _activation = activation;
        _time = time;
        _logger = logger;
        _loop = new Loop(MoveAllAsync, e => logger.StepsFailed(e.Message), RetryPause, RetryPause, time);
        _store.Changed += OnChanged;
        _activation.Changed += _loop.Ring;
    }

    /// <summary>Begins to move mounts.</summary>
    public void Start() => _loop.Start();

    /// <summary>Who, or what, a mount that is on its way waits for, in words for an operator; empty when nobody is waited for.</summary>
    /// <param name="entry">The mount, as the table has it.</param>
    public IReadOnlyList<string> WaitingFor(MountEntry entry) => _last.Waiting.GetValueOrDefault((entry.Path, entry.Version)) ?? [];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _store.Changed -= OnChanged;
        _activation.Changed -= _loop.Ring;
        await _loop.DisposeAsync();
        Volatile.Read(ref _turned).TrySetCanceled();
    }

    /// <summary>Waits until a mount has left a state, its next step could not be taken, or patience is over.</summary>
    /// <param name="path">The mount point.</param>
    /// <param name="state">The state; <see cref="MountStore.Current"/> shows the mount in it, or in a later one.</param>
    /// <param name="force">Whether the step is taken without the acknowledgements that are missing.</param>
    /// <param name="patience">For how long to wait.</param>
    /// <param name="cancellationToken">Gives up waiting; the mount is moved all the same, but not by force.</param>
    /// <exception cref="OperationCanceledException">The wait was given up, or the driver has stopped.</exception>
    internal async Task<MountProgress> SeeThroughAsync(
        string path, MountState state, bool force, TimeSpan patience, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        if (force)
        {
            lock (_lock)
            {
                _forced.Add(path);
            }
        }
        try
        {
            // What an earlier turn came to says nothing of a step that is asked for now.
            var before = Volatile.Read(ref _begun);
            _loop.Ring();
            while (true)
            {
                var turned = Volatile.Read(ref _turned).Task;
                var last = _last;
                var entry = _store.Current.At(path);
                if (entry?.Mount is null || entry.State != state)
                {
                    return new MountProgress(entry, null);
                }
                if (last.Number > before && last.Failed.TryGetValue((path, entry.Version), out var failure))
                {
                    return new MountProgress(entry, failure);
                }
                var left = patience - _time.GetElapsedTime(began);
                if (left <= TimeSpan.Zero)
                {
                    return new MountProgress(entry, null);
                }
                try
                {
                    await turned.WaitAsync(left, _time, cancellationToken);
                }
                catch (TimeoutException)
                {
                    // Looks a last time.
                }
            }
        }
        finally
        {
            if (force)
            {
                lock (_lock)
                {
                    _forced.Remove(path);
                }
            }
        }
    }

    /// <summary>Why home has not done what it was asked for.</summary>
    internal static string WhyNotDone(Exception e) => e is KeeperException ? $"the home cluster did not do it: {e.Message}" : e.Message;

    private void OnChanged(MountSnapshot snapshot) => _loop.Ring();

    private bool IsForced(string path)
    {
        lock (_lock)
        {
            return _forced.Contains(path);
        }
    }

    private async Task<TimeSpan> MoveAllAsync(CancellationToken cancellationToken)
    {
        var turn = new Turn(Interlocked.Increment(ref _begun), [], []);
        var hasMoved = false;
        foreach (var entry in _store.Current.Entries.Where(e => e is { Mount: not null, State: not MountState.Active }))
        {
            try
            {
                var waiting = entry.State == MountState.Requested ? [] : _activation.WaitingFor(entry);
                if (waiting.Count > 0 && !IsForced(entry.Path))
                {
                    turn.Waiting[(entry.Path, entry.Version)] = waiting;
                    continue;
                }
                await MoveAsync(entry, cancellationToken);
                await _store.RefreshAsync(cancellationToken);
                hasMoved = true;
            }
            catch (Exception e) when (e is KeeperException or ClusterUnreachableException or TreeException or MountRefusedException)
            {
                turn.Waiting[(entry.Path, entry.Version)] = [e.Message];
                turn.Failed[(entry.Path, entry.Version)] = WhyNotDone(e);
                if (_reported != e.Message)
                {
                    _reported = e.Message;
                    _logger.StepFailed(entry.Path, entry.State, e.Message);
                }
            }
        }
        _last = turn;
        Interlocked.Exchange(ref _turned, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        return hasMoved ? TimeSpan.Zero : turn.Failed.Count > 0 ? RetryPause : Loop.UntilRung;
    }

    /// <summary>Takes a mount's next step.</summary>
    private async Task MoveAsync(MountEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            await (entry.State switch
            {
                MountState.Requested => _writer.AdoptAsync(entry, cancellationToken),
                MountState.Joining => _writer.SetStateAsync(entry, MountState.Active, cancellationToken),
                _ => _writer.RemoveAsync(entry, cancellationToken),
            });
        }
        catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NoNode)
        {
            // Another proxy took the step.
        }
    }

    /// <summary>What one turn of the loop came to, by mount point and version of the record.</summary>
    private sealed record Turn(long Number, Dictionary<(string Path, int Version), IReadOnlyList<string>> Waiting,
        Dictionary<(string Path, int Version), string> Failed)
    {
        public static Turn None { get; } = new(0, [], []);
    }
}

/// <summary>How far a mount has come.</summary>
/// <param name="Entry">The mount as the table has it; null when it is gone.</param>
/// <param name="Failure">
/// Why its next step could not be taken, in words for an operator; null when it was not tried, or somebody is waited for.
/// </param>
internal sealed record MountProgress(MountEntry? Entry, string? Failure);
