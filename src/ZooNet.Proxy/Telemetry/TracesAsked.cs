using System.Collections.Concurrent;

namespace ZooNet.Proxy.Telemetry;

/// <summary>A step of a request that somebody has asked to be shown.</summary>
/// <param name="What">What happened.</param>
/// <param name="Cluster">Where; null for the proxy itself.</param>
/// <param name="Server">The server; null where none is meant.</param>
/// <param name="AtMs">Milliseconds since the request came.</param>
public sealed record TraceStep(string What, string? Cluster, string? Server, double AtMs);

/// <summary>
/// Sessions of which somebody wants to see the next request, as the console does with a read of its own. Without any a request pays one
/// comparison. Thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class TracesAsked(TimeProvider time)
{
    /// <summary>How long somebody waits for a request at most.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The most sessions at a time.</summary>
    public const int Most = 16;

    private readonly ConcurrentDictionary<long, Wanted> _wanted = new();
    private int _count;

    /// <summary>True where there are any.</summary>
    public bool Any => Volatile.Read(ref _count) > 0;

    /// <summary>The clock.</summary>
    public TimeProvider Time => time;

    /// <summary>Asks for the next request of a session.</summary>
    /// <returns>False where so many are asked for already.</returns>
    public bool TryAsk(long session)
    {
        foreach (var (id, old) in _wanted)
        {
            if (time.GetElapsedTime(old.Since) > Patience)
            {
                Remove(id, old);
            }
        }
        if (_wanted.Count >= Most)
        {
            return false;
        }
        var order = new Wanted(time.GetTimestamp());
        if (_wanted.TryAdd(session, order))
        {
            Interlocked.Increment(ref _count);
        }
        else
        {
            // Whoever asked before is told nothing any more.
            _wanted[session] = order;
        }
        return true;
    }

    /// <summary>What became of the request of a session that was asked for; null where none was asked for, or none came in time.</summary>
    public async Task<IReadOnlyList<TraceStep>?> ResultAsync(long session, CancellationToken cancellationToken)
    {
        if (!_wanted.TryGetValue(session, out var wanted))
        {
            return null;
        }
        try
        {
            return await wanted.Steps.Task.WaitAsync(Patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            Remove(session, wanted);
        }
    }

    private void Remove(long session, Wanted order)
    {
        if (_wanted.TryRemove(new(session, order)))
        {
            Interlocked.Decrement(ref _count);
        }
    }

    /// <summary>Takes the order for a session, so that its next request is the one.</summary>
    internal Wanted? Take(long session) => Any && _wanted.TryGetValue(session, out var wanted) && wanted.TryTake() ? wanted : null;

    /// <summary>One order.</summary>
    internal sealed class Wanted(long since)
    {
        private int _taken;

        public long Since { get; } = since;

        public TaskCompletionSource<IReadOnlyList<TraceStep>> Steps { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool TryTake() => Interlocked.Exchange(ref _taken, 1) == 0;
    }
}
