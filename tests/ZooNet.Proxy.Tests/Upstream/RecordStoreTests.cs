using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Client;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;
using ZooNet.Server;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>
/// The records of clients' remote sessions: who can read and write them, how they pass from proxy to proxy, and when they go.
/// </summary>
public sealed class RecordStoreTests : IAsyncLifetime
{
    private const string Secret = "zoonet:the-secret";

    private readonly List<IAsyncDisposable> _owned = [];
    private readonly FakeTimeProvider _time = new();
    private EmbeddedServer _home = null!;
    private ZooKeeperClient _client = null!;
    private ZooKeeperClient _anybody = null!;
    private Proxy _one = null!;

    public async Task InitializeAsync()
    {
        _home = await EmbeddedServer.StartAsync(new EmbeddedServerOptions { Tick = TimeSpan.FromMilliseconds(500) });
        await using (var admin = await ConnectAsync(Secret))
        {
            foreach (var path in new[] { ZooNetTree.Root, ZooNetTree.Sessions })
            {
                await admin.CreateAsync(path, [], acl: new ProxySecret(Secret).Acl);
            }
        }
        _client = await ConnectAsync();
        _anybody = await ConnectAsync();
        _one = await StartAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var owned in _owned.AsEnumerable().Reverse())
        {
            await owned.DisposeAsync();
        }
        await _client.DisposeAsync();
        await _anybody.DisposeAsync();
        await _home.DisposeAsync();
    }

    [Fact]
    public async Task A_client_that_comes_back_by_another_proxy_is_found_with_its_session()
    {
        Assert.True(await SaveAsync(_one, Remote(0x42, strict: true)));

        var found = Assert.Single((await FindAsync(await StartAsync()))!);

        Assert.Equal((1, 0x42, true), (found.Cluster, found.SessionId, found.Strict));
        Assert.Equal(new byte[] { 7, 7, 7 }, found.Password);
    }

    [Fact]
    public async Task What_was_saved_last_is_found()
    {
        await SaveAsync(_one, Remote(0x42, strict: true));
        Assert.True(await SaveAsync(_one, Remote(0x43)));

        Assert.Equal((0x43, false), Assert.Single((await FindAsync(_one))!) is var found ? (found.SessionId, found.Strict) : default);
    }

    [Fact]
    public async Task Nothing_on_record_is_nothing_found()
    {
        Assert.Empty((await FindAsync(_one))!);
    }

    [Fact]
    public async Task A_record_is_the_proxies_and_nobody_reads_in_it()
    {
        var password = "a password of 16"u8.ToArray();
        await SaveAsync(_one, new RemoteSessionRecord(1, 0x42, password, true));

        var (data, stat, _) = await _anybody.GetDataAsync(Path);

        Assert.Equal(-1, data.AsSpan().IndexOf(password));
        Assert.Equal(-1, data.AsSpan().IndexOf(_client.SessionPassword));
        Assert.Equal(0, stat.EphemeralOwner);
        foreach (var forge in new Func<Task>[]
        {
            () => _anybody.SetDataAsync(Path, []),
            () => _anybody.DeleteAsync(Path),
            () => _anybody.SetAclAsync(Path, Acl.Open),
            () => _anybody.CreateAsync(SessionRecord.PathOf(_client.SessionId + 16, "eu"), []),
            () => _anybody.CreateAsync(SessionRecord.FolderOf(_client.SessionId + 1), []),
            () => _anybody.CreateAsync($"{ZooNetTree.Sessions}/x", []),
        })
        {
            Assert.Equal(ErrorCode.NoAuth, (await Assert.ThrowsAsync<KeeperException>(forge)).Code);
        }
    }

    [Fact]
    public async Task A_record_that_no_proxy_has_written_is_not_gone_by_and_the_client_is_not_let_in()
    {
        await SaveAsync(_one, Remote(0x42));
        await using var admin = await ConnectAsync(Secret);
        var other = await ConnectAsync();
        await using var otherToo = other;
        var elsewhere = new HomeSession(other.SessionId, other.SessionPassword, 10_000);
        await _one.Records.SaveAsync(this, elsewhere, Remote(0x66), default);
        var forged = (await admin.GetDataAsync(SessionRecord.PathOf(other.SessionId, "eu"))).Data;

        // The record of another client, in the place of this one's.
        await admin.SetDataAsync(Path, forged);

        Assert.Null(await FindAsync(_one));
    }

    [Fact]
    public async Task A_client_that_has_closed_its_session_leaves_no_record()
    {
        await SaveAsync(_one, Remote(0x42));

        _one.Records.Ended(this, _client.SessionId, over: true);

        await GoneAsync();
        await TwoRegions.Eventually(() => Task.FromResult(_one.Records.Count == 0));
    }

    [Fact]
    public async Task A_client_that_does_not_come_back_leaves_no_record_once_its_session_must_be_over()
    {
        await SaveAsync(_one, Remote(0x42));
        _one.Records.Ended(this, _client.SessionId, over: false);

        _time.Advance(SessionEnd.Grace(10_000) - TimeSpan.FromSeconds(1));
        Assert.NotEmpty((await FindAsync(_one))!);
        _one.Records.Ended(this, _client.SessionId, over: false);
        await AdvanceUntilAsync(GoneNowAsync);

        Assert.True((await _client.ExistsAsync("/")).Exists);
    }

    [Fact]
    public async Task The_session_of_one_that_may_have_held_locks_is_ended_first()
    {
        await SaveAsync(_one, Remote(0x42, strict: true));
        await _client.CreateAsync("/lock-at-home", flags: CreateFlags.Ephemeral);
        _one.Records.Ended(this, _client.SessionId, over: false);

        await AdvanceUntilAsync(GoneNowAsync);

        Assert.False((await _anybody.ExistsAsync("/lock-at-home")).Exists);
    }

    [Fact]
    public async Task While_another_proxy_serves_the_client_nothing_is_removed()
    {
        await SaveAsync(_one, Remote(0x42, strict: true));
        _one.Records.Ended(this, _client.SessionId, over: false);
        Assert.Single((await FindAsync(await StartAsync()))!);

        await AdvanceUntilAsync(() => Task.FromResult(_one.Records.Count == 0));

        Assert.True((await _anybody.ExistsAsync(Path)).Exists);
        Assert.True((await _client.ExistsAsync("/")).Exists);
    }

    [Fact]
    public async Task A_connection_that_ends_late_does_not_take_the_record_from_its_successor()
    {
        await SaveAsync(_one, Remote(0x42));
        var successor = new object();
        await _one.Records.FindAsync(successor, Home, default);

        _one.Records.Ended(this, _client.SessionId, over: true);
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Single((await _one.Records.FindAsync(successor, Home, default))!);
    }

    [Fact]
    public async Task Time_in_which_home_was_away_does_not_count()
    {
        await SaveAsync(_one, Remote(0x42));
        _one.Records.Ended(this, _client.SessionId, over: false);
        _time.Advance(SessionEnd.Grace(10_000) - TimeSpan.FromSeconds(1));

        await _one.ReconnectAsync();
        _time.Advance(TimeSpan.FromSeconds(2));

        await Task.Delay(100);
        Assert.True((await _anybody.ExistsAsync(Path)).Exists);
        await AdvanceUntilAsync(GoneNowAsync);
    }

    private string Path => SessionRecord.PathOf(_client.SessionId, "eu");

    private HomeSession Home => new(_client.SessionId, _client.SessionPassword, 10_000);

    private static RemoteSessionRecord Remote(long id, bool strict = false) => new(1, id, [7, 7, 7], strict);

    private Task<bool> SaveAsync(Proxy proxy, RemoteSessionRecord record) => proxy.Records.SaveAsync(this, Home, record, default);

    private Task<IReadOnlyList<RemoteSessionRecord>?> FindAsync(Proxy proxy) => proxy.Records.FindAsync(this, Home, default);

    private Task GoneAsync() => TwoRegions.Eventually(GoneNowAsync);

    private async Task<bool> GoneNowAsync() => !(await _anybody.ExistsAsync(Path)).Exists;

    private async Task AdvanceUntilAsync(Func<Task<bool>> condition)
    {
        for (var i = 0; !await condition(); i++)
        {
            Assert.True(i < 1000);
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(5);
        }
    }

    private async Task<ZooKeeperClient> ConnectAsync(string? secret = null) => await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
    {
        Servers = [new ServerAddress("127.0.0.1", _home.Address.Port)],
        Auth = secret is null ? [] : [new AuthCredentials("digest", Encoding.UTF8.GetBytes(secret))],
    });

    private async Task<Proxy> StartAsync()
    {
        var config = new ProxyConfig
        {
            Region = "us",
            Listen = [],
            Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", _home.Address.Port)]),
            Remotes = [new ClusterConfig("eu", 1, [], [new HostPort("127.0.0.1", 9)])],
            Secret = Secret,
            SessionTimeout = TimeSpan.FromSeconds(6),
        };
        var secret = new ProxySecret(config);
        var clusters = new ClusterControls(config, secret, TimeProvider.System, NullLogger<ClusterControl>.Instance);
        var records = new RecordStore(config, clusters, secret, new ProxyInstance(), _time, NullLogger<RecordStore>.Instance);
        var proxy = new Proxy(clusters, records, _home);
        _owned.Add(proxy);
        clusters.Home.Start();
        await TwoRegions.Eventually(() => Task.FromResult(clusters.Home.Health.IsUp));
        return proxy;
    }

    /// <summary>What of a proxy keeps records.</summary>
    private sealed class Proxy(ClusterControls clusters, RecordStore records, EmbeddedServer home) : IAsyncDisposable
    {
        public RecordStore Records { get; } = records;

        public async Task ReconnectAsync()
        {
            var connected = new TaskCompletionSource();
            clusters.Home.Connected += () => connected.TrySetResult();
            home.CloseConnections();
            await connected.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }

        public async ValueTask DisposeAsync()
        {
            await Records.DisposeAsync();
            await clusters.DisposeAsync();
        }
    }
}
