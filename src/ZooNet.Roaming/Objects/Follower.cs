using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Objects;

/// <summary>What a copy needs next.</summary>
internal enum Need
{
    /// <summary>The entry at the place that is told; it may not be there yet.</summary>
    Entry,

    /// <summary>To know where the object is now: the log that it reads was sealed, or it has just begun.</summary>
    Location,

    /// <summary>A snapshot: what it would read next was trimmed.</summary>
    Snapshot,
}

/// <summary>
/// Follows an object's log from epoch to epoch, through whatever zones hold its runs. A log is left only when it was read to the end that
/// its
/// seal gave it. Not thread-safe.
/// </summary>
internal sealed class Follower(string name)
{
    private Location? _location;

    /// <summary>The copy that is brought up to date.</summary>
    public ObjectCopy Copy { get; private set; } = new();

    /// <summary>Where the object was when somebody last looked; null before.</summary>
    public Location? Location => _location;

    /// <summary>Takes what a <see cref="Locator"/> found; an older one than is known is ignored.</summary>
    public void Learn(Location location)
    {
        if (_location is null || location.Epoch >= _location.Epoch)
        {
            _location = location;
        }
    }

    /// <summary>Goes on from a snapshot that is ahead of the copy.</summary>
    public void Replace(ObjectCopy copy) => Copy = copy.Index > Copy.Index ? copy : Copy;

    /// <summary>What the copy needs next, and for an entry: from where.</summary>
    /// <exception cref="RoamingDataException">The runs of the ballot do not fit what the copy has applied.</exception>
    public Need Next(out string zone, out Place place)
    {
        (zone, place) = ("", Copy.Next);
        if (_location is not { } at)
        {
            return Need.Location;
        }
        if (place.Epoch > at.Epoch)
        {
            return Need.Location;
        }
        // Whichever epoch it has reached: the index says where to go on, and runs without entries are passed over.
        var runs = at.Ballot.Runs;
        if (Copy.Index < (runs.Count == 0 ? at.Ballot.Start : runs[0].Start))
        {
            return Need.Snapshot;
        }
        var run = runs.FirstOrDefault(r => Copy.Index < r.End) ?? new Run(at.Epoch, at.Zone, at.Ballot.Start, int.MaxValue);
        if (run.Epoch < place.Epoch || (run.Epoch == place.Epoch && run.Start + place.Number != Copy.Index))
        {
            throw new RoamingDataException($"the copy of '{name}' has applied {Copy.Index} entries and stands at {place}, "
                + $"but {run} has that index: it is thrown away and read anew");
        }
        place = new Place(run.Epoch, (int)(Copy.Index - run.Start));
        Copy.StandAt(place);
        zone = run.Zone;
        return Need.Entry;
    }
}
