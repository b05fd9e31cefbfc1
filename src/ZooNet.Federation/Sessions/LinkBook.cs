using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// What a client has in one remote cluster beyond the connection that carries its link: watches and ephemeral znodes, by the client's
/// own paths. Replies change it through their <see cref="ReplyEffect"/>. Single owner: its session.
/// </summary>
/// <remarks>Its sets are made when something is put in, so that home's link, and one on which a client only reads, pay nothing.</remarks>
internal struct LinkBook
{
    private WatchBook? _watches;
    private HashSet<string>? _ephemerals;

    /// <summary>The watches; null where there never were any.</summary>
    public readonly WatchBook? Watches => _watches;

    /// <summary>Whether the client watches something.</summary>
    public readonly bool HasWatches => _watches is { IsEmpty: false };

    /// <summary>True while watches that the client set on an earlier connection are not known to be armed.</summary>
    public bool WatchesUnarmed { get; set; }

    /// <summary>How many ephemeral znodes the client is known to own.</summary>
    public readonly int EphemeralCount => _ephemerals?.Count ?? 0;

    /// <summary>True from taking a session over until the cluster has said what it owns.</summary>
    public bool IsIncomplete { get; private set; }

    /// <summary>Whether the client owns an ephemeral znode in a strict mount, or may: without the link it must not go on.</summary>
    public bool OwnsStrict { get; private set; }

    /// <summary>The watches, to put some in.</summary>
    public WatchBook Watch() => _watches ??= new WatchBook();

    /// <summary>The cluster tells of a change: what the client is to be told, by its own paths.</summary>
    /// <param name="body">The event, in the cluster's own terms.</param>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="mounts">The mounts in use.</param>
    public readonly List<WatcherEvent> Fired(ReadOnlySpan<byte> body, int cluster, MountTable mounts)
    {
        var events = new List<WatcherEvent>();
        var reader = new JuteReader(body);
        var change = WatcherEvent.Read(ref reader);
        if (reader.Failed || change.Path is null || _watches is null)
        {
            return events;
        }
        foreach (var mount in mounts.Mounts)
        {
            if (mount.Cluster == cluster && mount.ToLocal(change.Path) is { } local && _watches.Fire(change.Type, local))
            {
                events.Add(change with { Path = local });
            }
        }
        return events;
    }

    /// <summary>The client has made an ephemeral znode.</summary>
    public void Own(string path) => (_ephemerals ??= new(StringComparer.Ordinal)).Add(path);

    /// <summary>A znode has been deleted.</summary>
    public readonly void Disown(string path) => _ephemerals?.Remove(path);

    /// <summary>Whether the client owns an ephemeral znode of a kind, or may own any.</summary>
    public readonly bool MayOwn(Func<string, bool> isMeant) => IsIncomplete || _ephemerals?.Any(isMeant) == true;

    /// <summary>Whether the client owns an ephemeral znode, or may.</summary>
    public readonly bool MayOwnAny => IsIncomplete || EphemeralCount > 0;

    /// <summary>A request was sent. From now on what it makes may exist, whatever becomes of the reply.</summary>
    public void Sent(ReplyEffect? effect, bool strict) => OwnsStrict |= strict && effect is { MakesEphemerals: true };

    /// <summary>A request was answered.</summary>
    /// <param name="pending">The request.</param>
    /// <param name="error">Its outcome.</param>
    /// <param name="body">What follows the reply's header.</param>
    /// <param name="mounts">The mounts in use.</param>
    /// <param name="others">What is still unanswered on the link.</param>
    public void Answered(in SentRequest pending, ErrorCode error, ReadOnlySpan<byte> body, MountTable mounts, Ring<SentRequest> others)
    {
        if (pending.Effect is not { } effect)
        {
            return;
        }
        effect.Apply(ref this, pending.Mount, error, body);
        if (effect.TouchesEphemerals && !IsIncomplete)
        {
            Weigh(mounts, others);
        }
    }

    /// <summary>Another proxy's session is taken over: what it owns must be asked for.</summary>
    public void TakeOver(bool strict)
    {
        OwnsStrict = strict;
        IsIncomplete = true;
    }

    /// <summary>The cluster has said what a session that was taken over owns.</summary>
    /// <param name="remote">The znodes, in the cluster's own terms.</param>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="mounts">The mounts in use.</param>
    /// <param name="others">What is unanswered on the link.</param>
    public void Complete(IEnumerable<string> remote, int cluster, MountTable mounts, Ring<SentRequest> others)
    {
        IsIncomplete = false;
        var there = mounts.Mounts.Where(m => m.Cluster == cluster).ToList();
        _ephemerals ??= new(StringComparer.Ordinal);
        _ephemerals.UnionWith(remote.SelectMany(path => there.Select(m => m.ToLocal(path)).OfType<string>()));
        Weigh(mounts, others);
    }

    /// <summary>
    /// The session in the cluster has ended, and with it what it owned. The watches are the client's: they are set again.
    /// </summary>
    public void SessionEnded()
    {
        _ephemerals = null;
        IsIncomplete = false;
        OwnsStrict = false;
    }

    /// <summary>The client closes its session: losing the link is no reason any more to end its connection.</summary>
    public void Release() => OwnsStrict = false;

    /// <summary>A mount has gone.</summary>
    /// <returns>The paths that were watched in it, of which the client must learn that nothing is there any more.</returns>
    public readonly IReadOnlyList<string> Unmounted(string path) => _watches?.RemoveUnder(path) ?? [];

    private void Weigh(MountTable mounts, Ring<SentRequest> others) =>
        OwnsStrict = _ephemerals?.Any(path => mounts.Find(path) is not { Options.Order: MountOrder.Relaxed }) == true
            || others.Any(static (ref p) => p.Strict && p.Effect is { MakesEphemerals: true });
}
