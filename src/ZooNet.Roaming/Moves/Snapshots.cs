using System.Globalization;
using ZooNet.Protocol;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Moves;

/// <summary>
/// Puts a snapshot into a zone: its pieces, then the record that names them, then the pieces of the one before it go. Appends go on
/// meanwhile.
/// </summary>
/// <param name="layout">The tree's paths.</param>
/// <param name="zone">The zone.</param>
/// <param name="name">The object.</param>
/// <param name="index">What the snapshot contains.</param>
/// <param name="data">Its bytes: <see cref="Snapshot.Write"/>.</param>
/// <param name="nonce">A random number: two who write the same snapshot use two folders.</param>
internal sealed class Snapshotter(Layout layout, string zone, string name, long index, ReadOnlyMemory<byte> data, long nonce) : Procedure
{
    /// <summary>A snapshot of the zone that contains so much makes this one needless; null for one that contains as much.</summary>
    public long? Enough { get; init; }

    public override IEnumerable<Ask> Steps()
    {
        var read = Ask.Read(zone, layout.Base(name));
        yield return read;
        if (read.Error is not (ErrorCode.Ok or ErrorCode.NoNode))
        {
            Stop(read);
            yield break;
        }
        var before = read.Error == ErrorCode.Ok ? BaseRecord.Read(read.Path, read.Data) : null;
        if (before?.Index >= (Enough ?? index))
        {
            End = End.Done;
            yield break;
        }
        var folder = $"{index.ToString(CultureInfo.InvariantCulture)}-{nonce:x16}";
        var path = $"{layout.Snapshots(name)}/{folder}";
        var pieces = (data.Length + Snapshot.MaxPieceLength - 1) / Snapshot.MaxPieceLength;
        for (var i = -1; i < pieces; i++)
        {
            var piece = i < 0 ? null : data.Slice(i * Snapshot.MaxPieceLength, Math.Min(Snapshot.MaxPieceLength,
                data.Length - (i * Snapshot.MaxPieceLength))).ToArray();
            var write = Ask.Write(zone, ZnodeWrite.Create(i < 0 ? path : Layout.Piece(path, i), piece));
            yield return write;
            if (write.Error is not (ErrorCode.Ok or ErrorCode.NodeExists))
            {
                Stop(write);
                yield break;
            }
        }
        var record = new BaseRecord(index, folder, pieces, data.Length).ToBytes();
        var named = Ask.Write(zone, before is null
            ? ZnodeWrite.Create(layout.Base(name), record)
            : ZnodeWrite.Set(layout.Base(name), record, read.Stat.Version));
        yield return named;
        if (named.Error != ErrorCode.Ok)
        {
            End = named.Error == ErrorCode.ConnectionLoss ? End.Unreachable : End.Overtaken;
            yield break;
        }
        // Now the folders that no record names can go. Whoever reads one of them finds it gone, and reads the record again.
        var folders = Ask.List(zone, layout.Snapshots(name));
        yield return folders;
        foreach (var old in folders.Error == ErrorCode.Ok ? folders.Names.Where(f => IsOlder(f, index)) : [])
        {
            var list = Ask.List(zone, $"{layout.Snapshots(name)}/{old}");
            yield return list;
            foreach (var piece in list.Names)
            {
                yield return Ask.Write(zone, ZnodeWrite.Delete($"{list.Path}/{piece}"));
            }
            yield return Ask.Write(zone, ZnodeWrite.Delete(list.Path));
        }
        End = End.Done;
    }

    private static bool IsOlder(string folder, long index) =>
        long.TryParse(folder.Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at < index;
}

/// <summary>Reads the newest snapshot that any zone holds and that is ahead of what the reader has.</summary>
internal sealed class SnapshotReader(Layout layout, IReadOnlyList<string> zones, string name, long index) : Procedure
{
    /// <summary>The copy; null where no zone that answered has a newer one.</summary>
    public ObjectCopy? Copy { get; private set; }

