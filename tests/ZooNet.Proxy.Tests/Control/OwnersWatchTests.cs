using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>Whose a session of a remote cluster is, as the records say that other proxies write at home.</summary>
public sealed class OwnersWatchTests : IAsyncLifetime
{
    private const long Client = 0x51;

    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);
    private OneHome _home = null!;
    private ZooKeeperClient _proxies = null!;

    public async Task InitializeAsync()
    {
        _home = await OneHome.StartAsync();
        _proxies = await _home.ConnectAsync();
        foreach (var path in new[] { ZooNetTree.Root, ZooNetTree.Sessions, SessionRecord.FolderOf(Client) })
        {
            await _proxies.CreateAsync(path, acl: _home.Secret.Acl);
        }
    }

    public async Task DisposeAsync() => await _home.DisposeAsync();

    [Fact]
    public async Task A_record_that_was_there_before_is_found()
    {
        await WriteAsync(Client, 0x52);
        await StartAsync();
        await OwnedAsync(0x52, by: Client);
    }

    [Fact]
    public async Task Records_that_come_change_and_go_are_followed()
    {
        await StartAsync();
        await WriteAsync(Client, 0x52);
        await OwnedAsync(0x52, by: Client);

        await WriteAsync(Client, 0x53);
        await OwnedAsync(0x53, by: Client);
        await OwnedAsync(0x52, by: 0x52);

        await _proxies.DeleteAsync(PathOf(Client));
        await OwnedAsync(0x53, by: 0x53);
    }

    [Fact]
    public async Task What_changed_while_home_was_away_is_found_when_it_is_back()
    {
        var clusters = await StartAsync();
        await WriteAsync(Client, 0x52);
        await OwnedAsync(0x52, by: Client);

        var connected = new TaskCompletionSource();
        clusters.Home.Connected += () => connected.TrySetResult();
        _home.Server.CloseConnections();
        await TwoRegions.Eventually(async () =>
        {
            try
            {
                await _proxies.DeleteAsync(PathOf(Client));
                return true;
            }
            catch (KeeperException e)
            {
                // The delete whose answer was lost may have been done.
                return e.Code == ErrorCode.NoNode;
            }
        });
        await connected.Task.WaitAsync(TimeSpan.FromSeconds(60));

        await OwnedAsync(0x52, by: 0x52);
    }

    [Fact]
    public async Task A_record_in_the_wrong_place_or_by_nobodys_hand_says_nothing()
    {
        await StartAsync();
        var other = Client + SessionRecord.Folders;
        await WriteAsync(Client, 0x52);
        var (sealedForClient, _, _) = await _proxies.GetDataAsync(PathOf(Client));
        await _proxies.CreateAsync(PathOf(other), sealedForClient, acl: _home.Secret.Acl);
        await WriteAsync(Client, 0x53);

        await OwnedAsync(0x53, by: Client);
        // The watch tells of changes in their order, and nothing was made of the one in the middle.
        Assert.Equal(0x52, _region.Owners.HomeOf(1, 0x52));
    }

    private static string PathOf(long session) => SessionRecord.PathOf(session, "eu");

    private async Task WriteAsync(long session, long remote)
    {
        var record = new SessionRecord(new HomeSession(session, [1], 10_000), new RemoteSessionRecord(1, remote, [2], false), "us-2");
        var data = record.Seal(_home.Secret, _home.Config);
        if ((await _proxies.ExistsAsync(PathOf(session))).Exists)
        {
            await _proxies.SetDataAsync(PathOf(session), data);
        }
        else
        {
            await _proxies.CreateAsync(PathOf(session), data, acl: _home.Secret.Acl);
        }
    }

    private async Task<ClusterControls> StartAsync()
    {
        var clusters = new ClusterControls(_home.Config, _home.Secret, TimeProvider.System, NullLogger<ClusterControl>.Instance);
        var watch = new OwnersWatch(
            clusters, _home.Config, _home.Secret, _region, TimeProvider.System, NullLogger<OwnersWatch>.Instance);
        _home.Own(clusters);
        _home.Own(watch);
        await watch.StartAsync(default);
        clusters.Home.Start();
        return clusters;
    }

    private Task OwnedAsync(long remote, long by) => TwoRegions.Eventually(() => Task.FromResult(_region.Owners.HomeOf(1, remote) == by));
}
