using System.Buffers.Binary;
using ZooNet.Protocol;
using ZooNet.Simulation.Checking;
using ZooNet.Simulation.Clusters;

namespace ZooNet.Simulation.Federation;

/// <summary>
/// A client: connects through a proxy of its region, does operations one after the other or a few at a time, and records them.
/// </summary>
internal sealed class SimClient(World world, SimRegion region, int number)
{
    private readonly Queue<Op> _outstanding = new();
    private readonly JuteWriter _writer = new(256);
    private readonly List<Op> _homeEvents = [];
    private SimHost? _host;
    private bool _letIn;
    private readonly string _ephemeral = $"/e{number}";
    private int _process = number;
    private long _session;
    private byte[] _password = new byte[SessionPassword.Length];
    private long _lastZxid;

    public SimHost? Host => _host;

    /// <summary>Does the next thing, if there is one to do.</summary>
    public void Act()
    {
        var random = world.Random;
        if (_host is null)
        {
            Connect();
            return;
        }
        if (!_letIn || _outstanding.Count >= world.Scenario.Pipeline || !_host.Session.WantsClientFrames)
        {
            return;
        }
        var mounts = _host.Proxy.Region.Mounts.Mounts;
        var at = random.Next(mounts.Count + 1);
        var cluster = at == 0 ? region.Home : mounts[at - 1].ClusterName;
        var prefix = at == 0 ? "" : mounts[at - 1].Path;
        var isPrivate = at == 0 && world.Scenario.PrivateKeys > 0 && random.NextDouble() < world.Scenario.PrivateShare;
        var key = isPrivate ? SimChange.PrivatePrefix + random.Next(world.Scenario.PrivateKeys) : "/k" + random.Next(world.Scenario.Keys);
        var all = world.Scenario.AllOperations;
        if (world.Scenario.Ephemerals && random.NextDouble() < 0.4)
        {
            UseEphemerals(cluster, prefix);
            return;
        }
        if (world.Scenario.Acls && !isPrivate && random.NextDouble() < 0.4)
        {
            Conclude(cluster, key, prefix);
            return;
        }
        if ((isPrivate || !world.Scenario.WritesPrivateOnly) && random.NextDouble() < world.Scenario.Writes)
        {
            var way = all ? random.NextDouble() : 1;
            Send(OpKind.Write, cluster, key, way < 0.1 ? OpCode.Delete : way < 0.3 ? OpCode.Create : OpCode.SetData, prefix + key, false);
        }
        else if (all && random.NextDouble() < 0.15)
        {
            Send(OpKind.List, cluster, "*", random.Next(2) == 0 ? OpCode.GetChildren : OpCode.GetChildren2, prefix.Length == 0 ? "/" : prefix, false);
        }
        else
        {
            if (world.Scenario.AbsentShare > 0 && random.NextDouble() < world.Scenario.AbsentShare)
            {
                key = "/absent" + random.Next(world.Scenario.Keys);
            }
            Send(OpKind.Read, cluster, key, all && random.NextDouble() < 0.2 ? OpCode.Exists : OpCode.GetData, prefix + key, all && random.NextDouble() < 0.15);
        }
    }

    /// <summary>The network between client and proxy breaks.</summary>
    public void Disconnect()
    {
        _host?.Abandon();
        OnClosed(_host);
    }

    public void OnClosed(SimHost? host)
    {
        if (host is null || host != _host)
        {
            return;
        }
        _host = null;
        _letIn = false;
        _outstanding.Clear();
        foreach (var op in _homeEvents)
        {
            // ZooKeeper itself promises nothing here: an event carries no zxid, and the next server may be behind it.
            op.Position = -1;
        }
        _homeEvents.Clear();
    }

    public void OnFrame(SimHost host, ReadOnlySpan<byte> frame)
    {
        if (host != _host)
        {
            return;
        }
        if (!_letIn)
        {
            OnLetIn(ConnectResponse.TryRead(frame[4..])!);
            return;
        }
        var header = ReplyHeader.Read(frame[4..]);
        if (header.Xid == Xids.Notification)
        {
            OnEvent(host, frame);
            return;
        }
        if (header.Xid == Xids.Ping)
        {
            return;
        }
        var op = _outstanding.Dequeue();
        if (header.Xid != op.Id + 1)
        {
            throw new InvalidOperationException($"a reply out of order: {header.Xid} for {op}");
        }
        if (header.Zxid < _lastZxid)
        {
            throw new InvalidOperationException($"a header zxid went back: {header.Zxid} after {_lastZxid}");
        }
        _lastZxid = header.Zxid;
        if (header.Error == ErrorCode.ConnectionLoss)
        {
            return;
        }
        op.End = world.Now;
        if (op.Cluster == region.Home)
        {
            _homeEvents.Clear();
        }
        // A path of a mount that has gone meanwhile is home's: nothing is there, and that says nothing.
        op.Position = op.Kind == OpKind.Write || host.Cluster != op.Cluster ? -1 : host.Position;
        if (world.Scenario.Acls && host.Cluster == op.Cluster && op.Kind != OpKind.List && !SimChange.IsPrivatePath(op.Key))
        {
            OnConclusion(op, header.Error, host.Position);
        }
        if (op.Kind != OpKind.Write)
        {
            world.Reads++;
        }
    }

