using System.Net;

namespace ZooNet.WebConsole;

/// <summary>What a console looks at, and where it listens. Immutable.</summary>
public sealed record ConsoleOptions
{
    /// <summary>The admin endpoints of the proxies to look at, of all regions.</summary>
    public required IReadOnlyList<Uri> Proxies { get; init; }

    /// <summary>Where browsers connect; port 0 takes a free one. Whoever gets in may do what <see cref="Token"/> may.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 9180);

    /// <summary>Shown to the proxies as a bearer token; null where they ask for none.</summary>
    public string? Token { get; init; }

    /// <summary>Where the console is found behind another server, as in <c>/zoonet</c>; empty for the root.</summary>
    public string BasePath { get; init; } = "";

    /// <summary>How often proxies are asked while somebody looks. When nobody does, nobody asks.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>True for pages without buttons: nothing can be changed.</summary>
    public bool ReadOnly { get; init; }
}
