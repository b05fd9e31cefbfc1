using System.Collections.Concurrent;
using System.Text;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Downstream;

/// <summary>What goes through the whole tree, or through ZooKeeper's own part of it, as it does without proxies.</summary>
public sealed class WholeTreeTests : IAsyncLifetime
{
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;
    private ZooKeeperClient _through = null!;
    private EmbeddedServer _plain = null!;
    private ZooKeeperClient _direct = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
        _proxy = await _regions.StartProxyAsync();
        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/m")).Status);
        _through = await _regions.ConnectAsync(_proxy.Host.ClientEndPoints[0]);
        _plain = await EmbeddedServer.StartAsync();
        _direct = await _regions.ConnectAsync(_plain.Address);
    }

    public async Task DisposeAsync()
    {
        await _regions.DisposeAsync();
        await _plain.DisposeAsync();
    }

    [Fact]
    public async Task A_recursive_delete_of_everything_takes_what_is_the_clients_and_leaves_the_rest()
    {
        foreach (var client in new[] { _direct, _through })
        {
            foreach (var path in new[] { "/a", "/a/b", "/a/b/c", "/d", "/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_limits" })
            {
                await client.CreateAsync(path, "count=9,bytes=-1"u8.ToArray());
            }
        }
        await _through.CreateAsync("/m/x");

        var direct = new List<string>();
        await DeleteAsync(_direct, "/", direct);
        var through = new List<string>();
        await DeleteAsync(_through, "/", through);

        var others = through.Where(l => l.StartsWith("/zookeeper/zoonet", StringComparison.Ordinal) || l[..2] == "/m").ToList();
        Assert.Equal(direct, through.Except(others));
        Assert.Contains("/m/x Ok", others);
        // Their folder is not empty, so it stays though it lies in a znode of everybody's.
        Assert.All(others.Where(l => l[..2] != "/m"),
            line => Assert.EndsWith(line.StartsWith("/zookeeper/zoonet ", StringComparison.Ordinal) ? " NotEmpty" : " NoAuth", line));
        // The proxy goes on as before.
        await _through.CreateAsync("/m/y");
        Assert.Equal("active", Assert.Single(await _proxy.MountsAsync()).State);
    }

    [Theory]
    [InlineData("/zookeeper/quota")]
    [InlineData("/zookeeper/quota/a")]
    public async Task A_quota_counts_and_is_listed_as_without_proxies(string quota)
    {
        var (direct, through) = (await TranscriptAsync(_direct), await TranscriptAsync(_through));

        Assert.Equal(direct, through);
        Assert.Contains(direct, line => line.Contains("count=", StringComparison.Ordinal));

        async Task<List<string>> TranscriptAsync(ZooKeeperClient client)
        {
            var transcript = new List<string>();
            await NoteAsync("/a", p => client.CreateAsync(p, "12345"u8.ToArray()));
            if (quota != "/zookeeper/quota")
            {
                await NoteAsync(quota, p => client.CreateAsync(p));
            }
            await NoteAsync(quota + "/zookeeper_limits", p => client.CreateAsync(p, "count=2,bytes=-1"u8.ToArray()));
            await NoteAsync(quota + "/zookeeper_stats", p => client.CreateAsync(p, "count=0,bytes=0"u8.ToArray()));
            foreach (var name in new[] { "/a/1", "/a/2", "/a/3" })
            {
                await NoteAsync(name, p => client.CreateAsync(p, "123"u8.ToArray()));
            }
            await NoteAsync("/a/1", p => client.DeleteAsync(p));
            foreach (var name in new[] { "/zookeeper_limits", "/zookeeper_stats" })
            {
                await NoteAsync(quota + name, async p => transcript.Add(Encoding.UTF8.GetString((await client.GetDataAsync(p)).Data!)));
            }
            await NoteAsync(quota + "/zookeeper_stats", p => client.DeleteAsync(p));
            await NoteAsync(quota + "/zookeeper_limits", p => client.DeleteAsync(p));
            await NoteAsync(quota, p => client.DeleteAsync(p));
            return transcript;

            async Task NoteAsync(string path, Func<string, Task> work) => transcript.Add($"{path} {await CodeAsync(() => work(path))}");
        }
    }

    [Fact]
    public async Task Whoever_watches_everything_through_a_proxy_is_told_of_every_change_once_and_of_nothing_else()
    {
        await _through.ExistsAsync("/m");
        await TwoRegions.Eventually(async () => (await _proxy.StatusAsync()).Graph is { Awaiting.Count: 0, MountsHeld: null });
        var events = new ConcurrentQueue<(WatchEventType Type, string Path)>();
        _through.WatchFired += e => events.Enqueue((e.Type, e.Path));
        await _through.AddWatchAsync("/", AddWatchMode.PersistentRecursive);

        // Renewals of the lease, and barriers, are what goes on while nobody does anything.
        for (var renewals = 0; renewals < 2; renewals++)
        {
            var before = _proxy.Host.Path.Region.MountsUsableUntilMs;
            await TwoRegions.Eventually(() => Task.FromResult(_proxy.Host.Path.Region.MountsUsableUntilMs > before));
        }
        await _through.SyncAsync("/");
        await _through.SyncAsync("/m");
        Assert.Empty(events);

        // By others, on either side, past the proxy: so that nothing of it has to do with a session here.
        var us = await _regions.ConnectAsync(_regions.Us.Address);
        var eu = await _regions.ConnectAsync(_regions.Eu.Address);
        foreach (var (client, root) in new[] { (us, "/w"), (eu, "/apps/w") })
        {
            await client.CreateAsync(root);
            await client.CreateAsync($"{root}/x");
            await client.SetDataAsync($"{root}/x", [1]);
            await client.DeleteAsync($"{root}/x");
        }
        await _through.SyncAsync("/");
        await _through.SyncAsync("/m");
        await TwoRegions.Eventually(() => Task.FromResult(events.Count >= 8));

        foreach (var root in new[] { "/w", "/m/w" })
        {
            Assert.Equal([(WatchEventType.Created, root), (WatchEventType.Created, $"{root}/x"),
                (WatchEventType.DataChanged, $"{root}/x"), (WatchEventType.Deleted, $"{root}/x")],
                events.Where(e => e.Path.StartsWith(root, StringComparison.Ordinal)));
        }
        Assert.Equal(8, events.Count);
    }

    /// <summary>As kazoo does it, but that it goes on where it may not.</summary>
    private static async Task DeleteAsync(ZooKeeperClient client, string path, List<string> transcript)
    {
        foreach (var name in (await client.GetChildrenAsync(path)).Names.Order(StringComparer.Ordinal))
        {
            await DeleteAsync(client, path == "/" ? path + name : $"{path}/{name}", transcript);
        }
        transcript.Add($"{path} {await CodeAsync(() => client.DeleteAsync(path))}");
    }

    private static async Task<ErrorCode> CodeAsync(Func<Task> work)
    {
        try
        {
            await work();
            return ErrorCode.Ok;
        }
        catch (KeeperException e)
        {
            return e.Code;
        }
    }
}
