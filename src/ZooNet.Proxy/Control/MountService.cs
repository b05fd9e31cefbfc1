using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Mounts and unmounts: checks, writes the table, and sees each mount through its steps until it is in use, or gone. Thread-safe;
/// several proxies may change the table at the same time. A change is one transaction of the home cluster that names the
/// version of the table it was checked against, so that what was checked still holds when it happens.
/// </summary>
public sealed class MountService : IAsyncDisposable
{
    /// <summary>How long a command waits for acknowledgements before it reports who has not answered.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan StepInterval = TimeSpan.FromSeconds(1);

    private readonly ProxyConfig _config;
    private readonly ProxySecret _secret;
    private readonly ClusterControl _home;
    private readonly ClusterControls _clusters;
    private readonly MountStore _store;
    private readonly IMountActivation _activation;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Loop _loop;
    private readonly SemaphoreSlim _oneStep = new(1, 1);
    private volatile IReadOnlyDictionary<string, IReadOnlyList<string>> _waiting = new Dictionary<string, IReadOnlyList<string>>();
    private string _reported = "";

    /// <summary>Makes a service. Commands work at once; mounts of others are seen through after <see cref="Start"/>.</summary>
    /// <param name="config">Names the clusters.</param>
    /// <param name="clusters">The control sessions.</param>
    /// <param name="store">The table.</param>
    /// <param name="activation">Takes mounts into use and out of it.</param>
    /// <param name="secret">Owns the records.</param>
    /// <param name="time">For waiting.</param>
    /// <param name="logger">Hears of what was done and refused.</param>
    public MountService(ProxyConfig config, ClusterControls clusters, MountStore store, IMountActivation activation, ProxySecret secret, TimeProvider time, ILogger<MountService> logger)
    {
        _config = config;
        _secret = secret;
        _home = clusters.Home;
        _clusters = clusters;
        _store = store;
        _activation = activation;
        _time = time;
        _logger = logger;
        _loop = new Loop(SeeThroughAllAsync, e => logger.StepsFailed(e.Message), StepInterval, StepInterval, time);
        _store.Changed += OnChanged;
        _activation.Changed += _loop.Ring;
    }

    /// <summary>Begins to see mounts through that are on their way, whoever began them.</summary>
    public void Start() => _loop.Start();

    /// <summary>Who has not acknowledged a mount that is joining or leaving; empty where nobody is waited for.</summary>
    public IReadOnlyList<string> WaitingFor(string path) => _waiting.GetValueOrDefault(path) ?? [];

