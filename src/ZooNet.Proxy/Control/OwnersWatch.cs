using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using ZooNet.Client;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Follows the records of clients' remote sessions, so that every proxy of the region knows which client owns an ephemeral znode in a
/// mount, whichever proxy that client is connected to. A record is written before its session's first write, so it is known soon after,
/// not before: until then the remote owner shows. Servers before 3.6 have no such watch; then only this proxy's own clients are known.
/// </summary>
public sealed class OwnersWatch : IHostedService, IDisposable
{
    private readonly ClusterControl _home;
    private readonly ProxyConfig _config;
    private readonly Region _region;
    private readonly ConcurrentDictionary<string, (int Cluster, long RemoteSession)> _records = new(StringComparer.Ordinal);
    // A name to read, or null to read them all.
    private readonly Channel<string?> _wanted = Channel.CreateUnbounded<string?>(new() { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private Task _run = Task.CompletedTask;

    /// <summary>Makes it; it begins when home is reached.</summary>
    public OwnersWatch(ClusterControls clusters, ProxyConfig config, Region region)
    {
        _home = clusters.Home;
        _config = config;
        _region = region;
        if (config.Remotes.Count > 0)
        {
            _home.Connected += () => _wanted.Writer.TryWrite(null);
            _home.WatchFired += OnWatchFired;
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _run = Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    private void OnWatchFired(WatchNotification e)
    {
        if (e.Path.Length > RemoteSessionRecord.Folder.Length && e.Path.StartsWith(RemoteSessionRecord.Folder + "/", StringComparison.Ordinal))
        {
            _wanted.Writer.TryWrite(e.Path[(RemoteSessionRecord.Folder.Length + 1)..]);
        }
    }

    private async Task RunAsync()
    {
        await foreach (var name in _wanted.Reader.ReadAllAsync(_stop.Token))
        {
            try
            {
                if (name is not null)
                {
                    await ReadAsync(name);
                    continue;
                }
                await _home.CallAsync(c => c.AddWatchAsync(RemoteSessionRecord.Folder, AddWatchMode.PersistentRecursive), _stop.Token);
                var names = (await _home.CallAsync(c => c.GetChildrenAsync(RemoteSessionRecord.Folder), _stop.Token)).Names;
                foreach (var gone in _records.Keys.Except(names).ToList())
                {
                    Forget(gone);
                }
                foreach (var child in names)
                {
                    await ReadAsync(child);
                }
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
                // The folder is not made yet: its creation fires the watch above on the first record.
            }
            catch (Exception e) when (e is KeeperException or ClusterUnreachableException)
            {
                // Read again when home is back, which announces itself.
            }
        }
    }

    private async Task ReadAsync(string name)
    {
        if (!TryParse(name, out var homeSession, out var cluster))
        {
            return;
        }
        try
        {
            var data = (await _home.CallAsync(c => c.GetDataAsync($"{RemoteSessionRecord.Folder}/{name}"), _stop.Token)).Data;
            if (RemoteSessionRecord.Decode(cluster, data) is not { } record)
            {
                return;
            }
            if (_records.TryGetValue(name, out var before) && before != (cluster, record.SessionId))
            {
                _region.Owners.Remove(before.Cluster, before.RemoteSession);
            }
            _records[name] = (cluster, record.SessionId);
            _region.Owners.Add(cluster, record.SessionId, homeSession);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
        {
            Forget(name);
        }
    }

    private void Forget(string name)
    {
        if (_records.TryRemove(name, out var gone))
        {
            _region.Owners.Remove(gone.Cluster, gone.RemoteSession);
        }
    }

    private bool TryParse(string name, out long homeSession, out int cluster)
    {
        cluster = -1;
        homeSession = 0;
        var at = name.IndexOf('@', StringComparison.Ordinal);
        if (at < 0 || !long.TryParse(name.AsSpan(0, at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out homeSession))
        {
            return false;
        }
        cluster = _config.FindCluster(name[(at + 1)..])?.Ordinal ?? -1;
        return cluster > 0;
    }
}
