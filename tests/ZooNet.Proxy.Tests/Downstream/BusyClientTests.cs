using System.Diagnostics;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>
/// Clients that are busy in one cluster and never ping, as client libraries don't while they send anything: their sessions in the other
/// clusters live as long. Two clusters are mounted.
/// </summary>
public sealed class BusyClientTests : IAsyncLifetime
{
    private const int TimeoutMs = 2000;

    private TwoRegions _regions = null!;
    private EmbeddedServer _ap = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _ap = await _regions.StartClusterAsync(epoch: 13);
        foreach (var server in new[] { _regions.Us, _regions.Eu, _ap })
        {
            await (await _regions.ConnectAsync(server.Address)).CreateAsync("/apps");
        }
        _proxy = await _regions.StartProxyAsync(_ap);
        Assert.Equal(201, (await _proxy.MountAsync("ap:/apps", "/ap")).Status);
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/eu")).Status);
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task Its_ephemeral_znodes_in_every_other_cluster_live_while_it_uses_one()
    {
        (string Name, EmbeddedServer Owner, string Ephemeral, Action<JuteWriter> Body, OpCode Op)[] cases =
        [
            ("multis in a mount, an ephemeral at home", _regions.Us, "/h", w => Check(w, "/eu"), OpCode.Multi),
            ("multiReads over two mounts, an ephemeral at home", _regions.Us, "/h2", w => Reads(w, "/eu", "/ap"), OpCode.MultiRead),
            ("reads in one mount, an ephemeral in the other", _ap, "/ap/e", w => Read(w, "/eu"), OpCode.GetData),
            ("reads in the other, an ephemeral in one", _regions.Eu, "/eu/e", w => Read(w, "/ap"), OpCode.GetData),
            ("multis in one mount, an ephemeral in the other", _ap, "/ap/m", w => Check(w, "/eu"), OpCode.Multi),
            ("multis at home, an ephemeral in a mount", _regions.Eu, "/eu/m", w => Check(w, "/apps"), OpCode.Multi),
            ("counts, an ephemeral in a mount", _regions.Eu, "/eu/c", w => w.WriteString("/apps"), OpCode.GetAllChildrenNumber),
            ("getEphemerals, an ephemeral in a mount", _ap, "/ap/g", w => w.WriteString("/"), OpCode.GetEphemerals),
        ];
        await Task.WhenAll(cases.Select(async use =>
        {
            using var client = await RawClient.ConnectAsync(new ServerAddress("127.0.0.1", _proxy.Host.ClientEndPoints[0].Port), TimeoutMs);
            Assert.Equal(TimeoutMs, client.TimeoutMs);
            foreach (var path in new[] { "/eu", "/ap" })
            {
                await client.CallAsync(OpCode.Exists, w => new PathWatchRequest(path, false).Write(w));
            }
            var create = new CreateRequest(use.Ephemeral, [], [.. Acl.Open], CreateFlags.Ephemeral);
            Assert.Equal(ErrorCode.Ok, (await client.CallAsync(OpCode.Create, w => create.Write(w, OpCode.Create))).Header.Error);
            // More than twice as long as any of them lives unattended.
            for (var since = Stopwatch.StartNew(); since.ElapsedMilliseconds < 5 * TimeoutMs / 2; await Task.Delay(100))
            {
                Assert.Equal(ErrorCode.Ok, (await client.CallAsync(use.Op, use.Body)).Header.Error);
            }
            var remote = use.Owner == _regions.Us ? use.Ephemeral : "/apps" + use.Ephemeral["/eu".Length..];
            var direct = await _regions.ConnectAsync(use.Owner.Address);
            Assert.True((await direct.ExistsAsync(remote)).Exists, $"a client that does {use.Name} has lost it");
        }));
    }

    private static void Read(JuteWriter writer, string path) => new PathWatchRequest(path, false).Write(writer);

    private static void Check(JuteWriter writer, string path)
    {
        new MultiHeader(OpCode.Check, false, -1).Write(writer);
        new PathVersionRequest(path, -1).Write(writer);
        MultiHeader.End.Write(writer);
    }

    private static void Reads(JuteWriter writer, params string[] paths)
    {
        foreach (var path in paths)
        {
            new MultiHeader(OpCode.GetData, false, -1).Write(writer);
            new PathWatchRequest(path, false).Write(writer);
        }
        MultiHeader.End.Write(writer);
    }
}
