using System.Globalization;
using DotNet.Testcontainers.Configurations;
using DotNet.Testcontainers.Containers;

namespace ZooNet.Testcontainers;

/// <summary>A ZooKeeper server in a container. <see cref="ZooKeeperBuilder"/> makes it; thread-safe as every container is.</summary>
public sealed class ZooKeeperContainer : DockerContainer
{
    internal ZooKeeperContainer(IContainerConfiguration configuration)
        : base(configuration)
    {
    }

    /// <summary>Where a client on this machine connects: <c>host:port</c>, which every client of ZooKeeper takes.</summary>
    /// <exception cref="InvalidOperationException">The container is not started.</exception>
    public string GetConnectionString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Hostname}:{GetMappedPublicPort(ZooKeeperBuilder.ClientPort)}");
}
