using System.Globalization;
using System.Net;

namespace ZooNet.Proxy.Configuration;

/// <summary>
/// An address as an operator writes it: <c>host:port</c>, <c>10.0.0.1:2181</c>, <c>[::1]:2181</c>. The host stays a name:
/// it is resolved again at every connect, and every address behind it is a server.
/// </summary>
/// <param name="Host">Name or literal address, without the brackets of IPv6.</param>
/// <param name="Port">0 to 65535; 0 is legal only where something is listened on, and means a free port.</param>
public readonly record struct HostPort(string Host, int Port)
{
    /// <summary>ZooKeeper's client port, for an address that names none.</summary>
    public const int DefaultPort = 2181;

    /// <summary>True where the host is the loopback interface.</summary>
    public bool IsLoopback =>
        Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>Reads an address.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="defaultPort">The port where none is written; null where one must be.</param>
    /// <param name="result">The address.</param>
    /// <returns>False where the text is no address.</returns>
    public static bool TryParse(string? text, int? defaultPort, out HostPort result)
    {
        result = default;
        if (string.IsNullOrWhiteSpace(text))
        {
            return false;
        }
        text = text.Trim();
        string host;
        string? port;
        if (text[0] == '[')
        {
            var close = text.IndexOf(']');
            if (close < 0 || !IPAddress.TryParse(text[1..close], out var literal) || literal.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6)
            {
                return false;
            }
            host = text[1..close];
            var rest = text[(close + 1)..];
            if (rest.Length > 0 && rest[0] != ':')
            {
                return false;
            }
            port = rest.Length == 0 ? null : rest[1..];
        }
        else
        {
            var colon = text.IndexOf(':');
            if (colon != text.LastIndexOf(':'))
            {
                return false;
            }
            host = colon < 0 ? text : text[..colon];
            port = colon < 0 ? null : text[(colon + 1)..];
            if (Uri.CheckHostName(host) == UriHostNameType.Unknown)
            {
                return false;
            }
        }
        if (port is null)
        {
            if (defaultPort is not { } fallback)
            {
                return false;
            }
            result = new HostPort(host, fallback);
            return true;
        }
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > 65535)
        {
            return false;
        }
        result = new HostPort(host, number);
        return true;
    }

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">The text is no address.</exception>
    public static HostPort Parse(string text, int? defaultPort = DefaultPort) =>
        TryParse(text, defaultPort, out var result) ? result : throw new FormatException($"'{text}' is no host:port");

    /// <summary>As it is written: an IPv6 address in brackets.</summary>
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
