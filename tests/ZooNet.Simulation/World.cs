using ZooNet.Simulation.Checking;
using ZooNet.Simulation.Clusters;
using ZooNet.Simulation.Federation;

namespace ZooNet.Simulation;

/// <summary>One run: everything that exists, and the seeded choice of what happens next.</summary>
internal sealed class World
{
    /// <summary>After how many steps without news the leader expires a proxy's control session.</summary>
    public const int ControlTimeout = 600;

    private readonly Dictionary<string, SimCluster> _clusters = [];
    private readonly Dictionary<(string Region, string Cluster), List<SimServer>> _observers = [];
    private readonly Dictionary<string, List<SimProxy>> _proxies = [];
    private readonly List<SimServer> _servers = [];
    private readonly List<SimClient> _clients = [];
    private readonly List<(SimConnection Connection, Action<byte[]> Deliver, Action Lost)> _connections = [];
    private readonly List<Action> _soon = [];
    private readonly PriorityQueue<Action, int> _later = new();
    private readonly List<string> _notes = [];
    private long _barriersOfTheDead;
    private int _processes;
    private int _proxyIds;

    public World(Scenario scenario, int seed)
    {
        Scenario = scenario;
        Random = new Random(seed);
        Topology = scenario.Topology.Name == "random" ? Topology.Random(Random) : scenario.Topology;
        foreach (var name in Topology.Clusters)
        {
            var cluster = new SimCluster(name);
            _clusters.Add(name, cluster);
            for (var i = 0; i < scenario.HomeServers; i++)
            {
                cluster.Servers.Add(Serve(cluster, $"{name}{i}"));
            }
        }
        foreach (var region in Topology.Regions)
        {
            foreach (var remote in region.Remotes)
            {
                ObserversOf(region, remote);
            }
        }
        foreach (var cluster in _clusters.Values)
        {
            for (var key = 0; key < scenario.Keys && (!scenario.AllOperations || scenario.Writes == 0); key++)
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
            _proxies.Add(region.Name, []);
            for (var i = 0; i < scenario.ProxiesPerRegion; i++)
            {
                Start(region);
            }
            for (var i = 0; i < scenario.ClientsPerRegion; i++)
            {
                _clients.Add(new SimClient(this, region, NewProcess()));
            }
            foreach (var remote in region.Remotes.Where(_ => scenario.Changes && Random.Next(3) > 0))
            {
                _clusters[region.Home].Commit("mounts", remote, new TableEntry(TableState.Joining));
            }
        }
    }

    public Scenario Scenario { get; }
    public Topology Topology { get; }
    public Random Random { get; }
    public History History { get; } = new();
    public bool IsPreparing { get; private set; }
    public int Now { get; private set; } = 1;
    public long Reads { get; set; }

    /// <summary>How many clients there are.</summary>
    public int ClientCount => _clients.Count;

    /// <summary>How often a proxy found itself free of barriers beside others of its region.</summary>
    public long AgreedCopies { get; set; }
    public long Barriers => _proxies.Values.SelectMany(p => p).Sum(p => p.Barriers) + _barriersOfTheDead;

    /// <summary>What happened to mounts and proxies, for whoever must understand a failure.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>How many mounts came into use, and how many have left.</summary>
    public (int Joined, int Left) MountChanges => (_notes.Count(n => n.Contains(" uses ", StringComparison.Ordinal)), _notes.Count(n => n.Contains(" has left ", StringComparison.Ordinal)));

    /// <summary>Where the server stood that sent the event being delivered; -1 in between.</summary>
    public long EventPosition { get; private set; } = -1;

    public IReadOnlyList<SimServer> HomeServers(string cluster) => _clusters[cluster].Servers;

    public SimCluster Cluster(string name) => _clusters[name];

    /// <summary>
    /// A region's observers of a cluster. They come to be when they are first needed, and may be as far behind as they like.
    /// </summary>
    public List<SimServer> ObserversOf(SimRegion region, string cluster)
    {
        if (!_observers.TryGetValue((region.Name, cluster), out var observers))
        {
            observers = [.. Enumerable.Range(0, Scenario.ObserversPerRemote).Select(i => Serve(_clusters[cluster], $"{cluster}@{region.Name}{i}"))];
            _observers.Add((region.Name, cluster), observers);
        }
        return observers;
    }

