using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;
using ZooNet.Roaming;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Roaming;

/// <summary>Two clusters, us and eu, as zones of the tree "t" whose arbiter is us, and what proxies of both regions see of it.</summary>
internal sealed class Zones : IAsyncDisposable
{
    private const string TheSecret = "zoonet:the-secret";
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly Dictionary<string, HostPort> _addresses = [];
    private readonly Dictionary<string, EmbeddedServer> _servers = [];

    public static Layout Layout { get; } = new("t");

    public TreeRecord Tree { get; private init; } = new(["eu", "us"], "us", "1");

    /// <summary>Two clusters in this process, with an object that us owns.</summary>
    public static async Task<Zones> StartAsync(string arbiter = "us")
    {
        var zones = new Zones { Tree = new TreeRecord(["eu", "us"], arbiter, "1") };
        foreach (var (name, epoch) in new[] { ("us", 11), ("eu", 12) })
        {
            var server = await EmbeddedServer.StartAsync(new EmbeddedServerOptions
            {
                Tick = TimeSpan.FromMilliseconds(500),
                Epoch = epoch,
            });
            zones._owned.Add(server);
            zones._servers[name] = server;
            zones._addresses[name] = new HostPort("127.0.0.1", server.Address.Port);
        }
        return await zones.WithObjectAsync();
    }

    /// <summary>The same on ensembles that are there.</summary>
    public static Task<Zones> OnAsync(ServerAddress us, ServerAddress eu)
    {
        var zones = new Zones();
        (zones._addresses["us"], zones._addresses["eu"]) = (new HostPort(us.Host, us.Port), new HostPort(eu.Host, eu.Port));
        return zones.WithObjectAsync();
    }

    /// <summary>A proxy of a region, as far as the tree is concerned.</summary>
    /// <param name="zone">The region.</param>
    /// <param name="between">Comes between it and the zones.</param>
    /// <param name="time">Its clock.</param>
    /// <param name="reaches">The zones that answer.</param>
    public async Task<ZoneProxy> ProxyAsync(string zone, Func<IZones, IZones>? between = null, TimeProvider? time = null,
        params IReadOnlyList<string> reaches)
    {
        reaches = reaches.Count > 0 ? reaches : Tree.Zones;
        var other = zone == "us" ? "eu" : "us";
        var config = new ProxyConfig
        {
            Region = zone,
            Listen = [],
            Home = new ClusterConfig(zone, 0, [], [_addresses[zone]]),
            Remotes = [new ClusterConfig(other, 1, [], [_addresses[other]])],
            Secret = TheSecret,
            SessionTimeout = TimeSpan.FromSeconds(6),
        };
        var secret = new ProxySecret(config);
        var controls = new ClusterControls(config, secret, TimeProvider.System, NullLogger<ClusterControl>.Instance);
        _owned.Add(controls);
        controls.Start();
        await TwoRegions.Eventually(() => Task.FromResult(controls.All.All(c => c.Health.IsUp || !reaches.Contains(c.Cluster.Name))));
        IZones sessions = new ZoneSessions(controls.All, secret);
        var proxy = new ZoneProxy(Tree, zone, between?.Invoke(sessions) ?? sessions, controls, time ?? TimeProvider.System);
        _owned.Add(proxy);
        return proxy;
    }

    /// <summary>A region's cluster is no more.</summary>
    public ValueTask EndAsync(string zone) => _servers[zone].DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse())
        {
            await owned.DisposeAsync();
        }
    }

    private async Task<Zones> WithObjectAsync()
    {
        var maker = await ProxyAsync("us");
        foreach (var control in maker.Controls.All)
        {
            await control.Tree.EnsureAsync(CancellationToken.None);
        }
        Assert.Equal(End.Done, (await maker.DoAsync(new TreeCreator(Layout, Tree.Zones))).End);
        Assert.Equal(End.Done, (await maker.DoAsync(new Creator(Layout, Tree.Arbiter, Tree.Zones, ZoneProxy.Name, "us"))).End);
        return this;
    }
}

/// <summary>An object at one proxy.</summary>
internal sealed class ZoneProxy : IObjectUser, IAsyncDisposable
{
    public const string Name = "o";

    private readonly string _zone;
    private readonly IZones _zones;
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ZoneProxy(TreeRecord tree, string zone, IZones zones, ClusterControls controls, TimeProvider time)
    {
        (_zone, _zones, Controls) = (zone, zones, controls);
        Object = new RoamingObject(Zones.Layout, tree, Name, zone, zones, this, time, e => Failures.Writer.TryWrite(e));
    }

    public RoamingObject Object { get; }

    public ClusterControls Controls { get; }

    public Channel<Exception> Failures { get; } = Channel.CreateUnbounded<Exception>();

    public async Task<ZoneProxy> StartAsync()
    {
        Object.Start();
        await _loaded.Task.WaitAsync(TimeSpan.FromSeconds(60));
        return this;
    }

