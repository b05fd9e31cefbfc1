using ZooNet.Protocol;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Simulation.Checking;

namespace ZooNet.Roaming.Tests.Simulation;

/// <summary>
/// A proxy as its host will be: it follows the logs, sends what its clients want, answers them from its copies, steals, finishes,
/// snapshots and
/// trims. Requests to an ensemble go through one session in order; when it breaks, what was on its way may still be carried out, late.
/// </summary>
internal sealed class SimProxy
{
    private sealed record Flight(Ask Ask, Action Done)
    {
        public bool IsExecuted { get; set; }
    }

    private sealed class Shared(string name)
    {
        public string Name => name;
        public Follower Follower { get; } = new(name);
        public required Sender Sender { get; init; }
        public long Lane { get; set; }
        public int InFlight { get; set; }

        /// <summary>The epoch whose zone refused an append: nothing is sent before a later one is known.</summary>
        public long Refused { get; set; }
        public bool Locating { get; set; }
        public bool Moving { get; set; }
        public bool Keeping { get; set; }
        public bool Loading { get; set; }
        public long SnapshotAt { get; set; }
        public bool Transacting { get; set; }

        /// <summary>What was running when the last barrier, or write, that is over began.</summary>
        public long Covered { get; set; } = -1;
        public long BarrierBegan { get; set; } = -1;
        public long? BarrierIndex { get; set; }
        public List<(SimClient Client, Op Op)> Reads { get; } = [];
        public List<long> Ids { get; } = [];
    }

    private readonly SimWorld _world;
    private readonly Dictionary<string, Shared> _objects;
    private readonly Dictionary<string, Queue<Flight>> _sessions = SimWorld.Zones.ToDictionary(z => z, _ => new Queue<Flight>());
    private int _procedures;

    public SimProxy(SimWorld world, string zone)
    {
        (_world, Zone) = (world, zone);
        _objects = SimWorld.Objects.ToDictionary(n => n, n => new Shared(n)
        {
            Sender = new Sender(zone, world.NewId(), 0),
            Lane = world.NewId()
        });
        foreach (var shared in _objects.Values)
        {
            shared.Ids.AddRange([shared.Sender.Proxy, shared.Lane]);
        }
    }

    public string Zone { get; }
    public bool IsAlive { get; private set; } = true;
    public int SleepsUntil { get; set; }

    /// <summary>How many entries it has applied, of all objects: the position of what its clients have seen.</summary>
    public long Running { get; private set; }

    public bool IsAtRest => _procedures == 0 && _objects.Values.All(o => o.Sender.Count == 0 && o.Reads.Count == 0
        && o.Follower.Copy.Index == _world.Truth.Logs[o.Name].Count);

    public IEnumerable<string> Waiting() => _objects.Values.Select(o =>
        $"{Zone} {o.Name}: {o.Sender.Count} commands, {o.Reads.Count} reads, "
        + $"{o.Follower.Copy.Index} of {_world.Truth.Logs[o.Name].Count}, {_procedures} procedures");

    public ObjectCopy CopyOf(string name) => _objects[name].Follower.Copy;

    public IEnumerable<long> IdsOf(string name) => _objects[name].Ids;

    /// <summary>A frontier that only a barrier that begins later covers.</summary>
    public long Unknown() => ++Running;

    public void Die()
    {
        IsAlive = false;
        foreach (var session in _sessions.Values)
        {
            Break(session, tell: false);
        }
    }

    public void Send(string name, Command command, SimClient? client, Op? op)
    {
        var shared = _objects[name];
        if (!shared.Sender.TryAdd(command, client is null ? null : (client, op!, Running)))
        {
            SimWorld.Violation("the queue is full");
        }
    }

    public void Read(string name, SimClient client, Op op) => _objects[name].Reads.Add((client, op));

