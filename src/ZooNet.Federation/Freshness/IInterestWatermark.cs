namespace ZooNet.Federation.Freshness;

/// <summary>
/// Tells which changes of the home cluster anyone outside this view can see (docs/consistency.md, "The interest watermark").
/// Implementations are thread-safe and answer without waiting.
/// </summary>
public interface IInterestWatermark
{
    /// <summary>
    /// The newest change at or below <paramref name="homeZxid"/> that lies in a subtree somebody outside this view mounts.
    /// Where that is not known for certain, <paramref name="homeZxid"/> itself.
    /// </summary>
    long LastInterestingChange(long homeZxid);

    /// <summary>
    /// The newest home zxid that can be told anything of; -1 for none. Never goes back, until other subtrees are watched.
    /// </summary>
    long SeenUpTo { get; }

    /// <summary>
    /// Whether nobody outside the view can see a znode or change it, its ACL included. What is said of such a znode tells of no change that
    /// could have been missed; of any other one, an ACL may have changed, and no event tells that.
    /// </summary>
    /// <param name="path">The znode's path, or that of one to be made.</param>
    bool IsPrivate(ReadOnlySpan<byte> path);

    /// <summary>
    /// The server on whose link home is watched: a barrier there (<see cref="UpstreamServer.Join"/>) raises <see cref="SeenUpTo"/>
    /// to all that was committed before it began. Null while nobody watches.
    /// </summary>
    UpstreamServer? Watcher { get; }
}
