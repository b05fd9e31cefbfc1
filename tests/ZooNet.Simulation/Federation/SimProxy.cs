using System.Buffers.Binary;
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

    public SimProxy(World world, SimRegion place, Scenario scenario)
    {
        _world = world;
        Place = place;
        string[] clusters = [place.Home, .. place.Remotes];
        Region = new Region(clusters, scenario.Policy switch
        {
            Policy.None => ConsistencyMode.None,
            Policy.Ordered => ConsistencyMode.Ordered,
            Policy.EverySwitch => ConsistencyMode.Switch,
            _ => ConsistencyMode.Sequential,
        });
        Region.Mounts = new MountTable([.. place.Remotes.Select((c, i) => new Mount("/m" + c, i + 1, c, "/", MountOptions.Default))], 1);
        Region.Coupling = CouplingOf(world, place, scenario, clusters);
        if (scenario.Mutation == Mutation.WatermarkOnManyCopies)
        {
            Region.Coupling = new ManyCopies(Region.Coupling);
        }
        Region.IgnoresUntoldReplies = scenario.Mutation == Mutation.UntoldRepliesIgnored;
        Region.TrustsMovedSessions = scenario.Mutation == Mutation.MovedSessionsTrusted;
        Region.TrustsEveryServer = scenario.Mutation == Mutation.CoveredSurvivesFailover;
        _observer = new int[clusters.Length];
        if (scenario.PrivateKeys > 0 && Region.Coupling.AllowsWatermark)
        {
            _ = new SimInterestWatch(world, this);
        }
    }

    public SimRegion Place { get; }
    public Region Region { get; }
    public long Barriers { get; private set; }

    /// <summary>Observers of a remote are standby for each other: leaves the one in use for the next.</summary>
    public void SwitchObserver(int cluster) => _observer[cluster]++;

    /// <summary>The server that a link goes to now.</summary>
    public SimServer ServerFor(int cluster, int homeServer)
    {
        if (cluster == 0)
        {
            return _world.HomeServers(Place.Home)[homeServer % _world.Scenario.HomeServers];
        }
        var observers = _world.ObserversOf(Place, Place.Remotes[cluster - 1]);
        return observers[_observer[cluster] % observers.Count];
    }

    public UpstreamServer Upstream(SimServer server, int cluster)
    {
        // The mutation keeps one state for all observers of a cluster, as if nothing changed with the server.
        var key = _world.Scenario.Mutation == Mutation.CoveredSurvivesFailover && cluster > 0 ? _world.ObserversOf(Place, server.Cluster.Name)[0] : server;
        if (!_upstreams.TryGetValue(key, out var upstream))
        {
            upstream = new UpstreamServer(Region, cluster, key.Address, this);
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
        target.Connections.Add(connection);
        _world.Add(connection, frame =>
        {
            var zxid = ReplyHeader.Read(frame.AsSpan(4)).Zxid;
            Region.Learn(server, zxid);
            connection.Break();
            server.BarrierDone(ticket, true);
        }, () => server.BarrierDone(ticket, false));
    }

    private static ICoupling CouplingOf(World world, SimRegion place, Scenario scenario, string[] clusters)
    {
        switch (scenario.Policy)
        {
            case Policy.None:
                return Coupling.None(clusters);
            case Policy.SymmetricPairs:
                return new PairCoupling(world.Topology, place);
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

    /// <summary>The mutation: the same coupling, without the care that the region reads one copy at a time.</summary>
    private sealed class ManyCopies(ICoupling inner) : ICoupling
    {
        public bool AllowsWatermark => inner.AllowsWatermark;

        public ulong CoupledTo(int cluster) => inner.CoupledTo(cluster);
    }

    /// <summary>The ZooKeeper wiki's rule: two clusters are coupled where one is the region's home and each side mounts the other.</summary>
    private sealed class PairCoupling(Topology topology, SimRegion place) : ICoupling
    {
        private readonly ulong _symmetric = place.Remotes.Select((c, i) => (c, i))
            .Where(m => topology.Regions.Any(r => r.Home == m.c && r.Remotes.Contains(place.Home)))
            .Aggregate(0UL, (mask, m) => mask | 1UL << (m.i + 1));

        public ulong CoupledTo(int cluster)
        {
            if (cluster == 0)
            {
                return _symmetric;
            }
            return (_symmetric >> cluster & 1) != 0 ? ulong.MaxValue & ~(1UL << cluster) : _symmetric;
        }
    }
}
