using ZooNet.Protocol;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Simulation.Checking;

namespace ZooNet.Roaming.Tests.Simulation;

/// <summary>A client: one operation at a time, on both objects by turns: a counter, a queue, a lock, transactions.</summary>
internal sealed class SimClient(SimWorld world, int process, SimProxy proxy)
{
    private readonly Dictionary<string, int> _version = [];
    private readonly HashSet<string> _locks = [];
    private Op? _waiting;
    private string _path = "";

    public SimProxy Proxy { get; private set; } = proxy;

    public SessionName Session { get; private set; } = new(proxy.Zone, world.NewId());

    /// <summary>Per object: the proxy's running number at the newest change that the client can have learned of.</summary>
    public Dictionary<string, long> Frontier { get; } = SimWorld.Objects.ToDictionary(n => n, _ => 0L);

    /// <summary>What the processes that served the session and died called themselves.</summary>
    public List<(string Name, long Id)> Past { get; } = [];

    public bool Holds(string name) => _locks.Contains(name);

    public void Act()
    {
        if (_waiting is not null)
        {
            return;
        }
        var name = SimWorld.Objects[world.Random.Next(2)];
        switch (world.Random.Next(14))
        {
            case < 4:
                Begin(OpKind.Read, name, "/c");
                Proxy.Read(name, this, _waiting!);
                break;
            case < 7:
                Write(name, "/c", _version.TryGetValue(name, out var version) ? SmallTree.Set("/c", $"{process}", version)
                    : SmallTree.Create("/c", "0"));
                break;
            case 7:
                Write(name, "/q-", SmallTree.Create("/q-", "", CreateFlags.PersistentSequential));
                break;
            case < 10:
                if (_locks.Remove(name))
                {
                    Write(name, "/lock", Delete("/lock"));
                }
                else
                {
                    Write(name, "/lock", SmallTree.Create("/lock", "", CreateFlags.Ephemeral));
                }
                break;
            case < 13:
                Begin(OpKind.Write, "a+b", "/t");
                if (!Proxy.TryTransaction(this, _waiting!))
                {
                    // Not even begun: nothing was sent.
                    _waiting = null;
                }
                break;
            default:
                if (world.OneIn(4))
                {
                    EndSession(Proxy);
                }
                break;
        }
    }

    /// <summary>Its home session ends: it holds nothing from now on, and the objects hear of it.</summary>
    public void EndSession(SimProxy through)
    {
        _locks.Clear();
        world.Truth.SessionEnded(Session);
        world.Tell(Session, [.. Past], through);
        // Whatever it still waits for may or may not happen, and then its session is over.
        _waiting = null;
        Session = new SessionName(Proxy.Zone, world.NewId());
        Past.Clear();
    }

    /// <summary>Its proxy has died. What the client knows, the new proxy does not.</summary>
    public void GoTo(SimProxy other)
    {
        (Proxy, _waiting) = (other, null);
        foreach (var name in SimWorld.Objects)
        {
            Frontier[name] = other.Unknown();
        }
    }

    /// <summary>The answer to a write.</summary>
    public void Written(Op op, string name, Outcome outcome)
    {
        if (_waiting != op)
        {
            return;
        }
        var result = outcome.Result!.Value;
        Answered(op);
        world.Truth.Answered(op.Id, result);
        Frontier[name] = Proxy.Running;
        if (_path == "/c")
        {
            if (result.Error == ErrorCode.Ok)
            {
                _version[name] = result.Stat.Version;
            }
            else
            {
                _version.Remove(name);
            }
        }
        else if (_path == "/lock" && result is { Error: ErrorCode.Ok, Type: OpCode.Create })
        {
            if (world.Clients.Any(c => c.Holds(name)))
            {
                SimWorld.Violation($"the lock of {name} has two holders");
            }
            _locks.Add(name);
        }
    }

    /// <summary>The answer to a read.</summary>
    public void ReadDone(Op op, string name, long position, int? version)
    {
        if (_waiting != op)
        {
            return;
        }
        op.Position = position;
        Answered(op);
        Frontier[name] = Proxy.Running;
        if (version is { } found)
        {
            _version[name] = found;
        }
    }

    /// <summary>What a transaction came to.</summary>
    public void TransactionDone(Op op, bool known)
    {
        if (_waiting != op)
        {
            return;
        }
        if (!known)
        {
            // A lost connection: the client goes on without knowing.
            _waiting = null;
            return;
        }
        Answered(op);
        world.Transactions++;
        foreach (var name in SimWorld.Objects)
        {
            Frontier[name] = Proxy.Running;
        }
        world.Truth.Answered(op.Id, default);
    }

    /// <summary>Its proxy can't tell what became of it.</summary>
    public void Lost(Op op)
    {
        if (_waiting == op)
        {
            _waiting = null;
        }
    }

    private void Write(string name, string path, Command command)
    {
        Begin(OpKind.Write, name, path);
        Proxy.Send(name, command with { Session = Session }, this, _waiting);
    }

    private void Begin(OpKind kind, string name, string path)
    {
        _path = path;
        _waiting = world.History.Begin(process, name, kind, path, world.Now);
    }

    private void Answered(Op op)
    {
        op.End = world.Now;
        _waiting = null;
        world.Acknowledged++;
    }

    private static Command Delete(string path)
    {
        var writer = new JuteWriter();
        new PathVersionRequest(path, -1).Write(writer);
        return Command.Write(default, OpCode.Delete, writer.Written.ToArray(), []);
    }
}
