using ZooNet.Client;
using ZooNet.Integration.Fixtures;
using ZooNet.Protocol;

namespace ZooNet.Integration;

/// <summary>A real ensemble that lets nobody do anything without credentials (<c>enforce.auth.enabled</c>), mounted and as home.</summary>
public sealed class EnforcedAuthTests
{
    private static readonly RealEnsembleOptions Enforced = new()
    {
        Jvm = ["-Dzookeeper.enforce.auth.enabled=true", "-Dzookeeper.enforce.auth.schemes=digest"],
    };

    [SkippableFact]
    public async Task In_a_mount_whoever_shows_no_credentials_is_refused_in_turn_and_keeps_its_connection_and_its_home()
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us");
        await using var eu = await RealEnsemble.StartAsync("eu", Enforced);
        await using var owner = await eu.ConnectAsync();
        await owner.AddAuthAsync("digest", "owner:1"u8.ToArray());
        await owner.CreateAsync("/apps", [1]);
        await using var proxy = await Proxies.StartAsync(us, eu);
        await proxy.MountAsync("eu:/apps", "/mnt");
        using var client = await RawClient.ConnectAsync(proxy.Address());

        for (var i = 0; i < 3; i++)
        {
            // The other cluster closes the link each time; what the client has at home is not touched by it.
            var home = await client.SendAsync(OpCode.GetChildren, w => new PathWatchRequest("/", false).Write(w));
            var refused = await client.SendAsync(OpCode.GetData, w => new PathWatchRequest("/mnt", false).Write(w));
            var after = await client.SendAsync(OpCode.GetChildren, w => new PathWatchRequest("/", false).Write(w));
            Assert.Equal((home, ErrorCode.Ok), await NextAsync(client));
            Assert.Equal((refused, ErrorCode.SessionClosedRequireSasl), await NextAsync(client));
            Assert.Equal((after, ErrorCode.Ok), await NextAsync(client));
        }
        await client.SendAsync(OpCode.Auth, new AuthRequest(0, "digest", "client:1"u8.ToArray()).Write, -4);
        Assert.Equal((-4, ErrorCode.Ok), await NextAsync(client));
        var (header, body) = await client.CallAsync(OpCode.GetData, w => new PathWatchRequest("/mnt", false).Write(w));
        Assert.Equal(ErrorCode.Ok, header.Error);
        Assert.NotEmpty(body);
    }

    [SkippableFact]
    public async Task At_home_whoever_shows_no_credentials_is_refused_and_disconnected_as_directly()
    {
        Jars.Require();
        await using var us = await RealEnsemble.StartAsync("us", Enforced);
        await using var eu = await RealEnsemble.StartAsync("eu");
        await using var proxy = await Proxies.StartAsync(us, eu);

        foreach (var address in (ServerAddress[])[us.Addresses[0], proxy.Address()])
        {
            using var client = await RawClient.ConnectAsync(address);
            var (header, _) = await client.CallAsync(OpCode.GetChildren, w => new PathWatchRequest("/", false).Write(w));
            Assert.Equal((0, ErrorCode.SessionClosedRequireSasl), (header.Zxid, header.Error));
            await client.WaitClosedAsync();
        }
        await using var known = await proxy.ConnectAsync();
        await known.AddAuthAsync("digest", "client:1"u8.ToArray());
        await known.CreateAsync("/x");
        Assert.True((await known.ExistsAsync("/x")).Exists);
    }

    private static async Task<(int Xid, ErrorCode Error)> NextAsync(RawClient client)
    {
        var (header, _) = await client.NextAsync();
        return (header.Xid, header.Error);
    }
}