    /// <summary>Writes to both objects at once, if both are here and nothing else is on its way; else it fetches them.</summary>
    public bool TryTransaction(SimClient client, Op op)
    {
        var both = SimWorld.Objects.Select(n => _objects[n]).ToList();
        if (_pendingTransactions.Count > 0 || both.Exists(o => o.Sender.Count > 0 || o.Transacting || o.Follower.Location is null))
        {
            return false;
        }
        if (both.Exists(o => o.Follower.Location!.Zone != both[0].Follower.Location!.Zone))
        {
            Start(new Gatherer(_world.Layout, SimWorld.Arbiter, Zone, SimWorld.Objects), _ => { });
            return false;
        }
        var parts = new List<TransactionPart>();
        foreach (var shared in both)
        {
            var copy = shared.Follower.Copy;
            if (shared.Follower.Next(out _, out var place) != Need.Entry || place.Epoch != shared.Follower.Location!.Epoch)
            {
                return false;
            }
            var command = copy.Tree.Find("/t") is { } node ? SmallTree.Set("/t", "", node.Version) : SmallTree.Create("/t", "");
            if (!copy.Takes(shared.Lane, 0))
            {
                shared.Lane = _world.NewId();
                shared.Ids.Add(shared.Lane);
            }
            var number = copy.AppliedOf(shared.Lane) + 1;
            _world.Truth.Sent(shared.Name, shared.Lane, number, op.Id);
            parts.Add(new TransactionPart(shared.Name, shared.Follower.Location!, place,
                new Entry(Zone, shared.Lane, copy.Index, number, _world.Now, [command with { Session = client.Session }])));
        }
        both.ForEach(o => o.Transacting = true);
        Start(new Transaction(_world.Layout, parts), procedure =>
        {
            both.ForEach(o => o.Transacting = false);
            if (procedure.End != End.Done)
            {
                // Refused it had no effect; without an answer nobody knows, and its numbers are not used again.
                both.ForEach(o => o.Ids.Add(o.Lane = _world.NewId()));
                client.TransactionDone(op, known: false);
                return;
            }
            // It is in the logs: the copies have it when they have come so far.
            _pendingTransactions.Add((client, op, parts));
        });
        return true;
    }

    private readonly List<(SimClient Client, Op Op, List<TransactionPart> Parts)> _pendingTransactions = [];

    /// <summary>One thing that a proxy does.</summary>
    public void Act()
    {
        var shared = _objects[SimWorld.Objects[_world.Random.Next(2)]];
        switch (_world.Random.Next(8))
        {
            case < 3:
                Pull(shared);
                break;
            case < 5:
                Push(shared);
                break;
            case 5:
                Answer(shared);
                break;
            case 6:
                Network();
                break;
            default:
                Keep(shared);
                break;
        }
    }

    /// <summary>Something happens to one of its sessions.</summary>
    public void Network()
    {
        var zone = SimWorld.Zones[_world.Random.Next(3)];
        var session = _sessions[zone];
        if (session.Count == 0)
        {
            return;
        }
        if (!_world.IsCalm && _world.OneIn(25))
        {
            Break(session, tell: true);
            return;
        }
        if (!_world.IsDown(zone) && session.FirstOrDefault(f => !f.IsExecuted) is { } next && _world.OneIn(2))
        {
            _world.Ensembles[zone].Execute(next.Ask);
            next.IsExecuted = true;
        }
        // A process that sleeps reads no answers.
        if (SleepsUntil <= _world.Now && session.Peek().IsExecuted)
        {
            session.Dequeue().Done();
        }
    }

    private void Break(Queue<Flight> session, bool tell)
    {
        var flights = session.ToList();
        session.Clear();
        var late = new Queue<Ask>(flights.Where(f => !f.IsExecuted && f.Ask.Kind == AskKind.Write).Select(f => Ask.Write(f.Ask.Zone,
            f.Ask.Writes)));
        if (late.Count > 0)
        {
            _world.Late.Add(late);
        }
        foreach (var flight in tell ? flights : [])
        {
            flight.Ask.Error = ErrorCode.ConnectionLoss;
            flight.Done();
        }
    }

    private void Issue(Ask ask, Action done)
    {
        // What follows it is on its way, and may be lost, as a request of its own.
        foreach (var (i, each) in ask.Then.Prepend(ask).Index())
        {
            _sessions[ask.Zone].Enqueue(new Flight(each, () =>
            {
                if (IsAlive && i == ask.Then.Count)
                {
                    done();
                }
            }));
        }
    }

    private void Start(Procedure procedure, Action<Procedure> done)
    {
        _procedures++;
        var steps = procedure.Steps().GetEnumerator();
        Go();

        void Go()
        {
            while (true)
            {
                if (!steps.MoveNext())
                {
                    _procedures--;
                    done(procedure);
                    return;
                }
                if (steps.Current.Kind != AskKind.Applied)
                {
                    Issue(steps.Current, Go);
                    return;
                }
            }
        }
    }

