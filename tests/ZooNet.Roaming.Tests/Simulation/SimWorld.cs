using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Records;
using ZooNet.Simulation.Checking;

namespace ZooNet.Roaming.Tests.Simulation;

/// <summary>What is left out, to see that the checks find it.</summary>
internal enum Missing
{
    Nothing,
    Seal,
    SealOfTheLastActiveOwner,
    InstallOnce,
    ReadingTheRecordAgain,
    WaitingUntilActive,
    CheckOfTheAppend,
    WaitingBeforeTrimming,
    Barriers,
    SealInBarriers,
    NumbersOfWhatIsSentAgain,
}

/// <summary>Something that must never be.</summary>
internal sealed class ViolationException(string message) : Exception(message);

/// <summary>
/// A tree of three zones and two objects, proxies that sleep, die and steal, ensembles that answer late, twice or not at all: under one
/// seed. What
/// must hold (I1 to I12 of the design) is looked at whenever an ensemble changes; at the end everything is brought to rest and compared.
/// </summary>
internal sealed class SimWorld
{
    public const string Arbiter = "x";
    public static readonly string[] Zones = ["x", "y", "z"];
    public static readonly string[] Objects = ["a", "b"];

    private readonly Dictionary<SimEnsemble, int> _down = [];
    private readonly List<SimClient> _clients = [];
    private readonly List<(SessionName Session, List<(string Name, long Id)> Past, SimProxy Teller)> _ended = [];
    private long _nextId = 1;

    public SimWorld(int seed, Missing missing)
    {
        (Seed, Missing, Random) = (seed, missing, new Random(seed));
        Ensembles = Zones.ToDictionary(z => z, z => new SimEnsemble(z));
        Do(new TreeCreator(Layout, Zones));
        foreach (var name in Objects)
        {
            Do(new Creator(Layout, Arbiter, Zones, name, Zones[Random.Next(3)]));
        }
        foreach (var ensemble in Ensembles.Values)
        {
            ensemble.Changing = (kind, path, before, after) => Truth.Changing(this, ensemble, kind, path, before, after);
        }
        foreach (var zone in (string[])["x", "y", "y", "z"])
        {
            Proxies.Add(new SimProxy(this, zone));
        }
        for (var i = 0; i < 6; i++)
        {
            _clients.Add(new SimClient(this, i, Proxies[i % Proxies.Count]));
        }
    }

    public int Seed { get; }
    public Missing Missing { get; }
    public Random Random { get; }
    public Layout Layout { get; } = new("t");
    public Dictionary<string, SimEnsemble> Ensembles { get; }
    public List<SimProxy> Proxies { get; } = [];
    public History History { get; } = new();
    public SimTruth Truth { get; } = new();
    public int Now { get; private set; }
    public bool IsCalm { get; private set; }
    public int Moves { get; set; }
    public int Snapshots { get; set; }
    public int Acknowledged { get; set; }
    public int Transactions { get; set; }
    public int Trimmed { get; set; }

    /// <summary>What sessions that broke had under way: it may still be carried out.</summary>
    public List<Queue<Ask>> Late { get; } = [];

    public IEnumerable<SimClient> Clients => _clients;

    public long NewId() => (_nextId++ << 20) | (uint)Random.Next(1 << 20);

    public bool OneIn(int n) => Random.Next(n) == 0;

    public bool IsDown(string zone) => _down.TryGetValue(Ensembles[zone], out var until) && until > Now;

    public static void Violation(string text) => throw new ViolationException(text);

    /// <summary>Carries a procedure out at once, past everybody.</summary>
    public T Do<T>(T procedure) where T : Procedure
    {
        foreach (var ask in procedure.Steps())
        {
            if (ask.Kind != AskKind.Applied)
            {
                Ensembles[ask.Zone].ExecuteAll(ask);
            }
        }
        return procedure;
    }

