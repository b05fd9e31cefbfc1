using System.Globalization;
using ZooNet.Protocol;

namespace ZooNet.Tree.Membership;

/// <summary>
/// One server of a configuration, as <c>host:port:electionPort[:type][;[clientHost:]clientPort]</c> says it. Names are not looked up.
/// </summary>
/// <param name="Id">The number in <c>server.N</c>.</param>
/// <param name="Host">Where the other servers reach it.</param>
/// <param name="Port">For the leader's connections.</param>
/// <param name="ElectionPort">For elections.</param>
/// <param name="IsObserver">Whether it has no vote.</param>
/// <param name="ClientHost">Where it listens for clients; null where that is not said.</param>
/// <param name="ClientPort">The port for clients.</param>
internal sealed record Member(long Id, string Host, int Port, int ElectionPort, bool IsObserver, string? ClientHost, int ClientPort)
{
    /// <summary>Reads what follows <c>server.N=</c>.</summary>
    /// <returns>Ok, BADARGUMENTS, or MARSHALLINGERROR where a real server stumbles over a port that can't be one.</returns>
    public static ErrorCode TryParse(long id, string text, out Member? member)
    {
        member = null;
        var halves = Java.Split(text, ';');
        if (halves.Length is 0 or > 2 || HostAndPorts(halves[0]) is not { Length: 3 or 4 } server)
        {
            return ErrorCode.BadArguments;
        }
        string? clientHost = null;
        var clientPort = 0;
        if (halves.Length == 2)
        {
            if (HostAndPorts(halves[1]) is not { Length: 1 or 2 } client || !Java.TryParseInt(client[^1], out clientPort))
            {
                return ErrorCode.BadArguments;
            }
            clientHost = client.Length == 2 ? client[0] : "0.0.0.0";
            if (!IsPort(clientPort))
            {
                return ErrorCode.MarshallingError;
            }
        }
        if (!Java.TryParseInt(server[1], out var port))
        {
            return ErrorCode.BadArguments;
        }
        if (!IsPort(port))
        {
            return ErrorCode.MarshallingError;
        }
        if (!Java.TryParseInt(server[2], out var electionPort))
        {
            return ErrorCode.BadArguments;
        }
        if (!IsPort(electionPort))
        {
            return ErrorCode.MarshallingError;
        }
        var type = server.Length == 4 ? server[3].Trim().ToUpperInvariant() : "PARTICIPANT";
        if (port == electionPort || type is not ("OBSERVER" or "PARTICIPANT"))
        {
            return ErrorCode.BadArguments;
        }
        member = new Member(id, server[0], port, electionPort, type == "OBSERVER", clientHost, clientPort);
        return ErrorCode.Ok;
    }

    /// <summary>
    /// True where both would listen at one address. The loopback and the wildcard are each machine's own: they don't count.
    /// </summary>
    public bool SharesAddressWith(Member other) => Addresses().Intersect(other.Addresses()).Any();

    /// <inheritdoc/>
    public override string ToString()
    {
        var client = ClientHost is null ? "" : string.Create(CultureInfo.InvariantCulture, $";{Bracketed(ClientHost)}:{ClientPort}");
        return string.Create(CultureInfo.InvariantCulture, $"{Bracketed(Host)}:{Port}:{ElectionPort}:{(IsObserver ? "observer" : "participant")}{client}");
    }

    private static bool IsPort(int number) => number is >= 0 and <= 65535;

    private static string Bracketed(string host) => host.Contains(':') ? $"[{host}]" : host;

    /// <summary>The parts between the colons; an IPv6 address stands in brackets. Null where a bracket is not closed.</summary>
    private static string[]? HostAndPorts(string text)
    {
        if (!text.StartsWith('['))
        {
            return Java.Split(text, ':');
        }
        var end = text.IndexOf(']');
        if (end < 0 || (end + 1 < text.Length && text[end + 1] != ':'))
        {
            return null;
        }
        var host = text[1..end];
        return end + 2 >= text.Length ? [host] : [host, .. Java.Split(text[(end + 2)..], ':')];
    }

    private static bool IsOwnOfEachMachine(string host) =>
        host == "localhost" || (System.Net.IPAddress.TryParse(host, out var address)
            && (System.Net.IPAddress.IsLoopback(address) || address.Equals(System.Net.IPAddress.Any) || address.Equals(System.Net.IPAddress.IPv6Any)));

    private IEnumerable<(string Host, int Port)> Addresses()
    {
        (string Host, int Port)[] all = ClientHost is null ? [(Host, Port), (Host, ElectionPort)] : [(Host, Port), (Host, ElectionPort), (ClientHost, ClientPort)];
        return all.Where(a => !IsOwnOfEachMachine(a.Host));
    }
}
