namespace ZooNet.Federation.Sessions;

/// <summary>What a proxy keeps for clients, each bounded.</summary>
public enum ClientLimit
{
    /// <summary>Watches of one client in mounts.</summary>
    Watches,
    /// <summary>Credentials of one client.</summary>
    Credentials,
    /// <summary>Bytes of one reply, or of the parts that it is put together from.</summary>
    Reply,
    /// <summary>Bytes of such parts of all clients.</summary>
    RepliesInAll,
}

/// <summary>
/// What one client may cost the proxy, and all of them together: how much is kept for them beyond their connections. Thread-safe; a
/// limit that is changed holds from then on.
/// </summary>
public sealed class ClientLimits
{
    private readonly long[] _reached = new long[Enum.GetValues<ClientLimit>().Length];
    private long _collected;
    private long _outstanding;

    /// <summary>Watches in mounts that one client may have, 1 and up. Those at home are kept by home alone.</summary>
    public int Watches { get; set; } = 100_000;

    /// <summary>Bytes that the paths of these watches may take, two for each character.</summary>
    public long WatchBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Different credentials that one client may add, 1 and up.</summary>
    public int Credentials { get; set; } = 32;

    /// <summary>Bytes of all credentials of one client.</summary>
    public int CredentialBytes { get; set; } = 64 * 1024;

    /// <summary>Bytes of the parts that one reply is put together from, if they come from several clusters.</summary>
    public long Reply { get; set; } = 16 * 1024 * 1024;

    /// <summary>Bytes of such parts, of all clients at once.</summary>
    public long RepliesInAll { get; set; } = 256 * 1024 * 1024;

    /// <summary>
    /// Bytes of one client's requests that may wait here, or be kept until they are answered, before it is read no more.
    /// </summary>
    public int Outstanding { get; set; } = 256 * 1024;

    /// <summary>Such bytes of all clients at once, before those that have some are read no more.</summary>
    public long OutstandingInAll { get; set; } = 256 * 1024 * 1024;

    /// <summary>Bytes of clients' requests that wait or are kept now.</summary>
    public long OutstandingNow => Interlocked.Read(ref _outstanding);

    /// <summary>
    /// Whether a client may be read although some of its requests wait. One of which nothing waits always may: what others ask for stops
    /// nobody.
    /// </summary>
    /// <param name="bytes">Bytes of its requests that wait or are kept.</param>
    public bool AllowMore(long bytes) => bytes == 0 || (bytes < Outstanding && OutstandingNow < OutstandingInAll);

    /// <summary>Counts how much of one client's requests waits or is kept.</summary>
    /// <param name="counted">What is counted of this client: brought up to date. Guarded by the caller.</param>
    /// <param name="bytes">Bytes that wait or are kept now.</param>
    public void CountOutstanding(ref long counted, long bytes)
    {
        if (bytes != counted)
        {
            Interlocked.Add(ref _outstanding, bytes - counted);
            counted = bytes;
        }
    }

    /// <summary>Bytes of parts that are held now.</summary>
    public long Collected => Interlocked.Read(ref _collected);

    /// <summary>How often a limit was reached.</summary>
    public long Reached(ClientLimit limit) => Interlocked.Read(ref _reached[(int)limit]);

    /// <summary>A limit was reached.</summary>
    public void Count(ClientLimit limit) => Interlocked.Increment(ref _reached[(int)limit]);

    /// <summary>Whether a client may have as many watches in mounts; counts where it may not.</summary>
    /// <param name="count">Its watches.</param>
    /// <param name="bytes">Bytes of their paths.</param>
    /// <param name="why">Where it may not: what is too much, with the key that allows more.</param>
    public bool AllowWatches(int count, long bytes, out string why)
    {
        why = "";
        if (count > Watches)
        {
            why = $"it has {count} watches in mounts; allowed are {Watches} (limits.watches)";
        }
        else if (bytes > WatchBytes)
        {
            why = $"the paths that it watches in mounts take {bytes} bytes; allowed are {WatchBytes} (limits.watchBytes)";
        }
        else
        {
            return true;
        }
        Count(ClientLimit.Watches);
        return false;
    }

    /// <summary>Counts a part of a reply that is to be held.</summary>
    /// <param name="held">Bytes of the same reply that are held already.</param>
    /// <param name="bytes">Bytes of this part.</param>
    /// <returns>False if it must not be held, and is not counted.</returns>
    public bool TryCollect(long held, int bytes)
    {
        if (held + bytes > Reply)
        {
            Count(ClientLimit.Reply);
            return false;
        }
        if (Interlocked.Add(ref _collected, bytes) > RepliesInAll)
        {
            Interlocked.Add(ref _collected, -bytes);
            Count(ClientLimit.RepliesInAll);
            return false;
        }
        return true;
    }

    /// <summary>What <see cref="TryCollect"/> has counted is held no more.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _collected, -bytes);
}
