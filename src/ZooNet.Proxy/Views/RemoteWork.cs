using Microsoft.Extensions.Logging;
using ZooNet.Federation.Interest;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// The scans of remote clusters' folders, and the writes there: at most one task for each cluster, beside the driver's loop, so that a
/// cluster that does not answer delays nothing else. What a task has found is taken in by the loop. Not thread-safe: one driver.
/// </summary>
/// <param name="config">Names the clusters.</param>
/// <param name="clusters">Tell which of them is up.</param>
/// <param name="folders">The folders, by ordinal.</param>
/// <param name="activation">Tells what is due, and is told what was found.</param>
/// <param name="wake">Called from any thread when a task has ended.</param>
/// <param name="logger">Hears of clusters that can't be kept up to date.</param>
/// <param name="stop">Ends what is under way.</param>
internal sealed class RemoteWork(
    ProxyConfig config, ClusterControls clusters, IReadOnlyList<ViewFolder> folders, MountActivation activation, Action wake, ILogger logger,
    CancellationToken stop)
{
    private readonly Task<Action>?[] _tasks = new Task<Action>?[folders.Count];

    /// <summary>Takes in what has ended, and begins what is due.</summary>
    /// <returns>True when something was taken in.</returns>
    public bool Advance()
    {
        var hasNews = false;
        foreach (var name in activation.Clusters.Where(c => c != config.Home.Name).ToList())
        {
            if (config.FindCluster(name) is not { IsHome: false } cluster)
            {
                continue;
            }
            var folder = folders[cluster.Ordinal];
            if (_tasks[cluster.Ordinal] is { IsCompleted: true } done)
            {
                _tasks[cluster.Ordinal] = null;
                TakeIn(done, folder, name);
                hasNews |= folder.Error is null;
            }
            if (_tasks[cluster.Ordinal] is null && (folder.Error is null || clusters[cluster.Ordinal].Health.IsUp))
            {
                Begin(folder, cluster);
            }
        }
        return hasNews;
    }

    private void TakeIn(Task<Action> done, ViewFolder folder, string name)
    {
        if (done.IsCompletedSuccessfully)
        {
            folder.Error = null;
            done.Result();
            return;
        }
        var error = done.Exception?.InnerException?.Message ?? "it was given up";
        if (folder.Error != error)
        {
            logger.ViewsNotRead(name, error);
        }
        folder.Error = error;
        folder.IsDirty = true;
    }

    private void Begin(ViewFolder folder, ClusterConfig cluster)
    {
        Task<Action> task;
        if (folder.IsDirty || activation.IsScanDue(cluster.Name))
        {
            task = ScanAsync(folder, activation.BeginScan(cluster.Name));
        }
        else if (activation.ToStore(cluster.Name) is { Count: > 0 } due)
        {
            task = WriteAsync(folder, cluster.Name, due);
        }
        else
        {
            return;
        }
        _tasks[cluster.Ordinal] = task;
        _ = task.ContinueWith(_ => wake(), TaskScheduler.Default);
    }

    private async Task<Action> ScanAsync(ViewFolder folder, FolderScan scan)
    {
        await folder.BarrierAsync(stop);
        var records = await folder.ReadAsync(stop);
        var live = await folder.ReadLiveAsync(stop);
        var present = folder.Present.ToList();
        return () => activation.EndScan(scan, records, live, present);
    }

    private async Task<Action> WriteAsync(ViewFolder folder, string cluster, IReadOnlyList<ViewRecord> records)
    {
        var written = new List<ViewRecord>();
        foreach (var record in records)
        {
            if (await folder.WriteAsync(record, stop))
            {
                written.Add(record);
            }
        }
        return () => written.ForEach(record => activation.Stored(cluster, record));
    }
}
