using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Federation.Freshness;
using ZooNet.Federation.Sessions;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Upstream;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Hosting;

/// <summary>
/// Starts the control plane with the host, and stops it after the data path: hosted services stop in the reverse of the order in
/// which they were added, so add this first.
/// </summary>
public sealed class ControlPlane(ProxyConfig config, ClusterControls clusters, MountStore store, MountDriver mounts,
    IMountActivation activation, Region region, ILogger<ControlPlane> logger) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (config.IsInsecure)
        {
            logger.DefaultSecret();
        }
        if (activation is not ViewDriver)
        {
            store.Changed += snapshot => region.Mounts = snapshot.Table;
        }
        store.Start();
        mounts.Start();
        clusters.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await mounts.DisposeAsync();
        await store.DisposeAsync();
        await clusters.DisposeAsync();
    }
}

/// <summary>Puts the control plane into a host.</summary>
public static class ControlPlaneServices
{
    /// <summary>
    /// Adds <see cref="Region"/>, <see cref="ClusterControls"/>, <see cref="MountStore"/>, <see cref="MountDriver"/>, <see
    /// cref="MountCommands"/>, and the hosted service that runs them and keeps the region's mounts up to date. An <see
    /// cref="IMountActivation"/> that was added before is used.
    /// </summary>
    public static IServiceCollection AddZooNetControl(this IServiceCollection services, ProxyConfig config)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(config);
        services.TryAddSingleton(new ConfigInForce(config));
        services.TryAddSingleton<ClusterDirectory>();
        services.TryAddSingleton(new Region([.. config.Clusters.Select(c => c.Name)], config.Consistency)
        {
            AdvertisedConfig = AdvertisedConfig.Of(config.Advertise),
            MaxFrame = config.MaxFrame,
            IsKnownByCertificate = config.Clusters.Any(c => c.Tls?.Config.Certificate is not null),
            Limits = config.SetLimits(new ClientLimits()),
        });
        services.TryAddSingleton(s => new ProxySecret(s.GetRequiredService<ProxyConfig>()));
        services.TryAddSingleton<ProxyInstance>();
        services.TryAddSingleton<ClusterControls>();
        services.TryAddSingleton(s => ActivatorUtilities.CreateInstance<MountStore>(s, s.GetRequiredService<ClusterControls>().Home));
        var keepsGraph = config.Consistency is ConsistencyMode.Sequential or ConsistencyMode.Ordered
            && services.All(s => s.ServiceType != typeof(IMountActivation));
        if (keepsGraph)
        {
            services.TryAddSingleton<ViewDriver>();
            services.AddSingleton<IMountActivation>(s => s.GetRequiredService<ViewDriver>());
            services.AddSingleton<IGraphSource>(s => s.GetRequiredService<ViewDriver>());
        }
        services.TryAddSingleton<IMountActivation, ImmediateActivation>();
        services.TryAddSingleton<MountWriter>();
        services.TryAddSingleton<MountDriver>();
        services.TryAddSingleton<MountCommands>();
        services.TryAddSingleton<InterestWatch>();
        services.AddHostedService<ControlPlane>();
        if (keepsGraph)
        {
            // Stopped before the control plane, for it says goodbye through it, and after the data path.
            services.AddHostedService(s => s.GetRequiredService<ViewDriver>());
        }
        services.AddHostedService<SessionLimits>();
        services.AddHostedService<OwnersWatch>();
        services.AddHostedService<EnsembleFollower>();
        services.AddHostedService<ServiceRecords>();
        services.TryAddSingleton<LostHistory>();
        services.AddHostedService(s => s.GetRequiredService<LostHistory>());
        return services;
    }
}