    /// <summary>Reads on in a log, as far as it likes.</summary>
    private void Pull(Shared shared)
    {
        for (var i = _world.Random.Next(6); i >= 0; i--)
        {
            var copy = shared.Follower.Copy;
            var need = shared.Follower.Next(out var zone, out var place);
            if (need == Need.Location)
            {
                Locate(shared);
                return;
            }
            if (need == Need.Snapshot)
            {
                Load(shared);
                return;
            }
            if (_world.Ensembles[zone].DataOf(_world.Layout.Entry(shared.Name, place.Epoch, place.Number)) is not { } data)
            {
                var log = _world.Ensembles[zone].DataOf(_world.Layout.Log(shared.Name, place.Epoch));
                if (log is null || LogRecord.Read("", log).Below > place.Number)
                {
                    Load(shared);
                }
                // Nothing more here for now; or sealed, and the object goes on elsewhere.
                if (log is null || _world.OneIn(5) || _world.IsCalm)
                {
                    Locate(shared);
                }
                return;
            }
            _world.Truth.Applying(shared.Name, copy);
            var outcomes = copy.Apply(Entry.Read("", data));
            Running++;
            _world.Truth.Applied(shared.Name, copy);
            foreach (var outcome in outcomes)
            {
                if (shared.Sender.Applied(outcome, out var tag) && tag is (SimClient client, Op op, long began))
                {
                    // A write shows that everything committed before it began is here.
                    shared.Covered = Math.Max(shared.Covered, began);
                    client.Written(op, shared.Name, outcome);
                }
            }
            foreach (var done in _pendingTransactions.Where(t => t.Parts.TrueForAll(p => IsPast(p))).ToList())
            {
                _pendingTransactions.Remove(done);
                done.Client.TransactionDone(done.Op, known: true);
            }
        }
    }

    private bool IsPast(TransactionPart part)
    {
        var next = _objects[part.Name].Follower.Copy.Next;
        return next.Epoch > part.Next.Epoch || (next.Epoch == part.Next.Epoch && next.Number > part.Next.Number);
    }

    private void Push(Shared shared)
    {
        var copy = shared.Follower.Copy;
        if (!copy.Takes(shared.Sender.Proxy, shared.Sender.Since))
        {
            shared.Sender.BeginAnew(_world.NewId(), copy.Index);
            shared.Ids.Add(shared.Sender.Proxy);
        }
        if (shared.Follower.Location is not { } at || at.Epoch <= shared.Refused || !at.IsOpen)
        {
            Locate(shared);
            return;
        }
        if (shared.InFlight >= 3 || shared.Transacting || shared.Sender.Take(_world.Now, 1 + _world.Random.Next(3)) is not { } entry)
        {
            return;
        }
        for (var i = 0; i < entry.Commands.Count; i++)
        {
            if (shared.Sender.TagOf(entry.First + i) is (SimClient _, Op op, long _))
            {
                _world.Truth.Sent(shared.Name, entry.Proxy, entry.First + i, op.Id);
            }
        }
        var append = at.Append(_world.Layout, shared.Name, entry.ToBytes());
        if (_world.Missing == Missing.CheckOfTheAppend)
        {
            append = Ask.Write(at.Zone, append.Writes[1]);
        }
        shared.InFlight++;
        Issue(append, () =>
        {
            shared.InFlight--;
            if (append.Error == ErrorCode.Ok)
            {
                return;
            }
            if (append.Error != ErrorCode.ConnectionLoss)
            {
                shared.Refused = Math.Max(shared.Refused, at.Epoch);
            }
            if (_world.Missing == Missing.NumbersOfWhatIsSentAgain)
            {
                shared.Sender.BeginAnew(_world.NewId(), shared.Follower.Copy.Index);
            }
            shared.Sender.SendAgain();
        });
    }

