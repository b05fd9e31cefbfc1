using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// What reads under way on one link ask for, in their order: the path of each, or a whole multiRead. A reply that does not tell since when
/// it has been true can be asked about by that. Bounded: what is not kept is not dated. Single owner: its session.
/// </summary>
internal sealed class AskedPaths
{
    /// <summary>Bytes that are kept; what reads beyond them show is not dated.</summary>
    public const int MaxBytes = 64 * 1024;

    private readonly FrameQueue _asked = new();

    /// <summary>The path that the oldest read asks for, in its cluster's own terms.</summary>
    public ReadOnlySpan<byte> Path => _asked.First[sizeof(int)..];

    /// <summary>The oldest read, if it is a multiRead: its whole frame.</summary>
    public ReadOnlySpan<byte> MultiRead => _asked.First;

    /// <summary>Finds the part of a request that would be kept; false where nothing of it is.</summary>
    /// <param name="op">The operation, as it is sent.</param>
    /// <param name="frame">The whole frame; becomes the part of it that is kept.</param>
    public static bool TryCut(OpCode op, ref ReadOnlySpan<byte> frame)
    {
        if (op == OpCode.MultiRead)
        {
            return true;
        }
        if (op is not (OpCode.GetData or OpCode.Exists or OpCode.GetChildren2 or OpCode.GetAcl)
            || !RequestRewriter.TryGetPath(frame, out var path) || path.Length > Frontier.MaxPathLength)
        {
            return false;
        }
        // The path with its length: a frame of its own.
        frame = frame.Slice(Framing.PrefixLength + RequestHeader.WireLength, sizeof(int) + path.Length);
        return true;
    }

    /// <summary>Keeps what a read asks for.</summary>
    /// <returns>False where there is no room.</returns>
    public bool TryAdd(ReadOnlySpan<byte> asked)
    {
        if (_asked.Length + asked.Length > MaxBytes)
        {
            return false;
        }
        _asked.Enqueue(asked);
        return true;
    }

    /// <summary>The oldest read has been answered.</summary>
    public void Drop() => _asked.Dequeue();
}
