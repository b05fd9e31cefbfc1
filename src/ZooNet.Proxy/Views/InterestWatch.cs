using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Views;

/// <summary>
/// Watches the subtrees of home that others can see, on a session of its own at one home server, and keeps
/// <see cref="Region.HomeInterest"/> up to date. It never decides on stale knowledge: whatever goes wrong here, reads wait for barriers as
/// they would without it. Thread-safe.
/// </summary>
/// <remarks>
/// Every change of the paths and every loss of the connection makes a new session. On it the watches are armed, then it is tried out
/// whether the server tells also of znodes that this session may not read (servers from 3.8.4 and 3.9.2 on do not, unless the session is
/// the super user's): if it does not, a change could be missed, and the watch is off. Servers before 3.6 have no such watches.
/// </remarks>
public sealed class InterestWatch(ProxyConfig config, ClusterDirectory directory, ProxySecret secret, Region region, TimeProvider time,
    ILogger<InterestWatch> logger) : IBarrierTransport, IAsyncDisposable
{
    /// <summary>How long a read waits at most to learn whether it needs a barrier. A home server that is slower is given up.</summary>
    public static readonly TimeSpan RefreshTimeout = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private Following? _following;
    private string[] _paths = [];
    private bool _disposed;
    private long _refreshes;
    private volatile string _off = "off";

    /// <summary>What it does now and why, in a line for operators.</summary>
    public string State
    {
        get
        {
            lock (_lock)
            {
                return _following is { } f
                    ? $"{string.Join(", ", f.Paths)}: {f.State}; seen up to 0x{Math.Max(0, f.Watermark.SeenUpTo):x}, {f.Watermark.Changes} changes, {Volatile.Read(ref _refreshes)} refreshes"
                    : _off;
            }
        }
    }

    /// <summary>
    /// From now on, when this returns, nothing is told of home but what is known for these subtrees. The same paths as before change
    /// nothing. Call it before a new set of records is acknowledged.
    /// </summary>
    /// <param name="homePaths">
    /// The roots of what somebody outside the view can read of home (<see cref="InterestSet"/>); empty to watch nothing.
    /// </param>
    public void Follow(IReadOnlyCollection<string> homePaths)
    {
        string[] paths = [.. homePaths.Order(StringComparer.Ordinal)];
        lock (_lock)
        {
            if (_disposed || _paths.SequenceEqual(paths, StringComparer.Ordinal))
            {
                return;
            }
            _paths = paths;
            region.HomeInterest = null;
            _ = _following?.StopAsync();
            _following = null;
            _off = paths.Length == 0 ? "off" : "off: others can see all of home";
            if (paths.Length == 0 || paths.Contains("/"))
            {
                return;
            }
            var following = new Following(paths);
            _following = following;
            region.HomeInterest = following.Watermark;
            following.Loop = new Loop(_ => WatchOnceAsync(following), e => logger.InterestNotWatched(e.Message),
                ShortestPause, LongestPause, time);
            following.Loop.Start();
        }
    }

    /// <inheritdoc/>
    public void Send(UpstreamServer server, BarrierTicket ticket) => _ = Task.Run(() => RefreshAsync(server, ticket));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Following? following;
        lock (_lock)
        {
            _disposed = true;
            following = _following;
            _following = null;
            region.HomeInterest = null;
        }
        if (following is not null)
        {
            await following.StopAsync();
        }
    }

    private async Task RefreshAsync(UpstreamServer server, BarrierTicket ticket)
    {
        var succeeded = false;
        Following? following;
        lock (_lock)
        {
            following = _following;
        }
        if (following is not null && following.Watermark.Watcher == server && following.Link is { } link)
        {
            Interlocked.Increment(ref _refreshes);
            using var deadline = new CancellationTokenSource(RefreshTimeout, time);
            try
            {
                await link.Client.SyncAsync("/", deadline.Token);
                succeeded = true;
            }
            catch (Exception e) when (e is KeeperException or OperationCanceledException)
            {
                link.Lose(e is KeeperException ? e.Message : $"no answer within {RefreshTimeout.TotalMilliseconds:F0} ms");
            }
        }
        server.BarrierDone(ticket, succeeded);
    }

    private async Task<TimeSpan> WatchOnceAsync(Following following)
    {
        try
        {
            Report(await WatchAsync(following));
            return ShortestPause;
        }
        catch (Exception e) when (e is CannotWatchException or KeeperException { Code: ErrorCode.Unimplemented })
        {
            Report(e is CannotWatchException ? e.Message : "the server has no persistent watches (ZooKeeper has them from 3.6 on)");
            // It will not be otherwise soon; maybe the server is replaced.
            return LongestPause;
        }
        catch (Exception e)
        {
            following.State = $"not available: {e.Message}";
            throw;
        }

        void Report(string why)
        {
            following.State = $"not available: {why}";
            if (following.Reported != why)
            {
                following.Reported = why;
                logger.InterestNotWatched(why);
            }
        }
    }

    /// <summary>Watches on one connection until it is lost.</summary>
    /// <returns>Why it ended.</returns>
    private async Task<string> WatchAsync(Following following)
    {
        following.State = "connecting";
        var client = new ZooKeeperClient(new ZooKeeperClientOptions
        {
            Servers = LiveAddresses.Of(directory[0]),
            SessionTimeout = config.SessionTimeout,
            AttemptTimeout = config.ConnectTimeout,
            Tls = config.Home.Tls is { } tls ? tls.OptionsFor : null,
            Auth = secret.Credentials,
            TimeProvider = time,
        });
        var link = new Link(client, following.Watermark);
        try
        {
            await client.WaitConnectedAsync(following.Loop.Stopping);
            link.Use();
            foreach (var path in following.Paths)
            {
                await client.AddWatchAsync(path, AddWatchMode.PersistentRecursive, following.Loop.Stopping);
            }
            // ACLs that other regions change are not told of: they write this before.
            await client.AddWatchAsync(ZooNetTree.Acls, AddWatchMode.Persistent, following.Loop.Stopping);
            if (!(await client.ExistsAsync(ZooNetTree.Acls, cancellationToken: following.Loop.Stopping)).Exists)
            {
                throw new CannotWatchException($"{ZooNetTree.Acls} is not there, where other regions tell of changed ACLs; make it with 'zoonet repair'");
            }
            await TryOutAsync(link, following.Loop.Stopping);
            // Only replies to what is sent from here on show a position: all watches were armed before.
            link.Armed = true;
            await client.SyncAsync("/", following.Loop.Stopping);
            var server = client.Server?.ToString() ?? "home";
            following.Link = link;
            following.Watermark.Watcher = new UpstreamServer(region, 0, server, this);
            following.State = $"watched at {server}";
            logger.InterestWatched(string.Join(", ", following.Paths), server);
            following.Reported = "";
            return await link.Lost.WaitAsync(following.Loop.Stopping);
        }
        finally
        {
            following.Watermark.Watcher = null;
            following.Link = null;
            link.Lose("given up");
            if (client.State == SessionState.Connected)
            {
                await client.CloseAsync();
            }
            else
            {
                await client.DetachAsync();
            }
        }
    }

    /// <summary>Makes and deletes a znode that this session may not read, to see whether it is told.</summary>
    /// <exception cref="CannotWatchException">It is not.</exception>
    private static async Task TryOutAsync(Link link, CancellationToken cancellationToken)
    {
        var path = $"{ZooNetTree.Root}/watch-{link.Client.SessionId:x16}";
        link.TryOut = path;
        await link.Client.AddWatchAsync(path, AddWatchMode.Persistent, cancellationToken);
        try
        {
            // An id that is no digest of anything: nobody may read it but the super user.
            await link.Client.CreateAsync(path, [], CreateFlags.Ephemeral, [new Acl(Permissions.All, "digest", "nobody:-")], cancellationToken: cancellationToken);
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoAuth or ErrorCode.InvalidAcl)
        {
            throw new CannotWatchException($"it can't be tried out whether the server tells of all changes: {e.Message}");
        }
        // Events come before the reply of what causes them.
        var told = link.WasToldOfTryOut;
        await link.Client.DeleteAsync(path, cancellationToken: cancellationToken);
        if (!told)
        {
            throw new CannotWatchException("the server does not tell of znodes that the proxy may not read; make the proxies' 'secret' the super user's");
        }
    }

    /// <summary>The server can't tell all that must be known.</summary>
    [SuppressMessage("Design", "CA1032", Justification = "Never leaves this class.")]
    private sealed class CannotWatchException(string message) : Exception(message);

    /// <summary>One set of paths, over a series of connections.</summary>
    private sealed class Following(string[] paths)
    {
        public string[] Paths { get; } = paths;
        public InterestWatermark Watermark { get; } = new(paths);
        public Loop Loop { get; set; } = null!;

        /// <summary>Why it was last said to be off; empty while it is on.</summary>
        public string Reported { get; set; } = "";
        public volatile Link? Link;
        public volatile string State = "connecting";

        public Task StopAsync() => Loop.DisposeAsync().AsTask();
    }

    /// <summary>
    /// One connection. Events and positions come on the client's read loop, in the order in which the server sent them; a connection that
    /// the client makes again by itself has no watches that can be relied on, so nothing counts after the first loss.
    /// </summary>
    private sealed class Link
    {
        private readonly InterestWatermark _watermark;
        private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _lock = new();
        private bool _isLost;
        private volatile bool _wasToldOfTryOut;

        public Link(ZooKeeperClient client, InterestWatermark watermark)
        {
            Client = client;
            _watermark = watermark;
            client.WatchFired += OnWatchFired;
            client.PositionShown += OnPositionShown;
        }

        public ZooKeeperClient Client { get; }

        public Task<string> Lost => _lost.Task;

        public volatile bool Armed;

        public volatile string? TryOut;

        public bool WasToldOfTryOut => _wasToldOfTryOut;

        /// <summary>The client is connected for the first time.</summary>
        public void Use()
        {
            Client.StateChanged += OnStateChanged;
            if (Client.State != SessionState.Connected)
            {
                Lose("the connection was lost");
            }
        }

        public void Lose(string why)
        {
            lock (_lock)
            {
                if (!_isLost)
                {
                    _isLost = true;
                    // What happens from now on is not told.
                    _watermark.Changed();
                }
            }
            _lost.TrySetResult(why);
        }

        private void OnStateChanged(SessionState state) => Lose(state == SessionState.Connected ? "the connection was lost" : $"the session is {state.ToString().ToLowerInvariant()}");

        private void OnWatchFired(WatchNotification e)
        {
            if (e.Path == TryOut)
            {
                _wasToldOfTryOut = true;
                return;
            }
            _watermark.Changed();
            if (e.Path == ZooNetTree.Acls && e.Type == WatchEventType.Deleted)
            {
                Lose($"{ZooNetTree.Acls} was deleted");
            }
        }

        private void OnPositionShown(long position)
        {
            lock (_lock)
            {
                if (Armed && !_isLost)
                {
                    _watermark.Shown(position);
                }
            }
        }
    }
}
