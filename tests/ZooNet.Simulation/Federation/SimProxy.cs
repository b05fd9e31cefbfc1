using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;
using ZooNet.Simulation.Clusters;

namespace ZooNet.Simulation.Federation;

/// <summary>One proxy: the real region state, with the servers it reads through and the connections that carry its barriers.</summary>
internal sealed class SimProxy : IBarrierTransport
{
    private static readonly byte[] BarrierFrame = MakeBarrier();

    private readonly World _world;
    private readonly Dictionary<SimServer, UpstreamServer> _upstreams = [];
    private readonly Dictionary<UpstreamServer, SimServer> _servers = [];
    private readonly int[] _observer;

    private readonly long _clockStartMs;
    private readonly double _clockRate = 1;

    public SimProxy(World world, SimRegion place, Scenario scenario)
    {
        _world = world;
        Place = place;
        string[] clusters = [place.Home, .. scenario.Changes ? world.Topology.Clusters.Where(c => c != place.Home) : place.Remotes];
        Region = new Region(clusters, scenario.Policy switch
        {
            Policy.None => ConsistencyMode.None,
            Policy.Ordered => ConsistencyMode.Ordered,
            Policy.EverySwitch => ConsistencyMode.Switch,
            _ => ConsistencyMode.Sequential,
        });
        Region.Omissions = OmissionsOf(scenario.Mutation);
        _observer = new int[clusters.Length];
        if (!scenario.Changes)
        {
            Region.Mounts = Table(place.Remotes);
            Region.Coupling = CouplingOf(world, place, scenario, clusters);
            if (scenario.Mutation == Mutation.WatermarkOnManyCopies)
            {
                Region.Coupling = new ManyCopies(Region.Coupling);
            }
            if (scenario.PrivateKeys > 0 && Region.Coupling.AllowsWatermark)
            {
                _ = new SimInterestWatch(world, this);
            }
            return;
        }
        // Nobody's clock agrees with another's, and each goes at its own rate within what the lease allows for.
        _clockStartMs = world.Random.Next(1_000_000);
        _clockRate = 0.85 + 0.3 * world.Random.NextDouble();
        Control = new SimControl(world, this);
    }

    public SimRegion Place { get; }
    public Region Region { get; }
    public long Barriers { get; private set; }

    /// <summary>The control plane's part; null where mounts never change.</summary>
    public SimControl? Control { get; }

    /// <summary>Whether clients are let in.</summary>
    public bool IsOpen => Control is not { IsOpen: false };

    /// <summary>This proxy's clock. Four milliseconds, more or less, are a step.</summary>
    public long NowMs => _clockStartMs + (long)(_world.Now * (_world.Scenario.Changes ? 4 : 1) * _clockRate);

    /// <summary>The clusters that the network between the proxy and them is broken to.</summary>
    public HashSet<string> CutOff { get; } = new(StringComparer.Ordinal);

    public bool CanReach(int cluster) => !CutOff.Contains(Region.ClusterNames[cluster]);

    /// <summary>A mount table with a mount of each of these clusters.</summary>
    public MountTable Table(IEnumerable<string> remotes) => new([.. remotes.Select(MountOf)], Region.Mounts.Version + 1);

    /// <summary>Observers of a remote are standby for each other: leaves the one in use for the next.</summary>
    public void SwitchObserver(int cluster) => _observer[cluster]++;

    /// <summary>The server that a link goes to now.</summary>
    public SimServer ServerFor(int cluster, int homeServer)
    {
        if (cluster == 0)
        {
            return _world.HomeServers(Place.Home)[homeServer % _world.Scenario.HomeServers];
        }
        var observers = _world.ObserversOf(Place, Region.ClusterNames[cluster]);
        return observers[_observer[cluster] % observers.Count];
    }

    public UpstreamServer Upstream(SimServer server, int cluster)
    {
        // The mutation keeps one state for all observers of a cluster, as if nothing changed with the server.
        var key = _world.Scenario.Mutation == Mutation.CoveredSurvivesFailover && cluster > 0 ? _world.ObserversOf(Place, server.Cluster.Name)[0] : server;
        if (!_upstreams.TryGetValue(key, out var upstream))
        {
            upstream = new UpstreamServer(Region, cluster, key.Address, this)
            {
                LetsAnyoneJoin = _world.Scenario.Mutation == Mutation.EarlierBarrierJoined,
                LetsNobodyJoin = _world.Scenario.OneBarrierAtATime,
            };
            _upstreams.Add(key, upstream);
            _servers.Add(upstream, key);
        }
        return upstream;
    }

