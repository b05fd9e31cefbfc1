using System.Runtime.CompilerServices;

namespace ZooNet.Proxy.Admin;

/// <summary>Something that happened at one proxy, as <c>GET /api/v1/events</c> tells it.</summary>
/// <param name="Id">Grows by one with each event of this proxy, from 1 at its start.</param>
/// <param name="Time">When this proxy noticed it.</param>
/// <param name="Kind">
/// <c>cluster-up</c>, <c>cluster-down</c>, <c>mount</c>, <c>server</c> (a cluster is read through another server), <c>coupling</c>,
/// <c>held</c> (requests for mounts wait, or wait no more) or <c>drain</c>.
/// </param>
/// <param name="Cluster">The cluster concerned; null where none is.</param>
/// <param name="Mount">The mount point concerned; null where none is.</param>
/// <param name="Text">One sentence.</param>
public sealed record ProxyEvent(long Id, DateTimeOffset Time, string Kind, string? Cluster, string? Mount, string Text);

/// <summary>
/// The last <see cref="Kept"/> events of this proxy, and apart from them its last <see cref="Kept"/> changes of mounts, so that a
/// cluster that comes and goes does not wash them out. In memory only: both begin with the proxy. Thread-safe.
/// </summary>
public sealed class EventLog(TimeProvider time)
{
    /// <summary>How many of each are kept.</summary>
    public const int Kept = 1000;

    /// <summary>The kind of those that <see cref="Mounts"/> keeps.</summary>
    public const string MountKind = "mount";

    private readonly Lock _lock = new();
    private readonly Queue<ProxyEvent> _events = new();
    private readonly Queue<ProxyEvent> _mounts = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _last;

    /// <summary>The changes of mounts, oldest first.</summary>
    public IReadOnlyList<ProxyEvent> Mounts
    {
        get
        {
            lock (_lock)
            {
                return [.. _mounts];
            }
        }
    }

    /// <summary>Adds an event that happened now.</summary>
    public void Add(string kind, string text, string? cluster = null, string? mount = null)
    {
        TaskCompletionSource more;
        lock (_lock)
        {
            var added = new ProxyEvent(++_last, time.GetUtcNow(), kind, cluster, mount, text);
            Keep(_events, added);
            if (kind == MountKind)
            {
                Keep(_mounts, added);
            }
            (more, _more) = (_more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        more.SetResult();
    }

    /// <summary>The events after one, oldest first.</summary>
    /// <param name="id">The last that is known; 0 for all that are kept.</param>
    public IReadOnlyList<ProxyEvent> After(long id) => Read(id).Events;

    /// <summary>
    /// The events after one, and then those that happen, until the token. Who takes them too slowly misses some: the ids tell.
    /// </summary>
    /// <param name="id">The last that is known; 0 for all that are kept.</param>
    /// <param name="beat">A null is given whenever nothing has happened for so long, so that a reader can tell silence from a lost
    /// connection.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<ProxyEvent?> FollowAsync(long id, TimeSpan beat,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            // Read once more when it is over: the last event may be why.
            var over = cancellationToken.IsCancellationRequested;
            var (events, more) = Read(id);
            foreach (var e in events)
            {
                yield return e;
                id = e.Id;
            }
            if (over)
            {
                yield break;
            }
            var quiet = false;
            try
            {
                await more.WaitAsync(beat, time, cancellationToken);
            }
            catch (TimeoutException)
            {
                quiet = true;
            }
            catch (OperationCanceledException)
            {
            }
            if (quiet)
            {
                yield return null;
            }
        }
    }

    private (List<ProxyEvent> Events, Task More) Read(long id)
    {
        lock (_lock)
        {
            return ([.. _events.Where(e => e.Id > id)], _more.Task);
        }
    }

    private static void Keep(Queue<ProxyEvent> queue, ProxyEvent added)
    {
        if (queue.Count == Kept)
        {
            queue.Dequeue();
        }
        queue.Enqueue(added);
    }
}
