using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>
/// Clients without credentials that try every change on every znode of the proxies, at both proxies of a region at once, at its ensemble,
/// and at one that has no proxies of its own.
/// </summary>
public sealed class StrangersTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync();

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task Strangers_change_nothing_of_what_the_proxies_keep_anywhere_and_stop_nobody()
    {
        var (us, eu) = (await _regions.ConnectAsync(_regions.Us.Address), await _regions.ConnectAsync(_regions.Eu.Address));
        await eu.CreateAsync("/apps");
        var first = await _regions.StartProxyAsync();
        var second = await _regions.StartProxyAsync();
        Assert.Equal(201, (await first.MountAsync("eu:/apps", "/mnt/eu", "create")).Status);
        await TwoRegions.Eventually(() => Task.FromResult(second.Host.Path.Region.Mounts.At("/mnt/eu") is not null));
        ZooKeeperClient[] victims =
        [
            await _regions.ConnectAsync(first.Host.ClientEndPoints[0]), await _regions.ConnectAsync(second.Host.ClientEndPoints[0]),
        ];
        for (var i = 0; i < victims.Length; i++)
        {
            await victims[i].CreateAsync($"/mnt/eu/lock{i}", flags: CreateFlags.Ephemeral);
        }
        ZooKeeperClient[] strangers =
        [
            us, eu, await _regions.ConnectAsync(first.Host.ClientEndPoints[0]), await _regions.ConnectAsync(second.Host.ClientEndPoints[0]),
        ];
        var (sessions, mounts) = (await ReadAsync(us, ZooNetTree.Sessions), await ReadAsync(us, ZooNetTree.Mounts));
        Assert.Equal(2, sessions.Keys.Count(p => p.EndsWith("@eu", StringComparison.Ordinal)));

        var tried = Task.WhenAll(strangers.Select(AttackAsync));
        while (!tried.IsCompleted)
        {
            await Task.WhenAll(victims.Select((victim, i) => victim.SetDataAsync($"/mnt/eu/lock{i}", [1])));
        }

        // At home folders, a mount record, a view record, registrations, session records: of each there was something.
        Assert.All(await tried, count => Assert.InRange(count, 5, int.MaxValue));
        Assert.InRange((await tried).Max(), 12, int.MaxValue);
        Assert.Equal(sessions, await ReadAsync(us, ZooNetTree.Sessions));
        Assert.Equal(mounts, await ReadAsync(us, ZooNetTree.Mounts));
        foreach (var proxy in new[] { first, second })
        {
            Assert.Empty((await proxy.StatusAsync()).Problems);
            Assert.True((await proxy.Http.GetAsync("/ready")).IsSuccessStatusCode);
        }
        Assert.Equal(201, (await second.MountAsync("eu:/apps", "/mnt/again", "create")).Status);
    }

    /// <summary>How many znodes there were.</summary>
    private static async Task<int> AttackAsync(ZooKeeperClient stranger)
    {
        var paths = (await ReadAsync(stranger, ZooNetTree.Root)).Keys.ToList();
        foreach (var path in paths)
        {
            await RefusedAsync(path, () => stranger.CreateAsync($"{path}/x{new string('j', 4000)}", "{}"u8.ToArray()));
            await RefusedAsync(path, () => stranger.CreateAsync($"{path}/y", [], flags: CreateFlags.Ephemeral));
            await RefusedAsync(path, () => stranger.SetAclAsync(path, Acl.Open));
            await RefusedAsync(path, () => stranger.MultiAsync([MultiOp.Create($"{path}/z", [])]));
            if (path != ZooNetTree.Acls)
            {
                await RefusedAsync(path, () => stranger.SetDataAsync(path, "{}"u8.ToArray()));
            }
            if (path != ZooNetTree.Root)
            {
                await RefusedAsync(path, () => stranger.DeleteAsync(path));
            }
        }
        return paths.Count;
    }

    private static async Task RefusedAsync(string path, Func<Task> work)
    {
        var error = await Assert.ThrowsAnyAsync<KeeperException>(work);
        Assert.True(error.Code == ErrorCode.NoAuth, $"{path}: {error.Code}");
    }

    private static async Task<Dictionary<string, string>> ReadAsync(ZooKeeperClient client, string path)
    {
        var read = new Dictionary<string, string> { [path] = Convert.ToHexString((await client.GetDataAsync(path)).Data ?? []) };
        foreach (var name in (await client.GetChildrenAsync(path)).Names)
        {
            foreach (var (below, data) in await ReadAsync(client, $"{path}/{name}"))
            {
                read[below] = data;
            }
        }
        return read;
    }
}
