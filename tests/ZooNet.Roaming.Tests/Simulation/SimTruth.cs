using System.Globalization;
using ZooNet.Protocol;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Simulation.Checking;
using ZooNet.Tree.Transactions;

namespace ZooNet.Roaming.Tests.Simulation;

/// <summary>What the ensembles have committed, in the order in which they did; and what must hold whenever one changes.</summary>
internal sealed class SimTruth
{
    private readonly Dictionary<(string Name, string Zone), Ballot> _ballots = [];
    private readonly Dictionary<(string Name, long Index), ulong> _digests = [];
    private readonly Dictionary<(string Name, long Proxy, long Number), int> _ops = [];
    private readonly Dictionary<int, (ErrorCode Error, string? Path, int Version)> _answers = [];
    private readonly HashSet<SessionName> _ended = [];

    /// <summary>Per object: the places of its entries, by index.</summary>
    public Dictionary<string, List<(Place Place, string Zone, byte[] Data)>> Logs { get; } = SimWorld.Objects.ToDictionary(n => n, _ =>
        new List<(Place, string, byte[])>());

    public void Sent(string name, long proxy, long number, int op) => _ops[(name, proxy, number)] = op;

    public void SessionEnded(SessionName session) => _ended.Add(session);

    /// <summary>A client got an answer.</summary>
    public void Answered(int op, TxnResult result) => _answers[op] = (result.Error, result.Path, result.Stat.Version);

    public void Changing(SimWorld world, SimEnsemble at, WriteKind kind, string path, byte[]? before, byte[]? after)
    {
        var parts = path[(world.Layout.Root.Length + 1)..].Split('/');
        var name = parts[1];
        switch (parts[0])
        {
            case "records":
                Record(world, name, OwnerRecord.Read(path, before!), OwnerRecord.Read(path, after!));
                break;
            case "objects":
                Ballot(world, name, at.Zone, ZooNet.Roaming.Records.Ballot.Read(path, before!), ZooNet.Roaming.Records.Ballot.Read(path,
                    after!));
                break;
            case "log" when parts.Length == 4 && kind != WriteKind.Delete:
                Append(world, at, name, long.Parse(parts[2], CultureInfo.InvariantCulture), ZooNet.Roaming.Layout.NumberOf(path), after!);
                break;
            case "log" when parts.Length == 4:
                Trim(world, at, name, long.Parse(parts[2], CultureInfo.InvariantCulture), ZooNet.Roaming.Layout.NumberOf(path));
                break;
        }
    }

    /// <summary>A copy is about to apply an entry, or has.</summary>
    public void Applying(string name, ObjectCopy copy)
    {
        if (copy.Index >= Logs[name].Count || Logs[name][(int)copy.Index].Place != copy.Next)
        {
            SimWorld.Violation($"I2: a copy of {name} applies {copy.Next} as {copy.Index}, which is another entry");
        }
    }

    public void Applied(string name, ObjectCopy copy)
    {
        if (_digests.TryGetValue((name, copy.Index), out var digest) && digest != copy.Digest)
        {
            SimWorld.Violation($"I11: copies of {name} differ at {copy.Index}");
        }
        _digests[(name, copy.Index)] = copy.Digest;
    }

    private static void Record(SimWorld world, string name, OwnerRecord before, OwnerRecord after)
    {
        var rises = after.Epoch == before.Epoch + 1 && !after.IsActive;
        var activates = after == before.Activate() && !before.IsActive;
        if (!rises && !activates)
        {
            SimWorld.Violation($"I7: the record of {name} goes from {before} to {after}");
        }
        if (activates)
        {
            world.Moves++;
        }
        if (activates && before.Seal is { } seal
            && ZooNet.Roaming.Records.Ballot.Read("", world.Ensembles[seal.Zone].DataOf(world.Layout.Ballot(name))).Promised < after.Epoch)
        {
            SimWorld.Violation($"I4: epoch {after.Epoch} of {name} is active and {seal.Zone} has not promised it");
        }
    }

