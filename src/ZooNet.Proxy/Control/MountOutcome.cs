namespace ZooNet.Proxy.Control;

/// <summary>Why a mount or unmount was not done.</summary>
public enum RefusalKind
{
    /// <summary>The words themselves are wrong: no path, an unknown option.</summary>
    Invalid,
    /// <summary>What is named does not exist.</summary>
    NotFound,
    /// <summary>It contradicts what is there.</summary>
    Conflict,
    /// <summary>A cluster can't be asked now.</summary>
    Unavailable,
}

/// <summary>What a mount or unmount came to.</summary>
/// <param name="Entry">The mount as it is now; for an unmount, as it was. Null where it was refused.</param>
/// <param name="Waiting">Who has not acknowledged it: it is not in use (or not gone) before they have.</param>
/// <param name="Refusal">Null, or why nothing was done.</param>
/// <param name="Message">One sentence that says what happened or, of a refusal, why and what to do.</param>
public sealed record MountOutcome(MountEntry? Entry, IReadOnlyList<string> Waiting, RefusalKind? Refusal, string Message)
{
    /// <summary>True when what was asked for was so before.</summary>
    public bool WasSo { get; init; }

    internal static MountOutcome Refused(RefusalKind kind, string message) => new(null, [], kind, message);
}

/// <summary>What a mount command asks for.</summary>
/// <param name="Source"><c>cluster:/path</c>.</param>
/// <param name="Path">The mount point.</param>
/// <param name="Options">As after <c>-o</c>; null for the defaults.</param>
/// <param name="Force">True to take it into use though not everybody has acknowledged it.</param>
public sealed record MountRequest(string? Source, string? Path, string? Options = null, bool Force = false)
{
    /// <summary>Splits a source into cluster and path.</summary>
    /// <returns>Null, or what is wrong with it.</returns>
    public static string? ParseSource(string? source, out string cluster, out string path)
    {
        (cluster, path) = ("", "");
        var colon = source?.IndexOf(':') ?? -1;
        if (source is null || colon < 1 || colon == source.Length - 1)
        {
            return $"'{source}' is no source; write 'cluster:/path', as in eu:/apps";
        }
        (cluster, path) = (source[..colon].ToLowerInvariant(), source[(colon + 1)..]);
        return MountRules.CheckRemotePath(path);
    }
}
