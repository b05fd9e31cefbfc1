using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

/// <summary>
/// A federation of control planes under one seed: folders of records in clusters, mount tables, and proxies that take one
/// small step at a time in any order, start, die and come back. It checks after every step what the data path relies on.
/// </summary>
internal sealed class ActivationWorld
{
    private static readonly string[] Servers = ["s0:2181", "s1:2181"];

    private readonly Random _random;
    private readonly string[] _clusters;
    private readonly Dictionary<string, Dictionary<string, ViewRecord>> _folders;
    private readonly List<Region> _regions = [];
    private int _ids;

    public ActivationWorld(int seed, int regions, int proxiesPerRegion)
    {
        _random = new Random(seed);
        _clusters = [.. Enumerable.Range(0, regions).Select(i => $"c{i}")];
        _folders = _clusters.ToDictionary(c => c, _ => new Dictionary<string, ViewRecord>());
        for (var i = 0; i < regions; i++)
        {
            var region = new Region($"r{i}", _clusters[i]);
            for (var j = 0; j < proxiesPerRegion; j++)
            {
                Start(region);
            }
            _regions.Add(region);
        }
    }

    internal enum Mutation
    {
        None,
        UseWithoutAcknowledgements,
        ForgetAtOnce,
        AcknowledgeBeforeApplying,
        OwnPairsOnly,
        UseBeforeAdmitted,
        TrustCopies,
        ReadAtOnce,
        PublishAtOnce,
    }

    public Mutation Broken { get; init; }

    /// <summary>
    /// Whether proxies read each mounted cluster through one of two servers, and leave it for the other, or for none, whenever they
    /// like.
    /// </summary>
    public bool ChoosesServers { get; init; }

    /// <summary>How often several proxies of a region read mounts without coupling everything, for they read one copy.</summary>
    public int SharedCopies { get; private set; }

    /// <summary>Mounts that went into use.</summary>
    public int Activations { get; private set; }

    /// <summary>Mounts that were forgotten after they had left.</summary>
    public int Drops { get; private set; }

    /// <summary>Runs; returns what was violated first, or null.</summary>
    public string? Run(int steps, bool changes = true)
    {
        for (var i = 0; i < steps; i++)
        {
            var error = Step(changes) ?? Check();
            if (error is not null)
            {
                return $"step {i}: {error}";
            }
        }
        return null;
    }

    /// <summary>Goes on without new commands and without faults until every command is carried out; false where it does not end.</summary>
    public bool Settles()
    {
        foreach (var region in _regions.Where(r => r.Proxies.Count == 0))
        {
            Start(region);
        }
        for (var i = 0; i < 400; i++)
        {
            foreach (var proxy in _regions.SelectMany(r => r.Proxies).ToList())
            {
                for (var stage = 0; stage < 12; stage++)
                {
                    Turn(proxy);
                }
            }
            if (_regions.All(r => r.Table.Values.All(state => state == TableState.Active) && _folders[r.Home].GetValueOrDefault(r.Name) is { } own
                && own.Mounts.All(m => m.State == PublishedState.Active) && own.Mounts.Count == r.Table.Count
                && r.Proxies.All(p => p.Machine.NotAcknowledged().Count == 0 && p.InUse.Count == r.Table.Count)))
            {
                return true;
            }
        }
        return false;
    }

    public int UsedEdges => _regions.Sum(r => r.Table.Count(entry => entry.Value == TableState.Active));

