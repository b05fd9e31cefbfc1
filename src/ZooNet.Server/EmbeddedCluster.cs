using System.Net;
using ZooNet.Server.Cluster;
using ZooNet.Server.Connections;

namespace ZooNet.Server;

/// <summary>How an <see cref="EmbeddedCluster"/> is made up.</summary>
public sealed record EmbeddedClusterOptions
{
    /// <summary>The leader's options; observers have the same but for their address and number.</summary>
    public EmbeddedServerOptions Leader { get; init; } = new() { Epoch = 1 };

    /// <summary>One entry per observer.</summary>
    public IReadOnlyList<EmbeddedObserverOptions> Observers { get; init; } = [];
}

/// <summary>One observer of an <see cref="EmbeddedCluster"/>.</summary>
public sealed record EmbeddedObserverOptions
{
    /// <summary>Where it listens; port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>How long a message takes between it and the leader, one way: half a round trip. Zero or more.</summary>
    public TimeSpan Delay { get; init; }
}

/// <summary>
/// A leader and observers that lag behind it, each at an address of its own, in this process. An observer serves reads from its
/// own replica; writes and syncs are answered when the leader's answer has come back behind all it had committed before, so a
/// sync or a check-only multi through an observer brings it up to date, as with a real one. All members are safe for any thread.
/// </summary>
public sealed class EmbeddedCluster : IAsyncDisposable
{
    private readonly Leader _leader;
    private readonly ServerListener _listener;

    private EmbeddedCluster(Leader leader, ServerListener listener, IReadOnlyList<EmbeddedObserver> observers)
    {
        _leader = leader;
        _listener = listener;
        Observers = observers;
    }

    /// <summary>Where the leader listens.</summary>
    public IPEndPoint Address => _listener.Address;

    /// <summary>The observers, in the order of the options.</summary>
    public IReadOnlyList<EmbeddedObserver> Observers { get; }

    /// <summary>Starts a cluster.</summary>
    /// <exception cref="ArgumentException">A data directory is given.</exception>
    /// <exception cref="IOException">An address can't be listened on.</exception>
    public static async Task<EmbeddedCluster> StartAsync(EmbeddedClusterOptions options, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Leader.DataDirectory is not null)
        {
            throw new ArgumentException("A cluster is in memory only: its observers would show what is not on disk yet.", nameof(options));
        }
        var leader = new Leader(options.Leader);
        var observers = new List<EmbeddedObserver>();
        ServerListener? listener = null;
        try
        {
            listener = await ServerListener.StartAsync(leader, cancel).ConfigureAwait(false);
            foreach (var observer in options.Observers)
            {
                var own = options.Leader with { Listen = observer.Listen, ServerId = (byte)(options.Leader.ServerId + observers.Count + 1) };
                observers.Add(await EmbeddedObserver.StartAsync(own, leader, observer.Delay, cancel).ConfigureAwait(false));
            }
            return new EmbeddedCluster(leader, listener, observers);
        }
        catch
        {
            await StopAsync(leader, listener, observers).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Stops the leader and the observers.</summary>
    public async ValueTask DisposeAsync() => await StopAsync(_leader, _listener, Observers).ConfigureAwait(false);

    private static async Task StopAsync(Leader leader, ServerListener? listener, IReadOnlyList<EmbeddedObserver> observers)
    {
        leader.Dispose();
        foreach (var observer in observers)
        {
            await observer.StopAsync().ConfigureAwait(false);
        }
        if (listener is not null)
        {
            await listener.DisposeAsync().ConfigureAwait(false);
        }
    }
}

/// <summary>An observer of an <see cref="EmbeddedCluster"/>. All members are safe for any thread.</summary>
public sealed class EmbeddedObserver
{
    private readonly Observer _observer;
    private readonly EmbeddedLeader _leader;
    private readonly ServerListener _listener;
    private readonly StrongBox _delay;

    private EmbeddedObserver(Observer observer, EmbeddedLeader leader, ServerListener listener, StrongBox delay)
    {
        _observer = observer;
        _leader = leader;
        _listener = listener;
        _delay = delay;
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address => _listener.Address;

    /// <summary>
    /// How long a message takes between it and the leader, one way. A new value holds for messages sent from then on; order is kept.
    /// </summary>
    public TimeSpan Delay
    {
        get => _delay.Value;
        set => _delay.Value = value;
    }

    /// <summary>The zxid of the last write it has learnt.</summary>
    public long LastZxid
    {
        get
        {
            lock (_observer.Gate)
            {
                return _observer.Tree.LastZxid;
            }
        }
    }

    /// <summary>Cuts it off from the leader: its clients are closed and turned away until <see cref="Reconnect"/>.</summary>
    public void Disconnect()
    {
        _leader.Disconnect();
        _observer.StopServing();
    }

    /// <summary>Mends the cut: after a round trip it has caught up and serves again.</summary>
    public void Reconnect()
    {
        lock (_observer.Gate)
        {
            if (_observer.IsServing)
            {
                return;
            }
        }
        _leader.Reconnect();
    }

    /// <summary>Ends every client's connection to it; sessions live on.</summary>
    public void CloseConnections() => _observer.CloseConnections();

    internal static async Task<EmbeddedObserver> StartAsync(EmbeddedServerOptions options, Leader leader, TimeSpan delay, CancellationToken cancel)
    {
        var box = new StrongBox { Value = delay };
        var observer = new Observer(options);
        var link = new EmbeddedLeader(leader, observer, options.Time, () => box.Value);
        try
        {
            observer.Leader = link;
            link.Connect();
            return new EmbeddedObserver(observer, link, await ServerListener.StartAsync(observer, cancel).ConfigureAwait(false), box);
        }
        catch
        {
            link.Dispose();
            observer.Dispose();
            throw;
        }
    }

    internal async Task StopAsync()
    {
        _leader.Dispose();
        _observer.Dispose();
        await _listener.DisposeAsync().ConfigureAwait(false);
    }

    private sealed class StrongBox
    {
        private long _ticks;

        public TimeSpan Value
        {
            get => new(Interlocked.Read(ref _ticks));
            set => Interlocked.Exchange(ref _ticks, value.Ticks);
        }
    }
}