    /// <inheritdoc/>
    public void Send(UpstreamServer server, BarrierTicket ticket)
    {
        Barriers++;
        var target = _servers[server];
        if (_world.Scenario.Mutation == Mutation.BarrierElsewhere)
        {
            target = _world.HomeServers(target.Cluster.Name)[0];
        }
        else if (_world.Scenario.Mutation == Mutation.CoveredSurvivesFailover && server.Cluster > 0)
        {
            target = ServerFor(server.Cluster, 0);
        }
        var connection = new SimConnection { Server = target, IsOpen = true };
        connection.Requests.Enqueue(BarrierFrame);
        if (!CanReach(server.Cluster))
        {
            connection.Break();
        }
        target.Connections.Add(connection);
        var isDone = false;
        _world.Add(connection, frame =>
        {
            var zxid = ReplyHeader.Read(frame.AsSpan(4)).Zxid;
            Region.Learn(server, zxid);
            connection.Break();
            Done(true);
        }, () => Done(false));
        // The gap is as long as it likes; each barrier has a connection of its own, so that they are done in any order.
        if (!_world.Scenario.OneBarrierAtATime)
        {
            _world.Soon(() => server.NextMayBegin(ticket));
        }

        void Done(bool succeeded)
        {
            if (!isDone)
            {
                isDone = true;
                server.BarrierDone(ticket, succeeded);
            }
        }
    }

    private static ICoupling CouplingOf(World world, SimRegion place, Scenario scenario, string[] clusters)
    {
        switch (scenario.Policy)
        {
            case Policy.None:
                return Coupling.None(clusters);
            case Policy.SymmetricPairs:
                return new PairCoupling(clusters, [.. world.Topology.Regions.Where(r => r.Remotes.Contains(place.Home)).Select(r => r.Home)]);
            case Policy.Sequential:
                var records = world.Topology.Regions.Select(r => new ViewRecord
                {
                    View = r.Name,
                    Region = r.Name,
                    Home = r.Home,
                    Version = 1,
                    Revision = 1,
                    Mounts = [.. r.Remotes.Select(c => new ViewMount(c, "/", PublishedState.Active))],
                });
                return Coupling.Sequential(new InterestGraph(records), place.Name, clusters, 0, scenario.HomeServers > 1 && scenario.Mutation != Mutation.NoLanBarrier);
            default:
                return Coupling.Ordered(clusters);
        }
    }

    private static byte[] MakeBarrier()
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(0, OpCode.Multi).Write(writer);
        new MultiHeader(OpCode.Check, false, -1).Write(writer);
        new PathVersionRequest("/", -1).Write(writer);
        MultiHeader.End.Write(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }

    private static Omissions OmissionsOf(Mutation mutation) => new()
    {
        IgnoredReplies = mutation switch
        {
            Mutation.UntoldRepliesIgnored => static (op, error) => !op.IsWrite() && error != ErrorCode.Ok,
            Mutation.ErrorsTeachNothing => static (op, error) => error != ErrorCode.Ok || op is OpCode.Multi or OpCode.MultiRead or OpCode.GetAllChildrenNumber,
            Mutation.ListingsIgnored => static (op, _) => op == OpCode.GetChildren2,
            _ => null,
        },
        ListsEphemeralsAtOnce = mutation == Mutation.EphemeralsListedAtOnce,
        TrustsMovedSessions = mutation == Mutation.MovedSessionsTrusted,
        DatesAbsenceByCreation = mutation == Mutation.AbsenceDatedByCreation,
        TrustsEveryServer = mutation == Mutation.CoveredSurvivesFailover,
        TrustsCopies = mutation == Mutation.CopiesNotAgreed,
        ReadsAtOnce = mutation == Mutation.CopiesChangedAtOnce,
        ChangesAclsUnannounced = mutation == Mutation.AclsUnannounced,
    };

    private Mount MountOf(string remote) => Region.Mounts.At("/m" + remote)
        ?? new Mount("/m" + remote, Enumerable.Range(1, Region.ClusterCount - 1).First(i => Region.ClusterNames[i] == remote), remote, "/", MountOptions.Default);

    /// <summary>The mutation: the same coupling, without the care that the region reads one copy at a time.</summary>
    private sealed class ManyCopies(ICoupling inner) : ICoupling
    {
        public bool AllowsWatermark => inner.AllowsWatermark;

        public ClusterSet CoupledTo(int cluster) => inner.CoupledTo(cluster);
    }

    /// <summary>
    /// The ZooKeeper wiki's rule: two clusters are coupled where one is the region's home and each side mounts the other.
    /// </summary>
    /// <param name="clusters">Names by ordinal; home is the first.</param>
    /// <param name="mounting">The clusters whose regions mount this one's home.</param>
    internal sealed class PairCoupling(IReadOnlyList<string> clusters, HashSet<string> mounting) : ICoupling
    {
        private readonly ClusterSet _symmetric =
            ClusterSet.Of([.. Enumerable.Range(1, clusters.Count - 1).Where(i => mounting.Contains(clusters[i]))]);

        public ClusterSet CoupledTo(int cluster)
        {
            if (cluster == 0)
            {
                return _symmetric;
            }
            return _symmetric.Contains(cluster) ? ClusterSet.All.Without(cluster) : _symmetric;
        }
    }
}
