using System.Text.Json;

namespace ZooNet.Roaming.Records;

/// <summary>Where a seal must be before anybody may be active: the last <i>active</i> owner.</summary>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Zone">Its zone.</param>
internal sealed record SealPlace(long Epoch, string Zone);

/// <summary>
/// Who owns an object: kept at the arbiter and changed by compare-and-set on its znode's version only. The epoch rises with every change of
/// owner; an epoch becomes active once.
/// </summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Owner">The zone that owns the object in this epoch.</param>
/// <param name="IsActive">True once entries may be appended. Until then the move can be finished, or overtaken, by anybody.</param>
/// <param name="Seal">While pending: the last active owner, whose zone must promise this epoch first. Null in the first epoch.</param>
/// <param name="Why">Why this zone is to own it, for operators; null in the first epoch.</param>
internal sealed record OwnerRecord(long Epoch, string Owner, bool IsActive, SealPlace? Seal, string? Why = null)
{
    /// <summary>What follows when the zone <paramref name="owner"/> is to own the object.</summary>
    public OwnerRecord MovedTo(string owner, string? why = null) =>
        new(Epoch + 1, owner, false, IsActive ? new SealPlace(Epoch, Owner) : Seal, why);

    /// <summary>What follows when all steps of the move have been taken.</summary>
    public OwnerRecord Activate() => new(Epoch, Owner, true, null, Why);

    /// <summary>The content of the znode.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.OwnerRecord);

    /// <summary>Reads the content of the znode.</summary>
    /// <exception cref="RoamingDataException">It is no record.</exception>
    public static OwnerRecord Read(string path, byte[]? data)
    {
        var record = RecordJson.Read(path, data, RecordJson.Default.OwnerRecord);
        return record is { Epoch: >= 1, Owner.Length: > 0 } && (record.IsActive ? record.Seal is null : record.Seal is not null
            || record.Epoch == 1)
            && (record.Seal is null || (record.Seal.Epoch < record.Epoch && record.Seal is { Epoch: >= 1, Zone.Length: > 0 }))
            ? record
            : throw RecordJson.Damaged(path, "it contradicts itself");
    }
}
