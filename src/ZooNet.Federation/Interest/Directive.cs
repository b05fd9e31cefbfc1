namespace ZooNet.Federation.Interest;

/// <summary>What a proxy's data path must follow.</summary>
/// <param name="Graph">The graph as it is known.</param>
/// <param name="Kind">What decides the coupling: ordered, conservative, a cycle, or nothing (free).</param>
/// <param name="Why">The reason, for an operator.</param>
/// <param name="Fresh">
/// True where every server that the proxy reads through needs a barrier that begins from now on before its next read,
/// whatever the session has learned: before this directive, reads went by other rules.
/// </param>
/// <param name="Usable">The own mounts that may be used.</param>
/// <param name="Blocked">Own mounts that are active and may not be used yet: requests for them wait.</param>
/// <param name="Versions">What is acknowledged once the data path follows.</param>
public sealed record Directive(InterestGraph Graph, CouplingKind Kind, string Why, bool Fresh,
    IReadOnlyCollection<(string Cluster, string Path)> Usable, IReadOnlyCollection<(string Cluster, string Path)> Blocked,
    IReadOnlyDictionary<string, long> Versions)
{
    /// <summary>
    /// By cluster, the only server whose replies may be heard, so that the region's proxies are one copy or know that they are not; empty
    /// for one that none may be heard of yet. Null where this proxy is alone. To be followed before the coupling is.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Servers { get; init; }

    /// <summary>Whether all sessions of the view are this proxy's.</summary>
    public bool IsOnlyProxy { get; init; }

    /// <summary>Whether everything that the view reads is coupled.</summary>
    public bool Coupled => Kind != CouplingKind.Free;
}
