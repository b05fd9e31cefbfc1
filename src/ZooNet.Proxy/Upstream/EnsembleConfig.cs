using System.Globalization;
using System.Text;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Upstream;

/// <summary>What an ensemble says of itself in <c>/zookeeper/config</c> (ZooKeeper's dynamic configuration).</summary>
/// <param name="Servers">Where its participants and observers take clients, participants first, each kind by its number.</param>
/// <param name="Version">The zxid of the change that made it so; 0 if it does not say.</param>
public sealed record EnsembleConfig(IReadOnlyList<HostPort> Servers, long Version)
{
    /// <summary>An ensemble with more servers than that is none: what is read here is bounded.</summary>
    private const int MaxServers = 255;

    /// <summary>Where its participants take learners while one of them leads, in the order of their numbers.</summary>
    public IReadOnlyList<HostPort> Quorum { get; init; } = [];

    /// <summary>Reads the data of the znode. Lines that are not understood are left out; so are servers without a client port.</summary>
    public static EnsembleConfig Parse(ReadOnlySpan<byte> data)
    {
        var found = new List<(bool Observes, int Id, HostPort Address)>();
        var quorum = new List<(int Id, HostPort Address)>();
        var version = 0L;
        foreach (var line in Encoding.UTF8.GetString(data).Split('\n',
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = line.IndexOf('=');
            if (equals < 0)
            {
                continue;
            }
            var (name, value) = (line[..equals], line[(equals + 1)..]);
            if (name == "version")
            {
                _ = long.TryParse(value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out version);
            }
            else if (name.StartsWith("server.", StringComparison.Ordinal) && Math.Max(found.Count, quorum.Count) < MaxServers
                && int.TryParse(name.AsSpan("server.".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                var observes = value.Contains(":observer", StringComparison.Ordinal);
                if (ClientAddress(value) is { } address)
                {
                    found.Add((observes, id, address));
                }
                if (!observes)
                {
                    quorum.AddRange(value.Split(';')[0].Split('|').Select(QuorumAddress).OfType<HostPort>().Select(a => (id, a)));
                }
            }
        }
        return new([.. found.OrderBy(f => (f.Observes, f.Id)).Select(f => f.Address).Distinct()], version)
        {
            Quorum = [.. quorum.OrderBy(q => q.Id).Select(q => q.Address).Distinct()],
        };
    }

    /// <summary>The first port in <c>host:quorum:election[:role]</c>.</summary>
    private static HostPort? QuorumAddress(string server)
    {
        var end = server.StartsWith('[') ? server.IndexOf(']') + 1 : server.IndexOf(':');
        var port = end > 0 ? server.IndexOf(':', Math.Min(end + 1, server.Length)) : -1;
        return port > 0 && HostPort.TryParse(server[..port], null, out var address) && address.Port != 0 ? address : null;
    }

    /// <summary>
    /// The address for clients in <c>host:quorum:election[:role];[host:]port</c>; the host of the quorum where it names none.
    /// </summary>
    private static HostPort? ClientAddress(string server)
    {
        var semicolon = server.IndexOf(';');
        if (semicolon < 0)
        {
            return null;
        }
        var client = server[(semicolon + 1)..];
        // Several addresses of one server are separated by '|'; the first one will do.
        var quorum = server[..semicolon].Split('|')[0];
        var host = quorum.StartsWith('[') ? quorum[..(quorum.IndexOf(']') + 1)] : quorum.Split(':')[0];
        if (!client.Contains(':'))
        {
            client = $"{host}:{client}";
        }
        if (!HostPort.TryParse(client, null, out var address) || address.Port == 0)
        {
            return null;
        }
        // Listening on every address of its host, it is reached at the one that the other servers use.
        return address.Host is "0.0.0.0" or "::" ? HostPort.TryParse($"{host}:{address.Port}", null, out var own) ? own : null : address;
    }
}
