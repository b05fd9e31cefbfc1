using ZooNet.Federation.Freshness;

namespace ZooNet.Federation.Interest;

/// <summary>
/// One proxy's part in the agreement of its region's proxies on the server that they read each remote through, so that together they are
/// one copy of it; or know that they are not (docs/consistency.md, "Several proxies of a region"). Not thread-safe: one driver.
/// </summary>
/// <param name="view">The region's view.</param>
internal sealed class CopyAgreement(string view)
{
    private Dictionary<string, string>? _wanted;
    private Dictionary<string, string> _allowed = new(StringComparer.Ordinal);

    /// <summary>The servers that this proxy would like to read through, by cluster; null if it has not said.</summary>
    public IReadOnlyDictionary<string, string>? Wanted => _wanted;

    /// <summary>What is left out of the agreement; nothing in a proxy.</summary>
    public Omissions Omissions { get; set; } = Omissions.None;

    /// <summary>Says which servers this proxy would like to read through.</summary>
    /// <param name="servers">By cluster, "address:port".</param>
    public void Want(IReadOnlyDictionary<string, string> servers) => _wanted = new(servers, StringComparer.Ordinal);

    /// <summary>
    /// The servers that may be read through; null if this proxy is alone and may choose freely. One that it has published may be used when
    /// no other proxy names a different one, for then all read one copy; or when all have acknowledged, and so couple everything. Until
    /// then it stays with the one before.
    /// </summary>
    /// <param name="own">The view's record; null before there is one.</param>
    /// <param name="proxyId">This proxy.</param>
    public IReadOnlyDictionary<string, string>? Allowed(ViewRecord? own, string proxyId)
    {
        var servers = (own?.Clusters().Skip(1) ?? [])
            .ToDictionary(cluster => cluster, cluster => _allowed.GetValueOrDefault(cluster, ""), StringComparer.Ordinal);
        if (own is null || own.Proxies.FirstOrDefault(proxy => proxy.Id == proxyId) is not { } self)
        {
            // Not admitted yet, or not any more.
            return servers;
        }
        var others = own.Proxies.Where(proxy => proxy != self).ToList();
        var acknowledged = others.TrueForAll(other => other.Acknowledged.GetValueOrDefault(view, -1) >= own.Version);
        foreach (var cluster in servers.Keys)
        {
            if (self.Reads?.GetValueOrDefault(cluster) is not { } server || _wanted?.ContainsKey(cluster) != true)
            {
                // The others take it that this one reads nothing there, or soon will.
                servers[cluster] = "";
            }
            else if (acknowledged || Omissions.ReadsAtOnce
                || others.TrueForAll(other => other.Reads is { } reads && reads.GetValueOrDefault(cluster, server) == server))
            {
                servers[cluster] = server;
            }
        }
        _allowed = servers;
        return Omissions.TrustsCopies || others.Count == 0 ? null : servers;
    }

    /// <summary>Why the live proxies of the view are not one copy of what they read; null if they are.</summary>
    /// <param name="own">The view's record.</param>
    /// <param name="proxyId">This proxy.</param>
    public string? WhyMany(ViewRecord own, string proxyId)
    {
        if (Omissions.TrustsCopies)
        {
            return null;
        }
        if (own.Proxies.FirstOrDefault(proxy => proxy.Id == proxyId) is not { } self)
        {
            return "this proxy has not been listed yet";
        }
        if (!Omissions.PublishesAtOnce && _wanted is not null
            && self.Reads?.FirstOrDefault(read => _wanted.GetValueOrDefault(read.Key) != read.Value) is { Key: not null } leaving)
        {
            // Before it is published: who reads the record then takes it that this proxy couples everything.
            return $"this proxy is about to leave {leaving.Value}, through which it reads {leaving.Key}";
        }
        var others = own.Proxies.Where(proxy => proxy != self).ToList();
        foreach (var other in others)
        {
            if (self.Reads is null || other.Reads is null)
            {
                return $"proxy {(self.Reads is null ? self : other).Id} does not say through which servers it reads";
            }
            foreach (var (cluster, server) in self.Reads)
            {
                if (other.Reads.TryGetValue(cluster, out var its) && its != server)
                {
                    return $"the region's proxies read {cluster} through different servers: {self.Id} through {server}, {other.Id} through {its}";
                }
            }
        }
        return others.Find(other => other.Acknowledged.GetValueOrDefault(view, -1) < own.Version) is { } late
            ? $"proxy {late.Id} has not acknowledged through which servers the region's proxies read"
            : null;
    }

    /// <summary>
    /// Whether others must take into account what a proxy reads through now: unless it merely joins those who read a cluster through the
    /// same server.
    /// </summary>
    /// <param name="before">The proxy, as it was listed.</param>
    /// <param name="after">The proxy, as it is to be listed.</param>
    /// <param name="all">All proxies of the view, as they are to be listed.</param>
    public static bool Changes(ViewProxy before, ViewProxy after, IReadOnlyList<ViewProxy> all) => before.Reads is null || after.Reads is null
        ? before.Reads != after.Reads
        : before.Reads.Any(read => after.Reads.GetValueOrDefault(read.Key) != read.Value)
            || after.Reads.Any(read => !before.Reads.ContainsKey(read.Key)
                && all.Any(other => other.Reads is null || other.Reads.GetValueOrDefault(read.Key, read.Value) != read.Value));

    /// <summary>Whether two entries name the same servers.</summary>
    public static bool IsSame(ViewProxy one, ViewProxy other) => one.Reads is null || other.Reads is null
        ? one.Reads == other.Reads
        : one.Reads.Count == other.Reads.Count && one.Reads.All(read => other.Reads.GetValueOrDefault(read.Key) == read.Value);
}