    /// <summary>Runs it.</summary>
    /// <exception cref="ViolationException">What must not be was.</exception>
    public void Run(int steps)
    {
        for (Now = 1; Now <= steps; Now++)
        {
            Step();
        }
        IsCalm = true;
        foreach (var proxy in Proxies.Where(p => !p.IsAlive).ToList())
        {
            Proxies[Proxies.IndexOf(proxy)] = new SimProxy(this, proxy.Zone);
        }
        foreach (var proxy in Proxies)
        {
            proxy.SleepsUntil = 0;
        }
        var end = Now + 60_000;
        for (; !IsAtRest(); Now++)
        {
            if (Now > end)
            {
                Violation("it does not come to rest: " + string.Join("; ", Proxies.SelectMany(p => p.Waiting())));
            }
            Step();
        }
        Truth.CheckAtRest(this);
    }

    private void Step()
    {
        if (!IsCalm && OneIn(150))
        {
            _down[Ensembles[Zones[Random.Next(3)]]] = Now + Random.Next(100);
        }
        if (!IsCalm && OneIn(120))
        {
            Proxies[Random.Next(Proxies.Count)].SleepsUntil = Now + Random.Next(300);
        }
        if (!IsCalm && OneIn(400))
        {
            Kill(Random.Next(Proxies.Count));
        }
        if (!IsCalm && OneIn(4))
        {
            _clients[Random.Next(_clients.Count)].Act();
        }
        var proxy = Proxies[Random.Next(Proxies.Count)];
        if (proxy.SleepsUntil <= Now)
        {
            proxy.Act();
        }
        // What is on its way goes on also while its sender sleeps.
        for (var i = 0; i < 3; i++)
        {
            Proxies[Random.Next(Proxies.Count)].Network();
        }
        CarryOutLate();
    }

    /// <summary>A process dies, and another one takes its place. Its clients go to any proxy; the sessions of some of them are
    /// over.</summary>
    private void Kill(int index)
    {
        var dead = Proxies[index];
        dead.Die();
        Proxies[index] = new SimProxy(this, dead.Zone);
        // Who starts looks for sessions that ended unseen: those whose end the dead process was to tell, and perhaps did.
        var untold = _ended.Where(e => e.Teller == dead).ToList();
        _ended.RemoveAll(e => e.Teller == dead);
        foreach (var (session, past, _) in untold)
        {
            Tell(session, [.. past, .. Objects.SelectMany(n => dead.IdsOf(n).Select(id => (n, id)))], Proxies[index]);
        }
        foreach (var client in _clients.Where(c => c.Proxy == dead))
        {
            var heir = Proxies[Random.Next(Proxies.Count)];
            client.Past.AddRange(Objects.SelectMany(n => dead.IdsOf(n).Select(id => (n, id))));
            if (OneIn(2))
            {
                client.EndSession(heir);
            }
            client.GoTo(heir);
        }
    }

    private void CarryOutLate()
    {
        if (Late.Count == 0 || !OneIn(IsCalm ? 1 : 10))
        {
            return;
        }
        var queue = Late[Random.Next(Late.Count)];
        if (queue.Count == 0 || OneIn(6))
        {
            Late.Remove(queue);
        }
        else if (!IsDown(queue.Peek().Zone))
        {
            Ensembles[queue.Peek().Zone].Execute(queue.Dequeue());
        }
    }

    /// <summary>
    /// A session has ended. Nobody knows what is still on its way of the dead processes that served it, so they are ended first: all of
    /// them, for
    /// who took over from one of them may have died before it did so.
    /// </summary>
    public void Tell(SessionName session, List<(string Name, long Id)> past, SimProxy teller)
    {
        _ended.Add((session, past, teller));
        foreach (var (name, id) in past)
        {
            teller.Send(name, Command.EndProxy(id), null, null);
        }
        foreach (var name in Objects)
        {
            teller.Send(name, Command.EndSession(session), null, null);
        }
    }

    private bool IsAtRest() => Late.Count == 0 && Proxies.TrueForAll(p => p.IsAtRest);

    public string Describe() => $"seed {Seed}, without {Missing}, step {Now}, {Truth.Logs.Sum(l => l.Value.Count)} entries, {Moves} moves";
}
