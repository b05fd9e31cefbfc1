using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Mounts;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>How the data path of proxy p of us follows the table and the records; region us may mount eu.</summary>
public sealed class RouteFollowerTests : ISessionFence, IAsyncDisposable
{
    private static readonly ProxyConfig Config = new()
    {
        Region = "us",
        Listen = [],
        Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", 9)]),
        Remotes = [new ClusterConfig("eu", 1, [], [new HostPort("127.0.0.1", 9)])],
    };

    private static readonly ViewRecord Published = new()
    {
        View = "us",
        Region = "us",
        Home = "us",
        Version = 1,
        Revision = 1,
        Mounts = [new ViewMount("eu", "/apps", PublishedState.Active)],
        Proxies = [new ViewProxy("p", new Dictionary<string, long>())],
    };

    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);
    private readonly MountActivation _activation = new("us", "us", "p");
    private readonly HomeLease _lease;
    private readonly RouteFollower _follower;
    private TaskCompletionSource _answered = new();

    public RouteFollowerTests()
    {
        _lease = new HomeLease(_ => Task.FromResult(new HomeWrite(TimeSpan.FromSeconds(6), 1)), _region, TimeProvider.System,
            NullLogger.Instance);
        _follower = new RouteFollower(
            Config, _region, _activation, _lease, this, null, null, null, NullLogger.Instance, CancellationToken.None);
        _answered.SetResult();
    }

    public ValueTask DisposeAsync() => _lease.DisposeAsync();

    [Fact]
    public async Task Before_the_records_are_known_all_is_coupled_and_a_mount_waits_for_the_lease()
    {
        await _follower.FollowAsync(Table(1, Active("/m")), isRegistered: true);

        Assert.Equal(CouplingKind.Conservative, Assert.IsType<Coupling>(_region.Coupling).Kind);
        Assert.NotNull(_region.Mounts.At("/m"));
        Assert.Equal("other proxies of the region have to take note of this one", _lease.WhyNot);
    }

    [Fact]
    public async Task A_mount_that_is_published_is_used_once_the_records_of_all_clusters_are_known()
    {
        Learn(Published);
        var directive = await _follower.FollowAsync(Table(1, Active("/m")), isRegistered: true);

        Assert.Equal(CouplingKind.Free, directive.Kind);
        Assert.False(_region.Mounts.At("/m")!.IsSuspended);
        Assert.False(_lease.IsHeld);
    }

    [Fact]
    public async Task A_mount_that_nobody_has_published_is_held_back_by_itself()
    {
        Learn(Published with { Mounts = [] });
        await _follower.FollowAsync(Table(1, Active("/m")), isRegistered: true);

        Assert.True(_region.Mounts.At("/m")!.IsSuspended);
    }

    [Fact]
    public async Task A_mount_outside_the_guarantee_is_used_whatever_is_known()
    {
        await _follower.FollowAsync(Table(1, Active("/m", MountOptions.Default with { Barriers = false })), isRegistered: true);

        Assert.False(_region.Mounts.At("/m")!.IsSuspended);
        Assert.True(_region.Coupling.CoupledTo(1).IsEmpty);
    }

    [Fact]
    public async Task A_mount_is_gone_when_the_requests_are_answered_that_were_routed_by_it()
    {
        Learn(Published);
        await _follower.FollowAsync(Table(1, Active("/m")), isRegistered: true);
        _answered = new TaskCompletionSource();
        var table = Table(2);
        var following = _follower.FollowAsync(table, isRegistered: true);

        var routed = _follower.RoutesAsync(table, CancellationToken.None);
        Assert.Null(_region.Mounts.At("/m"));
        Assert.False(routed.IsCompleted);
        _answered.SetResult();
        await following;
        await routed;
    }

    [Fact]
    public async Task Who_waits_for_routes_is_told_when_nothing_is_followed_any_more()
    {
        var routed = _follower.RoutesAsync(Table(1), CancellationToken.None);
        _follower.End();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => routed);
    }

    Task ISessionFence.RequestsAnsweredAsync(CancellationToken cancellationToken) => _answered.Task;

    private static MountEntry Active(string path, MountOptions? options = null) => new(ZooNetTree.NameOf(path), 0, path,
        new MountRecord { Path = path, Cluster = "eu", RemotePath = "/apps", State = MountState.Active },
        new Mount(path, 1, "eu", "/apps", options ?? MountOptions.Default), null)
    { IsSigned = true };

    private static MountSnapshot Table(long version, params MountEntry[] entries) => new(entries, MountTable.Empty, version, (int)version);

    private void Learn(ViewRecord own)
    {
        foreach (var cluster in new[] { "us", "eu" })
        {
            _activation.EndScan(_activation.BeginScan(cluster), [own]);
        }
    }
}
