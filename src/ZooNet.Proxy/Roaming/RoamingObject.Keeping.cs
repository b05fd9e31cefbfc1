using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;

namespace ZooNet.Proxy.Roaming;

/// <content>
/// What a proxy of the owner's zone does beside: it keeps the log short, brings home what was written elsewhere, and takes away what has
/// outlived its time.
/// </content>
internal sealed partial class RoamingObject
{
    /// <summary>A snapshot is taken after so many entries.</summary>
    public const int SnapshotEvery = 1000;

    /// <summary>So many entries at most stay in the log that the newest snapshot contains: who reads from afar is behind.</summary>
    private const int MaxKept = 8 * SnapshotEvery;

    /// <summary>A snapshot is taken after so many bytes of entries, or as many as the last snapshot had. No more bytes are kept.</summary>
    private const int SnapshotBytes = 16 << 20;

    /// <summary>A snapshot is taken when the ballot tells of so many runs.</summary>
    private const int SnapshotRuns = 16;

    /// <summary>About so long after it has become the owner a zone gets a snapshot of what was written before.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan ReapInterval = TimeSpan.FromSeconds(15);

    private readonly HashSet<string> _reaping = new(StringComparer.Ordinal);
    private bool _keeping;
    private long _snapshotAt;
    private int _snapshotLength;
    private long _bytesSince;
    private readonly Queue<int> _newest = new();
    private long _newestBytes;
    private bool _trimDue = true;
    private long _trimTried;
    private long _settling;
    private long _settled;
    private long _heldSince;

    /// <summary>A proxy of the owner's zone keeps the log short there, and takes away what has outlived its time.</summary>
    private void Keep()
    {
        if (_keeping || _sender is null || !IsOpen(out var at) || at.Zone != _zone)
        {
            return;
        }
        var copy = _follower.Copy;
        Reap(copy);
        var isAway = IsAway(at, copy);
        var isDue = isAway || copy.Index >= _snapshotAt + SnapshotEvery || _bytesSince >= Math.Max(SnapshotBytes, _snapshotLength)
            || (at.Ballot.Runs.Count >= SnapshotRuns && copy.Index != _snapshotAt);
        // What could not be trimmed, for the object moved meanwhile, is tried again when it is here once more.
        if (!isDue && (!_trimDue || _trimTried == at.Epoch))
        {
            return;
        }
        _keeping = true;
        _trimTried = at.Epoch;
        Snapshotter? snapshot = null;
        if (isDue)
        {
            var data = Snapshot.Write(copy);
            (_snapshotAt, _snapshotLength, _bytesSince) = (copy.Index, data.Length, 0);
            snapshot = new Snapshotter(_layout, _zone, _name, copy.Index, data, NewId())
            {
                // Another proxy of the zone may have been faster.
                Enough = isAway ? at.Ballot.Start : copy.Index,
            };
        }
        var keep = _newest.Count;
        Begin(async cancel =>
        {
            if (snapshot is not null)
            {
                await RunAsync(snapshot, cancel);
            }
            return await RunAsync(new Trimmer(_layout, _tree.Arbiter, _tree.Zones, _name, keep), cancel);
        }, trimmer =>
        {
            _keeping = false;
            _trimDue = !trimmer.HasTrimmed;
            (_settling, _settled) = (0, 0);
            if (snapshot?.End == End.Done)
            {
                _heldSince = at.Epoch;
            }
        }, () => _keeping = false);
    }

    /// <summary>
    /// True where what was written before this zone became the owner may lie in other zones only, and it has been the owner for a while:
    /// an object that goes to and fro is not written again and again.
    /// </summary>
    private bool IsAway(Location at, ObjectCopy copy)
    {
        if (at.Ballot.Start == 0 || _heldSince == at.Epoch || copy.Index < at.Ballot.Start)
        {
            return false;
        }
        if (_settling != at.Epoch)
        {
            _settling = at.Epoch;
            After(Settled, () => _settled = at.Epoch);
        }
        return _settled == at.Epoch;
    }

    /// <summary>
    /// An entry was applied. The newest ones stay in the log when they are in a snapshot: who reads it from afar is behind, and could not
    /// tell its clients what became of what they wrote.
    /// </summary>
    private void Measure(int length)
    {
        _bytesSince += length;
        _newest.Enqueue(length);
        _newestBytes += length;
        while (_newest.Count > MaxKept || (_newestBytes > SnapshotBytes && _newest.Count > 1))
        {
            _newestBytes -= _newest.Dequeue();
        }
    }

    private void Reap(ObjectCopy copy)
    {
        if (copy.Tree.Reapable.Count == 0)
        {
            return;
        }
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var path in copy.Tree.Reapable.Where(p => copy.Tree.Find(p) is { } node && node.IsDue(now)
            && !_reaping.Contains(p)).ToList())
        {
            if (TrySend(Command.Reap(path), null))
            {
                _reaping.Add(path);
            }
        }
        if (_sender is { Count: 0 })
        {
            _reaping.Clear();
        }
    }
}
