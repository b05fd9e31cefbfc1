namespace ZooNet.Federation.Freshness;

/// <summary>When a read waits for a barrier (docs/consistency.md).</summary>
public enum ConsistencyMode
{
    /// <summary>Never: every cluster is consistent alone, their composition is not.</summary>
    None,
    /// <summary>Where a cycle of interest can close: the composition is sequentially consistent.</summary>
    Sequential,
    /// <summary>Whenever another cluster showed something newer: ordered sequential consistency.</summary>
    Ordered,
    /// <summary>At every read that follows an operation on another cluster: the ZooNet paper's rule, for comparison.</summary>
    Switch,
}
