namespace ZooNet.Server.Cluster;

/// <summary>A replica has applied the leader's transactions, and is not what the leader is.</summary>
/// <param name="zxid">The transaction after which that was noticed.</param>
internal sealed class DivergenceException(long zxid) : Exception($"after the transaction 0x{zxid:x} this replica is not what its leader is: their digests differ")
{
    /// <summary>The transaction after which that was noticed.</summary>
    public long Zxid => zxid;
}
