namespace ZooNet.Federation.Freshness;

/// <summary>
/// A demand that a server be refreshed by a barrier that begins from some moment on, whatever its readers have learned. Moments are the
/// epochs that <see cref="Positions.NextEpoch"/> counts. Thread-safe; a mutable struct, so keep it in a field that is not read-only.
/// </summary>
internal struct RefreshDemand
{
    /// <summary>Below what a server has covered that no barrier has ever refreshed, which is -1.</summary>
    private const long Nothing = -2;

    private long _from;

    /// <summary>Nothing is demanded.</summary>
    public RefreshDemand() => _from = Nothing;

    /// <summary>Whether the barriers that a server had, the last of which began at an epoch, do not meet the demand.</summary>
    public readonly bool IsUnmetBy(long coveredEpoch) => coveredEpoch <= Volatile.Read(in _from);

    /// <summary>Only a barrier that begins after an epoch meets the demand.</summary>
    public void BeginsAfter(long epoch) => Volatile.Write(ref _from, epoch);

    /// <summary>No barrier meets the demand until <see cref="BeginsAfter"/>, which follows at once, says which does.</summary>
    public void Refuse() => Volatile.Write(ref _from, long.MaxValue);
}
