namespace ZooNet.Proxy.Configuration;

/// <summary>A key of the configuration as it is in force.</summary>
/// <param name="Key">The key, as in the file: <c>timeouts.drain</c>.</param>
/// <param name="Text">What was written, or the default. A list has its items separated by ", ". A secret is "…".</param>
/// <param name="Source">The file, the variable or "the command line"; "default" where nobody wrote it.</param>
public sealed record ConfigValue(string Key, string Text, string Source)
{
    /// <summary>Where nobody wrote the key.</summary>
    public const string Default = "default";
}
