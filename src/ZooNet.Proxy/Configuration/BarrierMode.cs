namespace ZooNet.Proxy.Configuration;

/// <summary>What a barrier is made of.</summary>
public enum BarrierMode
{
    /// <summary>A multi with one check of "/": proposed and voted like a write, so no deposed leader can answer it.</summary>
    Quorum,

    /// <summary>ZooKeeper's sync: cheaper, answered by the leader without a vote.</summary>
    Sync,

    /// <summary>Quorum where the cluster lets us, otherwise sync.</summary>
    Auto,
}
