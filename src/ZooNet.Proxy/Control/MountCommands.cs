using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// The commands mount and unmount: each checks, writes the table, and waits for the <see cref="MountDriver"/> to see the mount through
/// until it is in use, or gone. Thread-safe; several proxies may change the table at the same time.
/// </summary>
public sealed class MountCommands
{
    /// <summary>How long a command waits for acknowledgements before it reports who has not answered.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ProxyConfig _config;
    private readonly ClusterControls _clusters;
    private readonly MountStore _store;
    private readonly MountDriver _driver;
    private readonly MountWriter _writer;
    private readonly IMountActivation _activation;
    private readonly ILogger _logger;

    /// <summary>Makes the commands. They need a driver that has been started.</summary>
    /// <param name="config">Names the clusters.</param>
    /// <param name="clusters">The control sessions.</param>
    /// <param name="store">Reads the table.</param>
    /// <param name="driver">Moves mounts.</param>
    /// <param name="writer">Writes the table.</param>
    /// <param name="activation">Tells when this proxy routes by the table.</param>
    /// <param name="logger">Hears of what was done and refused.</param>
    public MountCommands(ProxyConfig config, ClusterControls clusters, MountStore store, MountDriver driver, MountWriter writer,
        IMountActivation activation, ILogger<MountCommands> logger)
    {
        _config = config;
        _clusters = clusters;
        _store = store;
        _driver = driver;
        _writer = writer;
        _activation = activation;
        _logger = logger;
    }

    /// <summary>
    /// Mounts a znode of another cluster. Returns when the mount is in use at this proxy, or someone has to be waited for.
    /// </summary>
    public async Task<MountOutcome> MountAsync(MountRequest request, CancellationToken cancellationToken)
    {
        var outcome = await GuardAsync(() => DoMountAsync(request, cancellationToken));
        if (outcome.Refusal is not null)
        {
            _logger.MountRefused(outcome.Message);
        }
        else
        {
            _logger.Mounted(request.Source!, request.Path!, outcome.Entry!.Record!.Options ?? "rw", outcome.Entry.State);
        }
        return outcome;
    }

    /// <summary>Unmounts. Returns when the mount is gone, or someone has to be waited for.</summary>
    /// <param name="path">The mount point.</param>
    /// <param name="force">True not to wait for proxies of the region that have not stopped using it.</param>
    /// <param name="cancellationToken">Gives up waiting; what was begun is seen through in the background.</param>
    public async Task<MountOutcome> UnmountAsync(string path, bool force, CancellationToken cancellationToken)
    {
        var outcome = await GuardAsync(() => DoUnmountAsync(path, force, cancellationToken));
        if (outcome.Refusal is not null)
        {
            _logger.MountRefused(outcome.Message);
        }
        return outcome;
    }

