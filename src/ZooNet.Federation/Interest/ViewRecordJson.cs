using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZooNet.Federation.Interest;

/// <summary>
/// The JSON form of a <see cref="ViewRecord"/>. Records come from other regions, so nothing in them is trusted: sizes
/// are bounded, and a bad record is an error to report, never an exception.
/// </summary>
public static partial class ViewRecordJson
{
    /// <summary>The largest record, in bytes; well inside ZooKeeper's 1 MiB.</summary>
    public const int MaxBytes = 256 * 1024;

    /// <summary>The longest name of a view, region, cluster or proxy, in characters.</summary>
    public const int MaxNameLength = 128;

    /// <summary>The most mounts in one record.</summary>
    public const int MaxMounts = 1024;

    /// <summary>The most proxies in one record, and the most views that a proxy acknowledges.</summary>
    public const int MaxEntries = 1024;

    private const int MaxPathLength = 4096;

    /// <summary>Writes a record as UTF-8 JSON.</summary>
    public static byte[] Format(ViewRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, Context.Default.ViewRecord);

    /// <summary>Reads a record.</summary>
    /// <param name="json">UTF-8 JSON as found in a znode.</param>
    /// <param name="name">The znode's name, which must be the view's.</param>
    /// <param name="error">Why not, in words for an operator, where the answer is null.</param>
    /// <returns>The record, or null where it can't be used.</returns>
    public static ViewRecord? TryParse(ReadOnlySpan<byte> json, string name, out string? error)
    {
        if (json.Length > MaxBytes)
        {
            error = $"the record of view '{name}' is {json.Length} bytes long; {MaxBytes} are allowed";
            return null;
        }
        ViewRecord? record;
        try
        {
            record = JsonSerializer.Deserialize(json, Context.Default.ViewRecord);
        }
        catch (JsonException exception)
        {
            error = $"the record of view '{name}' is not a view record: {exception.Message}";
            return null;
        }
        error = record is null ? "it is null" : WhyBad(record, name);
        if (error is null)
        {
            return record;
        }
        error = $"the record of view '{name}' can't be used: {error}";
        return null;
    }

    /// <summary>True for a name that may stand in a znode's path and in a report.</summary>
    public static bool IsName(string? name) => name is { Length: > 0 and <= MaxNameLength } && name is not ("." or "..")
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':');

    private static string? WhyBad(ViewRecord record, string name)
    {
        if (record.Format != ViewRecord.CurrentFormat)
        {
            return $"its format is {record.Format}, and this version reads {ViewRecord.CurrentFormat}";
        }
        if (record.View != name)
        {
            return $"it says that it is of view '{record.View}'";
        }
        if (!IsName(record.View) || !IsName(record.Region) || !IsName(record.Home))
        {
            return "view, region and home must be names of letters, digits, '-', '_', '.' and ':'";
        }
        if (record.Version < 0 || record.Revision < 0)
        {
            return "version and revision must not be negative";
        }
        if (record.Mounts is null || record.Proxies is null || record.Mounts.Count > MaxMounts || record.Proxies.Count > MaxEntries)
        {
            return $"mounts must be a list of at most {MaxMounts}, proxies one of at most {MaxEntries}";
        }
        foreach (var mount in record.Mounts)
        {
            if (mount is null || !IsName(mount.Cluster) || !Enum.IsDefined(mount.State) || mount.Cluster == record.Home)
            {
                return "a mount has no cluster, the home cluster, or an unknown state";
            }
            if (mount.RemotePath is not { Length: <= MaxPathLength } || ZooNet.Protocol.ZnodePath.Validate(mount.RemotePath) is not null)
            {
                return $"the mount of '{mount.Cluster}' has no legal remote path";
            }
        }
        foreach (var proxy in record.Proxies)
        {
            if (proxy is null || !IsName(proxy.Id) || proxy.Acknowledged is null || proxy.Acknowledged.Count > MaxEntries
                || proxy.Acknowledged.Keys.Any(view => !IsName(view)))
            {
                return "a proxy has no legal id or acknowledges no legal views";
            }
            if (proxy.Reads is { } reads && (reads.Count > MaxEntries || reads.Any(read => !IsName(read.Key) || read.Value is not { Length: > 0 and <= MaxNameLength })))
            {
                return $"proxy '{proxy.Id}' reads through no legal servers";
            }
        }
        return null;
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, MaxDepth = 8)]
    [JsonSerializable(typeof(ViewRecord))]
    private sealed partial class Context : JsonSerializerContext;
}
