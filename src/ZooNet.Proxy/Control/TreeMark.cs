using System.Text.Json;
using System.Text.Json.Serialization;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Control;

/// <summary>
/// What the root of the proxies' tree holds: which tree it is, and which folders <c>zoonet repair</c> has set right. Signed, and good
/// for one cluster only. Immutable.
/// </summary>
internal sealed partial record TreeMark
{
    private const string Purpose = "tree";

    /// <summary>Drawn when the tree was made: another one says that it is another tree, or another cluster.</summary>
    [JsonRequired]
    public required string Id { get; init; }

    /// <summary>By path, the folder as it was when it had been set right: its creation, and how often its ACL has been changed.</summary>
    public SortedDictionary<string, string> Repaired { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Over all the rest.</summary>
    public string? Signature { get; init; }

    /// <summary>The mark of a new tree.</summary>
    public static TreeMark New() => new() { Id = Guid.NewGuid().ToString("n") };

    /// <summary>Reads a mark; null for what holders of the secret have not written for this cluster.</summary>
    public static TreeMark? Open(byte[]? data, string cluster, ProxySecret secret)
    {
        try
        {
            return JsonSerializer.Deserialize(data, Context.Default.TreeMark) is { } mark
                && secret.IsSigned(Purpose, mark.TextFor(cluster), mark.Signature) ? mark : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>What the root is to hold.</summary>
    public byte[] Sign(string cluster, ProxySecret secret) =>
        JsonSerializer.SerializeToUtf8Bytes(this with { Signature = secret.Sign(Purpose, TextFor(cluster)) }, Context.Default.TreeMark);

    /// <summary>The same with a folder that has been set right.</summary>
    public TreeMark WithRepaired(string path, Stat stat) =>
        this with { Repaired = new(Repaired, StringComparer.Ordinal) { [path] = StateOf(stat) } };

    /// <summary>Whether a folder is as it was when it had been set right.</summary>
    public bool IsRepaired(string path, Stat stat) => Repaired.GetValueOrDefault(path) == StateOf(stat);

    private static string StateOf(Stat stat) => $"{stat.Czxid:x}/{stat.Aversion}";

    private string TextFor(string cluster) => string.Join('\n', [cluster, Id, .. Repaired.Select(r => $"{r.Key} {r.Value}")]);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, MaxDepth = 4)]
    [JsonSerializable(typeof(TreeMark))]
    private sealed partial class Context : JsonSerializerContext;
}
