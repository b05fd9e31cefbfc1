using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.WebConsole;

/// <summary>What the console last saw of one proxy. Immutable.</summary>
/// <param name="Url">Its admin endpoint.</param>
/// <param name="Status">Its last answer, perhaps an old one; null before the first.</param>
/// <param name="Before">The answer before that, for rates.</param>
/// <param name="Seconds">The time between the two; 0 where it is too long for a rate to mean anything.</param>
/// <param name="Answered">When it last answered; null if it never has.</param>
/// <param name="Error">Why it does not answer now; null while it does.</param>
/// <param name="MayChange">False where it has said that the console's token is one to look only.</param>
public sealed record ProxyView(
    Uri Url,
    StatusReply? Status,
    StatusReply? Before,
    double Seconds,
    DateTimeOffset? Answered,
    string? Error,
    bool MayChange = true)
{
    /// <summary>Its own name, or its address before that is known.</summary>
    public string Name => Status?.ProxyId ?? Url.Authority;

    /// <summary>The rate of a counter of one mount, per second; null where it is not known yet.</summary>
    public double? Rate(string mount, Func<MountTraffic, long?> counter)
    {
        // Counters of a proxy that was started anew have nothing to do with those before.
        if (Error is not null || Seconds <= 0 || Status?.Started != Before?.Started
            || Of(Status) is not { } now || Of(Before) is not { } was || now < was)
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
    /// <summary>The proxy that is believed: the first that answers and is ready, else one that answers, else the first.</summary>
    public ProxyView Best => Proxies.FirstOrDefault(p => p.Error is null && p.Status!.Ready)
        ?? Proxies.FirstOrDefault(p => p.Error is null) ?? Proxies[0];

    /// <summary>Whether clients of the region are served by anybody.</summary>
    public bool IsUp => Proxies.Any(p => p.Error is null && p.Status!.Ready);

    /// <summary>Whether the console's token lets it change anything here.</summary>
    public bool MayChange => Best.MayChange;

    /// <summary>How long clients wait, by cluster: of each kind what the proxy tells whose clients wait longest.</summary>
    public IReadOnlyList<LatencyInfo> Latencies =>
    [
        .. Proxies.Where(p => p.Error is null).SelectMany(p => p.Status!.Latencies ?? []).GroupBy(l => (l.Cluster, l.Kind))
            .Select(g => g.MaxBy(l => l.P99Ms)! with { Count = g.Sum(l => l.Count) }).OrderBy(l => l.Cluster != Home),
    ];

    /// <summary>The sum over the proxies that tell.</summary>
    public double? Rate(string mount, Func<MountTraffic, long?> counter)
    {
        var rates = Proxies.Select(p => p.Rate(mount, counter)).OfType<double>().ToList();
        return rates.Count == 0 ? null : rates.Sum();
    }
}

/// <summary>One region reading another cluster: an arrow of the picture. Rates are per second; null where they are not known yet.</summary>
/// <param name="Region">Who reads.</param>
/// <param name="Home">The home cluster of that region.</param>
/// <param name="Cluster">What is read.</param>
/// <param name="Mounts">How many mounts.</param>
/// <param name="Joining">Whether one of them is not in use, or not any more.</param>
/// <param name="Up">Whether the cluster can be reached from there.</param>
/// <param name="InCycle">Whether this closes a cycle: only then may reads wait.</param>
/// <param name="RttMs">Round trip to the cluster's ensemble, in milliseconds.</param>
/// <param name="Barriers">Reads that waited for a barrier.</param>
/// <param name="Shared">Those of them that shared one with another read.</param>
/// <param name="NothingNew">Reads that did not wait: nothing new had been seen elsewhere.</param>
/// <param name="NotCoupled">Reads that did not wait: the clusters are not coupled.</param>
/// <param name="NoInterest">Reads that did not wait: nobody else can see what was new.</param>
/// <param name="Failed">Reads that failed with their barrier.</param>
/// <param name="Title">The mounts, a line each.</param>
public sealed record Edge(
    string Region,
    string Home,
    string Cluster,
    int Mounts,
    bool Joining,
    bool Up,
    bool InCycle,
    double? RttMs,
    double? Barriers,
    double? Shared,
    double? NothingNew,
    double? NotCoupled,
    double? NoInterest,
    double? Failed,
    string Title)
{
    /// <summary>Reads that did not wait, by whichever rule.</summary>
    public double? Avoided => NothingNew + NotCoupled + NoInterest;

    /// <summary>As its arrow is drawn.</summary>
    public string Kind => !Up ? "down" : Joining ? "joining" : InCycle ? "cycle" : "plain";
}

/// <summary>All that the console sees at one moment. Immutable.</summary>
public sealed class FederationView
{
    private readonly Lazy<IReadOnlyList<Edge>> _edges;

    /// <summary>Puts it together.</summary>
    public FederationView(IReadOnlyList<RegionView> regions, IReadOnlyList<ProxyView> unknown, DateTimeOffset taken)
    {
        (Regions, Unknown, Taken) = (regions, unknown, taken);
        Clusters = [.. regions.Select(r => r.Home).Concat(regions.SelectMany(r => r.Best.Status!.Clusters.Select(c => c.Name))).Distinct()];
        _edges = new(() => [.. Regions.SelectMany(EdgesOf)]);
    }

    /// <summary>The regions whose proxies have told their name.</summary>
    public IReadOnlyList<RegionView> Regions { get; }

    /// <summary>Proxies that have never answered.</summary>
    public IReadOnlyList<ProxyView> Unknown { get; }

    /// <summary>When it was put together.</summary>
    public DateTimeOffset Taken { get; }

    /// <summary>Every proxy.</summary>
    public IEnumerable<ProxyView> Proxies => Regions.SelectMany(r => r.Proxies).Concat(Unknown);

    /// <summary>Every cluster that anybody knows: the homes first.</summary>
    public IReadOnlyList<string> Clusters { get; }

    /// <summary>The arrows.</summary>
    public IReadOnlyList<Edge> Edges => _edges.Value;

    private static IEnumerable<Edge> EdgesOf(RegionView region)
    {
        var status = region.Best.Status!;
        foreach (var group in status.Mounts.Where(m => m.Cluster is not null && m.Error is null).GroupBy(m => m.Cluster!))
        {
            var cluster = status.Clusters.FirstOrDefault(c => c.Name == group.Key);
            var inCycle = status.Graph?.Components.Any(c => c.Contains($"view {region.Name}") && c.Contains($"cluster {group.Key}"))
                ?? false;
            yield return new Edge(
                region.Name,
                region.Home,
                group.Key,
                group.Count(),
                group.Any(m => m.State != "active"),
                cluster?.Up ?? false,
                inCycle,
                cluster?.RttMs,
                Sum(t => t.BarriersNeeded),
                Sum(t => t.BarriersShared),
                Sum(t => t.AvoidedNothingNew),
                Sum(t => t.AvoidedNotCoupled),
                Sum(t => t.AvoidedNoInterestChange),
                Sum(t => t.BarriersFailed),
                string.Join("\n", group.Select(m => $"{m.Cluster}:{m.RemotePath} on {m.Path} ({m.Options}), {m.State}")));

            double? Sum(Func<MountTraffic, long?> counter)
            {
                var rates = group.Select(m => region.Rate(m.Path, counter)).OfType<double>().ToList();
                return rates.Count == 0 ? null : rates.Sum();
            }
        }
    }
}

/// <summary>A read that the console has made to show what becomes of it. Immutable.</summary>
/// <param name="Proxy">The proxy that served it.</param>
/// <param name="Answer">What came back, in words.</param>
/// <param name="TookMs">From the console to the answer.</param>
/// <param name="Steps">What the proxy did.</param>
public sealed record ReadSeen(string Proxy, string Answer, double TookMs, IReadOnlyList<TraceStep> Steps);
