using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Roaming;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Policies;
using ZooNet.Roaming.Records;

namespace ZooNet.Proxy.Roaming;

/// <summary>What a command on a tree came to.</summary>
/// <param name="Refusal">Null, or why nothing was done.</param>
/// <param name="Message">One sentence that says what happened or, of a refusal, why and what to do.</param>
public sealed record TreeOutcome(RefusalKind? Refusal, string Message)
{
    internal static TreeOutcome Refused(RefusalKind kind, string message) => new(kind, message);

    internal static TreeOutcome Done(string message) => new(null, message);
}

/// <summary>
/// The commands on roaming trees. Each looks at what is there, so one that was interrupted is simply given again. Thread-safe; any number
/// may run at once, in any proxies.
/// </summary>
public sealed class TreeCommands
{
    /// <summary>How long a move may take: it waits for this proxy's copy, and for ensembles.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const int DeletedAtOnce = 256;

    private const string ByHand = "asked for by an operator";

    private readonly ProxyConfig _config;
    private readonly ClusterControls _clusters;
    private readonly MountStore _mounts;
    private readonly RoamingTrees _trees;
    private readonly ProxySecret _secret;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Makes them.</summary>
    public TreeCommands(ProxyConfig config, ClusterControls clusters, MountStore mounts, RoamingTrees trees, ProxySecret secret,
        TimeProvider time, ILogger<TreeCommands> logger)
    {
        (_config, _clusters, _mounts, _trees, _secret, _time, _logger) = (config, clusters, mounts, trees, secret, time, logger);
    }