    private string? Step(bool changes)
    {
        var region = _regions[_random.Next(_regions.Count)];
        if (changes && _random.Next(ChoosesServers ? 400 : 40) == 0)
        {
            Command(region);
        }
        else if (changes && _random.Next(ChoosesServers ? 600 : 60) == 0)
        {
            if (region.Proxies.Count > 1 || _random.Next(2) == 0)
            {
                Kill(region);
            }
            if (region.Proxies.Count == 0 || _random.Next(2) == 0)
            {
                Start(region);
            }
        }
        else if (region.Proxies.Count > 0)
        {
            var proxy = region.Proxies[_random.Next(region.Proxies.Count)];
            if (changes && ChoosesServers && _random.Next(60) == 0)
            {
                var cluster = _clusters[_random.Next(_clusters.Length)];
                proxy.Wanted[cluster] = _random.Next(4) == 0 ? "" : Servers[_random.Next(2)];
            }
            // Now and then one takes ages to go on.
            proxy.Stalled = proxy.Stalled > 0 ? proxy.Stalled - 1 : _random.Next(100) == 0 ? _random.Next(100) : 0;
            return changes && ChoosesServers && proxy.Stalled > 0 ? null : Turn(proxy);
        }
        return null;
    }

    private void Command(Region region)
    {
        var remote = _clusters[_random.Next(_clusters.Length)];
        if (remote == region.Home)
        {
            return;
        }
        if (!region.Table.TryGetValue(remote, out var state))
        {
            region.Table[remote] = TableState.Joining;
        }
        else if (state == TableState.Active)
        {
            region.Table[remote] = TableState.Leaving;
        }
    }

    private void Start(Region region)
    {
        var id = $"p{_ids++}";
        region.Live.Add(id);
        region.Proxies.Add(new Proxy(region, new MountActivation(region.Name, region.Home, id), id));
    }

    private void Kill(Region region)
    {
        if (region.Proxies.Count == 0)
        {
            return;
        }
        var proxy = region.Proxies[_random.Next(region.Proxies.Count)];
        region.Proxies.Remove(proxy);
        region.Live.Remove(proxy.Id);
    }

    // One small step of a proxy's driver; the stages follow each other, and anything may happen between two of them.
    private string? Turn(Proxy proxy)
    {
        var machine = proxy.Machine;
        var region = proxy.Region;
        switch (proxy.Stage++)
        {
            case 0:
                var clusters = machine.Clusters.ToArray();
                proxy.Cluster = clusters[_random.Next(clusters.Length)];
                proxy.Scan = machine.BeginScan(proxy.Cluster);
                break;
            case 1:
                // Not one snapshot: some records are read before others.
                proxy.Found.Clear();
                proxy.Found.AddRange(_folders[proxy.Cluster].Values.Where(_ => _random.Next(2) == 0));
                break;
            case 2:
                proxy.Found.AddRange(_folders[proxy.Cluster].Values.Where(r => !proxy.Found.Exists(f => f.View == r.View)));
                var there = _regions.Find(r => r.Home == proxy.Cluster);
                machine.EndScan(proxy.Scan!, proxy.Found, there is null || there == region ? null : [.. there.Live]);
                break;
            case 3:
                var cluster = machine.Clusters.ElementAt(_random.Next(machine.Clusters.Count()));
                foreach (var record in machine.ToStore(cluster))
                {
                    if (record.IsNewerThan(_folders[cluster].GetValueOrDefault(record.View)))
                    {
                        _folders[cluster][record.View] = record;
                    }
                    machine.Stored(cluster, _folders[cluster][record.View]);
                }
                break;
            case 4:
                if (ChoosesServers)
                {
                    machine.Copies.Omissions = new()
                    {
                        TrustsCopies = Broken == Mutation.TrustCopies,
                        ReadsAtOnce = Broken == Mutation.ReadAtOnce,
                        PublishesAtOnce = Broken == Mutation.PublishAtOnce,
                    };
                    proxy.Wishes = _clusters.Where(c => c != region.Home).Select(c => (Cluster: c, Server: proxy.Wanted.GetValueOrDefault(c, Servers[0])))
                        .Where(wish => wish.Server.Length > 0).ToDictionary(wish => wish.Cluster, wish => wish.Server);
                    machine.WantToRead(proxy.Wishes);
                }
                proxy.Directive = machine.Decide(region.Table.Where(entry => entry.Value == TableState.Active).Select(entry => (entry.Key, "/x")));
                if (Broken == Mutation.AcknowledgeBeforeApplying)
                {
                    machine.Confirm(proxy.Directive);
                }
                break;
            case 5:
                if (Broken == Mutation.AcknowledgeBeforeApplying && _random.Next(2) == 0)
                {
                    break;
                }
                return Apply(proxy);
            case 6:
                proxy.HomeScan = machine.BeginScan(region.Home);
                proxy.OwnFound = _folders[region.Home].GetValueOrDefault(region.Name);
                proxy.TableFound = [.. region.Table.Select(entry => new ViewMount(entry.Key, "/x", entry.Value switch
                {
                    TableState.Joining => PublishedState.Joining,
                    TableState.Active => PublishedState.Active,
                    _ => PublishedState.Leaving,
                }))];
                break;
            case 7:
                proxy.LiveFound = [.. region.Live];
                machine.EndScan(proxy.HomeScan!, _folders[region.Home].Values);
                break;
            case 8:
                return Propose(proxy);
            default:
                proxy.Stage = 0;
                SeeThrough(proxy);
                break;
        }
        return null;
    }

