namespace ZooNet.Proxy.Configuration;

/// <summary>
/// The keys that exist, as a tree. A key that is not in it is an error that names its neighbours, so that a slip of the pen
/// is not a default.
/// </summary>
internal sealed class ConfigSchema
{
    private readonly Dictionary<string, ConfigSchema> _children = new(StringComparer.OrdinalIgnoreCase);
    private ConfigSchema? _anyChild;
    private bool _isList;

    public static ConfigSchema Root { get; } = Make();

    /// <summary>
    /// Finds the first part of a configuration key (parts separated by ':') that is unknown.
    /// </summary>
    /// <returns>Null for a known key; otherwise the unknown part with what leads to it, and what would be allowed in its place.</returns>
    public (string Key, string Allowed)? FirstUnknown(string key)
    {
        var node = this;
        var parts = key.Split(':');
        for (var i = 0; i < parts.Length; i++)
        {
            if (node._isList)
            {
                if (int.TryParse(parts[i], out _) && i == parts.Length - 1)
                {
                    return null;
                }
                return (string.Join(':', parts[..(i + 1)]), "a value or a list of values");
            }
            var next = node._children.GetValueOrDefault(parts[i]) ?? node._anyChild;
            if (next is null)
            {
                var allowed = node._children.Count == 0 ? "a single value" : string.Join(", ", node._children.Keys);
                return (string.Join(':', parts[..(i + 1)]), allowed);
            }
            node = next;
        }
        return null;
    }

    /// <summary>Every key that can have a value, as a configuration key.</summary>
    /// <param name="namesBelow">The names that are in use below a key under which any name may stand.</param>
    /// <param name="key">The key of this node; empty for the root.</param>
    public IEnumerable<string> Leaves(Func<string, IReadOnlyList<string>> namesBelow, string key = "")
    {
        if (_children.Count == 0 && _anyChild is null)
        {
            return [key];
        }
        var prefix = key.Length == 0 ? "" : $"{key}:";
        var free = _anyChild is null ? [] : namesBelow(key).SelectMany(name => _anyChild.Leaves(namesBelow, prefix + name));
        return _children.SelectMany(c => c.Value.Leaves(namesBelow, prefix + c.Key)).Concat(free);
    }

    private static ConfigSchema Make()
    {
        var upstreamTls = Object(("authority", Value()), ("certificate", Value()), ("key", Value()), ("keyPasswordFile", Value()), ("verifyHost", Value()));
        var observer = Object(("data", Value()), ("tls", upstreamTls), ("user", Value()), ("passwordFile", Value()),
            ("superDigest", Value()));
        var remote = Object(("observers", List()), ("servers", List()), ("quorum", List()), ("sid", Value()), ("srv", Value()),
            ("observer", observer), ("follow", Value()), ("tls", upstreamTls), ("tree", Value()));
        return Object(
            ("region", Value()),
            ("listen", List()),
            ("admin", Value()),
            ("adminSocket", Value()),
            ("adminTls", Object(("certificate", Value()), ("key", Value()), ("keyPasswordFile", Value()), ("clients", Value()),
                ("clientAuthority", Value()))),
            ("adminNames", Object(("admin", List()), ("view", List()))),
            ("console", List()),
            ("adminTokens", Object(("admin", Value()), ("view", Value()))),
            ("home", Object(("cluster", Value()), ("servers", List()), ("observe", Value()), ("quorum", List()), ("sid", Value()),
                ("observer", observer), ("follow", Value()), ("tls", upstreamTls))),
            ("remotes", new ConfigSchema { _anyChild = remote }),
            ("dns", Value()),
            ("consistency", Value()),
            ("barrier", Value()),
            ("barrierGap", Value()),
            ("advertise", List()),
            ("maxFrame", Value()),
            ("maxReply", Value()),
            ("timeouts", Object(("drain", Value()), ("connect", Value()), ("session", Value()))),
            ("limits", Object(("connections", Value()), ("connectionsPerAddress", Value()), ("watches", Value()), ("watchBytes", Value()),
                ("credentials", Value()), ("credentialBytes", Value()), ("replyParts", Value()),
                ("outstandingBytes", Value()), ("outstandingBytesInAll", Value()))),
            ("throttle", Value()),
            ("proxyProtocol", List()),
            ("rules", new ConfigSchema { _anyChild = Object(("path", Value()), ("allow", Value()), ("clients", List())) }),
            ("fourLetterWords", List()),
            ("secret", Value()),
            ("secretFile", Value()),
            ("acceptedSecret", Value()),
            ("acceptedSecretFile", Value()),
            ("insecure", Value()),
            ("tls", Object(("certificate", Value()), ("key", Value()), ("keyPasswordFile", Value()), ("clients", Value()),
                ("clientAuthority", Value()))),
            ("otlp", Value()),
            ("logLevel", Value()),
            ("logFormat", Value()),
            ("proxyId", Value()));
    }

    private static ConfigSchema Value() => new();

    private static ConfigSchema List() => new() { _isList = true };

    private static ConfigSchema Object(params (string Name, ConfigSchema Node)[] children)
    {
        var node = new ConfigSchema();
        foreach (var (name, child) in children)
        {
            node._children.Add(name, child);
        }
        return node;
    }
}
