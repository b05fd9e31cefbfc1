using System.Net;
using System.Text;
using ZooNet.Client;
using ZooNet.Wan;

namespace ZooNet.Integration.Fixtures;

/// <summary>How a <see cref="RealEnsemble"/> is made up.</summary>
public sealed record RealEnsembleOptions
{
    /// <summary>Voting servers: 1 or 3.</summary>
    public int Voters { get; init; } = 1;

    /// <summary>Observers on the voters' side.</summary>
    public int LocalObservers { get; init; }

    /// <summary>Observers in another region: between each and the voters is an emulated WAN.</summary>
    public int RemoteObservers { get; init; }

    /// <summary>The WAN between a remote observer and the voters; by default one without delay, which can be cut.</summary>
    public WanOptions Wan { get; init; } = new();

    /// <summary>The tick in milliseconds. Sessions last at least two, and expire in steps of one.</summary>
    public int TickTimeMs { get; init; } = 500;

    /// <summary>True for an ensemble whose servers can be exchanged while it runs: <c>RealEnsemble.JoinAsync</c>.</summary>
    public bool Reconfigurable { get; init; }

    /// <summary>Further lines for zoo.cfg.</summary>
    public IReadOnlyList<string> Config { get; init; } = [];

    /// <summary>Further flags for the Java machine, such as -Dzookeeper.… settings.</summary>
    public IReadOnlyList<string> Jvm { get; init; } = [];

    /// <summary>What to start the servers of the voters' region with, such as taskset and its arguments; it must end in exec.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>The same for the observers in the other region.</summary>
    public IReadOnlyList<string> RemoteLauncher { get; init; } = [];
}

/// <summary>
/// A real ZooKeeper 3.8.0 ensemble from Debian's jars, on free ports of 127.0.0.1 and in a temporary folder. Nothing stays behind:
/// the processes die with this one, and the folder is removed on disposal.
/// </summary>
public sealed partial class RealEnsemble : IAsyncDisposable
{
    private const int FirstObserverId = 101;
    private readonly string _folder;
    private readonly RealEnsembleOptions _options;
    private readonly Dictionary<int, string> _lines;
    private readonly List<RealServer> _servers;

    private RealEnsemble(string name, string folder, RealEnsembleOptions options, List<RealServer> servers, Dictionary<int, string> lines)
    {
        Name = name;
        _folder = folder;
        _options = options;
        _servers = servers;
        _lines = lines;
    }

    /// <summary>The cluster's name.</summary>
    public string Name { get; }

    /// <summary>Every server, voters first, then observers of the voters' region, then remote ones.</summary>
    public IReadOnlyList<RealServer> Servers => _servers;

    /// <summary>The voting servers.</summary>
    public IEnumerable<RealServer> Voters => Servers.Where(server => !server.IsObserver);

    /// <summary>The observers, in both regions.</summary>
    public IEnumerable<RealServer> Observers => Servers.Where(server => server.IsObserver);

    /// <summary>The observer in the other region; the first where there are several.</summary>
    public RealServer RemoteObserver => Servers.First(server => server.Relays.Count > 0);

    /// <summary>Addresses of the voters.</summary>
    public IReadOnlyList<ServerAddress> Addresses => [.. Voters.Select(server => server.Address)];

    /// <summary>The voters' quorum ports.</summary>
    public IReadOnlyList<DnsEndPoint> QuorumPorts => [.. Voters.Select(server => new DnsEndPoint("127.0.0.1", server.QuorumPort))];

    /// <summary>The voters' addresses as a ZooKeeper connection string.</summary>
    public string ConnectString => string.Join(',', Addresses);