    /// <summary>Makes a tree, or what is missing of one that was begun with the same words.</summary>
    /// <param name="name">Its name: that of a remote of every proxy that serves it.</param>
    /// <param name="zones">Its zones.</param>
    /// <param name="arbiter">The zone that keeps the record of who owns it.</param>
    /// <param name="owner">The zone that owns it first; null for the home of this proxy.</param>
    /// <param name="policy">Who moves it, and when; null: it is pinned.</param>
    /// <param name="dryRun">True only to say what would be done.</param>
    /// <param name="cancellationToken">Gives up; the command may be given again.</param>
    public Task<TreeOutcome> CreateAsync(string? name, IReadOnlyList<string> zones, string? arbiter, string? owner, string? policy,
        bool dryRun, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var first = owner ?? _config.Home.Name;
        var wrong = TreeRules.CheckName(name) ?? (TreeRules.CheckZones(zones, _config) is { } bad
            ? $"the tree '{name}' can't be made: {bad}" : null)
            ?? (arbiter is null ? "no arbiter is named; name one of the zones: --arbiter us" : TreeRules.CheckMember("arbiter", arbiter,
                zones))
            ?? TreeRules.CheckMember("owner", first, zones) ?? TreeRules.CheckPolicy(policy, zones, arbiter!);
        if (wrong is not null)
        {
            return TreeOutcome.Refused(RefusalKind.Invalid, wrong);
        }
        if (_config.FindCluster(name!) is { IsTree: false })
        {
            return TreeOutcome.Refused(RefusalKind.Conflict, $"'{name}' is the name of a cluster already; give the tree another one");
        }
        var sorted = zones.Order(StringComparer.Ordinal).ToList();
        var layout = new Layout(name!);
        var before = await FindAsync(layout, sorted, cancellationToken);
        if (before is not null && (before.Arbiter != arbiter || !before.Zones.SequenceEqual(sorted) || before.Policy != policy))
        {
            return TreeOutcome.Refused(RefusalKind.Conflict, $"there is a tree '{name}' already, with the zones "
                + $"{string.Join(", ", before.Zones)}, the arbiter {before.Arbiter} and the policy '{before.Policy ?? Policy.Default}'; "
                + "delete it first, or choose another name");
        }
        var tree = before ?? new TreeRecord(sorted, arbiter!, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)), policy);
        if (before is not null && await OwnerAsync(layout, tree, cancellationToken) is { IsActive: true } there)
        {
            return TreeOutcome.Refused(RefusalKind.Conflict, $"there is a tree '{name}' already, owned by {there.Owner}");
        }
        if (dryRun)
        {
            return TreeOutcome.Done($"the tree '{name}' would be made in {string.Join(", ", sorted)}, with the arbiter {arbiter}, "
                + $"owned by {first}");
        }
        using var sessions = Sessions(tree);
        if (await RunAsync(new TreeCreator(layout, tree.Zones), sessions, cancellationToken) is { } noFolders)
        {
            return noFolders;
        }
        // The arbiter's first: of two commands it lets one through.
        foreach (var zone in tree.Zones.OrderBy(z => z != tree.Arbiter))
        {
            var write = Ask.Write(zone, ZnodeWrite.Set(layout.Root, tree.ToBytes(), 0));
            await sessions.AskAsync(write, cancellationToken);
            if (write.Error == ErrorCode.ConnectionLoss)
            {
                return Unreachable(zone);
            }
            if (write.Error != ErrorCode.Ok && (write.Error != ErrorCode.BadVersion || (await ReadAsync(layout, zone,
                cancellationToken))?.Id != tree.Id))
            {
                return TreeOutcome.Refused(RefusalKind.Conflict, $"in {zone} another tree '{name}' is there, or is being made; look with "
                    + "'zoonet tree ls' there, and give the command again");
            }
        }
        if (await RunAsync(new Creator(layout, tree.Arbiter, tree.Zones, TreeRecord.RootObject, first), sessions,
            cancellationToken) is { } notMade)
        {
            return notMade;
        }
        return Changed($"the tree '{name}' is made in {string.Join(", ", sorted)}, with the arbiter {arbiter}, owned by {first}"
            + (_config.FindCluster(name!) is null ? $"; add '{name}' to 'remotes' of the proxies with 'tree: true' and restart "
                + "them, then mount it"
                : $"; mount it with 'zoonet mount {name}:/ PATH'"), name!);
    });

    /// <summary>Makes a zone the owner of a tree.</summary>
    public Task<TreeOutcome> MoveAsync(string name, string? zone, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var layout = new Layout(name);
        if (await ReadAsync(layout, _config.Home.Name, cancellationToken) is not { } tree)
        {
            return NotThere(name);
        }
        if (TreeRules.CheckMember("zone", zone ?? "", tree.Zones) is { } wrong)
        {
            return TreeOutcome.Refused(RefusalKind.Invalid, wrong);
        }
        using var timer = new CancellationTokenSource(Patience, _time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            var before = await OwnerAsync(layout, tree, limit.Token);
            if (before is { IsActive: true } && before.Owner == zone)
            {
                return TreeOutcome.Done($"the tree '{name}' is owned by {zone} already");
            }
            using var sessions = Sessions(tree);
            // With a copy here the new owner's zone has what it needs before writes go there.
            var (end, reason) = _trees.Hosts.FirstOrDefault(h => h.Name == name)?.Server is { IsServing: true } server
                ? await server.Object.MoveAsync(zone, limit.Token, ByHand)
                : await MoveAsync(layout, tree, zone!, sessions, limit.Token);
            return end switch
            {
                End.Done => Changed($"the tree '{name}' is owned by {zone} now", name),
                End.Overtaken => TreeOutcome.Refused(RefusalKind.Conflict,
                    $"the tree '{name}' is being moved by others; look with 'zoonet tree show {name}'"),
                End.Refused => TreeOutcome.Refused(RefusalKind.Conflict, reason),
                _ => TreeOutcome.Refused(RefusalKind.Unavailable, $"an ensemble of the tree '{name}' does not answer; the move can be "
                    + "finished by giving the command again, and is finished by whoever writes next otherwise"),
            };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return TreeOutcome.Refused(RefusalKind.Unavailable,
                $"the move of '{name}' to {zone} was not done within {Patience.TotalSeconds} s; "
                + $"look with 'zoonet tree show {name}', and give the command again");
        }
    });

    /// <summary>Changes who moves a tree, and when.</summary>
    /// <param name="name">The tree.</param>
    /// <param name="policy">As <c>zoonet tree policy</c> takes it.</param>
    /// <param name="cancellationToken">Gives up; the command may be given again.</param>
    public Task<TreeOutcome> SetPolicyAsync(string name, string? policy, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var layout = new Layout(name);
        if (await ReadAsync(layout, _config.Home.Name, cancellationToken) is not { } tree)
        {
            return NotThere(name);
        }
        if ((policy is null ? "no policy is named; name one: pinned, majority or consecutive=N"
            : TreeRules.CheckPolicy(policy, tree.Zones, tree.Arbiter)) is { } wrong)
        {
            return TreeOutcome.Refused(RefusalKind.Invalid, wrong);
        }
        using var sessions = Sessions(tree);
        foreach (var zone in tree.Zones.OrderBy(z => z != tree.Arbiter))
        {
            var read = Ask.Read(zone, layout.Root);
            await sessions.AskAsync(read, cancellationToken);
            if (read.Error != ErrorCode.Ok)
            {
                return Stopped(zone, read.Error);
            }
            var there = TreeRecord.Read(layout.Root, read.Data);
            if (there.Policy == policy)
            {
                continue;
            }
            var write = Ask.Write(zone, ZnodeWrite.Set(layout.Root, (there with { Policy = policy }).ToBytes(), read.Stat.Version));
            await sessions.AskAsync(write, cancellationToken);
            if (write.Error != ErrorCode.Ok)
            {
                return Stopped(zone, write.Error);
            }
        }
        return Changed($"the tree '{name}' has the policy '{policy}' now", name);

        TreeOutcome Stopped(string zone, ErrorCode error) => error == ErrorCode.ConnectionLoss ? Unreachable(zone)
            : TreeOutcome.Refused(RefusalKind.Conflict, $"the cluster '{zone}' answered {error}: others change the tree '{name}' at this "
                + "moment; look with 'zoonet tree ls' and give the command again");
    });

    /// <summary>Deletes a tree with all that is in it.</summary>
    public Task<TreeOutcome> DeleteAsync(string name, bool dryRun, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var layout = new Layout(name);
        if (await ReadAsync(layout, _config.Home.Name, cancellationToken) is not { } tree)
        {
            return NotThere(name);
        }
        var table = await _mounts.RefreshAsync(cancellationToken);
        if (table.Entries.FirstOrDefault(e => e.Record?.Cluster == name) is { } mounted)
        {
            return TreeOutcome.Refused(RefusalKind.Conflict,
                $"the tree '{name}' is mounted on {mounted.Path}; unmount it first, in all regions");
        }
        if (TreeRules.CheckZones(tree.Zones, _config) is { } unknown)
        {
            return TreeOutcome.Refused(RefusalKind.Conflict, $"the tree '{name}' can't be deleted from here: {unknown}");
        }
        var silent = await Task.WhenAll(tree.Zones.Select(async z => (Zone: z, Answers: await AnswersAsync(z, cancellationToken))));
        if (silent.FirstOrDefault(s => !s.Answers).Zone is { } zone)
        {
            return Unreachable(zone);
        }
        foreach (var each in tree.Zones.Where(z => z != _config.Home.Name))
        {
            if (await MountedInAsync(each, name, cancellationToken) is { } there)
            {
                return TreeOutcome.Refused(RefusalKind.Conflict,
                    $"the tree '{name}' is mounted on {there} in {each}; unmount it first, in all regions");
            }
        }
        if (dryRun)
        {
            return TreeOutcome.Done($"the tree '{name}' would be deleted in {string.Join(", ", tree.Zones)}, with all that is in it");
        }
        // First what every append checks: from then on nothing is written. This proxy's record last: until then the command may be
        // repeated.
        foreach (var each in tree.Zones)
        {
            await DeleteBelowAsync(each, $"{layout.Root}/objects", cancellationToken);
        }
        foreach (var each in tree.Zones.OrderBy(z => z == _config.Home.Name))
        {
            await DeleteBelowAsync(each, layout.Root, cancellationToken);
        }
        return Changed($"the tree '{name}' is deleted", name);
    });

    /// <summary>
    /// Puts in order what the proxies keep inside a tree, as <c>zoonet repair</c> does in a cluster: gives it to the secret in use.
    /// </summary>
    public Task<TreeOutcome> RepairAsync(string name, bool dryRun, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        if (_config.FindCluster(name) is not { IsTree: true } tree)
        {
            return TreeOutcome.Refused(RefusalKind.NotFound, $"this proxy serves no roaming tree '{name}'; ask one that has it among its "
                + "'remotes'");
        }
        var steps = await _clusters[tree.Ordinal].CallAsync(client =>
            new TreeRepair(client, tree, _config, _secret, dryRun).RunAsync(cancellationToken), cancellationToken);
        var done = string.Join("; ", steps.Select(s => s.What + (s.Error is null ? "" : $": {s.Error}")));
        return steps.Any(s => s.Error is not null) ? TreeOutcome.Refused(RefusalKind.Conflict, $"not all of it could be done: {done}")
            : TreeOutcome.Done(steps.Count == 0 ? $"the tree '{name}' is in order" : $"{(dryRun ? "would " : "")}{done}");
    });

    /// <summary>The trees that this proxy's home is a zone of.</summary>
    public async Task<IReadOnlyList<TreeInfo>> ListAsync(CancellationToken cancellationToken)
    {
        // Where others can write there may be anything, and any amount of it.
        await _clusters.Home.Tree.CheckAsync(cancellationToken);
        var names = await NamesAsync(_config.Home.Name, ZooNetTree.Roaming, cancellationToken);
        return [.. (await Task.WhenAll(names.Order(StringComparer.Ordinal).Select(n => ShowAsync(n,
            cancellationToken)))).OfType<TreeInfo>()];
    }

    /// <summary>A tree as its arbiter and this proxy see it; null where there is none.</summary>
    public async Task<TreeInfo?> ShowAsync(string name, CancellationToken cancellationToken)
    {
        TreeRecord? tree;
        try
        {
            tree = await ReadAsync(new Layout(name), _config.Home.Name, cancellationToken);
        }
        catch (Exception e) when (e is RoamingDataException or TreeException)
        {
            return new TreeInfo(name, [], null, null, null, false, false, 0, 0, 0, 0, e.Message);
        }
        if (tree is null)
        {
            return null;
        }
        var host = _trees.Hosts.FirstOrDefault(h => h.Name == name);
        var state = host?.Server?.Object.State ?? ObjectState.Unknown;
        string? problem = null;
        (OwnerRecord Owner, DateTimeOffset Since)? record = null;
        try
        {
            record = await RecordAsync(new Layout(name), tree, cancellationToken);
        }
        catch (Exception e) when (e is ClusterUnreachableException or KeeperException or RoamingDataException)
        {
            problem = e.Message;
        }
        var owner = record?.Owner;
        return new TreeInfo(name, tree.Zones, tree.Arbiter, owner?.Owner ?? state.At?.Zone, owner?.Epoch, owner is { IsActive: false },
            host?.Server is { IsServing: true }, state.Index, state.Znodes, state.Waiting, state.At?.Ballot.Runs.Count ?? 0,
            host?.Problem ?? problem)
        {
            Since = record?.Since,
            Why = owner?.Why,
            Policy = tree.Policy ?? Policy.Default,
        };
    }

    private static TreeOutcome NotThere(string name) =>
        TreeOutcome.Refused(RefusalKind.NotFound, $"there is no roaming tree '{name}' that this proxy's home is a zone of; "
            + "'zoonet tree ls' lists them");

    private static TreeOutcome Unreachable(string zone) =>
        TreeOutcome.Refused(RefusalKind.Unavailable,
            $"the cluster '{zone}' does not answer, or has no quorum; give the command again when it does");

    private static async Task<(End End, string Reason)> MoveAsync(Layout layout, TreeRecord tree, string zone, ZoneSessions sessions,
        CancellationToken cancellationToken)
    {
        var mover = new Mover(layout, tree.Arbiter, TreeRecord.RootObject, zone, ByHand);
        await StepAsync(mover, sessions, cancellationToken);
        return (mover.End, mover.Reason);
    }

    private static async Task<TreeOutcome?> RunAsync(Procedure procedure, ZoneSessions sessions, CancellationToken cancellationToken)
    {
        await StepAsync(procedure, sessions, cancellationToken);
        return procedure.End switch
        {
            End.Done => null,
            End.Refused => TreeOutcome.Refused(RefusalKind.Conflict, procedure.Reason),
            End.Overtaken => TreeOutcome.Refused(RefusalKind.Conflict, "others do the same at this moment; look at what they did"),
            _ => TreeOutcome.Refused(RefusalKind.Unavailable, "a cluster stopped to answer; give the command again, it goes on from there"),
        };
    }

    private static async Task StepAsync(Procedure procedure, ZoneSessions sessions, CancellationToken cancellationToken)
    {
        foreach (var ask in procedure.Steps())
        {
            if (ask.Kind != AskKind.Applied)
            {
                await sessions.AskAsync(ask, cancellationToken);
            }
        }
    }

    /// <summary>The record that any of the zones has; all of them must answer, by a vote.</summary>
    private async Task<TreeRecord?> FindAsync(Layout layout, IReadOnlyList<string> zones, CancellationToken cancellationToken)
    {
        TreeRecord? found = null;
        foreach (var zone in zones)
        {
            var control = ControlOf(zone);
            await control.Tree.EnsureAsync(cancellationToken);
            await control.CallAsync(c => c.QuorumBarrierAsync(cancellationToken), cancellationToken);
            found ??= await ReadAsync(layout, zone, cancellationToken);
        }
        return found;
    }

    private async Task<TreeRecord?> ReadAsync(Layout layout, string zone, CancellationToken cancellationToken)
    {
        try
        {
            await ControlOf(zone).Tree.CheckAsync(cancellationToken);
            var data = (await ControlOf(zone).CallAsync(c => c.GetDataAsync(layout.Root, cancellationToken: cancellationToken),
                cancellationToken)).Data;
            return data is { Length: > 0 } ? TreeRecord.Read(layout.Root, data) : null;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return null;
        }
    }

    private async Task<OwnerRecord?> OwnerAsync(Layout layout, TreeRecord tree, CancellationToken cancellationToken) =>
        (await RecordAsync(layout, tree, cancellationToken))?.Owner;

    private async Task<(OwnerRecord Owner, DateTimeOffset Since)?> RecordAsync(Layout layout, TreeRecord tree,
        CancellationToken cancellationToken)
    {
        using var sessions = Sessions(tree);
        var read = Ask.Read(tree.Arbiter, layout.Record(TreeRecord.RootObject));
        await sessions.AskAsync(read, cancellationToken);
        return read.Error switch
        {
            ErrorCode.Ok => (OwnerRecord.Read(read.Path, read.Data), DateTimeOffset.FromUnixTimeMilliseconds(read.Stat.Mtime)),
            ErrorCode.NoNode => null,
            ErrorCode.ConnectionLoss => throw new ClusterUnreachableException($"the arbiter '{tree.Arbiter}' does not answer, or "
                + "has no quorum", null),
            _ => throw new KeeperException(read.Error, OpCode.GetData, read.Path),
        };
    }

    private ZoneSessions Sessions(TreeRecord tree) =>
        TreeRules.CheckZones(tree.Zones, _config) is { } why ? throw new RoamingDataException($"the tree can't be reached from here: {why}")
            : new ZoneSessions(tree.Zones.Select(ControlOf), _secret);

    private ClusterControl ControlOf(string zone) => _clusters[_config.FindCluster(zone)!.Ordinal];

    /// <summary>Where a tree is mounted in another region; null for nowhere.</summary>
    private async Task<string?> MountedInAsync(string zone, string tree, CancellationToken cancellationToken)
    {
        foreach (var child in await NamesAsync(zone, ZooNetTree.Mounts, cancellationToken))
        {
            try
            {
                var data = (await ControlOf(zone).CallAsync(c => c.GetDataAsync($"{ZooNetTree.Mounts}/{child}",
                    cancellationToken: cancellationToken), cancellationToken)).Data;
                if (MountRecord.Parse(data).Cluster == tree)
                {
                    return ZooNetTree.MountPointOf(child);
                }
            }
            catch (Exception e) when (e is KeeperException { Code: ErrorCode.NoNode } or JsonException)
            {
                // Gone meanwhile; or no mount, and nothing that any proxy uses.
            }
        }
        return null;
    }

    private async Task<bool> AnswersAsync(string zone, CancellationToken cancellationToken)
    {
        try
        {
            await ControlOf(zone).CallAsync(c => c.QuorumBarrierAsync(cancellationToken), cancellationToken);
            return true;
        }
        catch (ClusterUnreachableException)
        {
            return false;
        }
    }

    private async Task<string[]> NamesAsync(string zone, string path, CancellationToken cancellationToken)
    {
        try
        {
            return (await ControlOf(zone).CallAsync(c => c.GetChildrenAsync(path, cancellationToken: cancellationToken),
                cancellationToken)).Names;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return [];
        }
    }

    /// <summary>Deletes a znode with all below it, in bounded steps.</summary>
    private async Task DeleteBelowAsync(string zone, string path, CancellationToken cancellationToken)
    {
        foreach (var name in await NamesAsync(zone, path, cancellationToken))
        {
            await DeleteChildrenAsync(zone, $"{path}/{name}", cancellationToken);
        }
        await DeleteOneAsync(zone, path, cancellationToken);
    }

    private async Task DeleteChildrenAsync(string zone, string path, CancellationToken cancellationToken)
    {
        var names = await NamesAsync(zone, path, cancellationToken);
        foreach (var some in names.Chunk(DeletedAtOnce))
        {
            // Leaves go together, as entries and pieces are; what has children, or is gone, goes alone.
            try
            {
                await ControlOf(zone).CallAsync(c => c.MultiAsync([.. some.Select(n => MultiOp.Delete($"{path}/{n}"))], cancellationToken),
                    cancellationToken);
            }
            catch (KeeperException e) when (e.Code is ErrorCode.NotEmpty or ErrorCode.NoNode)
            {
                foreach (var name in some)
                {
                    await DeleteChildrenAsync(zone, $"{path}/{name}", cancellationToken);
                }
            }
        }
        await DeleteOneAsync(zone, path, cancellationToken);
    }

    private async Task DeleteOneAsync(string zone, string path, CancellationToken cancellationToken)
    {
        try
        {
            await ControlOf(zone).CallAsync(c => c.DeleteAsync(path, cancellationToken: cancellationToken), cancellationToken);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
        }
    }

    private TreeOutcome Changed(string message, string name)
    {
        _logger.TreeChanged(message);
        _trees.Hosts.FirstOrDefault(h => h.Name == name)?.Ring();
        return TreeOutcome.Done(message);
    }

    private static async Task<TreeOutcome> GuardAsync(Func<Task<TreeOutcome>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is ClusterUnreachableException or TreeException)
        {
            return TreeOutcome.Refused(RefusalKind.Unavailable, e.Message);
        }
        catch (RoamingDataException e)
        {
            return TreeOutcome.Refused(RefusalKind.Conflict, e.Message);
        }
        catch (KeeperException e)
        {
            return TreeOutcome.Refused(e.Code == ErrorCode.NoAuth ? RefusalKind.Conflict : RefusalKind.Unavailable,
                e.Code == ErrorCode.NoAuth
                ? $"the proxies' secret does not allow it: {e.Message}; give all proxies of all regions the same 'secret'" : e.Message);
        }
    }
}

