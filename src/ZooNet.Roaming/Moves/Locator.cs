using ZooNet.Protocol;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Moves;

/// <summary>Where an object's entries are appended: known once the record says active and the zone is ready for that very epoch.</summary>
/// <param name="Zone">The owner.</param>
/// <param name="Epoch">The epoch.</param>
/// <param name="Version">The version of the zone's ballot: what an append checks.</param>
/// <param name="Ballot">The ballot: where the entries before this epoch's are.</param>
internal sealed record Location(string Zone, long Epoch, int Version, Ballot Ballot)
{
    /// <summary>
    /// True where entries may be appended. A zone that has promised a later epoch is still the place to read this one's entries, but the
    /// version
    /// that was read with the promise is no fence any more.
    /// </summary>
    public bool IsOpen => Ballot.IsOpen && Ballot.Installed == Epoch;

    /// <summary>The multi that appends an entry; it fails with BADVERSION once the object has been promised to somebody else.</summary>
    /// <exception cref="InvalidOperationException">The zone had promised a later epoch when it was looked at: <see
    /// cref="IsOpen"/>.</exception>
    public Ask Append(Layout layout, string name, byte[] entry) => IsOpen
        ? Ask.Write(Zone, ZnodeWrite.Check(layout.Ballot(name), Version), ZnodeWrite.CreateSequential(layout.NewEntry(name, Epoch), entry))
        : throw new InvalidOperationException($"{Zone} takes no entries of epoch {Epoch} any more");
}

/// <summary>Finds out who owns an object. Done with no location: a move is under way, which anybody may finish (<see
/// cref="Mover"/>).</summary>
internal sealed class Locator(Layout layout, string arbiter, string name) : Procedure
{
    /// <summary>Where entries go now.</summary>
    public Location? Location { get; private set; }

    /// <summary>The record as it was read.</summary>
    public OwnerRecord? Record { get; private set; }

    /// <summary>The version that the record's znode had then.</summary>
    public int RecordVersion { get; private set; } = -1;

    /// <summary>When the record was changed, by the arbiter's clock, in milliseconds since 1970; 0 where it was not read.</summary>
    public long RecordTimeMs { get; private set; }

    /// <summary>The record where somebody has just made it active: it need not be read.</summary>
    public OwnerRecord? Known { get; init; }

    /// <summary>Left out in a test: whether the record says active.</summary>
    public bool AlsoPending { get; init; }

    public override IEnumerable<Ask> Steps()
    {
        if (Known is { IsActive: true } known)
        {
            Record = known;
        }
        else
        {
            var read = Ask.Read(arbiter, layout.Record(name));
            yield return read;
            if (read.Error != ErrorCode.Ok)
            {
                Stop(read);
                yield break;
            }
            (Record, RecordVersion, RecordTimeMs) = (OwnerRecord.Read(read.Path, read.Data), read.Stat.Version, read.Stat.Mtime);
        }
        if (Record.IsActive || AlsoPending)
        {
            var ballot = Ask.Read(Record.Owner, layout.Ballot(name));
            yield return ballot;
            if (ballot.Error != ErrorCode.Ok)
            {
                Stop(ballot);
                yield break;
            }
            var found = Ballot.Read(ballot.Path, ballot.Data);
            // Promised to a later epoch it is still the place to read: it holds all that was committed in this one.
            if (found.Installed == Record.Epoch)
            {
                Location = new Location(Record.Owner, Record.Epoch, ballot.Stat.Version, found);
            }
        }
        End = End.Done;
    }
}

/// <summary>
/// What a copy must have applied so that it contains all that was committed when this began: the owner's zone tells, if it has promised
/// nothing
/// to anybody else. Done without an index: it has; the object must be located anew, and the barrier begun anew.
/// </summary>
internal sealed class ObjectBarrier(Layout layout, string name, Location at) : Procedure
{
    /// <summary>The index; null where the object has gone on.</summary>
    public long? Index { get; private set; }

    /// <summary>Left out in a test: whether the zone has promised nothing.</summary>
    public bool IgnoresSeals { get; init; }

    public override IEnumerable<Ask> Steps()
    {
        var ballot = Ask.Read(at.Zone, layout.Ballot(name));
        yield return ballot;
        if (ballot.Error != ErrorCode.Ok)
        {
            Stop(ballot);
            yield break;
        }
        var found = Ballot.Read(ballot.Path, ballot.Data);
        if (found.Installed == at.Epoch && (found.IsOpen || IgnoresSeals))
        {
            var log = Ask.Read(at.Zone, layout.Log(name, at.Epoch));
            yield return log;
            if (log.Error != ErrorCode.Ok)
            {
                Stop(log);
                yield break;
            }
            Index = found.Start + log.Creates;
        }
        End = End.Done;
    }
}
