using System.Text.Json;

namespace ZooNet.Roaming.Records;

/// <summary>What a tree is made of: the same in every zone. Its policy alone may change.</summary>
/// <param name="Zones">The names of the zones' clusters, sorted.</param>
/// <param name="Arbiter">The zone whose ensemble keeps the owners' records.</param>
/// <param name="Id">A random number: a tree that was deleted and made again is another one.</param>
/// <param name="Policy">Who moves it, and when (<see cref="Policies.Policy"/>); null where it is pinned. It only wishes: zones in which
/// another one is written do no harm.</param>
internal sealed record TreeRecord(IReadOnlyList<string> Zones, string Arbiter, string Id, string? Policy = null)
{
    /// <summary>The most zones of a tree.</summary>
    public const int MaxZones = 16;

    /// <summary>The object that a tree is: all its znodes.</summary>
    public const string RootObject = "root";

    /// <summary>The content of the znode.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.TreeRecord);

    /// <summary>Reads the content of the znode.</summary>
    /// <exception cref="RoamingDataException">It is none.</exception>
    public static TreeRecord Read(string path, byte[]? data)
    {
        var record = RecordJson.Read(path, data, RecordJson.Default.TreeRecord);
        return record is { Zones.Count: > 0 and <= MaxZones, Arbiter: not null, Id.Length: > 0 }
            && record.Zones.All(z => z is { Length: > 0 })
            && record.Zones.Contains(record.Arbiter) && record.Zones.Distinct(StringComparer.Ordinal).Count() == record.Zones.Count
            ? record
            : throw RecordJson.Damaged(path, "it contradicts itself");
    }
}