    public override IEnumerable<Ask> Steps()
    {
        var silent = false;
        (string Zone, BaseRecord Record)? best = null;
        foreach (var zone in zones)
        {
            var read = Ask.Read(zone, layout.Base(name));
            yield return read;
            silent |= read.Error is not (ErrorCode.Ok or ErrorCode.NoNode);
            if (read.Error == ErrorCode.Ok && BaseRecord.Read(read.Path, read.Data) is var found && found.Index > Math.Max(index,
                best?.Record.Index ?? 0))
            {
                best = (zone, found);
            }
        }
        if (best is not { } newest)
        {
            End = silent ? End.Unreachable : End.Done;
            yield break;
        }
        using var bytes = new MemoryStream();
        var folder = $"{layout.Snapshots(name)}/{newest.Record.Folder}";
        for (var i = 0; i < newest.Record.Pieces; i++)
        {
            var piece = Ask.Read(newest.Zone, Layout.Piece(folder, i));
            yield return piece;
            if (piece.Error == ErrorCode.NoNode)
            {
                // A newer one has replaced it meanwhile.
                End = End.Overtaken;
                yield break;
            }
            if (piece.Error != ErrorCode.Ok)
            {
                Stop(piece);
                yield break;
            }
            bytes.Write(piece.Data ?? []);
        }
        Copy = Snapshot.Read(folder, bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        End = End.Done;
    }
}

/// <summary>
/// Deletes entries that the active owner's own snapshot contains, wherever they are, in bounded steps; and logs of which nothing is left.
/// As long
/// as a move is under way nothing is deleted. Whoever reads the log from afar is behind: the newest entries stay for them.
/// </summary>
/// <param name="layout">The tree's paths.</param>
/// <param name="arbiter">The zone whose ensemble keeps the record.</param>
/// <param name="zones">The tree's zones.</param>
/// <param name="name">The object.</param>
/// <param name="keep">So many entries before the snapshot's index stay.</param>
/// <param name="tooEarly">Left out in a test: that the record is active, and that the snapshot is the owner's.</param>
internal sealed class Trimmer(Layout layout, string arbiter, IReadOnlyList<string> zones, string name, long keep = 0,
    bool tooEarly = false) : Procedure
{
    /// <summary>How many entries are deleted by one multi.</summary>
    public const int MaxAtOnce = 256;

    /// <summary>
    /// Whether all that the owner's snapshot contains is gone, but for what is kept. Not so after a run in which a move
    /// was under way, or the owner had none.
    /// </summary>
    public bool HasTrimmed { get; private set; }

    public override IEnumerable<Ask> Steps()
    {
        var locator = new Locator(layout, arbiter, name) { AlsoPending = tooEarly };
        foreach (var ask in locator.Steps())
        {
            yield return ask;
        }
        if (locator.Location is not { } at)
        {
            (End, Reason) = (locator.End, locator.Reason);
            yield break;
        }
        var read = Ask.Read(at.Zone, layout.Base(name));
        yield return read;
        if (read.Error == ErrorCode.NoNode && !tooEarly)
        {
            End = End.Done;
            yield break;
        }
        if (read.Error != ErrorCode.Ok && !tooEarly)
        {
            Stop(read);
            yield break;
        }
        var index = tooEarly ? at.Ballot.Start : BaseRecord.Read(read.Path, read.Data).Index;
        var runs = at.Ballot.Runs;
        foreach (var run in runs.Append(new Run(at.Epoch, at.Zone, at.Ballot.Start, int.MaxValue)))
        {
            var until = (int)Math.Clamp(index - keep - run.Start, 0, run.Count);
            foreach (var ask in Trim(run, until, run.Epoch != at.Epoch && until == run.Count))
            {
                yield return ask;
            }
            if (End != End.None)
            {
                yield break;
            }
        }
        // Logs of epochs that no ballot tells any more: the snapshot contains them, or nothing was ever appended.
        foreach (var zone in index >= (runs.Count == 0 ? 0 : runs[0].Start) ? zones : [])
        {
            var logs = Ask.List(zone, layout.Logs(name));
            yield return logs;
            foreach (var log in logs.Names)
            {
                if (long.TryParse(log, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) && epoch < at.Epoch && !runs.Any(r =>
                    r.Epoch == epoch))
                {
                    foreach (var ask in Trim(new Run(epoch, zone, 0, int.MaxValue), int.MaxValue, whole: true))
                    {
                        yield return ask;
                    }
                    if (End != End.None)
                    {
                        yield break;
                    }
                }
            }
        }
        End = End.Done;
        HasTrimmed = true;
    }

    private IEnumerable<Ask> Trim(Run run, int until, bool whole)
    {
        var path = layout.Log(name, run.Epoch);
        var read = Ask.Read(run.Zone, path);
        yield return read;
        if (read.Error == ErrorCode.NoNode)
        {
            yield break;
        }
        if (read.Error != ErrorCode.Ok)
        {
            Stop(read);
            yield break;
        }
        var version = read.Stat.Version;
        var below = LogRecord.Read(path, read.Data).Below;
        until = Math.Min(until, read.Creates);
        while (below < until)
        {
            var next = Math.Min(until, below + MaxAtOnce);
            var trim = Ask.Write(run.Zone, [ZnodeWrite.Set(path, new LogRecord(next).ToBytes(), version),
                .. Enumerable.Range(below, next - below).Select(n => ZnodeWrite.Delete(layout.Entry(name, run.Epoch, n)))]);
            yield return trim;
            if (trim.Error != ErrorCode.Ok)
            {
                End = trim.Error == ErrorCode.ConnectionLoss ? End.Unreachable : End.Overtaken;
                yield break;
            }
            (below, version) = (next, version + 1);
        }
        if (whole)
        {
            // It stays if an entry is left, whatever was thought.
            yield return Ask.Write(run.Zone, ZnodeWrite.Delete(path, version));
        }
    }
}
