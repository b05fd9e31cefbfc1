using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Mounts;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// Makes the data path follow what is known of the graph and the mount table: the coupling, the servers that may be read through, what is
/// watched of home, the lease and, last, the mounts that requests are routed by. The driver's loop calls it; <see cref="RoutesAsync"/> is
/// thread-safe.
/// </summary>
/// <param name="config">Names region and clusters.</param>
/// <param name="region">What the data path follows.</param>
/// <param name="activation">Decides, and is told what was done.</param>
/// <param name="lease">Held back while other proxies of the region have to take note of this one.</param>
/// <param name="sessions">Tells when requests that were routed by an old table are answered; null where there are no sessions.</param>
/// <param name="interest">Watches what others can see of home; null if it is not watched.</param>
/// <param name="preferred">
/// The servers that this proxy would like to read through; null if the region's proxies need not agree on any.
/// </param>
/// <param name="servers">Tells which mounts have to wait for the proxy's own observer; null for none.</param>
/// <param name="logger">Hears of changes.</param>
/// <param name="stop">Ends what is under way.</param>
internal sealed class RouteFollower(
    ProxyConfig config, Region region, MountActivation activation, HomeLease lease, ISessionFence? sessions, InterestWatch? interest,
    PreferredServers? preferred, IRemoteServers? servers, ILogger logger, CancellationToken stop)
{
    // One server does not become several while the proxy runs, unless its ensemble says so (ConfigInForce).
    private readonly bool _homeHasSeveralServers = config.Home.Follow || config.Home.IsObserved || config.Home.Servers.Count > 1
        || config.Home.Servers.Any(s => !System.Net.IPAddress.TryParse(s.Host, out _));

    private TaskCompletionSource _routed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _routedVersion = -1;
    private bool _choosesServers = true;
    private string _why = "";

    /// <summary>Makes the data path follow, and only then lets the activation take note that it does.</summary>
    /// <param name="table">The mount table.</param>
    /// <param name="isRegistered">Whether this proxy is on the list of live ones.</param>
    /// <returns>What the data path follows now.</returns>
    public async Task<Directive> FollowAsync(MountSnapshot table, bool isRegistered)
    {
        var active = table.Entries.Where(e => e is { State: MountState.Active, Mount: not null }).Select(e => e.Mount!).ToList();
        if (preferred is not null)
        {
            var mounted = activation.Clusters.Concat(table.Published().Select(m => m.Cluster)).Distinct(StringComparer.Ordinal)
                .Select(config.FindCluster).Where(c => c is { IsHome: false }).Select(c => (c!.Name, c.Ordinal));
            activation.WantToRead(preferred.Current(mounted, _choosesServers));
        }
        var directive = activation.Decide(active.Where(m => m.Options.Barriers).Select(m => (m.ClusterName, m.RemotePath)));
        if (!activation.IsAdmitted && isRegistered)
        {
            lease.Hold("other proxies of the region have to take note of this one");
        }
        Couple(directive, table);
        await RouteAsync([.. Routed(directive, table, active)], table.Version);
        activation.Confirm(directive);
        if (activation.IsAdmitted && isRegistered)
        {
            lease.Release();
        }
        return directive;
    }

    /// <summary>Completes when the data path routes by the mount table of this snapshot, or a later one.</summary>
    /// <exception cref="OperationCanceledException">The wait was given up, or nothing is followed any more.</exception>
    public async Task RoutesAsync(MountSnapshot snapshot, CancellationToken cancellationToken)
    {
        while (true)
        {
            var routed = Volatile.Read(ref _routed).Task;
            if (Volatile.Read(ref _routedVersion) >= snapshot.Version)
            {
                return;
            }
            await routed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Nothing is followed any more.</summary>
    public void End() => _routed.TrySetCanceled();

    private void Couple(Directive directive, MountSnapshot table)
    {
        var coupling = CouplingOf(directive, table);
        var before = region.Coupling as Coupling;
        interest?.Follow(coupling.AllowsWatermark ? InterestSet.Of(activation.Known, config.Home.Name, config.Region) : []);
        // No server is heard that the region's proxies have not agreed on, and only then may the rules rely on that.
        _choosesServers = directive.Servers is null;
        region.Copies.Agree(directive.Servers is { } agreed ? [.. region.ClusterNames.Select(agreed.GetValueOrDefault)] : null);
        if (before is null || directive.Fresh || !coupling.SameAs(before))
        {
            region.Follow(coupling, directive.Fresh || before?.NeedsSingleCopy != coupling.NeedsSingleCopy);
            if (before?.Kind != coupling.Kind || directive.Why != _why)
            {
                logger.RulesChanged(coupling.Kind.ToString().ToLowerInvariant(), directive.Why);
            }
        }
        _why = directive.Why;
    }

    private Coupling CouplingOf(Directive directive, MountSnapshot table)
    {
        var names = region.ClusterNames;
        // Clusters all of whose mounts are outside the guarantee are outside of it too.
        var exempt = default(ClusterSet);
        foreach (var cluster in table.Entries.Where(e => e.Mount is not null).GroupBy(e => e.Mount!.Cluster))
        {
            exempt = cluster.All(e => !e.Mount!.Options.Barriers) ? exempt.With(cluster.Key) : exempt;
        }
        switch (directive.Kind)
        {
            case CouplingKind.Ordered:
                return Coupling.Ordered(names, exempt);
            case CouplingKind.Conservative:
                return Coupling.Conservative(names, directive.Why, exempt);
            default:
                var edges = activation.Own!.Clusters().ToHashSet(StringComparer.Ordinal);
                for (var i = 1; i < names.Count; i++)
                {
                    exempt = edges.Contains(names[i]) ? exempt : exempt.With(i);
                }
                // Another proxy may be configured with another server of home.
                var severalHomes = _homeHasSeveralServers || !directive.IsOnlyProxy;
                return Coupling.Sequential(directive.Graph, config.Region, names, 0, severalHomes, exempt, directive.IsOnlyProxy);
        }
    }

    private IEnumerable<Mount> Routed(Directive directive, MountSnapshot table, List<Mount> active)
    {
        var usable = active.Where(m => !m.Options.Barriers || directive.Usable.Contains((m.ClusterName, m.RemotePath)));
        // Those that are not usable only because this proxy is not admitted wait for the lease; the others by themselves.
        var blocked = active.Where(m => m.Options.Barriers && directive.Blocked.Contains((m.ClusterName, m.RemotePath)))
            .Select(m => activation.IsAdmitted ? SuspendedOf(m) : m);
        return usable.Concat(blocked)
            .Select(m => servers?.IsTaking(m.Cluster, m.RemotePath) == true ? SuspendedOf(m) : m)
            .Concat(table.Entries.Where(e => e is { IsSuspended: true, Mount: not null }).Select(e => SuspendedOf(e.Mount!)));
    }

    /// <summary>Swaps the mounts; if some are gone, returns when every request that was routed by them is answered.</summary>
    private async Task RouteAsync(IReadOnlyList<Mount> mounts, long version)
    {
        var before = region.Mounts;
        if (before.Version != version || before.Mounts.Count != mounts.Count || !mounts.All(m => before.At(m.Path) == m))
        {
            region.Mounts = new MountTable(mounts, version);
            if (sessions is not null && before.Mounts.Any(old => mounts.All(m => !m.IsSameAs(old))))
            {
                await sessions.RequestsAnsweredAsync(stop);
            }
        }
        Volatile.Write(ref _routedVersion, version);
        Interlocked.Exchange(ref _routed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private Mount SuspendedOf(Mount mount)
    {
        if (region.Mounts.At(mount.Path) is { IsSuspended: true } suspended && suspended.IsSameAs(mount))
        {
            return suspended;
        }
        return new Mount(mount.Path, mount.Cluster, mount.ClusterName, mount.RemotePath, mount.Options, suspended: true);
    }
}
