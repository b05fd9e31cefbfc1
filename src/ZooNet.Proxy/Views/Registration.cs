using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using ZooNet.Client;
using ZooNet.Federation.Interest;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>
/// This proxy's entry in the list of the region's live proxies: a znode of its control session in home, gone with that session.
/// A proxy that comes back after its session has expired registers under another id. Not thread-safe: one driver.
/// </summary>
internal sealed class Registration(ClusterControl home, ProxyConfig config, ProxySecret secret)
{
    private readonly string _name = new([.. config.ProxyId.Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.').Take(80)]);
    private readonly ProxyProcess _self = ProxyProcess.Current();
    private long _session;

    /// <summary>The id; empty before the first registration.</summary>
    public string Id { get; private set; } = "";

    /// <summary>Registers where the control session is another one than at the last call.</summary>
    /// <returns>True where the id is a new one.</returns>
    public async Task<bool> EnsureAsync(CancellationToken cancellationToken)
    {
        var session = await home.CallAsync(c => Task.FromResult(c.SessionId), cancellationToken);
        if (session == _session)
        {
            return false;
        }
        var id = $"{_name}-{session:x}";
        await home.Tree.EnsureAsync(cancellationToken);
        await home.CallAsync(c => c.SessionId == session
            ? RegisterAsync(c, $"{ZooNetTree.Proxies}/{id}", cancellationToken)
            : throw new KeeperException(ErrorCode.SessionExpired, OpCode.Create, ZooNetTree.Proxies), cancellationToken);
        _session = session;
        Id = id;
        return true;
    }

    /// <summary>
    /// The ids of the live proxies, watched. An entry whose process is known to have died on this machine is removed rather than waited
    /// for until its session expires.
    /// </summary>
    public async Task<IReadOnlyList<string>> LiveAsync(CancellationToken cancellationToken)
    {
        var names = (await home.CallAsync(c => c.GetChildrenAsync(ZooNetTree.Proxies, watch: true, cancellationToken), cancellationToken)).Names;
        var live = new List<string>();
        foreach (var name in names.Where(ViewRecordJson.IsName))
        {
            if (name == Id || !await IsDeadAsync(name, cancellationToken))
            {
                live.Add(name);
            }
        }
        return live;
    }

    /// <summary>Writes nothing, by a vote in home, with the session that holds the registration: home has not ended it then.</summary>
    /// <exception cref="ClusterUnreachableException">Home does not answer, or the session is another one by now.</exception>
    /// <exception cref="KeeperException">Home refused it.</exception>
    public Task<HomeWrite> WriteAsync(CancellationToken cancellationToken) => home.CallAsync(async client =>
    {
        if (_session == 0 || client.SessionId != _session)
        {
            throw new KeeperException(ErrorCode.SessionExpired, OpCode.Multi, ZooNetTree.Proxies);
        }
        return new HomeWrite(client.SessionTimeout, await client.QuorumBarrierAsync(cancellationToken));
    }, cancellationToken);

    /// <summary>Takes the entry away, on the way out.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (Id.Length == 0)
        {
            return;
        }
        try
        {
            await home.CallAsync(c => c.DeleteAsync($"{ZooNetTree.Proxies}/{Id}", cancellationToken: cancellationToken), cancellationToken);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            // Its session has ended, or a first deletion's answer was lost.
        }
    }

    /// <summary>
    /// Makes the entry. That it exists is no failure where it is this session's own: the answer to the first creation was lost with its
    /// connection, and nobody would ever take the entry away but the session that would wait for it.
    /// </summary>
    private async Task<bool> RegisterAsync(ZooKeeperClient client, string path, CancellationToken cancellationToken)
    {
        try
        {
            var process = JsonSerializer.SerializeToUtf8Bytes(_self, ProcessJson.Default.ProxyProcess);
            await client.CreateAsync(path, process, CreateFlags.Ephemeral, secret.Acl, cancellationToken: cancellationToken);
            return true;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
        {
            if ((await client.ExistsAsync(path, cancellationToken: cancellationToken)).Stat?.EphemeralOwner == client.SessionId)
            {
                return true;
            }
            throw;
        }
    }

    private async Task<bool> IsDeadAsync(string name, CancellationToken cancellationToken)
    {
        var path = $"{ZooNetTree.Proxies}/{name}";
        try
        {
            var data = (await home.CallAsync(c => c.GetDataAsync(path, cancellationToken: cancellationToken), cancellationToken)).Data;
            if (!_self.KnowsDead(ProxyProcess.TryParse(data)))
            {
                return false;
            }
            await home.CallAsync(c => c.DeleteAsync(path, cancellationToken: cancellationToken), cancellationToken);
            return true;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            return true;
        }
    }
}

/// <summary>A process, named so that another one on the same machine can tell whether it has ended.</summary>
/// <param name="Boot">The kernel's boot id; null where there is none to be had.</param>
/// <param name="PidNamespace">The namespace that the process id counts in.</param>
/// <param name="Pid">The process id.</param>
internal sealed record ProxyProcess(string? Boot, string? PidNamespace, int Pid)
{
    /// <summary>This process.</summary>
    public static ProxyProcess Current()
    {
        try
        {
            return new ProxyProcess(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim(), new FileInfo("/proc/self/ns/pid").LinkTarget, Environment.ProcessId);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ProxyProcess(null, null, Environment.ProcessId);
        }
    }

    /// <summary>Reads one; null for what is none.</summary>
    public static ProxyProcess? TryParse(byte[]? json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, ProcessJson.Default.ProxyProcess);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>
    /// True only where it is certain that the other process has ended: same kernel, same namespace, and nobody has its id.
    /// </summary>
    public bool KnowsDead(ProxyProcess? other)
    {
        if (other is not { Boot: not null, PidNamespace: not null, Pid: > 0 } || other.Boot != Boot || other.PidNamespace != PidNamespace)
        {
            return false;
        }
        try
        {
            // Asks the kernel by a null signal, so a process of another user counts as running.
            using var process = Process.GetProcessById(other.Pid);
            return false;
        }
        catch (ArgumentException)
        {
            return true;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ProxyProcess))]
internal sealed partial class ProcessJson : JsonSerializerContext;
