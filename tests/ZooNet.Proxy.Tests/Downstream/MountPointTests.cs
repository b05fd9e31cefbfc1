using System.Globalization;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>
/// Sequential creates whose path is a mount point: the server completes the name, so that what is made lies beside the mount point, at
/// home.
/// </summary>
public sealed class MountPointTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;
    private ZooKeeperClient _us = null!;
    private ZooKeeperClient _eu = null!;
    private ZooKeeperClient _client = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _us = await _regions.ConnectAsync(_regions.Us.Address);
        _eu = await _regions.ConnectAsync(_regions.Eu.Address);
        await _eu.CreateAsync("/apps");
        _proxy = await _regions.StartProxyAsync();
        _client = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Theory]
    [InlineData("eu:/apps", null)]
    [InlineData("eu:/apps", "ro")]
    [InlineData("eu:/apps", "relaxed")]
    [InlineData("eu:/", null)]
    public async Task A_sequential_create_on_a_mount_point_is_made_beside_it_at_home_and_told_as_ZooKeeper_tells_it(
        string source, string? options)
    {
        Assert.Equal(201, (await _proxy.MountAsync(source, "/mnt/eu", options)).Status);
        var before = await TreeAsync(_eu);
        var made = new List<string>();
        foreach (var (flags, withStat) in new[]
        {
            (CreateFlags.PersistentSequential, false),
            (CreateFlags.PersistentSequential, true),
            (CreateFlags.EphemeralSequential, false),
            (CreateFlags.EphemeralSequential, true),
            (CreateFlags.PersistentSequentialWithTtl, true),
        })
        {
            var counter = (await _us.ExistsAsync("/mnt")).Stat!.Value.Cversion;
            var result = await _client.CreateAsync("/mnt/eu", "beside"u8.ToArray(), flags, ttl: TimeSpan.FromHours(1), withStat: withStat);

            // The parent's count of changes is the counter, as without a proxy.
            Assert.Equal("/mnt/eu" + counter.ToString("D10", CultureInfo.InvariantCulture), result.Path);
            var atHome = await _us.GetDataAsync(result.Path);
            Assert.Equal("beside"u8.ToArray(), atHome.Data);
            Assert.Equal(atHome.Stat.Czxid, result.Zxid);
            Assert.Equal(withStat ? atHome.Stat : (Stat?)null, result.Stat);
            if (CreateFlags.IsEphemeral(flags))
            {
                Assert.Equal(_client.SessionId, atHome.Stat.EphemeralOwner);
            }
            // Whoever asks through the proxy finds the same.
            Assert.Equal(atHome.Stat, (await _client.GetDataAsync(result.Path)).Stat);
            made.Add(result.Path);
        }
        Assert.Equal(made.Select(p => p["/mnt/".Length..]).Append("eu").Order(), (await _client.GetChildrenAsync("/mnt")).Names.Order());
        Assert.Equal(made[2..4], (await _client.GetEphemeralsAsync("/mnt/eu")).Value.Order());
        Assert.Equal(before, await TreeAsync(_eu));

        await _client.CloseAsync();
        foreach (var path in made[2..4])
        {
            Assert.False((await _us.ExistsAsync(path)).Exists, path);
        }
    }

    [Theory]
    [InlineData("eu:/apps", "/apps")]
    [InlineData("eu:/", "")]
    public async Task Whoever_has_ephemeral_znodes_beside_the_mount_point_and_in_the_mount_is_told_of_both(string source, string remote)
    {
        Assert.Equal(201, (await _proxy.MountAsync(source, "/mnt/eu")).Status);
        var beside = (await _client.CreateAsync("/mnt/eu", flags: CreateFlags.EphemeralSequential)).Path;
        var inside = (await _client.CreateAsync("/mnt/eu/", flags: CreateFlags.EphemeralSequential)).Path;
        var named = (await _client.CreateAsync("/mnt/eu/e", flags: CreateFlags.EphemeralSequential)).Path;

        Assert.StartsWith("/mnt/eu/", inside, StringComparison.Ordinal);
        Assert.Equal(new[] { beside, inside, named }.Order(), (await _client.GetEphemeralsAsync("/mnt")).Value.Order());
        Assert.Equal(new[] { inside, named }.Order(), (await _client.GetEphemeralsAsync("/mnt/eu/")).Value.Order());
        Assert.True((await _us.ExistsAsync(beside)).Exists);
        foreach (var path in new[] { inside, named })
        {
            Assert.True((await _eu.ExistsAsync(remote + path["/mnt/eu".Length..])).Exists, path);
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("ro")]
    public async Task In_a_multi_it_is_homes_too(string? options)
    {
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/mnt/eu", options)).Status);
        var done = await _client.MultiAsync([
            MultiOp.Create("/mnt/eu", "a"u8.ToArray(), CreateFlags.PersistentSequential),
            MultiOp.Create("/mnt/eu", "b"u8.ToArray(), CreateFlags.EphemeralSequential),
            MultiOp.Create("/other", null)]);

        Assert.Equal([ErrorCode.Ok, ErrorCode.Ok, ErrorCode.Ok], done.Results.Select(r => r.Error));
        var paths = done.Results.Select(r => r.Path!).ToList();
        Assert.Equal("/other", paths[2]);
        Assert.All(paths[..2], p => Assert.Matches(@"^/mnt/eu\d{10}$", p));
        Assert.Equal("a"u8.ToArray(), (await _us.GetDataAsync(paths[0])).Data);
        Assert.Equal(_client.SessionId, (await _us.GetDataAsync(paths[1])).Stat.EphemeralOwner);
        Assert.Equal([paths[1]], (await _client.GetEphemeralsAsync()).Value);
        Assert.Equal(0, (await _eu.GetDataAsync("/apps")).Stat.NumChildren);

        // With one for the mount's own cluster it spans two, and nothing is done.
        var refused = await Assert.ThrowsAsync<KeeperException>(() => _client.MultiAsync([
            MultiOp.Create("/mnt/eu", null, CreateFlags.PersistentSequential), MultiOp.Create("/mnt/eu/x", null)]));
        Assert.Equal([ErrorCode.Ok, ErrorCode.BadArguments], refused.Results!.Select(r => r.Error));
        Assert.Equal(0, (await _eu.GetDataAsync("/apps")).Stat.NumChildren);
        Assert.Equal(3, (await _us.GetDataAsync("/mnt")).Stat.NumChildren);
    }

    private static async Task<List<string>> TreeAsync(ZooKeeperClient client, string path = "/", List<string>? seen = null)
    {
        seen ??= [];
        foreach (var name in (await client.GetChildrenAsync(path)).Names.Where(n => n != "zookeeper").Order(StringComparer.Ordinal))
        {
            var child = path == "/" ? path + name : $"{path}/{name}";
            seen.Add(child);
            await TreeAsync(client, child, seen);
        }
        return seen;
    }
}
