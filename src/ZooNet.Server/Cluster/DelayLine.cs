namespace ZooNet.Server.Cluster;

/// <summary>
/// One direction of the connection between an observer and its leader: what is posted arrives in order, each after the delay.
/// Safe for any thread; arrivals run one at a time, on the clock's timer thread or the pool.
/// </summary>
internal sealed class DelayLine : IDisposable
{
    private readonly TimeProvider _time;
    private readonly Func<TimeSpan> _delay;
    private readonly ITimer _timer;
    private readonly Queue<(long Due, Action Arrive)> _queue = new();
    private bool _delivering;
    private bool _cut;

    /// <param name="time">The clock.</param>
    /// <param name="delay">Read for every message; zero or more.</param>
    public DelayLine(TimeProvider time, Func<TimeSpan> delay)
    {
        _time = time;
        _delay = delay;
        _timer = time.CreateTimer(static line => ((DelayLine)line!).Deliver(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sends something. A line that has been cut swallows it.</summary>
    public void Post(Action arrive)
    {
        lock (_queue)
        {
            if (_cut)
            {
                return;
            }
            _queue.Enqueue((_time.GetTimestamp() + (long)(_delay().TotalSeconds * _time.TimestampFrequency), arrive));
            if (_queue.Count == 1 && !_delivering)
            {
                Schedule();
            }
        }
    }

    /// <summary>Cuts the line: what has not arrived never does.</summary>
    public void Dispose()
    {
        lock (_queue)
        {
            _cut = true;
            _queue.Clear();
        }
        _timer.Dispose();
    }

    /// <summary>Plans the delivery of the first message. Under the queue's lock.</summary>
    private void Schedule()
    {
        var wait = _time.GetElapsedTime(_time.GetTimestamp(), _queue.Peek().Due);
        if (wait <= TimeSpan.Zero)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static line => line.Deliver(), this, preferLocal: false);
        }
        else
        {
            // Timers count whole milliseconds: rounding down would find nothing due and spin.
            _timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
        }
    }

    private void Deliver()
    {
        lock (_queue)
        {
            if (_delivering)
            {
                return;
            }
            _delivering = true;
        }
        while (true)
        {
            Action arrive;
            lock (_queue)
            {
                if (!_queue.TryPeek(out var first) || first.Due > _time.GetTimestamp())
                {
                    _delivering = false;
                    if (_queue.Count > 0)
                    {
                        Schedule();
                    }
                    return;
                }
                arrive = _queue.Dequeue().Arrive;
            }
            arrive();
        }
    }
}