    /// <summary>Some server of a cluster that a proxy's control link may be at: any of the cluster's own, or an observer.</summary>
    public SimServer AnyServerOf(SimProxy proxy, string cluster)
    {
        var own = _clusters[cluster].Servers;
        if (cluster == proxy.Place.Home)
        {
            return own[Random.Next(own.Count)];
        }
        var observers = ObserversOf(proxy.Place, cluster);
        var choice = Random.Next(own.Count + observers.Count);
        return choice < own.Count ? own[choice] : observers[choice - own.Count];
    }

    public List<SimProxy> ProxiesOf(SimRegion region) => _proxies[region.Name];

    /// <summary>The connections of clients that a proxy has.</summary>
    public IEnumerable<SimHost> HostsOf(SimProxy proxy) => _clients.Select(c => c.Host).OfType<SimHost>().Where(h => h.Proxy == proxy);

    public string NewProxyId() => $"p{_proxyIds++}";

    public void Note(string what) => _notes.Add($"{Now}: {what}");

    public int NewProcess() => _processes++;

    /// <summary>Something that happens in one of the next steps, in no particular order.</summary>
    public void Soon(Action action) => _soon.Add(action);

    public void Add(SimConnection connection, Action<byte[]> deliver, Action lost) => _connections.Add((connection, deliver, lost));

    /// <summary>Runs to the end and returns the first violation of SC, and of OSC; empty where there is none.</summary>
    public (IReadOnlyList<Op> Sequential, IReadOnlyList<Op> Ordered) Run()
    {
        if (Scenario.Changes)
        {
            Prepare();
        }
        for (; Now <= Scenario.Steps; Now++)
        {
            Step();
        }
        var logs = _clusters.ToDictionary(c => c.Key, c => (IReadOnlyList<(string?, bool, int)>)
            [.. c.Value.Log.Select(change => (change.Key, change.ChangesList, change.Write))]);
        return (History.FindCycle(logs, realTime: false), History.FindCycle(logs, realTime: true));
    }

    /// <summary>The control planes get a start of random length, so that clients find some of the first mounts in use.</summary>
    private void Prepare()
    {
        IsPreparing = true;
        for (var rest = Random.Next(120 * _proxies.Values.Sum(p => p.Count)); rest > 0; rest--)
        {
            var server = _servers[Random.Next(_servers.Count)];
            while (server.IsBehind)
            {
                server.ApplyNext();
            }
            var proxies = ProxiesOf(Topology.Regions[Random.Next(Topology.Regions.Count)]);
            proxies[Random.Next(proxies.Count)].Control!.Step(Random.Next(8) == 0);
        }
        IsPreparing = false;
    }

