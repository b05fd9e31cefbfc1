using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Roaming;
using ZooNet.Proxy.Telemetry;
using ZooNet.Proxy.Upstream;
using ZooNet.Proxy.Views;
using ZooNet.Server;

namespace ZooNet.Proxy.Downstream;

/// <summary>
/// The proxy's data path: the client connections, the servers they are linked to, and what they share. Thread-safe.
/// </summary>
public sealed class DataPath : IHostedLifecycleService, ISessionFence, IRemoteServers, IDisposable
{
    /// <summary>Characters of a closed connection's reason that are logged.</summary>
    private const int MaxLogged = 300;

    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);

    private readonly ProxyConfig _config;
    private readonly EmbeddedObservers _observers;
    private readonly ConcurrentDictionary<DownstreamConnection, byte> _clients = new();
    private readonly ConcurrentDictionary<long, DownstreamConnection> _claims = new();
    private readonly long[] _closes = new long[Enum.GetValues<CloseReason>().Length];
    private readonly LogLimit _logLimit;
    private readonly LogLimit _refusals;
    private readonly CancellationTokenSource _stopped = new();
    private readonly BarrierChannels _barriers;
    private ITimer? _ticks;
    private ITimer? _forgetting;
    private int _ticking;
    private volatile bool _draining;

    /// <summary>Makes the data path of a configuration.</summary>
    public DataPath(ProxyConfig config, Region region, BarrierChannels barriers, ServerDirectory directory, RecordStore records,
        TimeProvider time, ILogger<DataPath> logger, EmbeddedObservers observers, LateParts late, ConfigInForce inForce,
            ClusterDirectory clusters, TreeServers trees)
    {
        _config = config;
        _barriers = barriers;
        Region = region;
        Traffic = new TrafficCounters(() => _clients.Keys.Aggregate(default(TrafficSums), (sums, client) => sums + client.Sums),
            new Latencies(config.Clusters.Count, time));
        Traces = new TracesAsked(time);
        Records = records;
        Time = time;
        Log = logger;
        Late = late;
        Pools = [.. config.Clusters.Select(c =>
            new ServerPool(region, c, barriers, directory, config.ConnectTimeout, time, () =>
                observers.Of(c.Ordinal) ?? trees.Of(c.Ordinal),
                clusters[c.Ordinal]))];
        observers.WentBack += cluster => Pools[cluster].Forget();
        observers.Taken += () => Taken?.Invoke();
        _observers = observers;
        foreach (var pool in Pools)
        {
            pool.Switched += OnSwitched;
        }
        foreach (var cluster in clusters.All)
        {
            var ordinal = cluster.Cluster.Ordinal;
            cluster.Changed += () => _ = Task.Run(() => LeaveGoneAsync(ordinal, cluster));
        }
        Limits = new ConnectionLimits(config.MaxConnections, config.MaxConnectionsPerAddress, OpenFiles.Count() ?? 0, OpenFiles.Limit,
            config.Clusters.Count);
        inForce.Changed += now =>
        {
            Limits.Change(now.MaxConnections, now.MaxConnectionsPerAddress);
            now.SetLimits(region.Limits);
        };
        Throttle = config.Throttle == 0 ? null : new RequestThrottle(config.Throttle);
        _logLimit = new LogLimit(_closes.Length, time);
        _refusals = new LogLimit(4, time, burst: 1);
        if (config.MaxConnections > Limits.FilesAllow)
        {
            logger.MoreConnectionsThanFiles(config.MaxConnections, Limits.FilesAllow, OpenFiles.Limit ?? 0, Limits.Total);
        }
        // A multi's results may be longer than itself: they are never an error, for it was carried out.
        MaxReply = Math.Max(config.MaxReply, 4 * config.MaxFrame);
    }

    /// <summary>What all sessions share.</summary>
    public Region Region { get; }

    /// <summary>The servers of each cluster, by ordinal.</summary>
    public IReadOnlyList<ServerPool> Pools { get; }

    /// <summary>What is counted of the client side.</summary>
    public TrafficCounters Traffic { get; }

    /// <summary>Sessions whose next request somebody wants to see.</summary>
    public TracesAsked Traces { get; }

    /// <summary>True once no more clients are accepted.</summary>
    public bool IsDraining => _draining;

    /// <summary>Client connections that are open now.</summary>
    public int ClientCount => _clients.Count;

    internal ConnectionLimits Limits { get; }
    /// <summary>How many requests a second clients may make; null for any number.</summary>
    internal RequestThrottle? Throttle { get; }
    internal LateParts Late { get; }
    internal RecordStore Records { get; }
    internal TimeProvider Time { get; }
    internal ILogger Log { get; }
    internal int MaxReply { get; }

    /// <summary>
    /// As whom home's own observer, in this process, takes every client: as whom its servers take them, for it is the proxy that connects
    /// to those.
    /// </summary>
    internal ForwardedClient KnownAtHome => new(null, _config.Home.Tls?.Subject);
    internal long NowMs => Time.GetTimestamp() / (Time.TimestampFrequency / 1000);
    internal IEnumerable<DownstreamConnection> Clients => _clients.Keys;

    /// <inheritdoc/>
    public void Dispose() => _stopped.Dispose();

    /// <summary>How many connections were closed for a reason.</summary>
    public long Closed(CloseReason reason) => Volatile.Read(ref _closes[(int)reason]);

    /// <summary>A client's connection is closed: counts it, and logs it unless there are too many of its kind.</summary>
    internal void LogClosed(DownstreamConnection client, CloseReason reason, string detail)
    {
        Interlocked.Increment(ref _closes[(int)reason]);
        if (!Hosting.LogMessages.IsLoud(reason))
        {
            Log.ClientClosedQuietly(client.Address, client.Session.SessionId, reason, detail);
        }
        else if (_logLimit.Allows((int)reason, out var leftOut))
        {
            // What a client sent may be in it, of any length.
            var shown = detail.Length <= MaxLogged ? detail : string.Concat(detail.AsSpan(0, MaxLogged), "…");
            var note = leftOut == 0 ? "" : $" ({leftOut} like it were not logged)";
            Log.ClientClosedLoudly(client.Address, client.Session.SessionId, reason, shown, note);
        }
    }

    internal void LogReplyTooLong(DownstreamConnection client, int length)
    {
        if (_refusals.Allows(2, out var leftOut))
        {
            Log.ReplyTooLong(client.Address, length, MaxReply, leftOut);
        }
    }

    internal void LogNoProxyHeader(IPAddress address, string why)
    {
        if (_refusals.Allows(3, out var leftOut))
        {
            Log.NoProxyHeader(address.ToString(), why, leftOut);
        }
    }

    internal void LogHandshakeFailed(string why)
    {
        if (_refusals.Allows(1, out var leftOut))
        {
            Log.HandshakeFailed(why, leftOut);
        }
    }

    /// <summary>Whether a connection from an address must begin with a PROXY header.</summary>
    internal bool IsBalancer(IPAddress address) => _config.ProxyProtocol.Any(n => n.Contains(address));

    /// <summary>What a client may do where.</summary>
    /// <param name="address">Where it comes from; null if that is not known.</param>
    /// <param name="name">The common name of its certificate; null for none.</param>
    internal PathRules? RulesOf(IPAddress? address, string? name) => ClientRule.Of(_config.Rules, address, name);

    /// <summary>Whether a limit lets a connection in; what refuses it is logged.</summary>
    internal bool Admits(IPAddress address, string? refusal)
    {
        if (refusal is null)
        {
            return true;
        }
        if (_refusals.Allows(0, out var leftOut))
        {
            Log.ConnectionRefused(address.ToString(), refusal, leftOut);
        }
        return false;
    }

    internal bool Add(DownstreamConnection client)
    {
        _clients.TryAdd(client, 0);
        if (_draining)
        {
            _clients.TryRemove(client, out _);
            return false;
        }
        Traffic.ConnectionOpened();
        return true;
    }

    /// <summary>
    /// Home has let this client into a session. Whoever claimed it here before loses its connection, as it would on a server: else two
    /// connections would share the session, and the older one's client would never notice.
    /// </summary>
    internal void Claim(DownstreamConnection client)
    {
        DownstreamConnection? before = null;
        _claims.AddOrUpdate(client.ClaimedSession, client, (_, other) =>
        {
            before = other;
            return client;
        });
        if (before is not null)
        {
            // On its own, because the caller holds its connection's lock and this takes the other's.
            _ = Task.Run(before.Displace);
        }
    }

    internal void Remove(DownstreamConnection client)
    {
        _claims.TryRemove(KeyValuePair.Create(client.ClaimedSession, client));
        if (_clients.TryRemove(client, out _))
        {
            Traffic.ConnectionClosed(client.WasDropped, client.Sums);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _ticks = Time.CreateTimer(_ => Tick(), null, TickInterval, TickInterval);
        _forgetting = Time.CreateTimer(_ => _ = ForgetGoneAsync(), null, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Drains before anything is stopped: the listener would wait for its connections, and they for us.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => DrainAsync();

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Drains: no new clients, outstanding requests are finished, bounded by the drain timeout; then all are closed.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await DrainAsync();
        if (_ticks is { } ticks)
        {
            await ticks.DisposeAsync();
        }
        if (_forgetting is { } forgetting)
        {
            await forgetting.DisposeAsync();
        }
        await _stopped.CancelAsync();
    }

    /// <inheritdoc/>
    public event Action? Taken;

    /// <inheritdoc/>
    public bool IsTaking(int cluster, string path) => _observers.Of(cluster) is { IsServing: true } own && !own.Keeps(path);

    /// <inheritdoc/>
    public string? InUse(int cluster) => Pools[cluster].Current?.Address;

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> AddressesAsync(int cluster, CancellationToken cancellationToken) => Pools[cluster].AddressesAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<bool> AnswersAsync(int cluster, string address, CancellationToken cancellationToken) => Pools[cluster].AnswersAsync(address, cancellationToken);

    /// <inheritdoc/>
    public async Task RequestsAnsweredAsync(CancellationToken cancellationToken)
    {
        var waiting = new List<(DownstreamConnection Client, long Submitted)>();
        foreach (var client in _clients.Keys)
        {
            // Under its lock: a request that is being routed at this moment has been counted when we get it.
            lock (client.Gate)
            {
                waiting.Add((client, client.Session.Submitted));
            }
        }
        while (true)
        {
            waiting.RemoveAll(w =>
            {
                lock (w.Client.Gate)
                {
                    return w.Client.Session.IsClosed || w.Client.Session.Answered >= w.Submitted;
                }
            });
            if (waiting.Count == 0)
            {
                return;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(10), Time, cancellationToken);
        }
    }

    /// <summary>
    /// A cluster has lost changes. Whatever is known of how fresh any server is rests on what is not true any more, and so does what the
    /// sessions have learned: their clients come back and learn anew.
    /// </summary>
    /// <param name="cluster">Its ordinal.</param>
    /// <param name="refusal">Why its servers must not be used; null where they may.</param>
    public void ForgetCluster(int cluster, string? refusal)
    {
        Pools[cluster].Refusal = refusal;
        foreach (var pool in Pools)
        {
            pool.Forget();
        }
        foreach (var client in _clients.Keys)
        {
            client.Abort();
        }
    }

    /// <summary>Closes every client connection that has nothing outstanding, and the others as soon as they have not.</summary>
    public async Task DrainAsync()
    {
        if (_draining)
        {
            return;
        }
        _draining = true;
        Log.Draining(_clients.Count, _config.DrainTimeout);
        foreach (var client in _clients.Keys)
        {
            client.Drain();
        }
        var deadline = Time.GetTimestamp() + (long)(_config.DrainTimeout.TotalSeconds * Time.TimestampFrequency);
        while (!_clients.IsEmpty && Time.GetTimestamp() < deadline)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), Time);
        }
        foreach (var client in _clients.Keys)
        {
            client.Abort();
        }
    }

    /// <summary>
    /// A remote is read through another server: the sessions that still read it through the one before are brought along, for that one
    /// may be a WAN away. (Where the view must be one single copy, the sessions themselves no longer hear it: <see cref="Region"/>.)
    /// </summary>
    private void OnSwitched(UpstreamServer current)
    {
        Log.ServerSwitched(Region.ClusterNames[current.Cluster], current.Address);
        // On its own: the caller holds no lock, but it is in a hurry.
        _ = Task.Run(() =>
        {
            foreach (var client in _clients.Keys)
            {
                client.LeaveOthers(current.Cluster, current);
            }
        });
    }

    /// <summary>The servers of a cluster are other ones than before: clients leave those that are none of them any more.</summary>
    private async Task LeaveGoneAsync(int cluster, ClusterServers servers)
    {
        Log.ServersChanged(Region.ClusterNames[cluster], string.Join(", ", servers.InOrder), servers.Source);
        var list = servers.InOrder;
        IReadOnlySet<UpstreamServer>? gone;
        while ((gone = await Pools[cluster].GoneAsync(_stopped.Token)) is null)
        {
            // A name that nobody knows now: until it is known those that are connected are better off where they are.
            await Task.Delay(TimeSpan.FromSeconds(2), Time, _stopped.Token);
            if (!ReferenceEquals(list, servers.InOrder))
            {
                return;
            }
        }
        foreach (var client in _clients.Keys)
        {
            client.LeaveGone(cluster, gone);
        }
    }

    /// <summary>Forgets, once a minute, the servers that have left their clusters for good and that no client uses.</summary>
    private async Task ForgetGoneAsync()
    {
        var used = new HashSet<UpstreamServer>();
        foreach (var client in _clients.Keys)
        {
            client.AddServers(used);
        }
        foreach (var pool in Pools)
        {
            foreach (var server in await pool.ForgetGoneAsync(used.Contains, _stopped.Token))
            {
                _barriers.Leave(server);
            }
        }
    }

    private void Tick()
    {
        if (Interlocked.Exchange(ref _ticking, 1) != 0)
        {
            return;
        }
        foreach (var (client, _) in _clients)
        {
            if (client.NeedsTicks)
            {
                client.Tick();
            }
        }
        Volatile.Write(ref _ticking, 0);
    }
}
