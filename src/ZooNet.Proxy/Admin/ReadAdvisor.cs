using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;

namespace ZooNet.Proxy.Admin;

/// <summary>Whether a read would need a barrier, and why.</summary>
/// <param name="NeedsBarrier">True where it would.</param>
/// <param name="Why">One sentence.</param>
public sealed record ReadAdvice(bool NeedsBarrier, string Why);

/// <summary>
/// Says for an operator what the freshness rule would say now of a read by a session that has just seen everything that the proxy
/// knows of the other clusters: the session that is the first to need a barrier. Thread-safe; a snapshot, not a promise.
/// </summary>
public sealed class ReadAdvisor(Region region, IProxyStatus proxy)
{
    /// <summary>Judges a read.</summary>
    /// <param name="cluster">Ordinal of the cluster that is read.</param>
    /// <param name="barriers">False for a mount with <c>consistency=none</c>.</param>
    public ReadAdvice Advise(int cluster, bool barriers)
    {
        if (region.Mode == ConsistencyMode.None)
        {
            return new(false, "the region's consistency is none");
        }
        if (!barriers)
        {
            return new(false, "the mount has consistency=none");
        }
        if (region.Mode == ConsistencyMode.Switch)
        {
            return new(true, "the region's consistency is switch: every read after an operation on another cluster waits for a barrier");
        }
        var coupled = Coupled(cluster);
        if (proxy.ReadServer(cluster) is { IsRefreshDemanded: true } stale)
        {
            return new(true, $"{stale.Address} has not been refreshed since the rules, or the server that is read, changed");
        }
        if (coupled.Count == 0)
        {
            var why = region.Coupling is Coupling { Kind: CouplingKind.Free } ? ": no cycle of views and clusters runs through this region" : "";
            return new(false, $"no other cluster is coupled to {region.ClusterNames[cluster]}{why}");
        }
        if (coupled.TrueForAll(c => region.Positions.Known(c) == 0))
        {
            return new(false, $"nothing has been seen of {string.Join(", ", coupled.Select(c => region.ClusterNames[c]))} yet");
        }
        if (proxy.ReadServer(cluster) is not { } server)
        {
            return new(true, $"nothing has been read from {region.ClusterNames[cluster]} yet, so its server covers nothing");
        }
        var reason = $"{server.Address} covers all that is known of {string.Join(", ", coupled.Select(c => region.ClusterNames[c]))}";
        foreach (var other in coupled)
        {
            var (known, covered) = (region.Positions.Known(other), server.Covered(other));
            if (known <= covered)
            {
                continue;
            }
            if (other == 0 && region.Coupling.AllowsWatermark && region.HomeInterest is { } interest && interest.LastInterestingChange(known) <= covered)
            {
                reason = "what is new at home since the last barrier lies where nobody else can see it";
                continue;
            }
            return new(true, $"{region.ClusterNames[other]} is known up to 0x{known:x}, and the last barrier at {server.Address} covers 0x{covered:x}");
        }
        return new(false, reason);
    }

    private List<int> Coupled(int cluster)
    {
        var coupled = region.Coupling.CoupledTo(cluster);
        return [.. Enumerable.Range(0, region.ClusterCount).Where(c => c != cluster && coupled.Contains(c))];
    }
}
