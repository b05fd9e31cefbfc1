using Docker.DotNet.Models;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;

namespace ZooNet.Testcontainers;

/// <summary>
/// Builds a <see cref="ZooKeeperContainer"/>: one stand-alone server of Docker Hub's image <c>zookeeper</c>, or of an image that takes the
/// same variables. Immutable, as every builder of Testcontainers: each method returns another one.
/// </summary>
/// <example>
/// <code>
/// await using var zooKeeper = new ZooKeeperBuilder("zookeeper:3.9").Build();
/// await zooKeeper.StartAsync();
/// var connect = zooKeeper.GetConnectionString();
/// </code>
/// </example>
public sealed class ZooKeeperBuilder : ContainerBuilder<ZooKeeperBuilder, ZooKeeperContainer, ZooKeeperConfiguration>
{
    /// <summary>The port in the container that serves clients.</summary>
    public const int ClientPort = 2181;

    /// <summary>
    /// How long <c>StartAsync</c> waits by default for a server or a proxy to serve clients, before it fails with a TimeoutException.
    /// <c>WithWaitStrategy</c> waits otherwise.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>A builder for a server of an image.</summary>
    /// <param name="image">The image, for example <c>zookeeper:3.9</c>.</param>
    /// <exception cref="ArgumentException">It is empty, or no name of an image.</exception>
    public ZooKeeperBuilder(string image)
        : this(new ZooKeeperConfiguration())
    {
        DockerResourceConfiguration = Init().WithImage(image).DockerResourceConfiguration;
    }

    private ZooKeeperBuilder(ZooKeeperConfiguration configuration)
        : base(configuration) =>
        DockerResourceConfiguration = configuration;

    /// <inheritdoc/>
    protected override ZooKeeperConfiguration DockerResourceConfiguration { get; }

    /// <summary>Sets ZooKeeper's tick, which bounds the session timeouts that clients get: from 2 to 20 ticks.</summary>
    /// <param name="tick">The tick; at least a millisecond. The image's own is 2 s.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is shorter than a millisecond.</exception>
    public ZooKeeperBuilder WithTickTime(TimeSpan tick)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tick, TimeSpan.FromMilliseconds(1));
        return WithEnvironment("ZOO_TICK_TIME", ((long)tick.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public override ZooKeeperContainer Build()
    {
        Validate();
        return new ZooKeeperContainer(DockerResourceConfiguration);
    }

    /// <inheritdoc/>
    protected override ZooKeeperBuilder Init() => base.Init()
        .WithPortBinding(ClientPort, assignRandomHostPort: true)
        .WithEnvironment("ZOO_4LW_COMMANDS_WHITELIST", "*")
        .WithWaitStrategy(Wait.ForUnixContainer().AddCustomWaitStrategy(
            new ServesClients(), strategy => strategy.WithTimeout(Patience)));

    /// <inheritdoc/>
    protected override ZooKeeperBuilder Clone(IResourceConfiguration<CreateContainerParameters> resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new ZooKeeperConfiguration(resourceConfiguration));

    /// <inheritdoc/>
    protected override ZooKeeperBuilder Clone(IContainerConfiguration resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new ZooKeeperConfiguration(resourceConfiguration));

    /// <inheritdoc/>
    protected override ZooKeeperBuilder Merge(ZooKeeperConfiguration oldValue, ZooKeeperConfiguration newValue) =>
        new(new ZooKeeperConfiguration(oldValue, newValue));
}
