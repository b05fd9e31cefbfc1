using System.Net;
using ZooNet.Federation.Sessions;

namespace ZooNet.Proxy.Configuration;

/// <summary>What some clients, or all, may do below a path.</summary>
/// <param name="Path">By the clients' own paths; for itself and all below.</param>
/// <param name="Access">What is allowed there.</param>
/// <param name="Networks">Clients from these addresses.</param>
/// <param name="Names">Clients whose certificate has one of these common names.</param>
public sealed record ClientRule(string Path, PathAccess Access, IReadOnlyList<IPNetwork> Networks, IReadOnlyList<string> Names)
{
    /// <summary>Whether it is for everybody.</summary>
    public bool IsForAll => Networks.Count == 0 && Names.Count == 0;

    /// <summary>Whether it is for a client.</summary>
    /// <param name="address">Where it comes from; null if that is not known.</param>
    /// <param name="name">The common name of the certificate that it has shown; null for none.</param>
    public bool IsFor(IPAddress? address, string? name) => IsForAll
        || (address is not null && Networks.Any(n => n.Contains(address)))
        || (name is not null && Names.Contains(name, StringComparer.Ordinal));

    /// <summary>
    /// The rules of one client. Of those for the same path one that names the client goes before one for everybody, and of two that name
    /// it the stricter one.
    /// </summary>
    /// <returns>Null if none is for it.</returns>
    public static PathRules? Of(IReadOnlyList<ClientRule> rules, IPAddress? address, string? name)
    {
        if (rules.Count == 0)
        {
            return null;
        }
        var its = rules.Where(r => r.IsFor(address, name)).GroupBy(r => r.Path, StringComparer.Ordinal)
            .Select(g => (g.Key, g.OrderBy(r => r.IsForAll).ThenBy(r => r.Access).First().Access)).ToList();
        return its.Count == 0 ? null : new PathRules(its);
    }
}