    /// <summary>Carries out the steps of a procedure.</summary>
    /// <param name="procedure">The procedure.</param>
    /// <param name="asks">After so many the process is gone.</param>
    public async Task<T> DoAsync<T>(T procedure, int asks = int.MaxValue) where T : Procedure
    {
        foreach (var ask in procedure.Steps())
        {
            if (asks-- <= 0)
            {
                break;
            }
            if (ask.Kind != AskKind.Applied)
            {
                await _zones.AskAsync(ask, CancellationToken.None);
            }
        }
        return procedure;
    }

    /// <summary>Creates a znode with a sequence number; completes with its path when the own copy has it.</summary>
    public Task<string> AppendAsync(string prefix, string data)
    {
        var writer = new JuteWriter();
        new CreateRequest(prefix, Encoding.UTF8.GetBytes(data), [.. Acl.Open], CreateFlags.PersistentSequential).Write(writer,
            OpCode.Create);
        var done = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var command = Command.Write(new SessionName(_zone, 1), OpCode.Create, writer.Written.ToArray(), []);
        Object.Post(() =>
        {
            if (!Object.TrySend(command, done))
            {
                done.SetException(new InvalidOperationException("not taken"));
            }
        });
        return done.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    /// <summary>The data of all znodes, by their names, as they were committed before the call or later.</summary>
    public Task<string[]> ReadFreshAsync()
    {
        var done = new TaskCompletionSource<string[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        Object.Post(() => Object.Freshen(done));
        return done.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    public void Load(ObjectCopy copy) => _loaded.TrySetResult();

    public void Applied(ObjectCopy copy, IReadOnlyList<(Outcome Outcome, object? Tag)> outcomes)
    {
        foreach (var (outcome, tag) in outcomes)
        {
            (tag as TaskCompletionSource<string>)?.TrySetResult(outcome.Result!.Value.Path!);
        }
    }

    public void Fresh(ObjectCopy copy, object tag) => ((TaskCompletionSource<string[]>)tag).TrySetResult(
        [.. copy.Tree.Nodes.Where(n => n.Path != "/").OrderBy(n => n.Path, StringComparer.Ordinal).Select(n =>
            Encoding.UTF8.GetString(n.Data!))]);

    public void Lost(object tag) => ((TaskCompletionSource<string>)tag).TrySetException(new InvalidOperationException("lost"));

    public ValueTask DisposeAsync() => Object.DisposeAsync();
}

/// <summary>Zones that carry some writes out and lose the reply, or stand still.</summary>
internal sealed class LossyZones(IZones inner) : IZones
{
    /// <summary>Writes of which this says true are carried out, and nobody hears of it.</summary>
    public Func<Ask, bool> Loses { get; set; } = static _ => false;

    /// <summary>Writes of which this says true are not carried out.</summary>
    public Func<Ask, bool> Drops { get; set; } = static _ => false;

    /// <summary>Every write waits for this: a process that was paused.</summary>
    public Task Pause { get; set; } = Task.CompletedTask;

    /// <summary>That a watch is set at a log's end in a zone is heard of when this has ended.</summary>
    public Func<string, Task> Hears { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Every answer is heard of when this has ended.</summary>
    public Func<Task> Delay { get; set; } = static () => Task.CompletedTask;

    public int Lost { get; private set; }

    public event Action<string, string?>? Stirred
    {
        add => inner.Stirred += value;
        remove => inner.Stirred -= value;
    }

    public async Task AskAsync(Ask ask, CancellationToken cancellationToken)
    {
        if (ask.Kind == AskKind.Write)
        {
            await Pause;
            if (Drops(ask))
            {
                ask.Error = ErrorCode.ConnectionLoss;
                return;
            }
        }
        await inner.AskAsync(ask, cancellationToken);
        await Delay();
        if (ask.Kind == AskKind.Write && Loses(ask))
        {
            Lost++;
            ask.Error = ErrorCode.ConnectionLoss;
        }
    }

    public async Task<byte[]?> PeekAsync(string zone, string path, CancellationToken cancellationToken)
    {
        var found = await inner.PeekAsync(zone, path, cancellationToken);
        await Delay();
        return found;
    }

    public async Task<int> CountAsync(string zone, string path, CancellationToken cancellationToken)
    {
        var count = await inner.CountAsync(zone, path, cancellationToken);
        await Delay();
        return count;
    }

    public async Task<LogEnd> WatchAsync(string zone, string entry, string ballot, string log, CancellationToken cancellationToken)
    {
        var end = await inner.WatchAsync(zone, entry, ballot, log, cancellationToken);
        await Hears(zone);
        await Delay();
        return end;
    }

    public async Task<int> WatchAsync(string zone, string path, CancellationToken cancellationToken)
    {
        var version = await inner.WatchAsync(zone, path, cancellationToken);
        await Delay();
        return version;
    }
}
