using ZooNet.Simulation.Checking;
using ZooNet.Simulation.Clusters;
using ZooNet.Simulation.Federation;

namespace ZooNet.Simulation;

/// <summary>One run: everything that exists, and the seeded choice of what happens next.</summary>
internal sealed class World
{
    private readonly Dictionary<string, SimCluster> _clusters = [];
    private readonly Dictionary<(string Region, string Cluster), List<SimServer>> _observers = [];
    private readonly Dictionary<string, List<SimProxy>> _proxies = [];
    private readonly List<SimServer> _servers = [];
    private readonly List<SimClient> _clients = [];
    private readonly List<(SimConnection Connection, Action<byte[]> Deliver, Action Lost)> _connections = [];
    private readonly List<Action> _soon = [];
    private int _processes;

    public World(Scenario scenario, int seed)
    {
        Scenario = scenario;
        Random = new Random(seed);
        Topology = scenario.Topology.Name == "random" ? Topology.Random(Random) : scenario.Topology;
        foreach (var region in Topology.Regions)
        {
            var cluster = new SimCluster(region.Home);
            _clusters.Add(region.Home, cluster);
            for (var i = 0; i < scenario.HomeServers; i++)
            {
                cluster.Servers.Add(Serve(cluster, $"{region.Home}{i}"));
            }
        }
        foreach (var region in Topology.Regions)
        {
            foreach (var remote in region.Remotes)
            {
                _observers.Add((region.Name, remote), [.. Enumerable.Range(0, scenario.ObserversPerRemote)
                    .Select(i => Serve(_clusters[remote], $"{remote}@{region.Name}{i}"))]);
            }
        }
        foreach (var cluster in _clusters.Values)
        {
            for (var key = 0; key < scenario.Keys && !scenario.AllOperations; key++)
            {
                cluster.Commit(new SimChange("/k" + key, [], true, -1));
            }
            for (var key = 0; key < scenario.PrivateKeys && !scenario.AllOperations; key++)
            {
                cluster.Commit(new SimChange(SimChange.PrivatePrefix + key, [], true, -1));
            }
        }
        foreach (var server in _servers)
        {
            while (server.IsBehind)
            {
                server.ApplyNext();
            }
        }
        foreach (var region in Topology.Regions)
        {
            _proxies.Add(region.Name, [.. Enumerable.Range(0, scenario.ProxiesPerRegion).Select(_ => new SimProxy(this, region, scenario))]);
            for (var i = 0; i < scenario.ClientsPerRegion; i++)
            {
                _clients.Add(new SimClient(this, region, NewProcess()));
            }
        }
    }

    public Scenario Scenario { get; }
    public Topology Topology { get; }
    public Random Random { get; }
    public History History { get; } = new();
    public int Now { get; private set; } = 1;
    public long Reads { get; set; }
    public long Barriers => _proxies.Values.SelectMany(p => p).Sum(p => p.Barriers);

    /// <summary>Where the server stood that sent the event being delivered; -1 in between.</summary>
    public long EventPosition { get; private set; } = -1;

    public IReadOnlyList<SimServer> HomeServers(string cluster) => _clusters[cluster].Servers;

    public List<SimServer> ObserversOf(SimRegion region, string cluster) => _observers[(region.Name, cluster)];

    public List<SimProxy> ProxiesOf(SimRegion region) => _proxies[region.Name];

    public int NewProcess() => _processes++;

    /// <summary>Something that happens in one of the next steps, in no particular order.</summary>
    public void Soon(Action action) => _soon.Add(action);

    public void Add(SimConnection connection, Action<byte[]> deliver, Action lost) => _connections.Add((connection, deliver, lost));

    /// <summary>Runs to the end and returns the first violation of SC, and of OSC; empty where there is none.</summary>
    public (IReadOnlyList<Op> Sequential, IReadOnlyList<Op> Ordered) Run()
    {
        for (; Now <= Scenario.Steps; Now++)
        {
            Step();
        }
        var logs = _clusters.ToDictionary(c => c.Key, c => (IReadOnlyList<(string?, bool, int)>)
            [.. c.Value.Log.Select(change => (change.Path, change.ChangesList, change.Write))]);
        return (History.FindCycle(logs, realTime: false), History.FindCycle(logs, realTime: true));
    }

    private void Step()
    {
        var dice = Random.NextDouble();
        if (Scenario.Faults && dice < 0.004)
        {
            Fail();
        }
        else if (dice < 0.3)
        {
            var server = _servers[Random.Next(_servers.Count)];
            if (server.IsBehind && Random.NextDouble() < (server.Cluster.Servers.Contains(server) ? Scenario.HomePace : Scenario.ObserverPace))
            {
                server.ApplyNext();
            }
        }
        else if (dice < 0.45)
        {
            _clients[Random.Next(_clients.Count)].Act();
        }
        else if (dice < 0.47)
        {
            _clients[Random.Next(_clients.Count)].Host?.Session.Tick();
        }
        else if (_soon.Count > 0 && dice < 0.6)
        {
            var next = Random.Next(_soon.Count);
            var action = _soon[next];
            _soon.RemoveAt(next);
            action();
        }
        else if (_connections.Count > 0)
        {
            // A connection with something to do: steps in which nothing can happen teach nothing.
            var start = Random.Next(_connections.Count);
            for (var i = 0; i < _connections.Count; i++)
            {
                var index = (start + i) % _connections.Count;
                var connection = _connections[index].Connection;
                if (connection.IsBroken || connection.Replies.Count > 0 || (connection.Requests.Count > 0 && connection.AnswerAt <= connection.Server!.Applied))
                {
                    if (connection.Lag == 0 || Random.NextDouble() >= connection.Lag)
                    {
                        Move(index);
                    }
                    break;
                }
            }
        }
    }

    private void Move(int index)
    {
        var (connection, deliver, lost) = _connections[index];
        if (connection.IsBroken && connection.Replies.Count == 0)
        {
            if (connection.IsOver)
            {
                _connections.RemoveAt(index);
                connection.Server!.Connections.Remove(connection);
                lost();
                return;
            }
        }
        else if (connection.Replies.Count > 0 && Random.Next(2) == 0)
        {
            var (frame, position) = connection.Replies.Dequeue();
            EventPosition = position;
            deliver(frame);
            EventPosition = -1;
            return;
        }
        if (connection.Requests.Count > 0)
        {
            connection.Server!.Handle(connection);
        }
    }

    private void Fail()
    {
        switch (Random.Next(3))
        {
            case 0 when _connections.Count > 0:
                _connections[Random.Next(_connections.Count)].Connection.Break(Random.Next(2) == 0);
                break;
            case 1:
                _clients[Random.Next(_clients.Count)].Disconnect();
                break;
            default:
                // The region's observer of a cluster is left for the one that stands by: every proxy of the region, and all its links.
                var region = Topology.Regions[Random.Next(Topology.Regions.Count)];
                if (region.Remotes.Count == 0 || Scenario.ObserversPerRemote == 1)
                {
                    break;
                }
                var cluster = Random.Next(region.Remotes.Count) + 1;
                foreach (var (connection, _, _) in _connections)
                {
                    if (ObserversOf(region, region.Remotes[cluster - 1]).Contains(connection.Server!))
                    {
                        connection.Break(Random.Next(2) == 0);
                    }
                }
                foreach (var proxy in ProxiesOf(region))
                {
                    proxy.SwitchObserver(cluster);
                }
                break;
        }
    }

    private SimServer Serve(SimCluster cluster, string address)
    {
        var server = new SimServer(cluster, address);
        _servers.Add(server);
        return server;
    }
}
