using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZooNet.Proxy.Control;

/// <summary>How far a mount is (docs/consistency.md, "Changing the graph").</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MountState>))]
public enum MountState
{
    /// <summary>Written by hand: no proxy has looked at it yet.</summary>
    [JsonStringEnumMemberName("requested")]
    Requested,

    /// <summary>Published; not used before everybody concerned has acknowledged it.</summary>
    [JsonStringEnumMemberName("joining")]
    Joining,

    /// <summary>In use.</summary>
    [JsonStringEnumMemberName("active")]
    Active,

    /// <summary>No longer used; still published until every proxy of the region has stopped using it.</summary>
    [JsonStringEnumMemberName("leaving")]
    Leaving,
}

/// <summary>
/// One mount, as its znode holds it in JSON. Properties that a proxy does not know are kept out of its way: newer proxies may
/// add some.
/// </summary>
public sealed record MountRecord
{
    private const string Purpose = "mount";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        AllowTrailingCommas = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The mount point; null means what the znode's name says.</summary>
    public string? Path { get; init; }

    /// <summary>Name of the remote cluster.</summary>
    public string? Cluster { get; init; }

    /// <summary>Path there.</summary>
    public string? RemotePath { get; init; }

    /// <summary>Options, as after <c>-o</c>; null for the defaults.</summary>
    public string? Options { get; init; }

    /// <summary>How far it is.</summary>
    public MountState State { get; init; }

    /// <summary>True where the mount made the znode at the mount point, and unmount removes it.</summary>
    public bool Placeholder { get; init; }

    /// <summary>
    /// True where requests for the mount wait while it joins, because it was in use before. Otherwise the znode at the mount point shows.
    /// </summary>
    public bool Held { get; init; }

    /// <summary>
    /// Over all of the above and the znode's name, by a proxy. A record without it was written by hand, or changed: whatever it says of its
    /// state, it is a request.
    /// </summary>
    public string? Signature { get; init; }

    /// <summary>Reads a record.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static MountRecord Parse(ReadOnlySpan<byte> json) =>
        JsonSerializer.Deserialize<MountRecord>(json, Json) ?? throw new JsonException("the record is null");

    /// <summary>Writes the record as somebody does by hand.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <summary>Writes the record as a proxy does.</summary>
    /// <param name="name">Name of its znode.</param>
    /// <param name="secret">Signs it.</param>
    public byte[] ToJson(string name, ProxySecret secret) => (this with { Signature = secret.Sign(Purpose, TextFor(name)) }).ToJson();

    /// <summary>Whether a proxy has written the record, all of it, and for this znode.</summary>
    /// <param name="name">Name of its znode.</param>
    /// <param name="secret">Knows who has signed.</param>
    public bool IsSigned(string name, ProxySecret secret) => secret.IsSigned(Purpose, TextFor(name), Signature);

    private string TextFor(string name) => string.Join('\n', name, Path, Cluster, RemotePath, Options, State, Placeholder, Held);
}
