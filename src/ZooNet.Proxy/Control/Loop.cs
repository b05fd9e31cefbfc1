namespace ZooNet.Proxy.Control;

/// <summary>
/// A loop with one bell. It takes a turn when the bell has been rung, or when the pause is over that its last turn asked for. A ring is
/// never lost:
/// one that comes during a turn starts another turn after it. Whatever a turn throws, the loop goes on. Thread-safe.
/// </summary>
/// <remarks>
/// Ring whenever there may be something to do: what is due is for the turn to decide, not for who rings. A turn that asks for
/// <see cref="UntilRung"/> relies on that.
/// </remarks>
internal sealed class Loop : IAsyncDisposable
{
    /// <summary>What a turn asks for when only the bell is to start the next one.</summary>
    public static readonly TimeSpan UntilRung = Timeout.InfiniteTimeSpan;

    private readonly Func<CancellationToken, Task<TimeSpan>> _turn;
    private readonly Action<Exception> _failed;
    private readonly TimeSpan _retryPause;
    private readonly TimeSpan _longestPause;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource? _bell;
    private bool _rung;
    private Task _run = Task.CompletedTask;

    /// <summary>Makes a loop; it does nothing before <see cref="Start"/>.</summary>
    /// <param name="turn">Does what there is to do, and returns after which pause it wants to be called again though nobody rings.</param>
    /// <param name="failed">Told of what a turn has thrown: once, as long as the message stays the same and no turn has succeeded.</param>
    /// <param name="retryPause">The pause after a turn that has thrown. It doubles as long as turns throw; a ring cuts it short.</param>
    /// <param name="longestPause">What the pause doubles up to.</param>
    /// <param name="time">The clock of the pauses.</param>
    public Loop(Func<CancellationToken, Task<TimeSpan>> turn, Action<Exception> failed,
        TimeSpan retryPause, TimeSpan longestPause, TimeProvider time)
    {
        _turn = turn;
        _failed = failed;
        _retryPause = retryPause;
        _longestPause = longestPause;
        _time = time;
    }

    /// <summary>Cancelled when the loop is stopped.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>Why the last turn threw; null after one that did not.</summary>
    public string? Failure { get; private set; }

    /// <summary>Begins with a turn.</summary>
    public void Start() => _run = Task.Run(RunAsync);

    /// <summary>There is something to do.</summary>
    public void Ring()
    {
        TaskCompletionSource? bell;
        lock (_lock)
        {
            _rung = true;
            bell = _bell;
        }
        bell?.TrySetResult();
    }

    /// <summary>Stops, and waits for the turn that is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync()
    {
        var retryPause = _retryPause;
        while (!_stop.IsCancellationRequested)
        {
            TimeSpan pause;
            try
            {
                pause = await _turn(_stop.Token);
                Failure = null;
                retryPause = _retryPause;
            }
            catch (Exception e) when (!_stop.IsCancellationRequested)
            {
                pause = retryPause;
                retryPause = retryPause * 2 < _longestPause ? retryPause * 2 : _longestPause;
                if (e.Message != Failure)
                {
                    Failure = e.Message;
                    _failed(e);
                }
            }
            await WaitAsync(pause).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WaitAsync(TimeSpan pause)
    {
        TaskCompletionSource bell;
        lock (_lock)
        {
            if (_rung)
            {
                _rung = false;
                return;
            }
            _bell = bell = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        try
        {
            await bell.Task.WaitAsync(pause < TimeSpan.Zero ? UntilRung : pause, _time, _stop.Token);
        }
        finally
        {
            lock (_lock)
            {
                _bell = null;
                _rung = false;
            }
        }
    }
}
