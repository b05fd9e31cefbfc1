using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Simulation.Clusters;

namespace ZooNet.Simulation.Federation;

/// <summary>
/// Watches what others can see of a proxy's home, on one connection to one home server: the real watermark, told by events without zxids
/// and by the positions of syncs, as the proxy's own InterestWatch does it.
/// </summary>
internal sealed class SimInterestWatch : IBarrierTransport
{
    private static readonly byte[] AddWatch = Request(OpCode.AddWatch, new PathKindRequest("/", (int)AddWatchMode.PersistentRecursive).Write);
    private static readonly byte[] Sync = Request(OpCode.Sync, writer => writer.WriteString("/"));

    private readonly World _world;
    private readonly SimProxy _proxy;
    private readonly InterestWatermark _watermark;
    private SimConnection? _connection;

    public SimInterestWatch(World world, SimProxy proxy)
    {
        _world = world;
        _proxy = proxy;
        // All znodes but the private ones, by name: there are no others.
        _watermark = new InterestWatermark([.. Enumerable.Range(0, world.Scenario.Keys).SelectMany(key => new[] { $"/k{key}", $"/absent{key}" })]);
        proxy.Region.HomeInterest = world.Scenario.Mutation switch
        {
            Mutation.WatermarkIgnoresLag => new TakesKnownForSeen(proxy.Region, _watermark),
            Mutation.AclsTakenForWatched => new TakesAllForPrivate(_watermark),
            _ => _watermark,
        };
        world.Soon(Open);
    }

    /// <inheritdoc/>
    public void Send(UpstreamServer server, BarrierTicket ticket)
    {
        if (_connection is { IsBroken: false, Tag: Queue<BarrierTicket?> tickets } && _watermark.Watcher == server)
        {
            tickets.Enqueue(ticket);
            _connection.Requests.Enqueue(Sync);
            return;
        }
        _world.Soon(() => server.BarrierDone(ticket, false));
    }

    private void Open()
    {
        var homes = _world.HomeServers(_proxy.Place.Home);
        // Not the one that most clients meet first: it lags on its own.
        var server = homes[^1];
        var tickets = new Queue<BarrierTicket?>();
        var connection = new SimConnection { Server = server, IsOpen = true, Tag = tickets, Lag = 0.8 };
        _connection = connection;
        server.Connections.Add(connection);
        var watcher = new UpstreamServer(_proxy.Region, 0, server.Address, this);
        var armed = false;
        connection.Requests.Enqueue(AddWatch);
        _world.Add(connection, Deliver, Lost);

        void Deliver(byte[] frame)
        {
            var header = ReplyHeader.Read(frame.AsSpan(4));
            if (header.Xid == Xids.Notification)
            {
                _watermark.Changed();
                return;
            }
            if (!armed)
            {
                armed = true;
                tickets.Enqueue(null);
                connection.Requests.Enqueue(Sync);
                return;
            }
            _watermark.Shown(header.Zxid);
            _watermark.Watcher = watcher;
            if (tickets.Dequeue() is { } ticket)
            {
                watcher.BarrierDone(ticket, true);
            }
        }

        void Lost()
        {
            _watermark.Changed();
            _watermark.Watcher = null;
            foreach (var ticket in tickets.OfType<BarrierTicket>())
            {
                watcher.BarrierDone(ticket, false);
            }
            _world.Soon(Open);
        }
    }

    private static byte[] Request(OpCode op, Action<JuteWriter> body)
    {
        var writer = new JuteWriter();
        var mark = writer.BeginFrame();
        new RequestHeader(1, op).Write(writer);
        body(writer);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }

    /// <summary>The mutation: what is said of any znode is taken to have been told by an event if it changed.</summary>
    private sealed class TakesAllForPrivate(InterestWatermark inner) : IInterestWatermark
    {
        public UpstreamServer? Watcher => inner.Watcher;

        public long SeenUpTo => inner.SeenUpTo;

        public bool IsPrivate(ReadOnlySpan<byte> path) => true;

        public long LastInterestingChange(long homeZxid) => inner.LastInterestingChange(homeZxid);
    }

    /// <summary>The mutation: whatever zxid of home is known is taken to have been seen by the watching link.</summary>
    private sealed class TakesKnownForSeen(Region region, InterestWatermark inner) : IInterestWatermark
    {
        public UpstreamServer? Watcher => inner.Watcher;

        public bool IsPrivate(ReadOnlySpan<byte> path) => inner.IsPrivate(path);

        public long SeenUpTo
        {
            get
            {
                inner.Shown(region.Positions.Known(0));
                return inner.SeenUpTo;
            }
        }

        public long LastInterestingChange(long homeZxid)
        {
            inner.Shown(region.Positions.Known(0));
            return inner.LastInterestingChange(homeZxid);
        }
    }
}