    private async Task<MountOutcome> DoMountAsync(MountRequest request, CancellationToken cancellationToken)
    {
        if (MountRequest.ParseSource(request.Source, out var clusterName, out var remotePath) is { } badSource)
        {
            return MountOutcome.Refused(RefusalKind.Invalid, badSource);
        }
        if (MountOptionsText.Parse(request.Options, out var options, out var create) is { } badOptions)
        {
            return MountOutcome.Refused(RefusalKind.Invalid, badOptions);
        }
        var path = request.Path ?? "";
        if (MountRules.CheckMountPoint(path) is { } badPoint)
        {
            return MountOutcome.Refused(ZnodePath.Validate(path) is null ? RefusalKind.Conflict : RefusalKind.Invalid, badPoint);
        }
        if (MountRules.CheckCluster(clusterName, _config) is { } badCluster)
        {
            return MountOutcome.Refused(_config.FindCluster(clusterName) is null ? RefusalKind.NotFound : RefusalKind.Conflict, badCluster);
        }
        var cluster = _config.FindCluster(clusterName)!;
        var record = new MountRecord
        {
            Path = path,
            Cluster = clusterName,
            RemotePath = remotePath,
            Options = MountOptionsText.Format(options),
            State = MountState.Joining,
        };
        var snapshot = await _store.RefreshAsync(cancellationToken);
        var pending = snapshot.At(path);
        var isSame = pending is { State: MountState.Joining or MountState.Active, Mount: not null } && SameMount(pending.Record!, record);
        var isDone = isSame && pending is { State: MountState.Active };
        if (!isSame)
        {
            if (pending?.Record is { } other)
            {
                return MountOutcome.Refused(RefusalKind.Conflict, $"{other.Cluster}:{other.RemotePath} is on {path} already, with "
                    + $"{other.Options ?? "no options"} and in state {pending.State.ToString().ToLowerInvariant()}; "
                    + "unmount it first, or mount elsewhere");
            }
            if (MountRules.CheckOverlap(path, snapshot.Entries.Select(e => e.Path)) is { } overlap)
            {
                return MountOutcome.Refused(RefusalKind.Conflict, overlap);
            }
            if (MountRules.CheckAuth(clusterName, options, snapshot.Entries) is { } mixed)
            {
                return MountOutcome.Refused(RefusalKind.Conflict, mixed);
            }
            if (await RemotePathChecks.CheckAsync(_clusters[cluster.Ordinal], remotePath, create, cancellationToken) is { } refusal)
            {
                return refusal;
            }
            if (await _writer.CreateAsync(record, cancellationToken) is { } conflict)
            {
                return conflict;
            }
        }
        var (entry, failure) = await SeeThroughAsync(path, MountState.Joining, request.Force, cancellationToken);
        if (failure is not null)
        {
            return MountOutcome.Refused(RefusalKind.Unavailable, failure);
        }
        if (entry is null)
        {
            return MountOutcome.Refused(RefusalKind.Conflict, $"the mount on {path} was removed while it was being made");
        }
        if (entry.Error is { } error)
        {
            return MountOutcome.Refused(RefusalKind.Conflict, $"the mount on {path} is not used: {error}");
        }
        if (entry.State == MountState.Active)
        {
            await _activation.RoutesAsync(_store.Current, cancellationToken);
        }
        var waiting = entry.State == MountState.Active ? [] : _driver.WaitingFor(entry);
        var message = entry.State == MountState.Active
            ? $"{clusterName}:{remotePath} is mounted on {path}{(isDone ? " already" : "")}"
            : $"{clusterName}:{remotePath} on {path} is joining and not yet used: {string.Join(", ", waiting)} did not acknowledge it; wait, or give the same command with --force if they are gone for good";
        return new MountOutcome(entry, waiting, null, message) { WasSo = isDone };
    }

    private async Task<MountOutcome> DoUnmountAsync(string path, bool force, CancellationToken cancellationToken)
    {
        var snapshot = await _store.RefreshAsync(cancellationToken);
        if (snapshot.At(path) is not { } entry)
        {
            var inside = snapshot.Entries.FirstOrDefault(e => ZnodePath.Validate(path) is null && ZnodePath.IsAtOrUnder(path, e.Path));
            var hint = inside is not null ? $"it lies in the mount {inside.Path}"
                : snapshot.Entries.Count == 0 ? "there are no mounts"
                : $"mounted are {string.Join(", ", snapshot.Entries.Select(e => e.Path))}";
            return MountOutcome.Refused(RefusalKind.NotFound, $"nothing is mounted on {path}; {hint}");
        }
        if (entry.Mount is null)
        {
            await _writer.RemoveAsync(entry, cancellationToken);
        }
        else
        {
            if (entry.State != MountState.Leaving)
            {
                await _writer.SetStateAsync(entry, MountState.Leaving, cancellationToken);
            }
            var (left, failure) = await SeeThroughAsync(path, MountState.Leaving, force, cancellationToken);
            if (failure is not null)
            {
                return MountOutcome.Refused(RefusalKind.Unavailable, failure);
            }
            if (left is { State: MountState.Leaving })
            {
                var waiting = _driver.WaitingFor(left);
                return new MountOutcome(left, waiting, null,
                    $"{path} is leaving: {string.Join(", ", waiting)} did not confirm to have stopped using it; wait, or give the same command with --force if they are gone for good");
            }
        }
        await _activation.RoutesAsync(await _store.RefreshAsync(cancellationToken), cancellationToken);
        return new MountOutcome(entry, [], null, $"{path} is unmounted");
    }

    /// <summary>
    /// Waits until a mount has left a state, as the table shows it that was written before; or for as long as patience lasts.
    /// </summary>
    private async Task<MountProgress> SeeThroughAsync(string path, MountState state, bool force, CancellationToken cancellationToken)
    {
        await _store.RefreshAsync(cancellationToken);
        return await _driver.SeeThroughAsync(path, state, force, Patience, cancellationToken);
    }

    private static bool SameMount(MountRecord a, MountRecord b) =>
        a.Cluster == b.Cluster && a.RemotePath == b.RemotePath && a.Options == b.Options;

    private static async Task<MountOutcome> GuardAsync(Func<Task<MountOutcome>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is ClusterUnreachableException or TreeException)
        {
            return MountOutcome.Refused(RefusalKind.Unavailable, e.Message);
        }
        catch (KeeperException e)
        {
            return MountOutcome.Refused(RefusalKind.Unavailable, MountDriver.WhyNotDone(e));
        }
    }
}