    /// <summary>Starts an ensemble and waits until every server of it serves.</summary>
    public static async Task<RealEnsemble> StartAsync(string name, RealEnsembleOptions? options = null)
    {
        options ??= new RealEnsembleOptions();
        for (var attempt = 1; ; attempt++)
        {
            var ensemble = Lay(name, options);
            try
            {
                foreach (var server in ensemble.Servers)
                {
                    server.StartProcess();
                }
                await Task.WhenAll(ensemble.Servers.Select(server => server.WaitServingAsync(TimeSpan.FromSeconds(90))));
                return ensemble;
            }
            // Somebody else took a port between the probe and the bind.
            catch (InvalidOperationException) when (attempt < 3)
            {
                await ensemble.DisposeAsync();
            }
            catch
            {
                await ensemble.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Options for a client of the voters.</summary>
    public ZooKeeperClientOptions ClientOptions() => new() { Servers = Addresses, SessionTimeout = TimeSpan.FromSeconds(6) };

    /// <summary>A connected client of the voters.</summary>
    public Task<ZooKeeperClient> ConnectAsync() => ConnectAsync(ClientOptions());

    /// <summary>A connected client that is pinned to one server.</summary>
    public Task<ZooKeeperClient> ConnectAsync(RealServer server) => ConnectAsync(ClientOptions() with { Servers = [server.Address] });

    /// <summary>The server that leads now; null during an election.</summary>
    public async Task<RealServer?> LeaderAsync()
    {
        foreach (var server in Voters)
        {
            if (await server.ModeAsync() == "leader")
            {
                return server;
            }
        }
        return null;
    }

    private static string LineOf(int id, int quorum, int election, int client) =>
        $"server.{id}=127.0.0.1:{quorum}:{election}:participant;127.0.0.1:{client}";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Servers.Select(server => server.DisposeAsync().AsTask()));
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Disposed twice.
        }
    }

    private static async Task<ZooKeeperClient> ConnectAsync(ZooKeeperClientOptions options)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return await ZooKeeperClient.ConnectAsync(options, limit.Token);
    }

    private static RealEnsemble Lay(string name, RealEnsembleOptions options)
    {
        var folder = OwnedFolder.Create(name);
        var members = new List<(int Id, bool Observer, bool Remote, int Quorum, int Election, int Client)>();
        for (var i = 0; i < options.Voters + options.LocalObservers + options.RemoteObservers; i++)
        {
            // The larger id keeps the connection of an election pair: an observer's goes out, through its own relays.
            var observer = i >= options.Voters;
            members.Add((observer ? FirstObserverId + i - options.Voters : i + 1, observer, i >= options.Voters + options.LocalObservers,
                FreePorts.Take(), FreePorts.Take(), FreePorts.Take()));
        }
        var servers = new List<RealServer>();
        var known = new Dictionary<int, string>();
        foreach (var member in members)
        {
            var relays = new List<WanRelay>();
            var lines = new StringBuilder();
            foreach (var peer in members)
            {
                var (quorum, election) = member.Remote && !peer.Observer
                    ? (Relay(relays, peer.Quorum, options.Wan), Relay(relays, peer.Election, options.Wan))
                    : (peer.Quorum, peer.Election);
                var line = options.Reconfigurable ? LineOf(peer.Id, quorum, election, peer.Client)
                    : $"server.{peer.Id}=127.0.0.1:{quorum}:{election}{(peer.Observer ? ":observer" : "")}";
                lines.Append(line).Append('\n');
                known[peer.Id] = line;
            }
            var home = WriteFolder(folder, member.Id, member.Client, member.Observer, options, lines.ToString());
            var launcher = member.Remote ? options.RemoteLauncher : options.Launcher;
            servers.Add(new RealServer(member.Id, member.Observer, member.Client, member.Quorum, home, launcher, options.Jvm, relays));
        }
        return new RealEnsemble(name, folder, options, servers, known);
    }

    private static string WriteFolder(string folder, int id, int client, bool isObserver, RealEnsembleOptions options, string lines)
    {
        var home = Directory.CreateDirectory(Path.Combine(folder, id.ToString())).FullName;
        Directory.CreateDirectory(Path.Combine(home, "data"));
        File.WriteAllText(Path.Combine(home, "data", "myid"), $"{id}\n");
        // A reconfigurable server has its client's address in its line, and nobody needs a password to change that.
        var address = options.Reconfigurable ? "" : $"clientPortAddress=127.0.0.1\nclientPort={client}";
        File.WriteAllText(Path.Combine(home, "zoo.cfg"), $"""
            tickTime={options.TickTimeMs}
            initLimit=40
            syncLimit=20
            dataDir={home}/data
            {address}
            maxClientCnxns=0
            maxSessionTimeout=120000
            standaloneEnabled=false
            reconfigEnabled={(options.Reconfigurable ? "true" : "false")}
            {(options.Reconfigurable ? "skipACL=yes" : "")}
            admin.enableServer=false
            4lw.commands.whitelist=*
            {(isObserver ? "peerType=observer" : "")}
            {string.Join('\n', options.Config)}
            {lines}
            """);
        return home;
    }

    private static int Relay(List<WanRelay> relays, int to, WanOptions wan)
    {
        var relay = WanRelay.Start(new IPEndPoint(IPAddress.Loopback, 0), new DnsEndPoint("127.0.0.1", to), wan);
        relays.Add(relay);
        return relay.LocalEndPoint.Port;
    }
}
