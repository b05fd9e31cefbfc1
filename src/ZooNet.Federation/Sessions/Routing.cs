using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>Which cluster an operation is for: by what the server does with its path, alone or in a multi. Pure.</summary>
internal static class Routing
{
    /// <summary>The mount that an operation goes to; null for home.</summary>
    /// <param name="mounts">The mounts in use.</param>
    /// <param name="op">The operation.</param>
    /// <param name="path">The path that it names.</param>
    /// <param name="flags">The flags of a create; else 0.</param>
    public static Mount? MountOf(MountTable mounts, OpCode op, ReadOnlySpan<byte> path, int flags)
    {
        var mount = mounts.Find(path);
        if (mount is null || path.Length != mount.PathUtf8.Length || !op.IsCreate() || !CreateFlags.IsSequential(flags))
        {
            return mount;
        }
        // The counter is appended to the last name, so what is made lies beside the mount point and not in the mount.
        var slash = path.LastIndexOf((byte)'/');
        return slash > 0 ? mounts.Find(path[..slash]) : null;
    }

    /// <summary>The mount that a request goes to whose body begins with its path; null for home.</summary>
    public static Mount? MountOf(MountTable mounts, OpCode op, ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> path)
    {
        if (!RequestRewriter.TryGetPath(frame, out path) || mounts.Find(path) is not { } mount)
        {
            return null;
        }
        return op.IsCreate() && path.Length == mount.PathUtf8.Length ? MountOf(mounts, op, path, RequestRewriter.CreateFlagsOf(frame)) : mount;
    }

    /// <summary>Whether a request asks only of relaxed mounts, so that it fails alone.</summary>
    public static bool IsRelaxed(MountTable mounts, ReadOnlySpan<byte> frame)
    {
        var op = (OpCode)System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(frame[8..]);
        if (op is not (OpCode.Multi or OpCode.MultiRead))
        {
            return op.StartsWithPath() && MountOf(mounts, op, frame, out _) is { Options.Order: MountOrder.Relaxed };
        }
        var any = false;
        var operations = new MultiOperations(frame);
        while (operations.MoveNext())
        {
            if (MountOf(mounts, operations.Op, operations.Path, operations.Flags) is not { Options.Order: MountOrder.Relaxed })
            {
                return false;
            }
            any = true;
        }
        return any;
    }
}