    private void OnEvent(SimHost host, ReadOnlySpan<byte> frame)
    {
        if (!host.IsEvent)
        {
            // The proxy's own: a mount has gone.
            return;
        }
        var reader = new JuteReader(frame[20..]);
        var path = WatcherEvent.Read(ref reader).Path!;
        var remote = host.Cluster == region.Home ? null : host.Cluster;
        var op = world.History.Begin(_process, host.Cluster, OpKind.Event, remote is null ? path : path[(remote.Length + 2)..], world.Now);
        op.End = world.Now;
        op.Position = host.Position;
        if (remote is null)
        {
            _homeEvents.Add(op);
        }
    }

    /// <summary>Opens or closes an ACL, or asks for something whose answer tells whether one is open.</summary>
    private void Conclude(string cluster, string key, string prefix)
    {
        var path = prefix + key;
        switch (world.Random.Next(6))
        {
            case 0 or 1:
                Send(OpKind.Write, cluster, SimChange.AclOf(key), OpCode.SetAcl, path, world.Random.Next(3) > 0);
                break;
            case 2:
                Send(OpKind.Read, cluster, SimChange.AclOf(key), OpCode.SetData, path, false);
                break;
            case 3:
                Send(OpKind.Read, cluster, SimChange.AclOf(key), OpCode.Multi, path, false);
                break;
            case 4:
                Send(OpKind.Read, cluster, SimChange.AclOf(key), OpCode.MultiRead, path, false);
                break;
            default:
                Send(OpKind.Read, cluster, SimChange.AclOf(key), OpCode.GetAllChildrenNumber, path, false);
                break;
        }
    }

    /// <summary>
    /// Makes its own ephemeral znode, deletes anybody's, or asks whether its own is there still. Nobody else makes one of that name, so
    /// that a list with it or without it shows what a read would.
    /// </summary>
    private void UseEphemerals(string cluster, string prefix)
    {
        var way = world.Random.Next(prefix.Length == 0 ? 1 : 4);
        if (way == 0)
        {
            var any = $"/e{world.Random.Next(world.ClientCount)}";
            Send(OpKind.Write, cluster, any, OpCode.Delete, prefix + any, false);
        }
        else if (way == 1)
        {
            Send(OpKind.Write, cluster, _ephemeral, OpCode.Create, prefix + _ephemeral, true);
        }
        else
        {
            Send(OpKind.Read, cluster, _ephemeral, OpCode.GetEphemerals, "/", false);
        }
    }

    /// <summary>What was refused shows the ACL, and not the data.</summary>
    private static void OnConclusion(Op op, ErrorCode error, long position)
    {
        if (error == ErrorCode.NoAuth && !op.Key.EndsWith("#acl", StringComparison.Ordinal))
        {
            op.Kind = OpKind.Read;
            op.Key = SimChange.AclOf(op.Key);
            op.Position = position;
        }
    }

    private void Connect()
    {
        var proxies = world.ProxiesOf(region).FindAll(p => p.IsOpen);
        if (proxies.Count == 0)
        {
            return;
        }
        _host = new SimHost(world, proxies[world.Random.Next(proxies.Count)], this, world.Random.Next(world.Scenario.HomeServers));
        _writer.Clear();
        new ConnectRequest(0, _lastZxid, 30_000, _session, _password, false).WriteFrame(_writer);
        _host.Session.ClientFrame(_writer.Written);
    }

    private void OnLetIn(ConnectResponse response)
    {
        if (response.SessionId == 0)
        {
            // Expired: whoever goes on from here is somebody else.
            _session = 0;
            _lastZxid = 0;
            _process = world.NewProcess();
            return;
        }
        if (_session == 0)
        {
            _lastZxid = 0;
        }
        _session = response.SessionId;
        _password = response.Password;
        _letIn = true;
    }

    private void Send(OpKind kind, string cluster, string key, OpCode code, string path, bool watch)
    {
        var op = world.History.Begin(_process, cluster, kind, key, world.Now);
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new RequestHeader(op.Id + 1, code).Write(_writer);
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(data, op.Id);
        switch (code)
        {
            case OpCode.SetData:
                new SetDataRequest(path, data.ToArray(), kind == OpKind.Write ? -1 : int.MaxValue).Write(_writer);
                break;
            case OpCode.SetAcl:
                new SetAclRequest(path, [new Acl(watch ? Permissions.All : Permissions.Admin, "world", "anyone")], -1).Write(_writer);
                break;
            case OpCode.Multi:
                new MultiHeader(OpCode.Check, false, -1).Write(_writer);
                new PathVersionRequest(path, -1).Write(_writer);
                MultiHeader.End.Write(_writer);
                break;
            case OpCode.MultiRead:
                new MultiHeader(OpCode.GetChildren, false, -1).Write(_writer);
                new PathWatchRequest(path, false).Write(_writer);
                MultiHeader.End.Write(_writer);
                break;
            case OpCode.GetAllChildrenNumber or OpCode.GetEphemerals:
                _writer.WriteString(path);
                break;
            case OpCode.Create:
                new CreateRequest(path, data.ToArray(), [.. Acl.Open], watch ? CreateFlags.Ephemeral : 0).Write(_writer, code);
                break;
            case OpCode.Delete:
                new PathVersionRequest(path, -1).Write(_writer);
                break;
            default:
                new PathWatchRequest(path, watch).Write(_writer);
                break;
        }
        _writer.EndFrame(mark);
        _outstanding.Enqueue(op);
        _host!.Session.ClientFrame(_writer.Written);
    }
}
