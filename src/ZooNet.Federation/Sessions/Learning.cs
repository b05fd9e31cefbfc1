using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>Step 4, for the freshness rule: what a session can have learned from a reply goes into its <see cref="Frontier"/>.</summary>
internal static class Learning
{
    /// <summary>A reply has come.</summary>
    /// <param name="frontier">What the session has learned.</param>
    /// <param name="link">The link on which it came.</param>
    /// <param name="pending">The request that it answers.</param>
    /// <param name="header">The reply's header.</param>
    /// <param name="body">What follows the header.</param>
    /// <param name="interest">The watermark of home that is in use; null for none.</param>
    public static void From(Frontier frontier, SessionLink link, in SentRequest pending, in ReplyHeader header, ReadOnlySpan<byte> body,
        IInterestWatermark? interest)
    {
        // By the same watermark still: what others can see may have become more meanwhile.
        var isPrivate = pending.PrivateBy is { } by && ReferenceEquals(by, interest);
        var asked = pending.IsKept ? link.Asked : null;
        if (pending.Op != OpCode.MultiRead || header.Error != ErrorCode.Ok)
        {
            var evidence = ReplyFrontier.Of(pending.Op, header, body);
            frontier.Observe(link.Cluster, isPrivate ? evidence with { Watchable = true } : evidence, asked is null ? default : asked.Path);
            return;
        }
        var parts = ReplyFrontier.OfMultiRead(body, header.Zxid);
        var read = asked is null ? default : asked.MultiRead;
        var paths = new MultiOperations(!read.IsEmpty && MultiOperations.Count(read) == parts.Count ? read : default);
        for (var i = 0; i < parts.Count; i++)
        {
            var path = paths.MoveNext() ? paths.Path : default;
            frontier.Observe(link.Cluster, isPrivate ? parts[i] with { Watchable = true } : parts[i], path);
        }
    }

    /// <summary>An event has come: it may tell of which change, or only that there was one.</summary>
    public static void FromEvent(Frontier frontier, SessionLink link, long zxid)
    {
        if (zxid > 0)
        {
            frontier.Learned(link.Cluster, zxid);
            return;
        }
        frontier.LearnedUnknown(link.Cluster);
        link.HasUnplacedEvent = true;
    }

    /// <summary>Whether all that a request names is private by a watermark.</summary>
    public static bool IsPrivate(IInterestWatermark interest, in ClientRequest request)
    {
        if (request.Op is OpCode.Multi or OpCode.MultiRead)
        {
            return RequestRewriter.IsPrivateMulti(request.Frame, interest);
        }
        return request.Op.StartsWithPath() && RequestRewriter.TryGetPath(request.Frame, out var path) && interest.IsPrivate(path);
    }
}
