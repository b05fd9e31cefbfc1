using System.Net;
using System.Net.Sockets;

namespace ZooNet.Proxy.Downstream;

/// <summary>
/// What counts as one client's address where clients are counted by it: an IPv4 address, and of IPv6 the first 64 bits, for a host is given
/// a network of that size at least and may use all of its addresses.
/// </summary>
internal static class ClientNetwork
{
    private const int Ipv6Bytes = 8;

    /// <summary>The network of an address, as its first address.</summary>
    public static IPAddress Of(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[Ipv6Bytes..].Clear();
        return new IPAddress(bytes);
    }

    /// <summary>The network as it is written in messages.</summary>
    public static string Describe(IPAddress network) =>
        network.AddressFamily == AddressFamily.InterNetworkV6 ? $"{network}/{Ipv6Bytes * 8}" : network.ToString();
}
