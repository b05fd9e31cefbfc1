using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Tests.Interest;

namespace ZooNet.Federation.Tests.Freshness;

/// <summary>
/// Region A on a cycle with B, a watermark of what others see of home, and a session that reads the remote. The remote's server covers
/// home up to 10, which is where the watermark begins.
/// </summary>
internal sealed class WatermarkedHome : IBarrierTransport
{
    public WatermarkedHome()
    {
        Region.Coupling = Views.Sequential(Views.Mutual, "RA");
        Region.HomeInterest = Watermark;
        Remote = new UpstreamServer(Region, 1, "b1", this);
        Frontier = new Frontier(Region);
        Region.Positions.Learn(0, 10);
        Remote.EndWrite(Remote.BeginWrite()!, succeeded: true);
        Watermark.Shown(10);
    }

    public Region Region { get; } = new(["A", "B"], ConsistencyMode.Sequential);

    public InterestWatermark Watermark { get; } = new(["/apps"]);

    public UpstreamServer Remote { get; }

    public Frontier Frontier { get; }

    void IBarrierTransport.Send(UpstreamServer server, BarrierTicket ticket)
    {
        // Nobody waits for it here.
    }
}
