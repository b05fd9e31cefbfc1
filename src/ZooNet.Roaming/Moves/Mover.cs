using ZooNet.Protocol;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Moves;

/// <summary>
/// Makes a zone the owner of an object, or finishes a move that stands still: record, seal, install once, activate. Every step is one
/// conditional
/// write; a reply that was lost is never guessed at, the znode is read again. Any number of these may run at once, in any proxies.
/// </summary>
/// <param name="layout">The tree's paths.</param>
/// <param name="arbiter">The zone whose ensemble keeps the record.</param>
/// <param name="name">The object.</param>
/// <param name="target">The zone that is to own it; null to finish whatever move is under way.</param>
/// <param name="why">Why, for operators.</param>
internal sealed class Mover(Layout layout, string arbiter, string name, string? target, string? why = null) : Procedure
{
    /// <summary>After so many rounds it gives up: others move the object all the time.</summary>
    private const int MaxRounds = 32;

    /// <summary>What was left out in a test, to see that it is found; never set otherwise.</summary>
    public MoveMutation Mutation { get; init; }

    /// <summary>The record that made it end; null before.</summary>
    public OwnerRecord? Record { get; private set; }

    public override IEnumerable<Ask> Steps()
    {
        for (var round = 0; round < MaxRounds; round++)
        {
            var read = Ask.Read(arbiter, layout.Record(name));
            yield return read;
            if (read.Error != ErrorCode.Ok)
            {
                Stop(read);
                yield break;
            }
            var record = OwnerRecord.Read(read.Path, read.Data);
            var version = read.Stat.Version;
            if (record.IsActive && (target is null || record.Owner == target))
            {
                (End, Record) = (End.Done, record);
                yield break;
            }
            if (target is not null && record.Owner != target)
            {
                var moved = record.MovedTo(target, why);
                if (Mutation == MoveMutation.SealOfTheLastNamedOwner)
                {
                    moved = moved with { Seal = new SealPlace(record.Epoch, record.Owner) };
                }
                var take = Ask.Write(arbiter, ZnodeWrite.Set(layout.Record(name), moved.ToBytes(), version));
                yield return take;
                var guessed = Mutation == MoveMutation.NotReadAgain && take.Error == ErrorCode.ConnectionLoss;
                if (take.Error is not ErrorCode.Ok && !guessed)
                {
                    // Refused: somebody was faster. Lost: it may be there or not, or still come; the next round sees.
                    continue;
                }
                (record, version) = (moved, version + 1);
            }
            var finish = new Finish(layout, arbiter, name, record, version, Mutation);
            foreach (var ask in finish.Steps())
            {
                yield return ask;
            }
            if (finish.End is not End.Overtaken)
            {
                Record = record.Activate();
                if (finish.End == End.Done)
                {
                    // Writes go on already. It is done when the znodes are here as well.
                    yield return Ask.Applied(finish.Before);
                }
                (End, Reason) = (finish.End, finish.Reason);
                yield break;
            }
        }
        End = End.Overtaken;
    }
}

/// <summary>What a test leaves out of a move.</summary>
internal enum MoveMutation
{
    None,
    NoSeal,
    SealOfTheLastNamedOwner,
    InstallTwice,
    NotReadAgain,
}

/// <summary>The last three steps of a move: seal, install once, activate.</summary>
internal sealed class Finish(Layout layout, string arbiter, string name, OwnerRecord record, int version, MoveMutation mutation) : Procedure
{
    private IReadOnlyList<Run> _runs = [];

    /// <summary>How many entries there are that the copies of the new owner's zone must read elsewhere.</summary>
    public long Before => _runs.Count == 0 ? 0 : _runs[^1].End;

    public override IEnumerable<Ask> Steps()
    {
        foreach (var step in (IEnumerable<Ask>[])[Seal(), Install(), Activate()])
        {
            foreach (var ask in step)
            {
                yield return ask;
            }
            if (End != End.None)
            {
                yield break;
            }
        }
        End = End.Done;
    }

