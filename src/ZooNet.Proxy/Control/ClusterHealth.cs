namespace ZooNet.Proxy.Control;

/// <summary>How a cluster looks from this proxy's control session. Immutable.</summary>
/// <param name="IsUp">True while the control session is attached and the last probe was answered.</param>
/// <param name="Since">When <paramref name="IsUp"/> became what it is.</param>
/// <param name="Server">The server of the control session; null where there is none.</param>
/// <param name="IsObserver">True where that is one of the configured observers.</param>
/// <param name="RoundTrip">
/// Of the last probe that was answered, through an observer of the last sync: to the ensemble, not to the observer. Null for a tree.
/// </param>
/// <param name="LastError">Of the last failure; kept after it is over.</param>
/// <param name="Circuit">Of the calls that mount commands and probes make: <c>closed</c>, <c>open</c> or <c>half-open</c>.</param>
public sealed record ClusterHealth(bool IsUp, DateTimeOffset Since, string? Server, bool IsObserver, TimeSpan? RoundTrip,
    string? LastError, string Circuit)
{
    /// <summary>
    /// How long the probe under way has been without an answer, where that is longer than it should be; null where all is well. What does
    /// not answer may have been cut off without a word, long before a session there times out.
    /// </summary>
    public TimeSpan? Silence { get; init; }
}
