using System.Collections;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>A session's links, home first; what concerns all of them. Single owner: its session.</summary>
internal sealed class LinkSet(SessionLink home) : IReadOnlyList<SessionLink>
{
    /// <summary>The lane of <see cref="TryRelease"/> with what is queued of home.</summary>
    public const int HomeLane = 1;

    private SessionLink[] _links = [home];

    /// <inheritdoc/>
    public int Count { get; private set; } = 1;

    /// <summary>Bytes that are kept for requests under way, to be used when their replies come.</summary>
    public long KeptBytes { get; private set; }

    /// <inheritdoc/>
    public SessionLink this[int index] => _links[index];

    /// <summary>All of them, to walk over. Links that are made meanwhile are not among them.</summary>
    public ReadOnlySpan<SessionLink> All => _links.AsSpan(0, Count);

    /// <summary>The link to a cluster, made if there is none.</summary>
    public SessionLink To(int cluster)
    {
        foreach (var link in All)
        {
            if (link.Cluster == cluster)
            {
                return link;
            }
        }
        if (Count == _links.Length)
        {
            Array.Resize(ref _links, Count * 2);
        }
        return _links[Count++] = new SessionLink(cluster);
    }

    /// <summary>Step 2a, the switching rule: nothing is outstanding elsewhere that a strict order forbids to overtake.</summary>
    /// <param name="link">The link on which something would be sent.</param>
    /// <param name="strict">Whether it must not overtake anything.</param>
    public bool MaySend(SessionLink link, bool strict)
    {
        foreach (var other in All)
        {
            if (other != link && other.Outstanding > 0 && (strict || other.StrictOutstanding > 0))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>A request was sent into a mount.</summary>
    public void Sent(SessionLink link, in SentRequest pending)
    {
        KeptBytes += pending.Effect?.KeptBytes ?? 0;
        link.Book.Sent(pending.Effect, pending.Strict);
    }

    /// <summary>A request into a mount was answered.</summary>
    /// <param name="link">The link on which it came.</param>
    /// <param name="pending">The request.</param>
    /// <param name="error">Its outcome.</param>
    /// <param name="body">What follows the reply's header.</param>
    /// <param name="mounts">The mounts in use.</param>
    public void Answered(SessionLink link, in SentRequest pending, ErrorCode error, ReadOnlySpan<byte> body, MountTable mounts)
    {
        KeptBytes -= pending.Effect?.KeptBytes ?? 0;
        link.Book.Answered(pending, error, body, mounts, link.Pending);
    }

    /// <summary>A link is lost: takes the next request of the client out of what was unanswered there.</summary>
    public bool TryTakeLost(SessionLink link, out SentRequest pending)
    {
        if (!link.TryTakeLost(out pending))
        {
            return false;
        }
        KeptBytes -= pending.Effect?.KeptBytes ?? 0;
        return true;
    }

    /// <summary>While nobody listens to the servers none of them is silent.</summary>
    public void Excuse(bool unheard, long nowMs)
    {
        foreach (var link in unheard ? All : [])
        {
            link.Excuse(nowMs);
        }
    }

    /// <summary>How many watches the client has in remote clusters.</summary>
    public int WatchCount()
    {
        var count = 0;
        foreach (var link in All)
        {
            count += link.Book.Watches?.Count ?? 0;
        }
        return count;
    }

    /// <summary>Bytes that the paths of these watches take.</summary>
    public long WatchBytes()
    {
        var bytes = 0L;
        foreach (var link in All)
        {
            bytes += link.Book.Watches?.Bytes ?? 0;
        }
        return bytes;
    }

    /// <summary>
    /// A link that must be ready before the client is let in and may be opened now; null if there is none. Before the region's proxies have
    /// agreed on servers it may be to one that is then left, and the client would be dropped with it.
    /// </summary>
    public SessionLink? ToTakeOver(long nowMs)
    {
        foreach (var link in All)
        {
            if (link.Record.MustBeTakenOver && link.MayReopen(nowMs))
            {
                return link;
            }
        }
        return null;
    }

    /// <summary>Whether every session that must be taken over before the client is let in has its link.</summary>
    public bool HasTakenOver()
    {
        foreach (var link in All)
        {
            if (link.Record.MustBeTakenOver && link.Phase != LinkPhase.Ready)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>
    /// Takes the next frame that may leave now out of what is queued: of one lane after the other, as long as one of them has some.
    /// </summary>
    /// <param name="order">The order of replies.</param>
    /// <param name="at">The lane that was looked at last, 0 to begin with: the proxy's own replies.</param>
    /// <param name="frame">Valid until the next change of the lane.</param>
    public bool TryRelease(scoped ref ReplyOrder order, scoped ref int at, out Span<byte> frame)
    {
        for (var tried = 0; tried <= Count && order.IsQueueing; tried++)
        {
            if (order.TryRelease(at == 0 ? order.Local : _links[at - 1].Queued, out frame))
            {
                return true;
            }
            at = at == Count ? 0 : at + 1;
        }
        frame = default;
        return false;
    }

    /// <inheritdoc/>
    public IEnumerator<SessionLink> GetEnumerator() => _links.Take(Count).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
