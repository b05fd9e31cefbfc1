using System.Globalization;

namespace ZooNet.Client;

/// <summary>A server as it is configured: a host name or an address, and a port.</summary>
/// <param name="Host">A DNS name, an IPv4 address, or an IPv6 address without brackets.</param>
/// <param name="Port">1 to 65535.</param>
public readonly record struct ServerAddress(string Host, int Port)
{
    /// <summary>ZooKeeper's own client port, used where none is given.</summary>
    public const int DefaultPort = 2181;

    /// <summary>
    /// Reads <c>host</c>, <c>host:port</c> or <c>[ipv6]:port</c>.
    /// </summary>
    /// <exception cref="FormatException">It is none of these; the message says what is wrong.</exception>
    public static ServerAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var host = text.Trim();
        var port = DefaultPort;
        var bracket = host.LastIndexOf(']');
        var colon = host.LastIndexOf(':');
        // An IPv6 address without brackets has several colons and no port.
        if (colon > bracket && (bracket >= 0 || host.IndexOf(':', StringComparison.Ordinal) == colon))
        {
            var number = host[(colon + 1)..];
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535)
            {
                throw new FormatException($"'{text}': the port must be a number from 1 to 65535");
            }
            host = host[..colon];
        }
        host = host.Trim('[', ']');
        return host.Length == 0 ? throw new FormatException($"'{text}': the host is missing") : new ServerAddress(host, port);
    }

    /// <summary>Reads a comma-separated list, as in a ZooKeeper connection string without a chroot.</summary>
    /// <exception cref="FormatException">A part is not an address.</exception>
    public static IReadOnlyList<ServerAddress> ParseList(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Parse)];
    }

    /// <summary>The address as <c>host:port</c>.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
