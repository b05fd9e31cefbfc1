using System.Net;

namespace ZooNet.WebConsole;

/// <summary>What a console looks at, and where it listens. Immutable.</summary>
public sealed record ConsoleOptions
{
    /// <summary>The admin endpoints of the proxies to look at, of all regions.</summary>
    public required IReadOnlyList<Uri> Proxies { get; init; }

    /// <summary>The admin endpoint of the proxy that the console is a part of, asked for once it listens; null for one by itself.</summary>
    public Func<Uri>? Self { get; init; }

    /// <summary>
    /// By cluster: where the AdminServers of its ZooKeeper servers listen. Their commands are forwarded as
    /// <c>/clusters/NAME/commands/…</c>.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<Uri>> AdminServers { get; init; } = new Dictionary<string, IReadOnlyList<Uri>>();

    /// <summary>Where browsers connect; port 0 takes a free one. Whoever gets in may do what <see cref="Token"/> may.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 9180);

    /// <summary>Shown to the proxies as a bearer token; null where they ask for none.</summary>
    public string? Token { get; init; }

    /// <summary>Tells that token anew for each question, where it may change; null where it does not.</summary>
    public Func<string?>? CurrentToken { get; init; }

    /// <summary>Where the console is found behind another server, as in <c>/zoonet</c>; empty for the root.</summary>
    public string BasePath { get; init; } = "";

    /// <summary>How often proxies are asked while somebody looks. When nobody does, nobody asks.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Every proxy to look at.</summary>
    internal IReadOnlyList<Uri> All => Self is { } self ? [.. Proxies.Prepend(self()).Distinct()] : Proxies;

    /// <summary>True for pages without buttons: nothing can be changed.</summary>
    public bool ReadOnly { get; init; }
}