    private void Step()
    {
        if (Scenario.Changes)
        {
            Change();
        }
        var dice = Random.NextDouble();
        if ((Scenario.Faults || Scenario.OnlyFault is not null) && dice < Scenario.FaultRate)
        {
            Fail();
        }
        else if (dice < 0.3)
        {
            var server = _servers[Random.Next(_servers.Count)];
            if (server.IsBehind && Random.NextDouble() < (server.Cluster.Servers.Contains(server) ? Scenario.HomePace : Scenario.ObserverPace))
            {
                do
                {
                    server.ApplyNext();
                }
                while (Scenario.Changes && server.IsBehind && Random.Next(4) > 0);
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
                if (connection.IsBroken || connection.Replies.Count > 0 || (connection.Requests.Count > 0 && connection.AnswerAt == 0))
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
        switch (Scenario.OnlyFault ?? (Fault)Random.Next(3))
        {
            case Fault.LinkLost when _connections.Count > 0:
                _connections[Random.Next(_connections.Count)].Connection.Break(Random.Next(2) == 0);
                break;
            case Fault.ClientLost:
                _clients[Random.Next(_clients.Count)].Disconnect();
                break;
            case Fault.ObserverLeft:
                SwitchObserver(Topology.Regions[Random.Next(Topology.Regions.Count)]);
                break;
        }
    }

    /// <summary>An observer is left for the one that stands by.</summary>
    private void SwitchObserver(SimRegion region)
    {
        var proxies = ProxiesOf(region);
        if (Scenario.ObserversPerRemote == 1 || proxies.Count == 0 || proxies[0].Region.ClusterCount == 1)
        {
            return;
        }
        var cluster = Random.Next(1, proxies[0].Region.ClusterCount);
        if (Scenario.Changes)
        {
            // Each proxy for itself; the connections to the old one stay, for it need not know that it was left.
            proxies[Random.Next(proxies.Count)].SwitchObserver(cluster);
            return;
        }
        // Every proxy of the region, and all its links: what the proxies read through stays one copy.
        var observers = ObserversOf(region, region.Remotes[cluster - 1]);
        foreach (var (connection, _, _) in _connections)
        {
            if (observers.Contains(connection.Server!))
            {
                connection.Break(Random.Next(2) == 0);
            }
        }
        foreach (var proxy in proxies)
        {
            proxy.SwitchObserver(cluster);
        }
    }

    /// <summary>The control planes' share of a step: time passes, commands come, proxies start, die and are cut off.</summary>
    private void Change()
    {
        while (_later.TryPeek(out var action, out var at) && at <= Now)
        {
            _later.Dequeue();
            action();
        }
        if (Now % 16 == 0)
        {
            ExpireSessions();
        }
        var region = Topology.Regions[Random.Next(Topology.Regions.Count)];
        var proxies = ProxiesOf(region);
        var dice = Random.NextDouble();
        if (dice < 0.35)
        {
            if (proxies.Count > 0)
            {
                proxies[Random.Next(proxies.Count)].Control!.Step(keep: dice < 0.15);
            }
        }
        else if (dice < 0.351)
        {
            Command(region);
        }
        else if (Scenario.Faults && dice < 0.3513)
        {
            if (proxies.Count == Scenario.ProxiesPerRegion || (proxies.Count > 0 && Random.Next(2) == 0))
            {
                Kill(region, proxies[Random.Next(proxies.Count)]);
            }
            if (proxies.Count == 0 || Random.Next(2) == 0)
            {
                Start(region);
            }
        }
        else if (Scenario.Faults && dice < 0.3516 && proxies.Count > 0)
        {
            CutOff(region, proxies[Random.Next(proxies.Count)]);
        }
    }

    private void ExpireSessions()
    {
        foreach (var cluster in _clusters.Values)
        {
            foreach (var id in cluster.Heard.Where(h => Now - h.Value > ControlTimeout).Select(h => h.Key).ToList())
            {
                cluster.Heard.Remove(id);
                cluster.Commit("live", id, null);
                Note($"{id} has expired");
            }
        }
    }

    private void Command(SimRegion region)
    {
        var home = _clusters[region.Home];
        var remote = Topology.Clusters[Random.Next(_clusters.Count)];
        if (remote == region.Home)
        {
            return;
        }
        var entry = home.Head.Record("mounts", remote) as TableEntry;
        if (entry is not { State: TableState.Leaving })
        {
            home.Commit("mounts", remote, new TableEntry(entry is null ? TableState.Joining : TableState.Leaving));
            Note($"{region.Name} is to {(entry is null ? "mount" : "unmount")} {remote}");
        }
    }

    private void Start(SimRegion region) => _proxies[region.Name].Add(new SimProxy(this, region, Scenario));

    private void Kill(SimRegion region, SimProxy proxy)
    {
        Note($"a proxy of {region.Name} dies");
        foreach (var client in _clients.FindAll(c => c.Host?.Proxy == proxy))
        {
            client.Disconnect();
        }
        ProxiesOf(region).Remove(proxy);
        _barriersOfTheDead += proxy.Barriers;
    }

    private void CutOff(SimRegion region, SimProxy proxy)
    {
        var healed = Now + Random.Next(50, 3 * ControlTimeout);
        if (Random.Next(2) == 0)
        {
            Note($"a control plane of {region.Name} is cut off from home until {healed}");
            proxy.Control!.IsCutOff = true;
            _later.Enqueue(() => proxy.Control.IsCutOff = false, healed);
            return;
        }
        var cluster = proxy.Region.ClusterNames[Random.Next(proxy.Region.ClusterCount)];
        Note($"a proxy of {region.Name} is cut off from {cluster} until {healed}");
        proxy.CutOff.Add(cluster);
        _later.Enqueue(() => proxy.CutOff.Remove(cluster), healed);
        foreach (var link in HostsOf(proxy).SelectMany(h => h.Session.Links).Where(l => proxy.Region.ClusterNames[l.Cluster] == cluster))
        {
            (link.Transport as SimLink)?.Connection?.Break(Random.Next(2) == 0);
        }
    }

    private SimServer Serve(SimCluster cluster, string address)
    {
        var server = new SimServer(cluster, address);
        _servers.Add(server);
        return server;
    }
}
