using System.Collections.Concurrent;
using System.Net;

namespace ZooNet.Proxy.Downstream;

/// <summary>
/// How many client connections there may be, in all and from one address: below what the process's file limit allows, so that the proxy's
/// own sockets and files always find room. Addresses are counted by <see cref="ClientNetwork"/>. Thread-safe.
/// </summary>
internal sealed class ConnectionLimits
{
    /// <summary>File descriptors that are left for the proxy's own: its sessions, barriers, the admin endpoint, the runtime.</summary>
    private const int Reserve = 64;

    /// <summary>The limit where the system does not tell how many files a process may open.</summary>
    private const int Unknown = 10_000;

    private readonly ConcurrentDictionary<IPAddress, int> _perAddress = new();
    private readonly int _most;
    private int _open;
    private long _refusedInAll;
    private long _refusedOfAddress;

    /// <summary>Makes the limits.</summary>
    /// <param name="total">
    /// The most connections in all, if the file limit allows each of them and its link to home; 0 for what it allows with a link to each
    /// cluster.
    /// </param>
    /// <param name="perAddress">The most from one address; 0 for half of all.</param>
    /// <param name="filesOpen">Descriptors that are open while there are no clients.</param>
    /// <param name="fileLimit">Descriptors that may be open; null if that is not known.</param>
    /// <param name="clusters">Clusters that a client may have a link to, each one more descriptor.</param>
    public ConnectionLimits(int total, int perAddress, long filesOpen, long? fileLimit, int clusters)
    {
        var files = fileLimit - filesOpen - Reserve;
        FilesAllow = (int)Math.Clamp(files / (1 + clusters) ?? Unknown, 1, int.MaxValue);
        // Not every client has a link to every cluster. But all have one to home, and nothing may take the reserve.
        _most = (int)Math.Clamp(files / 2 ?? int.MaxValue, 1, int.MaxValue);
        Change(total, perAddress);
    }

    /// <summary>The most connections in all.</summary>
    public int Total { get; private set => Volatile.Write(ref field, value); }

    /// <summary>The most connections from one address.</summary>
    public int PerAddress { get; private set => Volatile.Write(ref field, value); }

    /// <summary>How many connections, each with a link to every cluster, the file limit allows.</summary>
    public int FilesAllow { get; }

    /// <summary>Connections that are counted now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections that were refused because there were <see cref="Total"/>.</summary>
    public long RefusedInAll => Interlocked.Read(ref _refusedInAll);

    /// <summary>Connections that were refused because their address had <see cref="PerAddress"/>.</summary>
    public long RefusedOfAddress => Interlocked.Read(ref _refusedOfAddress);

    /// <summary>Other limits, for connections that come from now on; those that are open stay.</summary>
    /// <param name="total">The most connections in all; 0 for what the file limit allows.</param>
    /// <param name="perAddress">The most from one address; 0 for half of all.</param>
    public void Change(int total, int perAddress)
    {
        Total = total == 0 ? FilesAllow : Math.Min(total, _most);
        PerAddress = Math.Min(perAddress == 0 ? Math.Max(1, Total / 2) : perAddress, Total);
    }

    /// <summary>Counts a connection.</summary>
    /// <param name="address">Where it comes from; null if that will be known later, by <see cref="TryName"/>.</param>
    /// <returns>Null, or which limit refuses it; it is not counted then.</returns>
    public string? TryEnter(IPAddress? address)
    {
        if (!TryTakeSlot())
        {
            Interlocked.Increment(ref _refusedInAll);
            return $"there are {Total} client connections (limits.connections)";
        }
        return address is null ? null : TryName(address);
    }

    /// <summary>A connection that was counted comes from an address, it turns out.</summary>
    /// <returns>Null, or which limit refuses it; it is not counted any more then.</returns>
    public string? TryName(IPAddress address)
    {
        var network = ClientNetwork.Of(address);
        if (_perAddress.AddOrUpdate(network, 1, static (_, count) => count + 1) > PerAddress)
        {
            Leave(address);
            Interlocked.Increment(ref _refusedOfAddress);
            return $"there are {PerAddress} connections from {ClientNetwork.Describe(network)} (limits.connectionsPerAddress)";
        }
        return null;
    }

    /// <summary>
    /// A connection beyond the limit is never counted, not for a moment: it would take the place of one that ends just then.
    /// </summary>
    private bool TryTakeSlot()
    {
        var open = Volatile.Read(ref _open);
        while (open < Total)
        {
            var seen = Interlocked.CompareExchange(ref _open, open + 1, open);
            if (seen == open)
            {
                return true;
            }
            open = seen;
        }
        return false;
    }

    /// <summary>A connection that <see cref="TryEnter"/> has counted is closed.</summary>
    /// <param name="address">The address that it was counted for; null if there was none yet.</param>
    public void Leave(IPAddress? address)
    {
        Interlocked.Decrement(ref _open);
        var network = address is null ? null : ClientNetwork.Of(address);
        while (network is not null && _perAddress.TryGetValue(network, out var count))
        {
            if (count <= 1 ? _perAddress.TryRemove(KeyValuePair.Create(network, count)) : _perAddress.TryUpdate(network, count - 1, count))
            {
                return;
            }
        }
    }
}
