using Docker.DotNet.Models;
using DotNet.Testcontainers.Configurations;

namespace ZooNet.Testcontainers;

/// <summary>The configuration of a <see cref="ZooKeeperContainer"/>; <see cref="ZooKeeperBuilder"/> writes it.</summary>
public sealed class ZooKeeperConfiguration : ContainerConfiguration
{
    /// <summary>An empty configuration.</summary>
    public ZooKeeperConfiguration()
    {
    }

    /// <summary>One that has what a resource of the engine has.</summary>
    /// <param name="resource">The resource's configuration.</param>
    public ZooKeeperConfiguration(IResourceConfiguration<CreateContainerParameters> resource)
        : base(resource)
    {
    }

    /// <summary>One that has what a container has.</summary>
    /// <param name="container">The container's configuration.</param>
    public ZooKeeperConfiguration(IContainerConfiguration container)
        : base(container)
    {
    }

    /// <summary>An older configuration, with what a newer one says on top.</summary>
    /// <param name="older">What holds where <paramref name="newer"/> says nothing.</param>
    /// <param name="newer">What holds.</param>
    public ZooKeeperConfiguration(ZooKeeperConfiguration older, ZooKeeperConfiguration newer)
        : base(older, newer)
    {
    }
}
