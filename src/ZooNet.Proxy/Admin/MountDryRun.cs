using System.Globalization;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// Says what a mount or an unmount would come to, and changes nothing: the same checks as <see cref="MountCommands"/>, all of them instead
/// of the first that fails, and what the interest graph would be. Thread-safe; true of the moment in which it is asked.
/// </summary>
public sealed class MountDryRun(ProxyConfig config, ClusterControls clusters, MountStore store, IGraphSource? graph = null)
{
    /// <summary>What mounting would come to.</summary>
    /// <exception cref="ClusterUnreachableException">Home can't be asked.</exception>
    public async Task<DryRunReply> MountAsync(DryRunBody body, CancellationToken cancellationToken)
    {
        var (refusals, creates) = (new List<string>(), new List<string>());
        var badSource = MountRequest.ParseSource(body.Source, out var cluster, out var remotePath);
        var badOptions = MountOptionsText.Parse(body.Options, out var options, out var create);
        var badCluster = badSource is null ? MountRules.CheckCluster(cluster, config) : null;
        var path = body.Path ?? "";
        var badPoint = MountRules.CheckMountPoint(path);
        refusals.AddRange(new[] { badSource, badOptions, badCluster, badPoint }.OfType<string>());
        var snapshot = await store.RefreshAsync(cancellationToken);
        var isSame = snapshot.At(path) is { Mount: not null, Record: { } there } && there.Cluster == cluster && there.RemotePath == remotePath
            && badOptions is null && there.Options == MountOptionsText.Format(options);
        if (badPoint is null && !isSame)
        {
            await CheckPointAsync(path, snapshot, refusals, creates);
            if (badOptions is null && badCluster is null && MountRules.CheckAuth(cluster, options, snapshot.Entries) is { } mixed)
            {
                refusals.Add(mixed);
            }
        }
        if (badSource is null && badCluster is null)
        {
            await CheckRemoteAsync(config.FindCluster(cluster)!, remotePath, create, refusals, creates, cancellationToken);
        }
        var counts = badCluster is null && badSource is null && badOptions is null && options.Barriers;
        var effect = EffectOf(reads => counts ? [.. reads, cluster] : reads, options.Barriers, cluster);
        var message = refusals.Count > 0
            ? $"{body.Source} can't be mounted on {path}"
            : isSame ? $"{cluster}:{remotePath} is mounted on {path} already"
            : $"{cluster}:{remotePath} can be mounted on {path} ({MountOptionsText.Format(options)})";
        return effect with { Allowed = refusals.Count == 0, Message = message, Refusals = refusals, WouldCreate = creates };
    }

    /// <summary>What unmounting would come to.</summary>
    /// <exception cref="ClusterUnreachableException">Home can't be asked.</exception>
    public async Task<DryRunReply> UnmountAsync(string path, CancellationToken cancellationToken)
    {
        var snapshot = await store.RefreshAsync(cancellationToken);
        var entry = snapshot.At(path);
        var cluster = entry?.Record?.Cluster ?? "";
        // An edge stays while another mount reads the same cluster.
        var others = snapshot.Entries.Any(e => e != entry && e.Mount is { Options.Barriers: true } && e.Record?.Cluster == cluster);
        var effect = EffectOf(reads => entry is null || others ? reads : [.. reads.Where(c => c != cluster)], barriers: true, cluster);
        return entry is null
            ? effect with
            {
                Allowed = false,
                Message = $"nothing is mounted on {path}",
                Refusals = [$"nothing is mounted on {path}"],
                MustAcknowledge = []
            }
            : effect with
            {
                Message = $"{path} can be unmounted; clients get NoNode below it from then on, and {cluster}:{entry.Record?.RemotePath} is not touched",
                // Leaving takes the region's own proxies only; the other regions hear of it afterwards.
                MustAcknowledge = [.. ProxiesOf(graph?.Describe().Views.Where(v => v.Self) ?? [])],
            };
    }

    private async Task CheckPointAsync(string path, MountSnapshot snapshot, List<string> refusals, List<string> creates)
    {
        if (MountRules.CheckOverlap(path, snapshot.Entries.Select(e => e.Path)) is { } overlap)
        {
            refusals.Add(overlap);
            return;
        }
        var there = await clusters.Home.CallAsync(c => c.ExistsAsync(path), CancellationToken.None);
        if (there.Stat is not { } stat)
        {
            creates.Add($"{config.Home.Name}:{path}");
        }
        else if (MountRules.CheckZnode(path, stat) is { } unfit)
        {
            refusals.Add(unfit);
        }
    }