    private void Ballot(SimWorld world, string name, string zone, Ballot before, Ballot after)
    {
        if (after.Promised < before.Promised || after.Installed < before.Installed)
        {
            SimWorld.Violation($"I3: the ballot of {name} in {zone} goes back from {before} to {after}");
        }
        if (after.Installed == before.Installed && (after.Promised == before.Promised || !after.Runs.SequenceEqual(before.Runs)))
        {
            SimWorld.Violation($"I5: epoch {after.Installed} of {name} is installed in {zone} again");
        }
        _ballots[(name, zone)] = after;
        _ = world;
    }

    private void Append(SimWorld world, SimEnsemble at, string name, long epoch, int number, byte[] data)
    {
        var log = Logs[name];
        var ballot = ZooNet.Roaming.Records.Ballot.Read("", at.DataOf(world.Layout.Ballot(name)));
        var last = log.Count == 0 ? new Place(0, 0) : log[^1].Place;
        if (epoch < last.Epoch || (epoch == last.Epoch && number != last.Number + 1) || (epoch > last.Epoch && number != 0))
        {
            SimWorld.Violation($"I3: {at.Zone} commits ({epoch}, {number}) of {name} behind {last}");
        }
        if (ballot.Start + number != log.Count)
        {
            SimWorld.Violation($"I1: {at.Zone} commits ({epoch}, {number}) of {name} at {ballot.Start + number}, "
                + $"and {log.Count} were committed");
        }
        log.Add((new Place(epoch, number), at.Zone, data));
    }

    private void Trim(SimWorld world, SimEnsemble at, string name, long epoch, int number)
    {
        world.Trimmed++;
        var index = Logs[name].FindIndex(e => e.Place == new Place(epoch, number) && e.Zone == at.Zone);
        var record = OwnerRecord.Read("", world.Ensembles[SimWorld.Arbiter].DataOf(world.Layout.Record(name)));
        var holder = record.Seal?.Zone ?? record.Owner;
        // Who trims may have looked when the object was elsewhere: then that zone had it, and whoever owned it since has seen it.
        var held = SimWorld.Zones.Where(z => world.Ensembles[z].DataOf(world.Layout.Base(name)) is { } b && BaseRecord.Read("",
            b).Index > index
            && (z == holder || Logs[name].Exists(e => e.Zone == z))).ToList();
        if (held.Count == 0)
        {
            SimWorld.Violation($"I12: entry {index} of {name} is deleted in {at.Zone}, "
                + "and no zone that was an active owner holds a snapshot with it");
        }
    }

    /// <summary>All is at rest: everything that was acknowledged is there, once, and one order explains what everybody saw.</summary>
    public void CheckAtRest(SimWorld world)
    {
        var logs = new Dictionary<string, IReadOnlyList<(string? Key, bool Lists, int Op)>>();
        var effects = new Dictionary<(int Op, string Name), TxnResult>();
        foreach (var name in SimWorld.Objects)
        {
            var copy = new ObjectCopy();
            var changes = new List<(string?, bool, int)>();
            foreach (var (place, _, data) in Logs[name])
            {
                copy.StandAt(place);
                var entry = Entry.Read("", data);
                foreach (var outcome in copy.Apply(entry))
                {
                    if (outcome.Result is not { } result)
                    {
                        continue;
                    }
                    var op = _ops.GetValueOrDefault((name, outcome.Proxy, outcome.Number), -1);
                    if (op >= 0 && !effects.TryAdd((op, name), result))
                    {
                        SimWorld.Violation($"I6: operation {op} took effect twice in {name}");
                    }
                    if (op >= 0 && result.Error != ErrorCode.Ok)
                    {
                        (world.History.Ops[op].Kind, world.History.Ops[op].Position) = (OpKind.Read, outcome.Zxid - 1);
                        op = -1;
                    }
                    changes.Add((op < 0 ? null : result.Path ?? world.History.Ops[op].Key, false, op));
                    if (op >= 0)
                    {
                        world.History.Ops[op].Key = result.Path ?? world.History.Ops[op].Key;
                    }
                }
            }
            logs[name] = changes;
            CheckCopies(world, name, copy);
            CheckEphemerals(copy, name);
        }
        foreach (var (op, answer) in _answers)
        {
            foreach (var name in world.History.Ops[op].Cluster.Split('+'))
            {
                if (!effects.TryGetValue((op, name), out var effect))
                {
                    SimWorld.Violation($"operation {op} was acknowledged, and {name} does not have it");
                }
                if (name == world.History.Ops[op].Cluster && (effect.Error, effect.Path, effect.Stat.Version) != answer)
                {
                    SimWorld.Violation($"operation {op} was answered {answer}, and is {effect} in {name}");
                }
            }
        }
        foreach (var op in world.History.Ops.Where(o => o.Cluster.Contains('+', StringComparison.Ordinal)))
        {
            if (effects.ContainsKey((op.Id, "a")) != effects.ContainsKey((op.Id, "b")))
            {
                SimWorld.Violation($"half of the transaction {op} took effect");
            }
        }
        var cycle = world.History.FindCycle(logs, realTime: false);
        if (cycle.Count > 0)
        {
            SimWorld.Violation("no order explains what was seen; each before the next, and the last before the first:\n  "
                + string.Join("\n  ", cycle));
        }
    }

