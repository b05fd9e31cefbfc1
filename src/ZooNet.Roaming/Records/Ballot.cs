using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZooNet.Roaming.Records;

/// <summary>One epoch's stretch of an object's log, closed by a seal.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="Zone">Whose ensemble holds it.</param>
/// <param name="Start">The index of its first entry in the object's whole log.</param>
/// <param name="Count">How many entries it has.</param>
internal sealed record Run(long Epoch, string Zone, long Start, int Count)
{
    /// <summary>The index behind its last entry.</summary>
    [JsonIgnore]
    public long End => Start + Count;
}

/// <summary>
/// What a zone has promised for an object. An append checks the version of this znode, so a change of it, and nothing else, ends an epoch
/// in
/// this zone. It is changed at promise and at install, and never else: snapshots have a znode of their own.
/// </summary>
/// <param name="Promised">No entry of a lower epoch can be appended here any more. 0 where nobody has asked yet.</param>
/// <param name="Installed">The epoch whose log this zone was last made ready for; 0 for none. It decides <paramref name="Runs"/> for that
/// epoch.</param>
/// <param name="Runs">Where the entries before the installed epoch's first one are, in order: since the snapshot that lets go of older
/// ones.</param>
internal sealed record Ballot(long Promised, long Installed, IReadOnlyList<Run> Runs)
{
    /// <summary>How many closed runs a ballot may hold: an object that has moved so often since its last snapshot needs one before it
    /// moves again.</summary>
    public const int MaxRuns = 64;

    /// <summary>A zone where nobody has asked yet.</summary>
    public static Ballot None { get; } = new(0, 0, []);

    /// <summary>The index of the installed epoch's first entry.</summary>
    [JsonIgnore]
    public long Start => Runs.Count == 0 ? 0 : Runs[^1].End;

    /// <summary>True where entries of the installed epoch may still be appended.</summary>
    [JsonIgnore]
    public bool IsOpen => Installed > 0 && Promised == Installed;

    /// <summary>The content of the znode.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.Ballot);

    /// <summary>Reads the content of the znode.</summary>
    /// <exception cref="RoamingDataException">It is no ballot.</exception>
    public static Ballot Read(string path, byte[]? data)
    {
        var ballot = RecordJson.Read(path, data, RecordJson.Default.Ballot);
        if (ballot.Runs is null || ballot.Runs.Count > MaxRuns || ballot.Installed < 0 || ballot.Promised < ballot.Installed)
        {
            throw RecordJson.Damaged(path, "it contradicts itself");
        }
        for (var i = 0; i < ballot.Runs.Count; i++)
        {
            if (ballot.Runs[i] is not { Zone.Length: > 0, Start: >= 0, Count: >= 0 } run || run.Epoch >= ballot.Installed
                || (i > 0 && (run.Start != ballot.Runs[i - 1].End || run.Epoch <= ballot.Runs[i - 1].Epoch)))
            {
                throw RecordJson.Damaged(path, $"run {i} does not follow the one before it");
            }
        }
        return ballot;
    }
}

/// <summary>What the znode of an epoch's log says: every entry below a number has been trimmed. An append at a chosen number checks its
/// version.</summary>
/// <param name="Below">The lowest number that may still be there.</param>
internal sealed record LogRecord(int Below)
{
    /// <summary>The content of the znode.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.LogRecord);

    /// <summary>Reads the content of the znode.</summary>
    /// <exception cref="RoamingDataException">It is none.</exception>
    public static LogRecord Read(string path, byte[]? data)
    {
        var record = RecordJson.Read(path, data, RecordJson.Default.LogRecord);
        return record.Below >= 0 ? record : throw RecordJson.Damaged(path, "its number is negative");
    }
}

/// <summary>The newest snapshot that a zone holds. Its pieces are nothing before this record names them.</summary>
/// <param name="Index">How many entries the snapshot contains: it stands before the entry of this index.</param>
/// <param name="Folder">The znode below the object's snapshots that holds the pieces.</param>
/// <param name="Pieces">How many.</param>
/// <param name="Length">Their bytes in all.</param>
internal sealed record BaseRecord(long Index, string Folder, int Pieces, long Length)
{
    /// <summary>The content of the znode.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.BaseRecord);

    /// <summary>Reads the content of the znode.</summary>
    /// <exception cref="RoamingDataException">It is none.</exception>
    public static BaseRecord Read(string path, byte[]? data)
    {
        var record = RecordJson.Read(path, data, RecordJson.Default.BaseRecord);
        return record is { Index: >= 0, Folder.Length: > 0, Pieces: > 0, Length: > 0 }
            ? record
            : throw RecordJson.Damaged(path, "it contradicts itself");
    }
}
