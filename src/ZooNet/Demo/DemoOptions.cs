using ZooNet.Proxy.Configuration;

namespace ZooNet.Demo;

/// <summary>How a demo is run.</summary>
public sealed record DemoOptions
{
    /// <summary>Round trip between the regions. Zero to two seconds.</summary>
    public TimeSpan Rtt { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Operations of the mixed load, in every mode. At least one per client.</summary>
    public int Operations { get; init; } = 800;

    /// <summary>
    /// Rounds of the two-writers experiment, in every mode; each round is played by <see cref="Pairs"/> pairs of clients.
    /// </summary>
    public int Rounds { get; init; } = 10;

    /// <summary>Pairs of clients, one of each region, that play the two-writers experiment at the same time.</summary>
    public int Pairs { get; init; } = 4;

    /// <summary>Clients of the mixed load in each region.</summary>
    public int ClientsPerRegion { get; init; } = 4;

    /// <summary>Seed of everything random: what is read and written, and when. Timing on a real machine stays its own.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Where the proxy of region us listens; port 0 takes a free one.</summary>
    public HostPort Us { get; init; } = new("127.0.0.1", 0);

    /// <summary>Where the proxy of region eu listens; port 0 takes a free one.</summary>
    public HostPort Eu { get; init; } = new("127.0.0.1", 0);

    /// <summary>Whether everything stays up after the run, until Ctrl-C.</summary>
    public bool Keep { get; init; }
}