    private string? Apply(Proxy proxy)
    {
        var directive = proxy.Directive!;
        var joins = directive.Usable.Select(u => u.Cluster).Any(c => !proxy.InUse.Contains(c));
        proxy.Coupled = directive.Coupled;
        proxy.Heard = directive.Servers ?? proxy.Wishes;
        proxy.InUse.Clear();
        proxy.InUse.UnionWith((Broken == Mutation.UseBeforeAdmitted ? directive.Usable.Concat(directive.Blocked) : directive.Usable).Select(u => u.Cluster));
        proxy.Machine.Confirm(directive);
        return joins && !directive.Fresh ? $"{proxy.Region.Name} uses a new mount without demanding fresh barriers" : null;
    }

    private string? Propose(Proxy proxy)
    {
        var home = _folders[proxy.Region.Home];
        var found = home.GetValueOrDefault(proxy.Region.Name);
        if (!ReferenceEquals(found, proxy.OwnFound) || proxy.Machine.Propose(proxy.HomeScan!, proxy.OwnFound, proxy.LiveFound, proxy.TableFound) is not { } proposed)
        {
            return null;
        }
        if (Broken == Mutation.ForgetAtOnce)
        {
            proposed = proposed with { Mounts = [.. proposed.Mounts.Where(m => m.State != PublishedState.Left)] };
        }
        var dropped = proxy.OwnFound?.Mounts.Any(m => m.State is PublishedState.Leaving or PublishedState.Left
            && proposed.Mounts.All(n => n.Cluster != m.Cluster || n.State == PublishedState.Forgotten)) == true;
        home[proxy.Region.Name] = proposed;
        proxy.Machine.Stored(proxy.Region.Home, proposed);
        if (dropped)
        {
            Drops++;
            // The cut: whoever can have read through what is forgotten, or can have read what was written by those who
            // did, is coupled at this moment.
            var graph = new InterestGraph(_regions.Select(r => Used(r, [.. r.Proxies.SelectMany(p => p.InUse), .. r.Name == proxy.Region.Name ? proxy.OwnFound!.Mounts.Select(m => m.Cluster) : []])));
            var part = graph.ComponentOf(proxy.Region.Name);
            var free = _regions.Where(r => part.Contains(r.Name)).SelectMany(r => r.Proxies).FirstOrDefault(p => !p.Coupled);
            if (free is not null)
            {
                return $"{proxy.Region.Name} forgets a mount while {free.Id} of {free.Region.Name} is not coupled";
            }
        }
        return null;
    }

