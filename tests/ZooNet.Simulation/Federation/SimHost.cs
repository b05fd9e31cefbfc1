using System.Buffers.Binary;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Simulation.Clusters;

namespace ZooNet.Simulation.Federation;

/// <summary>What carries out the wishes of one real client session.</summary>
internal sealed class SimHost : ISessionHost
{
    private readonly World _world;
    private readonly SimClient _client;
    private readonly int _homeServer;

    public SimHost(World world, SimProxy proxy, SimClient client, int homeServer)
    {
        _world = world;
        _client = client;
        _homeServer = homeServer;
        Proxy = proxy;
        Session = new FederatedSession(proxy.Region, this);
    }

    public SimProxy Proxy { get; }
    public FederatedSession Session { get; }
    public bool IsClosed { get; private set; }

    /// <summary>Where the server stood whose frame is being handled; -1 in between.</summary>
    public long Position { get; private set; } = -1;

    /// <summary>The cluster whose frame is being handled.</summary>
    public string Cluster { get; private set; } = "";

    /// <summary>Whether that frame is an event.</summary>
    public bool IsEvent { get; private set; }

    public long NowMs => Proxy.NowMs;

    public void SendToClient(ReadOnlySpan<byte> frames)
    {
        while (frames.Length > 0)
        {
            var length = 4 + BinaryPrimitives.ReadInt32BigEndian(frames);
            _client.OnFrame(this, frames[..length]);
            frames = frames[length..];
        }
    }

    public void CloseClient(CloseReason reason, string detail)
    {
        IsClosed = true;
        _world.Soon(() => _client.OnClosed(this));
    }

    public ILinkConnection OpenLink(SessionLink link)
    {
        var connection = new SimLink(link);
        _world.Soon(() => Connect(connection));
        return connection;
    }

    public void FindRecords(HomeSession session) => _world.Soon(() => Session.RecordsFound([]));

    public void SaveRecord(HomeSession session, RemoteSessionRecord record) => _world.Soon(() => Session.RecordSaved(record.Cluster, true));

    public void BarrierDone(UpstreamServer server, BarrierTicket ticket, bool succeeded) => Session.BarrierDone(server, ticket, succeeded);

    /// <summary>The client went away.</summary>
    public void Abandon()
    {
        IsClosed = true;
        Session.ClientClosed();
    }

    private void Connect(SimLink link)
    {
        if (link.IsClosed)
        {
            return;
        }
        if (!Proxy.CanReach(link.Link.Cluster))
        {
            Session.LinkDown(link, "cut off");
            return;
        }
        var server = Proxy.ServerFor(link.Link.Cluster, _homeServer);
        var connection = new SimConnection { Server = server };
        server.Connections.Add(connection);
        link.Connection = connection;
        _world.Add(connection, frame => Deliver(link, frame), () => Session.LinkDown(link, "broken"));
        Session.LinkUp(link, Proxy.Upstream(server, link.Link.Cluster));
    }

    private void Deliver(SimLink link, byte[] frame)
    {
        Cluster = Proxy.Region.ClusterNames[link.Link.Cluster];
        IsEvent = _world.EventPosition >= 0;
        Position = IsEvent ? _world.EventPosition : frame.Length >= 20 ? BinaryPrimitives.ReadInt64BigEndian(frame.AsSpan(8)) : -1;
        Session.LinkFrame(link, frame);
        Position = -1;
    }
}

/// <summary>A link of a session, on a simulated connection.</summary>
internal sealed class SimLink(SessionLink link) : ILinkConnection
{
    public SessionLink Link { get; } = link;
    public SimConnection? Connection { get; set; }
    public bool IsClosed { get; private set; }

    public void Send(ReadOnlySpan<byte> frames)
    {
        while (frames.Length > 0 && Connection is { IsBroken: false })
        {
            var length = 4 + BinaryPrimitives.ReadInt32BigEndian(frames);
            Connection.Requests.Enqueue(frames[..length].ToArray());
            frames = frames[length..];
        }
    }

    public void Close()
    {
        IsClosed = true;
        Connection?.Break(forgotten: false);
    }
}
