using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Federation.Interest;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>The work that a proxy of us does in the cluster eu, which its view mounts, beside what it does at home.</summary>
public sealed class RemoteWorkTests : IAsyncLifetime
{
    private static readonly ViewRecord Own = new()
    {
        View = "us",
        Region = "us",
        Home = "us",
        Version = 3,
        Revision = 3,
        Mounts = [new ViewMount("eu", "/apps", PublishedState.Active)],
        Proxies = [],
    };

    private readonly MountActivation _activation = new("us", "us", "us-1");
    private TwoRegions _regions = null!;
    private ClusterControls _clusters = null!;
    private ViewFolder[] _folders = null!;
    private RemoteWork _work = null!;
    private int _woken;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        var config = _regions.Config();
        var secret = new ProxySecret(config);
        _clusters = Controls(config, secret);
        _folders = [.. _clusters.All.Select(c => new ViewFolder(c, secret, NullLogger.Instance))];
        _work = new RemoteWork(config, _clusters, _folders, _activation, () => Interlocked.Increment(ref _woken), NullLogger.Instance,
            CancellationToken.None);
        _activation.EndScan(_activation.BeginScan("us"), [Own]);
    }

    public async Task DisposeAsync()
    {
        await _clusters.DisposeAsync();
        await _regions.DisposeAsync();
    }

    [Fact]
    public async Task The_own_record_is_written_where_it_is_missing_and_the_folder_is_scanned_behind_that()
    {
        _clusters[1].Start();
        Assert.False(_activation.IsReady);
        await UntilAsync(() => _activation.IsReady && !_activation.IsScanDue("eu"));
        Assert.Equal(["region us has not published it yet"], _activation.WaitingToJoin("eu", "/other"));
        await UntilAsync(() => !_folders[1].IsDirty && !_activation.WaitingToJoin("eu", "/apps").Any(w => w.Contains("cluster eu")));
        var direct = await _regions.ConnectAsync(_regions.Eu.Address, ProxyConfig.DefaultSecret);
        var written = ViewRecordJson.TryParse((await direct.GetDataAsync(ZooNetTree.ViewOf("us"))).Data, "us", out _)!;
        Assert.Equal((Own.Version, Own.Revision), (written.Version, written.Revision));
        Assert.Null(_folders[1].Error);
        Assert.True(_woken > 0);
    }

    [Fact]
    public async Task A_cluster_that_does_not_answer_is_told_of_and_is_not_asked_before_it_is_up()
    {
        // Its control session has not been started: nobody answers.
        await UntilAsync(() => _folders[1].Error is not null);
        Assert.False(_activation.IsReady);
        var woken = Volatile.Read(ref _woken);
        Assert.False(_work.Advance());
        Assert.False(_work.Advance());
        Assert.Equal(woken, Volatile.Read(ref _woken));

        _clusters[1].Start();
        await UntilAsync(() => _activation.IsReady);
        Assert.Null(_folders[1].Error);
    }

    private static ClusterControls Controls(ProxyConfig config, ProxySecret secret) =>
        new(config, secret, TimeProvider.System, NullLogger<ClusterControl>.Instance);

    private Task UntilAsync(Func<bool> condition) => TwoRegions.Eventually(() =>
    {
        _work.Advance();
        return Task.FromResult(condition());
    });
}
