using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Bench;

/// <summary>Makes the znodes of a run, and removes them.</summary>
internal static class BenchPreparation
{
    private const int BatchBytes = 256 * 1024;
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    /// <summary>Makes what is missing. Znodes of an earlier run are used as they are if their size is right.</summary>
    /// <exception cref="KeeperException">The cluster refuses; the message names the path.</exception>
    public static async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        await using var client = await ConnectAsync(workload.Options, cancellationToken);
        var data = Workload.Value(workload.Options.Size);
        var perBatch = Math.Max(1, BatchBytes / (workload.Options.Size + 128));
        foreach (var target in workload.Targets)
        {
            if (!(await client.ExistsAsync(target.Path, cancellationToken: cancellationToken)).Exists)
            {
                await IgnoreAsync(ErrorCode.NodeExists, client.CreateAsync(target.Path, cancellationToken: cancellationToken));
            }
            var present = (await client.GetChildrenAsync(target.Path, cancellationToken: cancellationToken)).Names.ToHashSet();
            var first = $"{target.Path}/{Workload.NameOf(0)}";
            var rightSize = present.Contains(Workload.NameOf(0))
                && (await client.ExistsAsync(first, cancellationToken: cancellationToken)).Stat?.DataLength == data.Length;
            var ops = Enumerable.Range(0, workload.Options.Znodes).Select(Workload.NameOf).Where(name => !rightSize || !present.Contains(name))
                .Select(name => present.Contains(name) ? MultiOp.SetData($"{target.Path}/{name}", data) : MultiOp.Create($"{target.Path}/{name}", data));
            foreach (var batch in ops.Chunk(perBatch))
            {
                await client.MultiAsync(batch, cancellationToken);
            }
        }
    }

    /// <summary>Removes everything that <see cref="PrepareAsync"/> made.</summary>
    public static async Task RemoveAsync(Workload workload, CancellationToken cancellationToken)
    {
        await using var client = await ConnectAsync(workload.Options, cancellationToken);
        foreach (var target in workload.Targets)
        {
            if (!(await client.ExistsAsync(target.Path, cancellationToken: cancellationToken)).Exists)
            {
                continue;
            }
            var names = (await client.GetChildrenAsync(target.Path, cancellationToken: cancellationToken)).Names;
            foreach (var batch in names.Chunk(500))
            {
                await client.MultiAsync([.. batch.Select(name => MultiOp.Delete($"{target.Path}/{name}"))], cancellationToken);
            }
            await client.DeleteAsync(target.Path, cancellationToken: cancellationToken);
        }
    }

    private static async Task<ZooKeeperClient> ConnectAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ConnectLimit);
        var last = "";
        try
        {
            return await ZooKeeperClient.ConnectAsync(
                new ZooKeeperClientOptions { Servers = options.Servers, SessionTimeout = TimeSpan.FromSeconds(30), Diagnostics = line => last = line }, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"no connection within {ConnectLimit.TotalSeconds:0} s; last, {last}");
        }
    }

    private static async Task IgnoreAsync(ErrorCode code, Task task)
    {
        try
        {
            await task;
        }
        catch (KeeperException e) when (e.Code == code)
        {
            // As wanted.
        }
    }
}
