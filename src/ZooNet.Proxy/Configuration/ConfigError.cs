namespace ZooNet.Proxy.Configuration;

/// <summary>One thing that is wrong with a configuration.</summary>
/// <param name="Key">The key, as in the file: <c>home.servers[0]</c>; empty where the whole file is meant.</param>
/// <param name="Value">What was written; null where something is missing.</param>
/// <param name="Message">What is wrong and what is allowed.</param>
/// <param name="Source">Where the value came from: a file, a variable, a flag; null for nowhere.</param>
public sealed record ConfigError(string Key, string? Value, string Message, string? Source)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        var what = Key.Length == 0 ? "" : Value is null ? $"{Key}: " : $"{Key} = '{Value}': ";
        return Source is null ? $"{what}{Message}" : $"{what}{Message} (from {Source})";
    }
}

/// <summary>What loading a configuration came to.</summary>
/// <param name="Config">The configuration; null where there are errors.</param>
/// <param name="Errors">Everything that is wrong, in the order of docs/configuration.md.</param>
/// <param name="Warnings">What is legal but probably not meant.</param>
public sealed record ConfigResult(ProxyConfig? Config, IReadOnlyList<ConfigError> Errors, IReadOnlyList<string> Warnings);
