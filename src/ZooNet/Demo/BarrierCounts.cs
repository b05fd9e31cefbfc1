using ZooNet.Federation.Freshness;
using ZooNet.Federation.Mounts;

namespace ZooNet.Demo;

/// <summary>What the rule said of reads, summed over the proxies of both regions.</summary>
/// <param name="Needed">Reads of a mount that waited for a barrier: a round trip of the WAN.</param>
/// <param name="Shared">Those of them that shared another read's barrier.</param>
/// <param name="NothingElsewhere">Mounted reads without a barrier: their session had learned nothing at home.</param>
/// <param name="Covered">Mounted reads without a barrier: the observer was refreshed after all that their session had learned.</param>
/// <param name="Private">Mounted reads without a barrier: what their session had learned at home nobody else can see.</param>
/// <param name="NotCoupled">Mounted reads without a barrier: no cycle can close.</param>
/// <param name="NeededAtHome">Reads at home that waited for a barrier there: a round trip of the LAN.</param>
internal sealed record BarrierCounts(long Needed, long Shared, long NothingElsewhere, long Covered, long Private, long NotCoupled, long NeededAtHome)
{
    /// <summary>The counters now.</summary>
    public static BarrierCounts Of(DemoRegion us, DemoRegion eu)
    {
        MountCounters[] mounted = [Counters(us, eu), Counters(eu, us)];
        return new BarrierCounts(
            mounted.Sum(c => c.BarriersNeeded),
            mounted.Sum(c => c.BarriersShared),
            mounted.Sum(c => c.Of(BarrierVerdict.NothingElsewhere)),
            mounted.Sum(c => c.Of(BarrierVerdict.Covered)),
            mounted.Sum(c => c.Of(BarrierVerdict.NoInterestChange)),
            mounted.Sum(c => c.Of(BarrierVerdict.NotCoupled)),
            us.Proxy.Path.Region.HomeCounters.BarriersNeeded + eu.Proxy.Path.Region.HomeCounters.BarriersNeeded);
    }

    /// <summary>What was counted since.</summary>
    public BarrierCounts Since(BarrierCounts before) => new(
        Needed - before.Needed,
        Shared - before.Shared,
        NothingElsewhere - before.NothingElsewhere,
        Covered - before.Covered,
        Private - before.Private,
        NotCoupled - before.NotCoupled,
        NeededAtHome - before.NeededAtHome);

    private static MountCounters Counters(DemoRegion region, DemoRegion other) =>
        (region.Proxy.Path.Region.Mounts.At(other.MountPoint) ?? throw new DemoFailedException($"{other.MountPoint} is not mounted in {region.Name}")).Counters;
}
