using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Interest;
using ZooNet.Federation.Mounts;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>What a proxy of us tells of the graph: us mounts a znode of eu, and eu may mount one of us.</summary>
public sealed class GraphStatusTests : IAsyncDisposable
{
    private static readonly ProxyConfig Config = new()
    {
        Region = "us",
        Listen = [],
        Home = new ClusterConfig("us", 0, [], []),
        Remotes = [new ClusterConfig("eu", 1, [], [])],
    };

    private readonly MountActivation _activation = new("us", "us", "us-1");
    private readonly Region _region = new(["us", "eu"], ConsistencyMode.Sequential);
    private readonly Dictionary<int, string> _errors = [];
    private readonly HomeLease _lease;
    private readonly GraphStatus _status;

    public GraphStatusTests()
    {
        _lease = new HomeLease(_ => Task.FromResult(new HomeWrite(TimeSpan.FromSeconds(6), 1)), _region, new FakeTimeProvider(),
            NullLogger.Instance);
        _status = new GraphStatus(Config, _region, _activation, _lease, null, ordinal => _errors.GetValueOrDefault(ordinal));
    }

    public ValueTask DisposeAsync() => _lease.DisposeAsync();

    [Fact]
    public void Before_the_first_round_everything_is_pending_and_nobody_is_known()
    {
        var graph = _status.Describe();

        Assert.True(_status.IsPending);
        Assert.True(graph.Conservative);
        Assert.Empty(graph.Views);
        Assert.Null(_status.WaitingFor(Entry("/mnt/eu", MountState.Joining)));
    }

    [Fact]
    public void A_mount_that_joins_names_who_is_waited_for_and_a_round_tells_only_what_has_changed()
    {
        var joining = Entry("/mnt/eu", MountState.Joining);
        Scan("us", Own(PublishedState.Joining));

        Assert.True(_status.RoundEnded(Table(joining)));
        Assert.Equal(["cluster eu: the records there could not be written and read"], _status.WaitingFor(joining)!);
        Assert.True(_status.IsPending);
        Assert.False(_status.RoundEnded(Table(joining)));
        Assert.Null(_status.WaitingFor(joining with { Version = joining.Version + 1 }));

        Scan("eu", Own(PublishedState.Joining));
        Assert.True(_status.RoundEnded(Table(joining)));
        Assert.DoesNotContain(_status.WaitingFor(joining)!, who => who.StartsWith("cluster eu", StringComparison.Ordinal));
    }

    [Fact]
    public void A_mount_that_leaves_waits_for_nobody_while_the_same_znode_stays_mounted_elsewhere()
    {
        Scan("us", Own(PublishedState.Active));
        var leaving = Entry("/mnt/eu", MountState.Leaving);

        _status.RoundEnded(Table(leaving, Entry("/mnt/other", MountState.Active)));
        Assert.Empty(_status.WaitingFor(leaving)!);

        _status.RoundEnded(Table(leaving));
        Assert.NotEmpty(_status.WaitingFor(leaving)!);
    }

    [Fact]
    public void What_keeps_a_clusters_records_from_being_up_to_date_is_told_until_it_is_over()
    {
        Scan("us", Own(PublishedState.Active, "ap"));
        _errors[1] = "NOAUTH";
        _status.RoundEnded(Table());
        Assert.Contains("cluster eu: NOAUTH", _status.Describe().Awaiting);
        Assert.Contains("cluster ap: a mount of it is published and this proxy's configuration does not know it",
            _status.Describe().Awaiting);
        Assert.True(_status.IsPending);

        Scan("us", Own(PublishedState.Active) with { Version = 2, Revision = 2 });
        _errors.Clear();
        _status.RoundEnded(Table());
        Assert.Empty(_status.Describe().Awaiting);
        Assert.False(_status.IsPending);
    }

    [Fact]
    public void A_cycle_is_shown_with_its_views_its_clusters_and_the_pair_that_it_couples()
    {
        Scan("us", Own(PublishedState.Active));
        Scan("eu", Own(PublishedState.Active), Of("eu", new ViewMount("us", "/shared", PublishedState.Active)));
        var directive = _activation.Decide([]);
        _region.Follow(Coupling.Sequential(directive.Graph, "us", _region.ClusterNames, 0, false), directive.Fresh);
        _status.Followed(directive);
        _activation.Confirm(directive);
        _status.RoundEnded(Table());

        var graph = _status.Describe();

        Assert.Equal("sequential", graph.Consistency);
        Assert.False(graph.Conservative);
        Assert.Equal(["eu", "us"], graph.Views.Select(v => v.Name));
        Assert.Equal(["cluster eu", "cluster us", "view eu", "view us"], Assert.Single(graph.Components).Order(StringComparer.Ordinal));
        Assert.Equal(["us", "eu"], Assert.Single(graph.Coupled));
        Assert.NotEqual("", graph.Why);
    }

    private void Scan(string cluster, params ViewRecord[] records)
    {
        // The second scan is the one that began with the own record there.
        for (var i = 0; i < 2; i++)
        {
            _activation.EndScan(_activation.BeginScan(cluster), records);
        }
    }

    private static ViewRecord Own(PublishedState state, params string[] others) => Of("us",
        [new ViewMount("eu", "/apps", state), .. others.Select(c => new ViewMount(c, "/apps", PublishedState.Active))]);

    private static ViewRecord Of(string view, params ViewMount[] mounts) =>
        new() { View = view, Region = view, Home = view, Version = 1, Revision = 1, Mounts = mounts };

    private static MountEntry Entry(string path, MountState state)
    {
        var record = new MountRecord { Path = path, Cluster = "eu", RemotePath = "/apps", State = state };
        var mount = new Mount(path, 1, "eu", "/apps", MountOptions.Default);
        return new MountEntry(path[1..].Replace('/', '_'), 1, path, record, mount, null) { IsSigned = true };
    }

    private static MountSnapshot Table(params MountEntry[] entries) => MountSnapshot.Empty with { Entries = entries };
}
