using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// What the last round of a <see cref="ViewDriver"/> came to, for operators and for mounts that wait: the graph, who has not acknowledged
/// it, and what keeps a cluster's records from being up to date. The driver's loop tells it; <see cref="Describe"/> and <see
/// cref="WaitingFor"/> are thread-safe.
/// </summary>
/// <param name="config">Names region and clusters.</param>
/// <param name="region">What the data path follows.</param>
/// <param name="activation">Asked when the driver tells of a round, and only then.</param>
/// <param name="lease">Tells why mounts are held back.</param>
/// <param name="interest">Tells how the watermark is; null if it has no part.</param>
/// <param name="errorOf">Tells what went wrong with a cluster's folder, by its ordinal; null where nothing did.</param>
internal sealed class GraphStatus(
    ProxyConfig config, Region region, MountActivation activation, HomeLease lease, InterestWatch? interest, Func<int, string?> errorOf)
{
    private volatile Round _last = Round.None;

    /// <summary>Whether somebody, or some cluster, is waited for.</summary>
    public bool IsPending => _last.IsPending;

    /// <summary>The data path follows a directive.</summary>
    public void Followed(Directive directive) =>
        _last = _last with { Why = directive.Why, Graph = directive.Graph, Views = [.. activation.Known] };

    /// <summary>A round has ended.</summary>
    /// <param name="table">The mount table that it has read.</param>
    /// <returns>True when <see cref="WaitingFor"/> answers otherwise than before.</returns>
    public bool RoundEnded(MountSnapshot table)
    {
        var steps = new Dictionary<(string, int), IReadOnlyList<string>>();
        foreach (var entry in table.Entries.Where(e => e.Mount is { Options.Barriers: true }))
        {
            if (WaitingInRound(entry, table) is { } waiting)
            {
                steps[(entry.Path, entry.Version)] = waiting;
            }
        }
        var errors = new List<string>();
        foreach (var name in activation.Clusters)
        {
            if (config.FindCluster(name) is not { } cluster)
            {
                errors.Add($"cluster {name}: a mount of it is published and this proxy's configuration does not know it");
            }
            else if (errorOf(cluster.Ordinal) is { } error)
            {
                errors.Add($"cluster {name}: {error}");
            }
        }
        var unacknowledged = activation.NotAcknowledged();
        var pending = steps.Count > 0 || unacknowledged.Count > 0 || errors.Count > 0
            || activation.Own?.Mounts.Any(m => m.State != PublishedState.Active) == true;
        var before = _last;
        _last = before with { Steps = steps, NotAcknowledged = unacknowledged, Errors = errors, IsPending = pending };
        return steps.Count != before.Steps.Count
            || steps.Any(s => !before.Steps.TryGetValue(s.Key, out var was) || !was.SequenceEqual(s.Value));
    }

    /// <summary>Who is waited for before a mount takes its next step; null if no round has seen it as it is.</summary>
    public IReadOnlyList<string>? WaitingFor(MountEntry entry) => _last.Steps.GetValueOrDefault((entry.Path, entry.Version));

    /// <summary>The graph now.</summary>
    public GraphInfo Describe()
    {
        var last = _last;
        var coupling = region.Coupling as Coupling;
        var names = region.ClusterNames;
        var pairs = new List<IReadOnlyList<string>>();
        for (var i = 0; i < names.Count; i++)
        {
            for (var j = i + 1; j < names.Count; j++)
            {
                if (region.Coupling.CoupledTo(i).Contains(j) && region.Coupling.CoupledTo(j).Contains(i))
                {
                    pairs.Add([names[i], names[j]]);
                }
            }
        }
        return new GraphInfo(
            config.Consistency.ToString().ToLowerInvariant(),
            coupling?.Kind is null or CouplingKind.Conservative,
            last.Why + HomeAlone(coupling, names),
            lease.WhyNot,
            region.Coupling.AllowsWatermark ? interest?.State : null,
            [.. last.Views.OrderBy(v => v.View, StringComparer.Ordinal).Select(ViewOf)],
            [.. last.Graph.Blocks().Where(b => b.Views.Count + b.Clusters.Count > 2)
                .Select(b => (IReadOnlyList<string>)[.. b.Views.Select(v => $"view {v}"), .. b.Clusters.Select(c => $"cluster {c}")])],
            pairs,
            [.. last.NotAcknowledged, .. last.Errors]);
    }

    private IReadOnlyList<string>? WaitingInRound(MountEntry entry, MountSnapshot table)
    {
        var mount = entry.Mount!;
        return entry.State switch
        {
            MountState.Joining => activation.WaitingToJoin(mount.ClusterName, mount.RemotePath),
            // If the same znode stays mounted elsewhere the edge stays, and there is nothing to wait for.
            MountState.Leaving when table.Entries.Any(e => e != entry && e.State is MountState.Active or MountState.Joining
                && e.Mount is { } m && m.Cluster == mount.Cluster && m.RemotePath == mount.RemotePath) => [],
            MountState.Leaving => activation.WaitingToLeave(mount.ClusterName, mount.RemotePath),
            _ => null,
        };
    }

    /// <summary>
    /// Without a cycle one direction may be left: home through several servers must not be read older than what a remote told.
    /// </summary>
    private static string HomeAlone(Coupling? coupling, IReadOnlyList<string> names)
    {
        if (coupling is not { Kind: CouplingKind.Free } || coupling.CoupledTo(0).IsEmpty)
        {
            return "";
        }
        var remotes = Enumerable.Range(1, names.Count - 1).Where(i => coupling.CoupledTo(0).Contains(i)).Select(i => names[i]);
        return $"; only reads of {names[0]} itself wait for what was learned in {string.Join(" or ", remotes)}, "
            + "because its sessions go to several servers";
    }

    private GraphView ViewOf(ViewRecord record) => new(record.View, record.Home, [.. record.Clusters()],
        [.. record.Mounts.Where(m => m.State == PublishedState.Joining).Select(m => m.Cluster).Distinct()],
        [.. record.Proxies.Select(p => p.Id)], record.Version, record.View == config.Region);

    /// <summary>What the last round came to. Immutable.</summary>
    private sealed record Round(
        string Why,
        InterestGraph Graph,
        IReadOnlyList<ViewRecord> Views,
        IReadOnlyList<string> NotAcknowledged,
        IReadOnlyList<string> Errors,
        IReadOnlyDictionary<(string Path, int Version), IReadOnlyList<string>> Steps,
        bool IsPending)
    {
        public static Round None { get; } =
            new("", new InterestGraph([]), [], [], [], new Dictionary<(string, int), IReadOnlyList<string>>(), true);
    }
}