    private void SeeThrough(Proxy proxy)
    {
        var region = proxy.Region;
        foreach (var (remote, state) in region.Table.ToList())
        {
            if (state == TableState.Joining && proxy.Machine.IsReady)
            {
                var waiting = proxy.Machine.WaitingToJoin(remote, "/x");
                var enough = Broken switch
                {
                    Mutation.UseWithoutAcknowledgements => proxy.Machine.Own!.Mounts.Any(m => m.Cluster == remote),
                    Mutation.OwnPairsOnly => !waiting.Any(w => w.StartsWith("region", StringComparison.Ordinal) || w.EndsWith(region.Name, StringComparison.Ordinal)),
                    _ => waiting.Count == 0,
                };
                if (enough)
                {
                    region.Table[remote] = TableState.Active;
                    Activations++;
                }
            }
            else if (state == TableState.Leaving && proxy.Machine.WaitingToLeave(remote, "/x").Count == 0)
            {
                region.Table.Remove(remote);
            }
        }
    }

    // What must never happen: the mounts in use close a cycle through a view one of whose proxies does not count it.
    private string? Check()
    {
        var graph = new InterestGraph(_regions.Select(r => Used(r, r.Proxies.SelectMany(p => p.InUse))));
        foreach (var region in _regions)
        {
            // Two proxies that read through mounts are two copies of what is mounted.
            var users = region.Proxies.FindAll(p => p.InUse.Count > 0);
            if (users.Count > 1 && users.Find(p => !p.Coupled) is { } alone)
            {
                if (ChoosesServers)
                {
                    if (users.Find(p => Differ(p, alone)) is { } other)
                    {
                        return $"{alone.Id} of {region.Name} is not coupled, and {other.Id} reads another copy of what it reads";
                    }
                    SharedCopies++;
                    continue;
                }
                return $"{alone.Id} of {region.Name} reads as if it were alone, and {users.Count} proxies read through mounts";
            }
            if (graph.IsOnCycle(region.Name) && region.Proxies.Find(p => !p.Coupled) is { } free)
            {
                return $"{free.Id} of {region.Name} is not coupled on the cycle {string.Join("-", graph.CycleThrough(region.Name)!)}";
            }
        }
        return null;
    }

    private static bool Differ(Proxy one, Proxy other) => one.InUse.Intersect(other.InUse)
        .Any(c => one.Heard.GetValueOrDefault(c, "") is { Length: > 0 } its && other.Heard.GetValueOrDefault(c, "") is { Length: > 0 } others && its != others);

    private static ViewRecord Used(Region region, IEnumerable<string> clusters) => Views.View(region.Name, region.Home, [.. clusters.Distinct()]);

    private enum TableState
    {
        Joining,
        Active,
        Leaving,
    }

    private sealed class Region(string name, string home)
    {
        public string Name { get; } = name;
        public string Home { get; } = home;
        public Dictionary<string, TableState> Table { get; } = [];
        public HashSet<string> Live { get; } = [];
        public List<Proxy> Proxies { get; } = [];
    }

    private sealed class Proxy(Region region, MountActivation machine, string id)
    {
        public Region Region { get; } = region;
        public MountActivation Machine { get; } = machine;
        public string Id { get; } = id;
        public int Stage { get; set; }
        public string Cluster { get; set; } = "";
        public FolderScan? Scan { get; set; }
        public FolderScan? HomeScan { get; set; }
        public List<ViewRecord> Found { get; } = [];
        public ViewRecord? OwnFound { get; set; }
        public List<ViewMount> TableFound { get; set; } = [];
        public List<string> LiveFound { get; set; } = [];
        public Directive? Directive { get; set; }
        public bool Coupled { get; set; } = true;
        public HashSet<string> InUse { get; } = [];
        public Dictionary<string, string> Wanted { get; } = [];
        public IReadOnlyDictionary<string, string> Wishes { get; set; } = new Dictionary<string, string>();
        public IReadOnlyDictionary<string, string> Heard { get; set; } = new Dictionary<string, string>();
        public int Stalled { get; set; }
    }
}
