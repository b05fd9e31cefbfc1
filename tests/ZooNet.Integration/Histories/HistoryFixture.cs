using System.Globalization;
using System.Net;
using ZooNet.Integration.Fixtures;
using ZooNet.Wan;

namespace ZooNet.Integration.Histories;

/// <summary>
/// Regions for histories, started once for all tests of a class: each has an ensemble and may mount another one, which it reads through an
/// observer of its own. Everything between the regions goes through relays with delay and jitter.
/// </summary>
/// <param name="mounts">By region, the region whose cluster it mounts; null for none.</param>
/// <param name="voters">Voting servers per ensemble, where ZOONET_VOTERS does not say.</param>
/// <param name="proxies">Proxies per region.</param>
public abstract class HistoryFixture(IReadOnlyDictionary<string, string?> mounts, int voters, int proxies) : IAsyncLifetime
{
    private readonly Dictionary<string, RealEnsemble> _ensembles = [];
    private readonly Dictionary<RealEnsemble, IReadOnlyList<WanRelay>> _ways = [];

    /// <summary>What the WAN is like; ZOONET_RTT asks for another round trip, in milliseconds.</summary>
    public static WanOptions Wan { get; } = new()
    {
        Rtt = TimeSpan.FromMilliseconds(FromEnvironment("ZOONET_RTT", 40)),
        Jitter = TimeSpan.FromMilliseconds(20),
    };

    /// <summary>By region, the region whose cluster it mounts; null for none.</summary>
    public IReadOnlyDictionary<string, string?> Mounts => mounts;

    /// <summary>Proxies per region.</summary>
    public int Proxies => proxies;

    /// <summary>The ensembles, by region.</summary>
    public IReadOnlyDictionary<string, RealEnsemble> Ensembles => _ensembles;

    /// <summary>By ensemble, the way across the WAN to its voters, for the proxies that mount it.</summary>
    public IReadOnlyDictionary<RealEnsemble, IReadOnlyList<WanRelay>> Ways => _ways;

    /// <summary>A whole number from the environment.</summary>
    public static int FromEnvironment(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        // A fixture can't skip; its tests do, by Jars.Require().
        if (!Jars.Present)
        {
            return;
        }
        var options = new RealEnsembleOptions { Voters = FromEnvironment("ZOONET_VOTERS", voters), RemoteObservers = 1, Wan = Wan };
        foreach (var ensemble in await Task.WhenAll(mounts.Keys.Select(name => RealEnsemble.StartAsync(name, options))))
        {
            _ensembles.Add(ensemble.Name, ensemble);
            _ways.Add(ensemble, [.. ensemble.Voters.Select(voter => WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new DnsEndPoint("127.0.0.1", voter.ClientPort), Wan))]);
        }
    }

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        foreach (var (ensemble, ways) in _ways)
        {
            await ensemble.DisposeAsync();
            foreach (var way in ways)
            {
                await way.DisposeAsync();
            }
        }
    }
}

/// <summary>Regions us and eu mount each other.</summary>
public sealed class TwoRegions() : HistoryFixture(new Dictionary<string, string?> { ["us"] = "eu", ["eu"] = "us" }, voters: 3, proxies: 2);

/// <summary>us mounts eu, eu mounts ap, ap mounts us: a cycle in which no two mount each other.</summary>
public sealed class Ring() : HistoryFixture(new Dictionary<string, string?> { ["us"] = "eu", ["eu"] = "ap", ["ap"] = "us" }, voters: 1, proxies: 2);

/// <summary>us mounts eu and nobody mounts us: no cycle, so with one proxy the whole region is a single view.</summary>
public sealed class OneWay() : HistoryFixture(new Dictionary<string, string?> { ["us"] = "eu", ["eu"] = null }, voters: 3, proxies: 1);

/// <summary>The same with two proxies in each region, which agree on the server that they read eu through.</summary>
public sealed class OneWayPair() : HistoryFixture(new Dictionary<string, string?> { ["us"] = "eu", ["eu"] = null }, voters: 1, proxies: 2);
