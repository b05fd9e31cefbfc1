namespace ZooNet.Federation.Freshness;

/// <summary>
/// Changes of ACLs fire no watch, and those that a cluster's own region has not made itself its proxy would never hear of. So whoever
/// changes one through a mount writes this znode of that cluster first, on the same connection: the region's watermark watches it, and
/// whatever lies behind is not private (docs/consistency.md, "The interest watermark").
/// </summary>
public static class AclNotice
{
    /// <summary>The znode. Whoever may connect may write it; what it holds is nobody's business.</summary>
    public const string Path = "/zookeeper/zoonet/acls";
}
