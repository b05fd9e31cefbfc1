using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ZooNet.Roaming.Records;

/// <summary>The records that operators may read with zkCli are JSON; members that this version does not know are ignored.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OwnerRecord))]
[JsonSerializable(typeof(Ballot))]
[JsonSerializable(typeof(BaseRecord))]
[JsonSerializable(typeof(LogRecord))]
[JsonSerializable(typeof(TreeRecord))]
internal sealed partial class RecordJson : JsonSerializerContext
{
    /// <summary>The longest record in bytes: none of them comes near it.</summary>
    public const int MaxLength = 64 * 1024;

    /// <summary>Reads a record.</summary>
    /// <exception cref="RoamingDataException">It is none.</exception>
    public static T Read<T>(string path, byte[]? data, JsonTypeInfo<T> type) where T : class
    {
        if (data is null || data.Length > MaxLength)
        {
            throw Damaged(path, data is null ? "it is empty" : $"it has {data.Length} bytes, and {MaxLength} are the most");
        }
        try
        {
            return JsonSerializer.Deserialize(data, type) ?? throw Damaged(path, "it is null");
        }
        catch (JsonException e)
        {
            throw Damaged(path, e.Message);
        }
    }

    /// <summary>The error for a record that can't be used.</summary>
    public static RoamingDataException Damaged(string path, string why) =>
        new($"{path} is damaged: {why}. Its object stops until the znode holds what it held before");
}
