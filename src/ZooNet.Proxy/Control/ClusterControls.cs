using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Roaming;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Control;

/// <summary>The proxy's own sessions: one for each cluster that it knows. Thread-safe.</summary>
public sealed class ClusterControls : IAsyncDisposable
{
    private readonly IReadOnlyList<ClusterControl> _byOrdinal;

    /// <summary>Makes the controls; none connects before it is started.</summary>
    public ClusterControls(ProxyConfig config, ProxySecret secret, TimeProvider time, ILogger<ClusterControl> logger,
        EmbeddedObservers? observers = null, ClusterDirectory? directory = null, TreeServers? trees = null) =>
        _byOrdinal = [.. config.Clusters.Select(c =>
            new ClusterControl(c, config, secret, time, logger, () => observers?.Of(c.Ordinal) ?? trees?.Of(c.Ordinal),
                directory?[c.Ordinal]))];

    /// <summary>The home cluster's.</summary>
    public ClusterControl Home => _byOrdinal[0];

    /// <summary>All, by ordinal.</summary>
    public IReadOnlyList<ClusterControl> All => _byOrdinal;

    /// <summary>The one of a cluster.</summary>
    /// <param name="ordinal">From 0 for home.</param>
    public ClusterControl this[int ordinal] => _byOrdinal[ordinal];

    /// <summary>Begins to connect to all clusters.</summary>
    public void Start()
    {
        foreach (var control in _byOrdinal)
        {
            control.Start();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // All at once: a cluster that does not answer delays nobody else's goodbye.
        await Task.WhenAll(_byOrdinal.Select(c => c.DisposeAsync().AsTask()));
    }
}
