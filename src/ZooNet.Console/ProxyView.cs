using ZooNet.Proxy.Admin;

namespace ZooNet.WebConsole;

/// <summary>What the console last saw of one proxy. Immutable.</summary>
/// <param name="Url">Its admin endpoint.</param>
/// <param name="Status">Its last answer, perhaps an old one; null before the first.</param>
/// <param name="Before">The answer before that, for rates.</param>
/// <param name="Seconds">The time between the two.</param>
/// <param name="Answered">When it last answered; null if it never has.</param>
/// <param name="Error">Why it does not answer now; null while it does.</param>
public sealed record ProxyView(Uri Url, StatusReply? Status, StatusReply? Before, double Seconds, DateTimeOffset? Answered, string? Error)
{
    /// <summary>Its own name, or its address before that is known.</summary>
    public string Name => Status?.ProxyId ?? Url.Authority;

    /// <summary>The rate of a counter of one mount, per second; null where it is not known yet.</summary>
    public double? Rate(string mount, Func<MountTraffic, long?> counter)
    {
        if (Error is not null || Seconds <= 0 || Of(Status) is not { } now || Of(Before) is not { } was || now < was)
        {
            return null;
        }
        return (now - was) / Seconds;

        long? Of(StatusReply? status) =>
            (mount == "/" ? status?.HomeTraffic : status?.Mounts.FirstOrDefault(m => m.Path == mount)?.Traffic) is { } traffic
                ? counter(traffic) : null;
    }
}

/// <summary>One region, as its proxies show it. Immutable.</summary>
public sealed record RegionView(string Name, string Home, IReadOnlyList<ProxyView> Proxies)
{
    /// <summary>The proxy that is believed: the first that answers, or else the first.</summary>
    public ProxyView Best => Proxies.FirstOrDefault(p => p.Error is null) ?? Proxies[0];

    public bool IsUp => Proxies.Any(p => p.Error is null && p.Status!.Ready);

    /// <summary>The sum over the proxies that tell.</summary>
    public double? Rate(string mount, Func<MountTraffic, long?> counter)
    {
        var rates = Proxies.Select(p => p.Rate(mount, counter)).OfType<double>().ToList();
        return rates.Count == 0 ? null : rates.Sum();
    }
}

/// <summary>One region reading another cluster: an arrow of the picture.</summary>
public sealed record Edge(
    string Region,
    string Cluster,
    int Mounts,
    bool Joining,
    bool Up,
    bool InCycle,
    double? RttMs,
    double? Barriers,
    double? Avoided,
    string Title);

/// <summary>All that the console sees at one moment. Immutable.</summary>
public sealed record FederationView(IReadOnlyList<RegionView> Regions, IReadOnlyList<ProxyView> Unknown, DateTimeOffset Taken)
{
    public IEnumerable<ProxyView> Proxies => Regions.SelectMany(r => r.Proxies).Concat(Unknown);

    /// <summary>Every cluster that anybody knows: the homes first.</summary>
    public IReadOnlyList<string> Clusters => [.. Regions.Select(r => r.Home)
        .Concat(Regions.SelectMany(r => r.Best.Status!.Clusters.Select(c => c.Name)))
        .Distinct()];

    public IReadOnlyList<Edge> Edges => [.. Regions.SelectMany(EdgesOf)];

    private static IEnumerable<Edge> EdgesOf(RegionView region)
    {
        var status = region.Best.Status!;
        foreach (var group in status.Mounts.Where(m => m.Cluster is not null && m.Error is null).GroupBy(m => m.Cluster!))
        {
            var cluster = status.Clusters.FirstOrDefault(c => c.Name == group.Key);
            var inCycle = status.Graph?.Components.Any(c => c.Contains($"view {region.Name}") && c.Contains($"cluster {group.Key}"))
                ?? false;
            var joining = group.Any(m => m.State != "active");
            yield return new Edge(
                region.Name,
                group.Key,
                group.Count(),
                joining,
                cluster?.Up ?? false,
                inCycle,
                cluster?.RttMs,
                Sum(region, group, t => t.BarriersNeeded),
                Sum(region, group, t => t.AvoidedNothingNew + t.AvoidedNotCoupled + t.AvoidedNoInterestChange),
                string.Join("\n", group.Select(m => $"{m.Cluster}:{m.RemotePath} on {m.Path} ({m.Options}), {m.State}")));
        }
    }

    private static double? Sum(RegionView region, IEnumerable<MountInfo> mounts, Func<MountTraffic, long?> counter)
    {
        var rates = mounts.Select(m => region.Rate(m.Path, counter)).OfType<double>().ToList();
        return rates.Count == 0 ? null : rates.Sum();
    }
}