    private static void CheckCopies(SimWorld world, string name, ObjectCopy truth)
    {
        foreach (var proxy in world.Proxies)
        {
            var copy = proxy.CopyOf(name);
            if (copy.Index != truth.Index || copy.Digest != truth.Digest)
            {
                SimWorld.Violation($"I11: a copy of {name} in {proxy.Zone} is at {copy.Index}, digest {copy.Digest:x}; "
                    + $"the log gives {truth.Index}, {truth.Digest:x}");
            }
        }
        // A process that starts now can read everything.
        var fresh = new Follower(name);
        fresh.Learn(world.Do(new Locator(world.Layout, SimWorld.Arbiter, name)).Location!);
        while (fresh.Copy.Index < truth.Index)
        {
            var need = fresh.Next(out var zone, out var place);
            if (need == Need.Location)
            {
                SimWorld.Violation($"a process that starts finds a snapshot of {name} at {place}, and the object is elsewhere");
            }
            if (need == Need.Snapshot)
            {
                if (world.Do(new SnapshotReader(world.Layout, SimWorld.Zones, name, fresh.Copy.Index)).Copy is not { } snapshot)
                {
                    SimWorld.Violation($"a process that starts can't read {name} from {fresh.Copy.Index}");
                    return;
                }
                fresh.Replace(snapshot);
            }
            else if (world.Ensembles[zone].DataOf(world.Layout.Entry(name, place.Epoch, place.Number)) is { } data)
            {
                fresh.Copy.Apply(Entry.Read("", data));
            }
            else
            {
                var reader = world.Do(new SnapshotReader(world.Layout, SimWorld.Zones, name, fresh.Copy.Index));
                if (reader.Copy is null)
                {
                    SimWorld.Violation($"a process that starts finds nothing at {place} of {name}, and no snapshot");
                }
                fresh.Replace(reader.Copy!);
            }
        }
        // Behind the last entry of an epoch and before the first of the next is the same place.
        fresh.Copy.StandAt(world.Proxies[0].CopyOf(name).Next);
        if (!Snapshot.Write(fresh.Copy).AsSpan().SequenceEqual(Snapshot.Write(world.Proxies[0].CopyOf(name))))
        {
            SimWorld.Violation($"I11: what a process that starts reads of {name} is not what the others have");
        }
    }

    private void CheckEphemerals(ObjectCopy copy, string name)
    {
        foreach (var node in copy.Tree.Nodes)
        {
            if (copy.OwnerOf(node) is { } owner && _ended.Contains(owner))
            {
                SimWorld.Violation($"{node.Path} of {name} belongs to {owner}, which has ended");
            }
        }
    }
}