    private async Task CheckRemoteAsync(ClusterConfig cluster, string path, bool create, List<string> refusals, List<string> creates,
        CancellationToken cancellationToken)
    {
        try
        {
            var refusal = await RemotePathChecks.CheckAsync(clusters[cluster.Ordinal], path, create: false, cancellationToken);
            if (refusal is { Refusal: RefusalKind.NotFound } && create)
            {
                creates.Add($"{cluster.Name}:{path}");
            }
            else if (refusal is not null)
            {
                refusals.Add(refusal.Message);
            }
        }
        catch (Exception e) when (e is ClusterUnreachableException or KeeperException)
        {
            refusals.Add(e.Message);
        }
    }

    /// <summary>What the graph, and with it barriers, become.</summary>
    private DryRunReply EffectOf(Func<IReadOnlyList<string>, IReadOnlyList<string>> change, bool barriers, string cluster)
    {
        var nothing = new DryRunReply(true, "", [], [], [], false, "", [], []);
        if (!barriers)
        {
            return nothing with { Barriers = "none: the mount has consistency=none and is outside of the guarantee" };
        }
        if (graph?.Describe() is not { } now)
        {
            return nothing with
            {
                Barriers = config.Consistency == ConsistencyMode.Switch
                    ? "every read that follows an operation on another cluster waits for one (consistency: switch)"
                    : "none: the region's consistency is none",
            };
        }
        var before = new InterestGraph(now.Views.Select(v => RecordOf(v, v.Reads)));
        List<ViewRecord> changed = [.. now.Views.Where(v => !v.Self).Select(v => RecordOf(v, v.Reads))];
        var self = now.Views.FirstOrDefault(v => v.Self)
            ?? new GraphView(config.Region, config.Home.Name, [config.Home.Name], [], [config.ProxyId], 0, true);
        changed.Add(RecordOf(self, change(self.Reads)));
        var after = new InterestGraph(changed);
        var (cycleBefore, cycleAfter) = (before.IsOnCycle(config.Region), after.IsOnCycle(config.Region));
        var part = after.ComponentOf(config.Region);
        var cycle = after.CycleThrough(config.Region)?.Select((name, i) => (i % 2 == 0 ? "view " : "cluster ") + name).ToList() ?? [];
        return nothing with
        {
            Cycle = cycle,
            NewCycle = cycleBefore != cycleAfter,
            Barriers = now.Conservative ? $"not known, because the graph is not: {now.Why}" : BarriersOf(cycleBefore, cycleAfter, cluster),
            AlsoConcerned = [.. now.Views.Where(v => !v.Self && before.IsOnCycle(v.Name) != after.IsOnCycle(v.Name)).Select(v => v.Name)],
            MustAcknowledge = [.. ProxiesOf(now.Views.Where(v => part.Contains(v.Name)))],
        };
    }

    private string BarriersOf(bool before, bool after, string cluster)
    {
        if (config.Consistency == ConsistencyMode.Ordered)
        {
            return "a read waits for one where its session has learned of something newer elsewhere (consistency: ordered)";
        }
        var roundTrip = config.FindCluster(cluster) is { IsHome: false } known && clusters[known.Ordinal].Health.RoundTrip is { } rtt
            ? string.Create(CultureInfo.InvariantCulture,
                $"; a probe of {cluster} takes {rtt.TotalMilliseconds:0.0} ms now, a barrier at least as long")
            : "";
        return (before, after) switch
        {
            (false, false) => "none: no cycle of views and clusters runs through the region",
            (false, true) => $"reads wait for one from then on, where their session has learned of something newer elsewhere{roundTrip}",
            (true, false) => "none any more: the cycle that runs through the region is opened",
            _ => $"as now: a cycle runs through the region, and reads wait for one where needed{roundTrip}",
        };
    }

    private static IEnumerable<string> ProxiesOf(IEnumerable<GraphView> views) =>
        views.SelectMany(v => v.Proxies.Select(p => $"proxy {p} of region {v.Name}"));

    private static ViewRecord RecordOf(GraphView view, IEnumerable<string> reads) => new()
    {
        View = view.Name,
        Region = view.Name,
        Home = view.Home,
        Version = view.Version,
        Revision = 0,
        Mounts = [.. reads.Concat(view.Joining).Distinct().Where(c => c != view.Home).Select(c =>
            new ViewMount(c, "/", PublishedState.Active))],
    };
}
