using System.Text.Json.Nodes;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Clients;

/// <summary>
/// Where the unmodified clients run: region us with an ensemble of three servers and one proxy, and ensemble eu, read through its
/// observer in us and mounted at <see cref="Mount"/>. The ensembles are set up as kazoo's own harness sets up its servers. With
/// <c>ZOONET_OBSERVE</c> in the environment the proxy itself is the observer of both.
/// </summary>
public sealed class ClientsFixture : IAsyncLifetime
{
    /// <summary>The mount point of eu's /apps.</summary>
    public const string Mount = "/mnt/eu";

    /// <summary>The super user of kazoo's harness: super:test.</summary>
    public const string SuperDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

    internal const string SuperUser = $"-Dzookeeper.DigestAuthenticationProvider.superDigest={SuperDigest}";

    private RealEnsemble? _us;
    private RealEnsemble? _eu;
    private ProxyProcess? _proxy;

    /// <summary>The home ensemble's own addresses.</summary>
    public string Direct => _us!.ConnectString;

    /// <summary>The proxy's address.</summary>
    public string Proxied => _proxy!.Address.ToString();

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        // A fixture can't skip; its tests do, by ClientProgram.Require().
        if (!Jars.Present)
        {
            return;
        }
        RealEnsembleOptions options = new() { TickTimeMs = 1000, Config = ["reconfigEnabled=true"], Jvm = [SuperUser] };
        var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", options with { Voters = 3 }),
            RealEnsemble.StartAsync("eu", options with { RemoteObservers = 1, Config = [] }));
        (_us, _eu) = (ensembles[0], ensembles[1]);
        var settings = new JsonObject { ["fourLetterWords"] = new JsonArray("*") };
        if (Environment.GetEnvironmentVariable("ZOONET_OBSERVE") is not null)
        {
            settings["home"] = Observed(_us, new JsonObject { ["cluster"] = "us", ["observe"] = true });
            settings["remotes"] = new JsonObject { ["eu"] = Observed(_eu, []) };
        }
        _proxy = await ProxyProcess.StartAsync(ProxyCluster.Home(_us), [ProxyCluster.Remote(_eu)], settings);
        await _proxy.MountAsync("eu:/apps", Mount, "create");
    }

    private static JsonObject Observed(RealEnsemble ensemble, JsonObject cluster)
    {
        cluster["servers"] = new JsonArray([.. ensemble.Addresses.Select(a => (JsonNode)a.ToString())]);
        cluster["observer"] = new JsonObject { ["superDigest"] = SuperDigest };
        cluster["quorum"] = new JsonArray([.. ensemble.QuorumPorts.Select(p => (JsonNode)$"{p.Host}:{p.Port}")]);
        return cluster;
    }

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        foreach (var part in (IAsyncDisposable?[])[_proxy, _us, _eu])
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }
    }
}

/// <summary>Tests in this collection share one <see cref="ClientsFixture"/> and run one after another.</summary>
[CollectionDefinition(Name)]
public sealed class ClientsCollection : ICollectionFixture<ClientsFixture>
{
    /// <summary>The collection's name, for the attribute of a test class.</summary>
    public const string Name = "unmodified clients";
}
