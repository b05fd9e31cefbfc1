using System.Buffers;

namespace ZooNet.Proxy.Transport;

/// <summary>
/// Buffers for frames. Small ones come from the shared pool, larger ones from a small pool of their own, and the largest, which are rare,
/// are made for their frame and left to the collector: a pool would keep as many of each size as were ever needed at once. And since the
/// collector lets garbage grow as long as the machine has memory, it is told to collect before there is much. Thread-safe.
/// </summary>
internal static class FrameBuffers
{
    private const int Small = 64 * 1024;
    private const int Large = 2 * 1024 * 1024;

    /// <summary>Buffers of each size that are kept: 30 MiB in all.</summary>
    private const int Kept = 8;

    /// <summary>
    /// The most that is allocated between two collections of everything while long frames pass, or half of what is in use where that is
    /// more: a collection takes as long as there are things to keep.
    /// </summary>
    private const long MaxGarbage = 128L << 20;

    private static readonly ArrayPool<byte> LargeOnes = ArrayPool<byte>.Create(Large, Kept);
    private static long _rented;
    private static long _allocated;
    private static int _collections;

    /// <summary>Bytes of all but small buffers that were rented so far.</summary>
    public static long LargeRented => Interlocked.Read(ref _rented);

    /// <summary>Whether a buffer is of those that were made for one frame: not to be kept for the next.</summary>
    public static bool IsRare(byte[] buffer) => buffer.Length > Large;

    /// <summary>A buffer of at least so many bytes, whatever is in it.</summary>
    public static byte[] Rent(int length)
    {
        if (length <= Small)
        {
            return ArrayPool<byte>.Shared.Rent(length);
        }
        Interlocked.Add(ref _rented, length);
        LimitGarbage();
        return length <= Large ? LargeOnes.Rent(length) : GC.AllocateUninitializedArray<byte>(length);
    }

    /// <summary>Gives a buffer back, which nobody uses any more.</summary>
    public static void Return(byte[] buffer)
    {
        if (buffer.Length is > 0 and <= Small)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        else if (buffer.Length is > Small and <= Large)
        {
            LargeOnes.Return(buffer);
        }
    }

    private static void LimitGarbage()
    {
        var (allocated, collections) = (GC.GetTotalAllocatedBytes(precise: false), GC.CollectionCount(GC.MaxGeneration));
        if (collections != Volatile.Read(ref _collections))
        {
            Volatile.Write(ref _collections, collections);
            Volatile.Write(ref _allocated, allocated);
        }
        else if (allocated - Volatile.Read(ref _allocated) is > MaxGarbage and var garbage
            && garbage > GC.GetGCMemoryInfo(GCKind.FullBlocking).HeapSizeBytes / 2)
        {
            Volatile.Write(ref _allocated, allocated);
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        }
    }
}
