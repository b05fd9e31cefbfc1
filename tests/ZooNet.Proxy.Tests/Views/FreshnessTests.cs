using System.Text;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Server;
using ZooNet.Tests;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>
/// Two regions that mount each other. What us reads of eu it reads at an observer that learns nothing while it is held back, so that
/// a request which does without the barrier that it needs shows the past, and one that waits for it can be seen to wait.
/// </summary>
public sealed class FreshnessTests : IAsyncLifetime
{
    private const string Secret = "adm:pw";

    /// <summary>The super user of both clusters: only then are the proxies told of everything, and the watermark is used.</summary>
    private const string Super = "super:test";

    /// <summary>How long a message takes while the observer is held back; nothing passes before the clock is moved.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(10);

    private static readonly Acl[] Closed = [new Acl(Permissions.All, "digest", ProxySecret.DigestOf(Secret))];

    private readonly FakeTimeProvider _time = new();
    private TwoRegions _regions = null!;
    private EmbeddedCluster _eu = null!;
    private RunningProxy _inUs = null!;

    /// <summary>A client in us, one in eu that knows the secret, and one of us that goes past the proxies and knows it too.</summary>
    private ZooKeeperClient _a = null!;
    private ZooKeeperClient _b = null!;
    private ZooKeeperClient _admin = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _eu = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions
        {
            Leader = new EmbeddedServerOptions
            {
                Epoch = 14,
                Time = _time,
                Tick = TimeSpan.FromMilliseconds(500),
                SuperDigest = ProxySecret.DigestOf(Super),
            },
            Observers = [new EmbeddedObserverOptions()],
        });
    }

    public async Task DisposeAsync()
    {
        await ReleaseAsync(Task.CompletedTask);
        await _regions.DisposeAsync();
        await _eu.DisposeAsync();
    }

    [Theory]
    [InlineData(ConsistencyMode.Sequential)]
    [InlineData(ConsistencyMode.Ordered)]
    public async Task Whoever_learns_from_an_answer_that_an_ACL_was_opened_reads_no_past_in_the_mount(ConsistencyMode mode)
    {
        await StartAsync(mode);
        var round = 0;
        foreach (var (name, ask, code) in new (string, Func<string, Task>, ErrorCode)[]
        {
            ("getData", x => _a.GetDataAsync(x), ErrorCode.Ok),
            ("setData at another version", x => _a.SetDataAsync(x, [], 99), ErrorCode.BadVersion),
            ("create of a child that is there", x => _a.CreateAsync($"{x}/k"), ErrorCode.NodeExists),
            ("delete of a child at another version", x => _a.DeleteAsync($"{x}/k", 99), ErrorCode.BadVersion),
            ("delete of a child with children", x => _a.DeleteAsync($"{x}/k"), ErrorCode.NotEmpty),
            ("a check and a private write", x => _a.MultiAsync([MultiOp.Check(x), MultiOp.SetData("/priv", [])]), ErrorCode.Ok),
            ("a check alone", x => _a.MultiAsync([MultiOp.Check(x)]), ErrorCode.Ok),
            ("a listing in a multiRead", x => _a.MultiReadAsync([MultiOp.GetChildren(x)]), ErrorCode.Ok),
            ("getChildren", x => _a.GetChildrenAsync(x), ErrorCode.Ok),
            ("getAllChildrenNumber", x => _a.GetAllChildrenNumberAsync(x), ErrorCode.Ok),
            ("a private write, which comes behind the notice of the ACL", _ => _a.SetDataAsync("/priv", []), ErrorCode.Ok),
        })
        {
            var x = $"/apps/x{round}";
            var value = Encoding.UTF8.GetBytes($"{round++}");
            await _admin.CreateAsync(x, acl: Closed);
            await _admin.CreateAsync($"{x}/k");
            await _admin.CreateAsync($"{x}/k/l");
            await WarmAsync();

            Hold();
            await _b.SetDataAsync("/apps/w", value);
            await _b.SetAclAsync($"/mnt/us{x["/apps".Length..]}", Acl.Open);
            Assert.True(code == await CodeAsync(() => ask(x)), name);

            var read = await WaitingAsync(name, () => _a.GetDataAsync("/mnt/eu/w"));
            await ReleaseAsync(read);
            var shown = Encoding.UTF8.GetString((await read).Data!);
            Assert.True(shown == Encoding.UTF8.GetString(value), $"{name}: {shown}");
        }
        if (mode == ConsistencyMode.Sequential)
        {
            // What makes this a test: without a barrier the past is shown, and there is none where nothing was learned.
            await WarmAsync();
            Hold();
            await _b.SetDataAsync("/apps/w", "unseen"u8.ToArray());
            await _a.SetDataAsync("/priv", []);
            Assert.NotEqual("unseen"u8.ToArray(), (await _a.GetDataAsync("/mnt/eu/w")).Data);
        }
    }

    [Theory]
    [InlineData(ConsistencyMode.Sequential)]
    [InlineData(ConsistencyMode.Ordered)]
    public async Task What_is_carried_out_alone_or_in_parts_is_as_fresh_as_a_read(ConsistencyMode mode)
    {
        await StartAsync(mode);
        await _a.CreateAsync("/mnt/eu/e", flags: CreateFlags.Ephemeral);
        await _a.CreateAsync("/mnt/eu/f", flags: CreateFlags.Ephemeral);
        foreach (var (name, change, ask, expected) in new (string, Func<Task>, Func<Task<string>>, string)[]
        {
            ("exists", () => _b.DeleteAsync("/apps/e"), async () => (await _a.ExistsAsync("/mnt/eu/e")).Exists.ToString(), "False"),
            ("getEphemerals", () => _b.DeleteAsync("/apps/f"), async () => string.Join(',', (await _a.GetEphemeralsAsync()).Value), ""),
            // The mount point, w and n.
            ("a count that spans", () => _b.CreateAsync("/apps/n"),
                async () => (await _a.GetAllChildrenNumberAsync("/mnt")).Value.ToString(), "3"),
            ("a multiRead that spans", () => _b.SetDataAsync("/apps/w", "new"u8.ToArray()), () => BothAsync("/priv"), ",new"),
        })
        {
            await WarmAsync();
            Hold();
            await change();
            // b reads at home of a what a has not yet written, so what b has done comes first.
            Assert.NotEqual(name, Encoding.UTF8.GetString((await _b.GetDataAsync("/mnt/us/v")).Data!));
            await _a.SetDataAsync("/apps/v", Encoding.UTF8.GetBytes(name));

            var answer = await WaitingAsync(name, ask);
            await ReleaseAsync(answer);
            Assert.True(expected == await answer, $"{name}: {await answer}");
        }
    }

    [Theory]
    [InlineData(ConsistencyMode.Sequential)]
    [InlineData(ConsistencyMode.Ordered)]
    public async Task What_the_first_part_of_a_multiRead_shows_the_next_part_does_not_go_back_behind(ConsistencyMode mode)
    {
        await StartAsync(mode);
        await WarmAsync();
        Hold();
        await _b.SetDataAsync("/apps/w", "new"u8.ToArray());
        await _b.SetDataAsync("/mnt/us/v", "new"u8.ToArray());

        var answer = await WaitingAsync("multiRead", () => BothAsync("/apps/v"));
        await ReleaseAsync(answer);
        Assert.Equal("new,new", await answer);
    }

    [Theory]
    [InlineData(ConsistencyMode.Sequential)]
    [InlineData(ConsistencyMode.Ordered)]
    public async Task Whether_a_watch_is_still_set_is_told_as_freshly_as_a_read(ConsistencyMode mode)
    {
        await StartAsync(mode);
        using var client = await RawClient.ConnectAsync(new ServerAddress("127.0.0.1", _inUs.Host.ClientEndPoints[0].Port));
        await client.CallAsync(OpCode.GetData, w => new PathWatchRequest("/mnt/eu/w", true).Write(w));
        Hold();
        await _b.SetDataAsync("/apps/w", "new"u8.ToArray());
        Assert.NotEqual("new"u8.ToArray(), (await _b.GetDataAsync("/mnt/us/v")).Data);
        await client.CallAsync(OpCode.SetData, w => new SetDataRequest("/apps/v", "new"u8.ToArray(), -1).Write(w));

        var asked = 0;
        var first = await WaitingAsync("checkWatches", async () =>
        {
            asked = await client.SendAsync(OpCode.CheckWatches, w => new PathKindRequest("/mnt/eu/w", (int)WatcherType.Data).Write(w));
            return await client.NextAsync();
        });
        await ReleaseAsync(first);
        Assert.Equal((WatchEventType.DataChanged, "/mnt/eu/w"), RawClient.EventOf(await first));
        var header = (await client.NextAsync()).Header;
        Assert.Equal((asked, ErrorCode.NoWatcher), (header.Xid, header.Error));
    }

    /// <summary>A proxy in each region, whose mounts close a cycle, and the znodes and clients that the tests use.</summary>
    private async Task StartAsync(ConsistencyMode mode)
    {
        var leader = new HostPort("127.0.0.1", _eu.Address.Port);
        var observer = new HostPort("127.0.0.1", _eu.Observers[0].Address.Port);
        _admin = await _regions.ConnectAsync(_regions.Us.Address, Secret);
        var direct = await _regions.ConnectAsync(_eu.Address);
        foreach (var (client, path) in new[]
        {
            (_admin, "/apps"), (_admin, "/apps/v"), (_admin, "/priv"), (direct, "/apps"), (direct, "/apps/w"),
        })
        {
            await client.CreateAsync(path, []);
        }
        _inUs = await _regions.StartProxyAsync(c => c with
        {
            Consistency = mode,
            Secret = Super,
            Remotes = [c.Remotes[0] with { Observers = [observer], Servers = [leader] }],
        });
        var inEu = await _regions.StartProxyAsync(c => TwoRegions.InEu(c with
        {
            Consistency = mode,
            Secret = Super,
            Remotes = [c.Remotes[0] with { Servers = [leader] }],
        }));
        Assert.InRange((await _inUs.MountAsync("eu:/apps", "/mnt/eu")).Status, 201, 202);
        Assert.InRange((await inEu.MountAsync("us:/apps", "/mnt/us")).Status, 201, 202);
        await TwoRegions.Eventually(() => Task.FromResult(_inUs.Host.Path.Region.Mounts.At("/mnt/eu") is { IsSuspended: false }
            && inEu.Host.Path.Region.Mounts.At("/mnt/us") is { IsSuspended: false }
            && _inUs.Host.Path.Region.Coupling is Coupling { Kind: CouplingKind.Cycle or CouplingKind.Ordered }));
        _a = await _regions.ConnectAsync(_inUs.Host.ClientEndPoints[0]);
        _b = await _regions.ConnectAsync(inEu.Host.ClientEndPoints[0], Secret);
        await _b.GetDataAsync("/mnt/us/v");
        if (mode == ConsistencyMode.Sequential)
        {
            // Private writes cost nothing only once the watermark has seen home.
            await TwoRegions.Eventually(() => Task.FromResult(_inUs.Host.Path.Region.HomeInterest is { Watcher: not null }));
        }
    }

    /// <summary>The observer is as fresh as what the client knows.</summary>
    private async Task WarmAsync()
    {
        await _a.SetDataAsync("/priv", []);
        await _a.GetDataAsync("/mnt/eu/w");
        await _a.GetDataAsync("/mnt/eu/w");
    }

    private async Task<string> BothAsync(string home)
    {
        var read = await _a.MultiReadAsync([MultiOp.GetData(home), MultiOp.GetData("/mnt/eu/w")]);
        return string.Join(',', read.Results.Select(r => Encoding.UTF8.GetString(r.Data ?? [])));
    }

    private void Hold() => _eu.Observers[0].Delay = Delay;

    /// <summary>Everything passes again.</summary>
    private async Task ReleaseAsync(Task until)
    {
        _eu.Observers[0].Delay = TimeSpan.Zero;
        do
        {
            _time.Advance(Delay);
            await Task.WhenAny(until, Task.Delay(20));
        }
        while (!until.IsCompleted);
    }

    /// <summary>A request that waits for a barrier at the observer, which is held back.</summary>
    private async Task<Task<T>> WaitingAsync<T>(string name, Func<Task<T>> ask)
    {
        var counters = _inUs.Host.Path.Region.Mounts.At("/mnt/eu")!.Counters;
        var before = counters.BarriersNeeded;
        var answer = ask();
        await TwoRegions.Eventually(() => Task.FromResult(answer.IsCompleted || counters.BarriersNeeded > before));
        if (answer.IsFaulted)
        {
            await answer;
        }
        Assert.False(answer.IsCompleted, $"{name} was answered without the barrier that it needs");
        return answer;
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