    /// <summary>Mounts a znode of another cluster. Returns when the mount is in use at this proxy, or someone has to be waited for.</summary>
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

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _store.Changed -= OnChanged;
        _activation.Changed -= _loop.Ring;
        await _loop.DisposeAsync();
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
            if (await RemotePathChecks.CheckAsync(_clusters[cluster.Ordinal], remotePath, create, cancellationToken) is { } refusal)
            {
                return refusal;
            }
            if (await WriteAsync(record, cancellationToken) is { } conflict)
            {
                return conflict;
            }
        }
        var entry = await SeeThroughAsync(path, MountState.Joining, request.Force, cancellationToken);
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
        var waiting = entry.State == MountState.Active ? [] : WaitingFor(path);
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
            await RemoveAsync(entry, cancellationToken);
        }
        else
        {
            if (entry.State != MountState.Leaving)
            {
                await SetStateAsync(entry, MountState.Leaving, cancellationToken);
            }
            if (await SeeThroughAsync(path, MountState.Leaving, force, cancellationToken) is { State: MountState.Leaving } left)
            {
                var waiting = WaitingFor(path);
                return new MountOutcome(left, waiting, null,
                    $"{path} is leaving: {string.Join(", ", waiting)} did not confirm to have stopped using it; wait, or give the same command with --force if they are gone for good");
            }
        }
        await _activation.RoutesAsync(await _store.RefreshAsync(cancellationToken), cancellationToken);
        return new MountOutcome(entry, [], null, $"{path} is unmounted");
    }

    /// <summary>Writes a new record, and the znode at its mount point with it. Returns null, or a refusal.</summary>
    private async Task<MountOutcome?> WriteAsync(MountRecord record, CancellationToken cancellationToken)
    {
        var path = record.Path!;
        while (true)
        {
            var snapshot = await _store.RefreshAsync(cancellationToken);
            if (MountRules.CheckOverlap(path, snapshot.Entries.Select(e => e.Path)) is { } overlap)
            {
                return MountOutcome.Refused(RefusalKind.Conflict, overlap);
            }
            var (ops, refusal) = await PlaceholderAsync(path, cancellationToken);
            if (refusal is not null)
            {
                return refusal;
            }
            var complete = record with { Placeholder = ops.Count > 0 };
            ops.Insert(0, MultiOp.SetData(ZooNetTree.Mounts, [], snapshot.TableVersion));
            ops.Add(MultiOp.Create(ZooNetTree.RecordOf(path), complete.ToJson(ZooNetTree.NameOf(path), _secret), acl: _secret.Acl));
            try
            {
                await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
                return null;
            }
            catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NodeExists or ErrorCode.NoNode)
            {
                // Somebody else changed the table, or the znode. Look again.
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
            {
                return MountOutcome.Refused(RefusalKind.Conflict,
                    $"the home cluster does not allow it: the proxy's secret may not write {ZooNetTree.Mounts}, or not create {path}; give all proxies of the region the same 'secret' and let {ZnodePath.ParentOf(path)} be written by it");
            }
        }
    }

    /// <summary>What has to be done for the znode at the mount point, which may be there already and must be empty then.</summary>
    private async Task<(List<MultiOp> Ops, MountOutcome? Refusal)> PlaceholderAsync(string path, CancellationToken cancellationToken)
    {
        if (await _home.CallAsync(c => c.ExistsAsync(path), cancellationToken) is { Stat: { } stat })
        {
            return ([], MountRules.CheckZnode(path, stat) is { } unfit ? MountOutcome.Refused(RefusalKind.Conflict, unfit) : null);
        }
        var parent = ZnodePath.ParentOf(path);
        try
        {
            await RemotePathChecks.CreateAllAsync(_home, parent, cancellationToken);
        }
        catch (KeeperException e)
        {
            return ([], MountOutcome.Refused(RefusalKind.Conflict, $"{parent}, the parent of {path}, can't be created: {e.Message}"));
        }
        // Not writable past the proxies: what is created below it would be hidden.
        return ([MultiOp.Create(path, [], acl: _secret.Acl)], null);
    }

    /// <summary>Waits until a mount has left a state, and takes the steps itself. Null where the record is gone.</summary>
    private async Task<MountEntry?> SeeThroughAsync(string path, MountState state, bool force, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        while (true)
        {
            var entry = (await _store.RefreshAsync(cancellationToken)).At(path);
            if (entry is null || entry.Mount is null || entry.State != state)
            {
                return entry;
            }
            if (await StepAsync(entry, force, cancellationToken))
            {
                continue;
            }
            if (_time.GetElapsedTime(began) >= Patience)
            {
                return entry;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(100), _time, cancellationToken);
        }
    }

    /// <summary>Takes one step with a mount that is on its way. True where the table may have changed.</summary>
    private async Task<bool> StepAsync(MountEntry entry, bool force, CancellationToken cancellationToken)
    {
        await _oneStep.WaitAsync(cancellationToken);
        try
        {
            switch (entry.State)
            {
                case MountState.Requested:
                    await AdoptAsync(entry, cancellationToken);
                    return true;
                case MountState.Joining:
                    var joining = await _activation.JoinAsync(entry, cancellationToken);
                    SetWaiting(entry.Path, joining);
                    if (!joining.IsComplete && !force)
                    {
                        return false;
                    }
                    await SetStateAsync(entry, MountState.Active, cancellationToken);
                    return true;
                case MountState.Leaving:
                    var leaving = await _activation.LeaveAsync(entry, cancellationToken);
                    SetWaiting(entry.Path, leaving);
                    if (!leaving.IsComplete && !force)
                    {
                        return false;
                    }
                    await RemoveAsync(entry, cancellationToken);
                    return true;
                default:
                    return false;
            }
        }
        catch (KeeperException e) when (e.Code is ErrorCode.BadVersion or ErrorCode.NoNode)
        {
            // Another proxy took the step.
            return true;
        }
        finally
        {
            _oneStep.Release();
        }
    }

    /// <summary>Takes on a record that was written by hand: makes the znode at its mount point and lets it join.</summary>
    private async Task AdoptAsync(MountEntry entry, CancellationToken cancellationToken)
    {
        MountOptionsText.Parse(entry.Record!.Options, out _, out var create);
        var refusal = await RemotePathChecks.CheckAsync(_clusters[entry.Mount!.Cluster], entry.Mount.RemotePath, create, cancellationToken);
        List<MultiOp> ops = [];
        if (refusal is null)
        {
            (ops, refusal) = await PlaceholderAsync(entry.Path, cancellationToken);
        }
        if (refusal is not null)
        {
            throw new MountRefusedException(refusal.Message);
        }
        var record = entry.Record with
        {
            State = MountState.Joining,
            Placeholder = ops.Count > 0 || (entry.Record.Placeholder && await IsPlaceholderAsync(entry.Path, cancellationToken)),
            Held = entry.IsHeld,
        };
        // Made anew, for its ACL: from now on the record is as one that the command has made.
        ops.Add(MultiOp.Delete($"{ZooNetTree.Mounts}/{entry.Name}", entry.Version));
        ops.Add(MultiOp.Create($"{ZooNetTree.Mounts}/{entry.Name}", record.ToJson(entry.Name, _secret), acl: _secret.Acl));
        await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
    }

    /// <summary>Whether a mount has made the znode at a mount point: nobody else gives it the proxies' ACL.</summary>
    private async Task<bool> IsPlaceholderAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return _secret.IsOwnAcl((await _home.CallAsync(c => c.GetAclAsync(path, cancellationToken), cancellationToken)).AccessControl);
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NoAuth)
        {
            return false;
        }
    }

    private async Task SetStateAsync(MountEntry entry, MountState state, CancellationToken cancellationToken)
    {
        List<MultiOp> ops =
        [
            MultiOp.SetData(ZooNetTree.Mounts, []),
            MultiOp.SetData($"{ZooNetTree.Mounts}/{entry.Name}", (entry.Record! with { State = state }).ToJson(entry.Name, _secret),
                entry.Version),
        ];
        await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
    }

    /// <summary>Removes a record, and the znode at its mount point if the mount had made it and nobody has put anything there.</summary>
    private async Task RemoveAsync(MountEntry entry, CancellationToken cancellationToken)
    {
        List<MultiOp> ops = [MultiOp.SetData(ZooNetTree.Mounts, []), MultiOp.Delete($"{ZooNetTree.Mounts}/{entry.Name}", entry.Version)];
        if (entry.Record is { Placeholder: true })
        {
            try
            {
                await _home.CallAsync(c => c.MultiAsync([.. ops, MultiOp.Delete(entry.Path)], cancellationToken), cancellationToken);
                _logger.Unmounted(entry.Path);
                return;
            }
            catch (KeeperException e) when (e.Results is [.., { Error: ErrorCode.NoNode or ErrorCode.NotEmpty or ErrorCode.NoAuth }])
            {
                // The znode is gone, in use, or not ours to remove any more. The mount goes without it.
            }
        }
        await _home.CallAsync(c => c.MultiAsync(ops, cancellationToken), cancellationToken);
        _logger.Unmounted(entry.Path);
    }

    /// <summary>Sees through what others have begun: records written by hand, and commands whose proxy has died.</summary>
    private async Task<TimeSpan> SeeThroughAllAsync(CancellationToken cancellationToken)
    {
        var pending = _store.Current.Entries.Where(e => e.Mount is not null && e.State != MountState.Active).ToList();
        foreach (var entry in pending)
        {
            try
            {
                if (await StepAsync(entry, force: false, cancellationToken))
                {
                    await _store.RefreshAsync(cancellationToken);
                }
            }
            catch (Exception e) when (e is KeeperException or ClusterUnreachableException or TreeException or MountRefusedException)
            {
                SetWaiting(entry.Path, new ActivationProgress([e.Message]));
                if (_reported != e.Message)
                {
                    _logger.StepFailed(entry.Path, entry.State, e.Message);
                    _reported = e.Message;
                }
            }
        }
        return pending.Count > 0 ? StepInterval : Loop.UntilRung;
    }

    private void OnChanged(MountSnapshot snapshot)
    {
        var gone = _waiting.Keys.Where(p => snapshot.At(p) is not { State: not MountState.Active }).ToHashSet();
        if (gone.Count > 0)
        {
            _waiting = _waiting.Where(w => !gone.Contains(w.Key)).ToDictionary();
        }
        _loop.Ring();
    }

    private void SetWaiting(string path, ActivationProgress progress) =>
        _waiting = new Dictionary<string, IReadOnlyList<string>>(_waiting) { [path] = progress.Waiting };

    private static bool SameMount(MountRecord a, MountRecord b) => a.Cluster == b.Cluster && a.RemotePath == b.RemotePath && a.Options == b.Options;

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
            return MountOutcome.Refused(RefusalKind.Unavailable, $"the home cluster did not do it: {e.Message}");
        }
    }
}

/// <summary>A mount record that was written by hand can't be taken into use. The message says why.</summary>
internal sealed class MountRefusedException(string message) : Exception(message);
