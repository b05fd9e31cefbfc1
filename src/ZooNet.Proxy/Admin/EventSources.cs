using Microsoft.Extensions.Hosting;
using ZooNet.Federation.Freshness;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Downstream;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// Tells the <see cref="EventLog"/> what happens: it listens before anything is started, and compares what it hears of with what was
/// before.
/// </summary>
internal sealed class EventSources(
    EventLog log,
    ClusterControls clusters,
    MountStore store,
    IMountActivation activation,
    DataPath path,
    IGraphSource? graph = null) : IHostedLifecycleService
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, bool> _up = new(StringComparer.Ordinal);
    private MountSnapshot _mounts = MountSnapshot.Empty;
    private string _coupled = "";
    private string? _held;

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (var control in clusters.All)
        {
            control.HealthChanged += () => OnHealth(control);
        }
        store.Changed += OnMounts;
        activation.Changed += OnGraph;
        foreach (var pool in path.Pools)
        {
            pool.Switched += OnSwitched;
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        log.Add("drain", "the proxy is told to stop and drains its clients");
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void OnHealth(ClusterControl control)
    {
        var (name, health) = (control.Cluster.Name, control.Health);
        lock (_lock)
        {
            if (_up.TryGetValue(name, out var before) && before == health.IsUp)
            {
                return;
            }
            _up[name] = health.IsUp;
            log.Add(health.IsUp ? "cluster-up" : "cluster-down", health.IsUp ? $"{name} is up, at {health.Server}"
                : $"{name} is down: {health.LastError}", name);
        }
    }

    private void OnMounts(MountSnapshot now)
    {
        lock (_lock)
        {
            foreach (var entry in now.Entries)
            {
                var before = _mounts.Entries.FirstOrDefault(e => e.Name == entry.Name);
                if (before?.State != entry.State || before.Error != entry.Error)
                {
                    var state = entry.Error is { } error ? $"is ignored: {error}" : $"is {entry.State.ToString().ToLowerInvariant()}";
                    log.Add(EventLog.MountKind, $"{entry.Record?.Cluster}:{entry.Record?.RemotePath} on {entry.Path} {state}",
                        entry.Record?.Cluster, entry.Path);
                }
            }
            foreach (var gone in _mounts.Entries.Where(e => now.Entries.All(n => n.Name != e.Name)))
            {
                log.Add(EventLog.MountKind, $"{gone.Path} is unmounted; it was {gone.Record?.Cluster}:{gone.Record?.RemotePath}",
                    gone.Record?.Cluster, gone.Path);
            }
            _mounts = now;
        }
    }

    private void OnSwitched(UpstreamServer server)
    {
        var name = path.Region.ClusterNames[server.Cluster];
        log.Add("server", $"{name} is read through {server.Address} now", name);
    }

    private void OnGraph()
    {
        if (graph?.Describe() is not { } now)
        {
            return;
        }
        var pairs = string.Join("; ", now.Coupled.Select(pair => string.Join(" and ", pair)));
        var coupled = pairs.Length == 0 ? $"nothing is coupled: {now.Why}" : $"coupled are {pairs}: {now.Why}";
        lock (_lock)
        {
            if (coupled != _coupled)
            {
                _coupled = coupled;
                log.Add("coupling", coupled);
            }
            if (now.MountsHeld != _held)
            {
                _held = now.MountsHeld;
                log.Add("held", _held is null ? "requests for mounts are served" : $"requests for mounts wait: {_held}");
            }
        }
    }
}
