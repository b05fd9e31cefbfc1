using System.Net;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Integration.Quorum;

/// <summary>
/// In a mount that says <c>auth=address</c> and is read through the proxy's own observer a real ensemble judges a client by its own
/// address, as it does when the client comes directly; in any other by that of the proxy.
/// </summary>
public sealed class ClientAddressesTests
{
    private const string Client = "127.0.0.7";
    private const string Another = "127.0.0.8";
    private const string TheProxy = "127.0.0.1";

    [SkippableFact]
    public async Task A_client_has_what_is_for_its_address_where_the_mount_says_so_and_what_is_for_the_proxys_elsewhere()
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu");
        await using var direct = await ConnectAsync(eu.Addresses[0].Port, Client);
        await direct.CreateAsync("/apps");
        await direct.CreateAsync("/apps/client", [1], acl: [new(Permissions.All, "ip", Client)]);
        await direct.CreateAsync("/apps/proxy", [1], acl: [new(Permissions.All, "ip", TheProxy)]);
        await direct.SetDataAsync("/apps/client", [2]);
        await using var proxy = await Proxies.StartAsync(us, eu, config => config with
        {
            Remotes =
            [
                config.Remotes[0] with
                {
                    Observers = [],
                    Servers = [],
                    Quorum = [.. eu.QuorumPorts.Select(p => new HostPort(p.Host, p.Port))],
                },
            ],
        });
        var port = proxy.ClientEndPoints[0].Port;

        await proxy.MountAsync("eu:/apps", "/mnt/eu", "auth=address");
        await using (var client = await ConnectAsync(port, Client))
        await using (var another = await ConnectAsync(port, Another))
        {
            await HasAsync(client, "/mnt/eu/client");
            await HasNotAsync(client, "/mnt/eu/proxy");
            await HasNotAsync(another, "/mnt/eu/client");
            await client.CreateAsync("/mnt/eu/new", acl: [new(Permissions.All, "ip", Client)]);
            await HasNotAsync(another, "/mnt/eu/new");
        }
        await direct.SyncAsync();
        await HasAsync(direct, "/apps/new");

        await proxy.UnmountAsync("/mnt/eu");
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await using var hidden = await ConnectAsync(port, Client);
        await HasAsync(hidden, "/mnt/eu/proxy");
        await HasNotAsync(hidden, "/mnt/eu/client");
    }

    /// <summary>Reads are decided by the observer, writes by the leader.</summary>
    private static async Task HasAsync(ZooKeeperClient client, string path)
    {
        await client.SetDataAsync(path, [3]);
        Assert.Equal([3], (await client.GetDataAsync(path)).Data!);
    }

    private static async Task HasNotAsync(ZooKeeperClient client, string path)
    {
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => client.GetDataAsync(path))).Code);
        Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(() => client.SetDataAsync(path, [9]))).Code);
    }

    private static Task<ZooKeeperClient> ConnectAsync(int port, string from) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = [new ServerAddress(TheProxy, port)],
        SessionTimeout = TimeSpan.FromSeconds(20),
        Dial = to =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            socket.Connect(to);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });
}