    /// <summary>Answers reads: those that need a barrier wait for one.</summary>
    private void Answer(Shared shared)
    {
        var copy = shared.Follower.Copy;
        if (shared.BarrierIndex <= copy.Index)
        {
            (shared.Covered, shared.BarrierIndex) = (Math.Max(shared.Covered, shared.BarrierBegan), null);
            shared.BarrierBegan = -1;
        }
        var wants = false;
        foreach (var read in shared.Reads.ToList())
        {
            var needed = read.Client.Frontier.Where(f => f.Key != shared.Name).Max(f => f.Value);
            if (needed > shared.Covered && _world.Missing != Missing.Barriers)
            {
                wants = true;
                continue;
            }
            shared.Reads.Remove(read);
            read.Client.ReadDone(read.Op, shared.Name, copy.Tree.LastZxid, copy.Tree.Find("/c")?.Version);
        }
        if (wants && shared.BarrierBegan < 0 && shared.Follower.Location is { } at)
        {
            shared.BarrierBegan = Running;
            var committed = _world.Truth.Logs[shared.Name].Count;
            var barrier = new ObjectBarrier(_world.Layout, shared.Name, at) { IgnoresSeals = _world.Missing == Missing.SealInBarriers };
            Start(barrier, _ =>
            {
                shared.BarrierIndex = barrier.Index;
                if (barrier.Index is not { } index)
                {
                    shared.BarrierBegan = -1;
                    Locate(shared);
                }
                else if (index < committed)
                {
                    SimWorld.Violation($"I9: a barrier of {shared.Name} says {index}, and {committed} were committed when it began");
                }
            });
        }
    }

    /// <summary>Moves for no reason, finishes what stands still, snapshots every 20 entries, trims.</summary>
    private void Keep(Shared shared)
    {
        if (_world.IsCalm)
        {
            return;
        }
        if (!shared.Moving && _world.OneIn(12))
        {
            Move(shared, _world.OneIn(3) ? SimWorld.Zones[_world.Random.Next(3)] : Zone);
            return;
        }
        var copy = shared.Follower.Copy;
        if (shared.Keeping || (copy.Index < shared.SnapshotAt + 20 && !_world.OneIn(40)) || copy.Index == 0)
        {
            return;
        }
        var early = _world.Missing == Missing.WaitingBeforeTrimming;
        var owner = early ? SimWorld.Zones[_world.Random.Next(3)] : shared.Follower.Location?.Zone ?? Zone;
        (shared.Keeping, shared.SnapshotAt) = (true, copy.Index);
        Start(new Snapshotter(_world.Layout, owner, shared.Name, copy.Index, Snapshot.Write(copy), _world.NewId()), snapshot =>
        {
            _world.Snapshots++;
            var keep = _world.Random.Next(3) == 0 ? 7 : 0;
            Start(new Trimmer(_world.Layout, SimWorld.Arbiter, SimWorld.Zones, shared.Name, keep, early), _ => shared.Keeping = false);
        });
    }

    private void Move(Shared shared, string? target)
    {
        shared.Moving = true;
        var mutation = _world.Missing switch
        {
            Missing.Seal => MoveMutation.NoSeal,
            Missing.SealOfTheLastActiveOwner => MoveMutation.SealOfTheLastNamedOwner,
            Missing.InstallOnce => MoveMutation.InstallTwice,
            Missing.ReadingTheRecordAgain => MoveMutation.NotReadAgain,
            _ => MoveMutation.None,
        };
        Start(new Mover(_world.Layout, SimWorld.Arbiter, shared.Name, target) { Mutation = mutation }, move =>
        {
            shared.Moving = false;
            if (move.End == End.Refused && !move.Reason.Contains("snapshot", StringComparison.Ordinal))
            {
                SimWorld.Violation($"a move was refused: {move.Reason}");
            }
            Locate(shared);
        });
    }

    private void Locate(Shared shared)
    {
        if (shared.Locating)
        {
            return;
        }
        shared.Locating = true;
        var locator = new Locator(_world.Layout, SimWorld.Arbiter,
            shared.Name)
        { AlsoPending = _world.Missing == Missing.WaitingUntilActive };
        Start(locator, _ =>
        {
            shared.Locating = false;
            if (locator.Location is { } found)
            {
                shared.Follower.Learn(found);
            }
            else if (locator.Record is { IsActive: false } && !shared.Moving && _world.OneIn(2))
            {
                Move(shared, null);
            }
        });
    }

    private void Load(Shared shared)
    {
        if (shared.Loading)
        {
            return;
        }
        shared.Loading = true;
        var reader = new SnapshotReader(_world.Layout, SimWorld.Zones, shared.Name, shared.Follower.Copy.Index);
        Start(reader, _ =>
        {
            shared.Loading = false;
            if (reader.Copy is not { } copy || copy.Index <= shared.Follower.Copy.Index)
            {
                return;
            }
            shared.Follower.Replace(copy);
            Running++;
            _world.Truth.Applied(shared.Name, copy);
            foreach (var tag in shared.Sender.Jumped(copy))
            {
                if (tag is (SimClient client, Op op, long _))
                {
                    client.Lost(op);
                }
            }
        });
    }
}
