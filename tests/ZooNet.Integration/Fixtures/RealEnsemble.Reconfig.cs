using ZooNet.Protocol;

namespace ZooNet.Integration.Fixtures;

/// <summary>How the servers of an ensemble are exchanged while it runs.</summary>
public sealed partial class RealEnsemble
{
    /// <summary>Adds a voter with a number of its own to a running ensemble (ZooKeeper's reconfig), and waits until it serves.</summary>
    public async Task<RealServer> JoinAsync()
    {
        var id = _lines.Keys.Max() + 1;
        var (quorum, election, client) = (FreePorts.Take(), FreePorts.Take(), FreePorts.Take());
        var lines = new Dictionary<int, string>(_lines) { [id] = LineOf(id, quorum, election, client) };
        var home = WriteFolder(_folder, id, client, isObserver: false, _options, string.Join('\n', lines.Values));
        var server = new RealServer(id, false, client, quorum, home, _options.Launcher, _options.Jvm, []);
        _servers.Add(server);
        server.StartProcess();
        await server.WaitServingAsync(TimeSpan.FromSeconds(90));
        await ReconfigureAsync(new ReconfigRequest(lines[id], null, null, -1));
        _lines[id] = lines[id];
        return server;
    }

    /// <summary>Takes a voter out of a running ensemble (ZooKeeper's reconfig), and ends it.</summary>
    public async Task LeaveAsync(RealServer server)
    {
        await ReconfigureAsync(new ReconfigRequest(null, server.Id.ToString(), null, -1));
        _lines.Remove(server.Id);
        _servers.Remove(server);
        await server.DisposeAsync();
    }

    private async Task ReconfigureAsync(ReconfigRequest request)
    {
        // Asked again while an election or another change is under way; a change that was made is not made twice by that.
        await Eventually.Async(async () =>
        {
            if (await LeaderAsync() is not { } leader)
            {
                return false;
            }
            using var client = await RawClient.ConnectAsync(leader.Address);
            var (header, _) = await client.CallAsync(OpCode.Reconfig, request.Write);
            return header.Error == ErrorCode.Ok;
        }, $"reconfiguration {request}", TimeSpan.FromSeconds(90));
    }
}
