using System.Net;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>An ordinary client, without any credentials, that wants to stop two proxies and the clients of both.</summary>
public sealed class AttackTests
{
    private const int Rounds = 20;

    [Fact]
    public async Task Two_proxies_under_attack_at_once_keep_their_mounts_and_their_clients_sessions()
    {
        await using var regions = await TwoRegions.StartAsync();
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        RunningProxy[] proxies = [await regions.StartProxyAsync(), await regions.StartProxyAsync()];
        Assert.Equal(201, (await proxies[0].MountAsync("eu:/apps", "/mnt/eu", "create")).Status);
        await TwoRegions.Eventually(() => Task.FromResult(
            proxies.All(p => p.Host.Path.Region.Mounts.At("/mnt/eu") is { IsSuspended: false })));
        var victims = await Task.WhenAll(proxies.Select(p => regions.ConnectAsync(p.Host.ClientEndPoints[0])));
        var ways = (IPEndPoint[])[.. proxies.Select(p => p.Host.ClientEndPoints[0]), regions.Us.Address, regions.Eu.Address];
        using var over = new CancellationTokenSource();

        var forging = ways.Select(way => ForgeAsync(regions, way, victims, over.Token)).ToArray();
        var noise = proxies.Select(p => NoiseAsync(p.Host.ClientEndPoints[0], over.Token)).ToArray();
        await Task.WhenAll(victims.Select(LiveAsync));
        await over.CancelAsync();

        Assert.All(await Task.WhenAll(forging), attempts => Assert.True(attempts > 0));
        await Task.WhenAll(noise);
        foreach (var proxy in proxies)
        {
            Assert.Equal(HttpStatusCode.OK, (await proxy.Http.GetAsync("/ready")).StatusCode);
            Assert.Empty((await proxy.StatusAsync()).Problems);
            Assert.Equal("/mnt/eu", Assert.Single(await proxy.MountsAsync()).Path);
        }
    }

    /// <summary>A client that makes, holds and gives up a lock in the mount, and loses its connection now and then.</summary>
    private static async Task LiveAsync(ZooKeeperClient victim)
    {
        var session = victim.SessionId;
        var path = $"/mnt/eu/of-{session:x}";
        for (var round = 0; round < Rounds; round++)
        {
            var owner = (await victim.CreateAsync(path, [1], CreateFlags.Ephemeral)).Stat?.EphemeralOwner;
            if (round % 5 == 4)
            {
                await victim.ReconnectAsync();
            }
            var stat = (await victim.ExistsAsync(path)).Stat;
            Assert.NotNull(stat);
            Assert.Equal(owner ?? stat.Value.EphemeralOwner, stat.Value.EphemeralOwner);
            Assert.Equal(session, victim.SessionId);
            await victim.DeleteAsync(path);
        }
    }

    /// <summary>Tries to write each of the proxies' znodes, and to be the first to make others; counts what was refused.</summary>
    private static async Task<int> ForgeAsync(TwoRegions regions, IPEndPoint way, ZooKeeperClient[] victims, CancellationToken over)
    {
        var client = await regions.ConnectAsync(way);
        var attempts = 0;
        do
        {
            foreach (var folder in ZooNetTree.Folders)
            {
                await RefusedAsync(() => client.CreateAsync($"{folder}/forged", "{}"u8.ToArray()));
                await RefusedAsync(() => client.SetAclAsync(folder, Acl.Open));
                foreach (var name in (await client.GetChildrenAsync(folder, cancellationToken: CancellationToken.None)).Names)
                {
                    // Whoever may connect may write notices: many of them cost barriers.
                    var path = $"{folder}/{name}";
                    await (path == ZooNetTree.Acls ? client.SetDataAsync(path, [], cancellationToken: CancellationToken.None)
                        : RefusedAsync(() => client.SetDataAsync(path, [])));
                    await RefusedAsync(() => client.SetAclAsync($"{folder}/{name}", Acl.Open));
                    await RefusedAsync(() => client.DeleteAsync($"{folder}/{name}"));
                }
            }
            foreach (var victim in victims)
            {
                for (var next = 0; next < 5; next++)
                {
                    await RefusedAsync(() => client.CreateAsync(SessionRecord.PathOf(victim.SessionId + next, "eu"), []));
                }
            }
        }
        while (!over.IsCancellationRequested);
        return attempts;

        async Task RefusedAsync(Func<Task> attempt)
        {
            var refused = await Assert.ThrowsAsync<KeeperException>(attempt);
            // What was there a moment ago may be gone; a folder that has children can't be deleted by anybody.
            Assert.Contains(refused.Code, (ErrorCode[])[ErrorCode.NoAuth, ErrorCode.NoNode, ErrorCode.NotEmpty]);
            attempts++;
        }
    }

    /// <summary>Connections that say nothing, and such that say rubbish.</summary>
    private static async Task NoiseAsync(IPEndPoint proxy, CancellationToken over)
    {
        var random = new Random(15);
        var silent = new List<Socket>();
        try
        {
            do
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                silent.Add(socket);
                await socket.ConnectAsync(proxy, CancellationToken.None);
                if (silent.Count % 2 == 0)
                {
                    var rubbish = new byte[random.Next(1, 2000)];
                    random.NextBytes(rubbish);
                    await socket.SendAsync(rubbish, CancellationToken.None);
                }
                if (silent.Count > 60)
                {
                    silent[0].Dispose();
                    silent.RemoveAt(0);
                }
                await Task.Yield();
            }
            while (!over.IsCancellationRequested);
        }
        finally
        {
            silent.ForEach(socket => socket.Dispose());
        }
    }
}