    /// <summary>The last active owner's zone promises this epoch. What its log holds then is all that it ever will.</summary>
    private IEnumerable<Ask> Seal()
    {
        if (record.Seal is not { } seal)
        {
            yield break;
        }
        Ballot ballot;
        var log = Ask.Read(seal.Zone, layout.Log(name, seal.Epoch));
        var snapshot = Ask.Read(seal.Zone, layout.Base(name));
        var isRead = false;
        while (true)
        {
            var read = Ask.Read(seal.Zone, layout.Ballot(name));
            yield return read;
            if (IsNotThere(read))
            {
                yield break;
            }
            ballot = Ballot.Read(read.Path, read.Data);
            if (ballot.Promised > record.Epoch)
            {
                End = End.Overtaken;
                yield break;
            }
            if (ballot.Promised == record.Epoch || mutation == MoveMutation.NoSeal)
            {
                break;
            }
            // From here on nobody can write: the end of the log is asked for in the same breath.
            var promise = Ask.Write(seal.Zone, ZnodeWrite.Set(layout.Ballot(name), (ballot with
            {
                Promised = record.Epoch
            }).ToBytes(), read.Stat.Version), log, snapshot);
            yield return promise;
            if (promise.Error == ErrorCode.Ok)
            {
                isRead = true;
                break;
            }
            if (promise.Error is not (ErrorCode.BadVersion or ErrorCode.ConnectionLoss))
            {
                Stop(promise);
                yield break;
            }
        }
        var runs = ballot.Runs.ToList();
        if (ballot.Installed == seal.Epoch)
        {
            if (!isRead)
            {
                yield return log;
            }
            if (IsNotThere(log))
            {
                yield break;
            }
            runs.Add(new Run(seal.Epoch, seal.Zone, ballot.Start, log.Creates));
        }
        else if (!runs.Exists(r => r.Epoch == seal.Epoch))
        {
            // A zone that came back and was made ready for a later epoch, which never became active, has closed the run itself.
            Refuse($"{seal.Zone} was the owner in epoch {seal.Epoch} and knows nothing of it: its ensemble has lost data");
            yield break;
        }
        // Runs that a snapshot contains are nobody's need any more.
        if (!isRead)
        {
            yield return snapshot;
        }
        if (snapshot.Error is not (ErrorCode.Ok or ErrorCode.NoNode))
        {
            Stop(snapshot);
            yield break;
        }
        var index = snapshot.Error == ErrorCode.Ok ? BaseRecord.Read(snapshot.Path, snapshot.Data).Index : 0;
        while (runs.Count > 1 && runs[0].End <= index)
        {
            runs.RemoveAt(0);
        }
        if (runs.Count > Ballot.MaxRuns)
        {
            Refuse($"the object '{name}' has moved {runs.Count} times since its last snapshot: "
                + $"it moves again when {seal.Zone} holds a newer one");
            yield break;
        }
        _runs = runs;
    }

    /// <summary>The owner's zone is made ready for this epoch, once: whoever comes later keeps what is there.</summary>
    private IEnumerable<Ask> Install()
    {
        while (true)
        {
            var read = Ask.Read(record.Owner, layout.Ballot(name));
            yield return read;
            if (IsNotThere(read))
            {
                yield break;
            }
            var ballot = Ballot.Read(read.Path, read.Data);
            if (ballot.Promised > record.Epoch && mutation != MoveMutation.InstallTwice)
            {
                End = End.Overtaken;
                yield break;
            }
            if (ballot.Installed == record.Epoch && mutation != MoveMutation.InstallTwice)
            {
                yield break;
            }
            var ready = new Ballot(record.Epoch, record.Epoch, _runs).ToBytes();
            List<ZnodeWrite> writes = [ZnodeWrite.Set(layout.Ballot(name), ready, read.Stat.Version)];
            if (ballot.Installed != record.Epoch)
            {
                writes.Add(ZnodeWrite.Create(layout.Log(name, record.Epoch), new LogRecord(0).ToBytes()));
            }
            var install = Ask.Write(record.Owner, writes);
            yield return install;
            if (mutation == MoveMutation.InstallTwice)
            {
                yield break;
            }
            if (install.Error is not (ErrorCode.Ok or ErrorCode.BadVersion or ErrorCode.ConnectionLoss or ErrorCode.NodeExists))
            {
                Stop(install);
                yield break;
            }
        }
    }

    private IEnumerable<Ask> Activate()
    {
        while (true)
        {
            var activate = Ask.Write(arbiter, ZnodeWrite.Set(layout.Record(name), record.Activate().ToBytes(), version));
            yield return activate;
            if (activate.Error == ErrorCode.Ok)
            {
                yield break;
            }
            if (activate.Error is not (ErrorCode.BadVersion or ErrorCode.ConnectionLoss))
            {
                Stop(activate);
                yield break;
            }
            var read = Ask.Read(arbiter, layout.Record(name));
            yield return read;
            if (read.Error != ErrorCode.Ok)
            {
                Stop(read);
                yield break;
            }
            var now = OwnerRecord.Read(read.Path, read.Data);
            if (now.Epoch != record.Epoch || now.IsActive)
            {
                End = now.Epoch == record.Epoch ? End.None : End.Overtaken;
                yield break;
            }
            version = read.Stat.Version;
        }
    }

    /// <summary>True, and the end, where a znode that must be there is not, or nobody can tell.</summary>
    private bool IsNotThere(Ask read)
    {
        if (read.Error == ErrorCode.NoNode)
        {
            Refuse($"{read.Path} is missing in {read.Zone}: that ensemble has lost data and does not vote; remove the zone from the tree");
        }
        else if (read.Error != ErrorCode.Ok)
        {
            Stop(read);
        }
        return read.Error != ErrorCode.Ok;
    }
}