/// <summary>A roaming tree.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Zones">Its zones; empty where its record is damaged.</param>
/// <param name="Arbiter">The zone that keeps the record of who owns it.</param>
/// <param name="Owner">Who owns it.</param>
/// <param name="Epoch">How often the owner has changed, from 1; null where the arbiter does not answer.</param>
/// <param name="Moving">True while a move is under way.</param>
/// <param name="Serving">Whether this proxy serves it.</param>
/// <param name="Entries">How many entries this proxy's copy has applied.</param>
/// <param name="Znodes">How many znodes the copy has.</param>
/// <param name="Waiting">Commands of this proxy that are not in the copy yet.</param>
/// <param name="Runs">Stretches of the log in zones that owned it before, since the last snapshot.</param>
/// <param name="Problem">What does not go on; null for nothing.</param>
public sealed record TreeInfo(string Name, IReadOnlyList<string> Zones, string? Arbiter, string? Owner, long? Epoch, bool Moving,
    bool Serving,
    long Entries, int Znodes, int Waiting, int Runs, string? Problem)
{
    /// <summary>When the record of who owns it was last changed, by the arbiter's clock; null where the arbiter does not answer.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Why the zone that owns it got it; null in the first epoch, and where the arbiter does not answer.</summary>
    public string? Why { get; init; }

    /// <summary>Who moves it, and when; null where its record is damaged.</summary>
    public string? Policy { get; init; }
}
